Ext.define('PVECNI.dc.Networks', {
    extend: 'PVECNI.dc.Objects',
    alias: 'widget.pveCniNetworks',

    title: gettext('Networks'),
    emptyText: gettext('No network is configured.'),
    stateId: 'grid-pve-cni-networks',
    url: '/cluster/cni/networks',
    fields: [
        ...['name', 'type', 'state', 'subnets', 'containers', 'file', 'warnings', 'problem'],
        {
            name: 'said',
            convert: (_value, { data }) =>
                [data.problem?.message, ...(data.warnings ?? [])].filter(Boolean).join('; '),
        },
    ],
    editor: {
        noun: gettext('Network'),
        template: 'type: bridge\nsubnets:\n  - cidr: 10.20.0.0/24\n    gateway: 10.20.0.1\n',
    },

    columns: [
        {
            header: gettext('State'),
            tooltip: gettext('As the node sees it that answers this page'),
            dataIndex: 'state',
            width: 110,
            renderer: PVECNI.Render.state('network'),
        },
        { header: gettext('Network'), dataIndex: 'name', flex: 1, renderer: PVECNI.Render.long },
        { header: gettext('Type'), dataIndex: 'type', width: 90, renderer: PVECNI.Render.long },
        {
            header: gettext('Subnets'),
            dataIndex: 'subnets',
            flex: 2,
            sortable: false,
            renderer: (value) =>
                PVECNI.Render.commas(
                    (value ?? []).map(({ cidr, gateway }) =>
                        gateway ? `${cidr} (${gateway})` : cidr,
                    ),
                ),
        },
        {
            header: gettext('Containers'),
            dataIndex: 'containers',
            width: 115,
            align: 'right',
            renderer: (value) => String((value ?? []).length),
        },
        { header: gettext('File'), dataIndex: 'file', width: 180, renderer: PVECNI.Render.long },
        {
            header: gettext('Message'),
            dataIndex: 'said',
            flex: 3,
            tdCls: 'pve-cni-wrap',
            renderer: PVECNI.Render.text,
        },
    ],

    /** What goes wrong when this network goes away is the service's to say: it refuses while containers use it. */
    removalQuestion(record) {
        const users = record.get('containers') ?? [];
        if (users.length === 0) return this.callParent([record]);
        return Ext.String.format(
            gettext('Containers {0} are on network {1}. Try to remove it?'),
            Ext.htmlEncode(users.join(', ')),
            Ext.htmlEncode(`'${record.get('name')}'`),
        );
    },
});
