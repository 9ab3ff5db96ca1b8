/* What was done with the container's network lately, by whom, and what went wrong. base: of the container in the API */
Ext.define('PVECNI.container.Operations', {
    extend: 'PVECNI.grid.Live',
    alias: 'widget.pveCniOperations',

    title: gettext('Operations'),
    iconCls: 'fa fa-list-alt',
    emptyText: gettext('Nothing was done yet.'),
    interval: 5000,

    fields: [
        'id',
        'kind',
        'network',
        'door',
        'user',
        'begin',
        'durationMs',
        'outcome',
        'message',
        'error',
    ],
    sorters: { property: 'begin', direction: 'DESC' },

    columns: [
        {
            header: gettext('Begin'),
            dataIndex: 'begin',
            width: 150,
            renderer: PVECNI.Render.time,
        },
        { header: gettext('Operation'), dataIndex: 'kind', width: 90 },
        {
            header: gettext('Status'),
            dataIndex: 'outcome',
            width: 110,
            renderer: (value) =>
                value
                    ? PVECNI.Render.state('outcome')(value)
                    : `${PVECNI.Render.icon('busy')} ${gettext('running')}`,
        },
        {
            header: gettext('Duration'),
            dataIndex: 'durationMs',
            width: 80,
            align: 'right',
            renderer: PVECNI.Render.milliseconds,
        },
        { header: gettext('Network'), dataIndex: 'network', width: 100 },
        {
            header: gettext('User name'),
            dataIndex: 'user',
            width: 130,
            renderer: (value, metaData, { data }) => {
                PVECNI.Render.tip(metaData, data.door);
                return PVECNI.Render.text(value);
            },
        },
        {
            header: gettext('Message'),
            dataIndex: 'message',
            flex: 1,
            tdCls: 'pve-cni-wrap',
            renderer: (value, _metaData, { data }) =>
                PVECNI.Render.text(data.error?.message || value),
        },
    ],

    initComponent: function () {
        let me = this;

        me.url = `${me.base}/operations`;
        me.extraParams = { limit: 50 };
        me.callParent();
    },
});
