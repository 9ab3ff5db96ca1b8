/* Policies that apply to each interface, and whether they are in force. base: of the container in the API */
Ext.define('PVECNI.container.Policies', {
    extend: 'PVECNI.grid.Live',
    alias: 'widget.pveCniContainerPolicies',

    title: gettext('Policies'),
    iconCls: 'fa fa-shield',
    emptyText: gettext('No interface of this container is attached.'),
    interval: 5000,
    root: 'interfaces',

    idProperty: 'name',
    fields: [
        'name',
        'network',
        'enforcer',
        'state',
        'labels',
        'enforced',
        'policies',
        'differences',
    ],
    sorters: 'name',

    columns: [
        { header: gettext('Interface'), dataIndex: 'name', width: 90 },
        { header: gettext('Network'), dataIndex: 'network', width: 110 },
        {
            header: gettext('Status'),
            dataIndex: 'state',
            width: 150,
            renderer: PVECNI.Render.state('policy'),
        },
        {
            header: gettext('Policies'),
            dataIndex: 'policies',
            flex: 2,
            renderer: (value) =>
                PVECNI.Render.list(
                    (value || []).map(
                        (one) => `${one.name} (${(one.directions || []).join(', ')})`,
                    ),
                ),
        },
        {
            header: gettext('Drops what no rule allows'),
            dataIndex: 'enforced',
            width: 170,
            renderer: (value) =>
                PVECNI.Render.commas(Object.keys(value || {}).filter((way) => value[way])),
        },
        { header: gettext('Labels'), dataIndex: 'labels', flex: 2, renderer: PVECNI.Render.list },
        {
            header: gettext('Differences'),
            dataIndex: 'differences',
            flex: 2,
            tdCls: 'pve-cni-wrap',
        },
    ],

    initComponent: function () {
        let me = this;

        me.url = `${me.base}/policy`;
        me.callParent();
    },
});
