/* Policies, with the interfaces that the chosen one selects. */
Ext.define('PVECNI.dc.Policies', {
    extend: 'PVECNI.dc.Members',
    alias: 'widget.pveCniPolicies',

    title: gettext('Policies'),
    list: 'pveCniPolicyGrid',
    member: 'containers',
    memberId: 'subjects',
    noun: gettext('Interfaces that it selects'),
    memberStore: {
        fields: ['vmid', 'interface', 'network', 'state', 'since'],
        sorters: [{ property: 'vmid' }, { property: 'interface' }],
    },
    memberGrid: {
        bufferedRenderer: true,
        viewConfig: {
            trackOver: false,
            emptyText: gettext('No interface of this node is selected.'),
        },
    },
    memberColumns: [
        {
            header: gettext('State'),
            dataIndex: 'state',
            width: 140,
            renderer: PVECNI.Render.state('policy'),
        },
        { header: 'VMID', dataIndex: 'vmid', width: 80 },
        {
            header: gettext('Interface'),
            dataIndex: 'interface',
            width: 110,
            renderer: PVECNI.Render.long,
        },
        { header: gettext('Network'), dataIndex: 'network', flex: 1, renderer: PVECNI.Render.long },
    ],
});
