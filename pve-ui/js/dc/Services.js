/* Services, with the backends of the chosen one. */
Ext.define('PVECNI.dc.Services', {
    extend: 'PVECNI.dc.Members',
    alias: 'widget.pveCniServices',

    title: gettext('Services'),
    list: 'pveCniServiceGrid',
    member: 'backends',
    memberId: 'backends',
    noun: gettext('Backends'),
    memberStore: {
        fields: ['vmid', 'name', 'node', 'address', 'up', 'reason', 'since'],
        sorters: 'vmid',
    },
    memberGrid: {
        viewConfig: {
            trackOver: false,
            enableTextSelection: true,
            emptyText: gettext('No container is a backend of the chosen service.'),
        },
    },
    memberColumns: [
        {
            header: gettext('State'),
            dataIndex: 'up',
            width: 110,
            renderer: (up) => PVECNI.Render.state('backend')(up ? 'up' : 'down'),
        },
        { header: 'VMID', dataIndex: 'vmid', width: 80 },
        { header: gettext('Container'), dataIndex: 'name', flex: 1, renderer: PVECNI.Render.long },
        { header: gettext('Node'), dataIndex: 'node', width: 120, renderer: PVECNI.Render.long },
        {
            header: gettext('Address'),
            dataIndex: 'address',
            width: 160,
            renderer: PVECNI.Render.long,
        },
        {
            header: gettext('Reason'),
            dataIndex: 'reason',
            flex: 2,
            tdCls: 'pve-cni-wrap',
            renderer: PVECNI.Render.text,
        },
    ],
});
