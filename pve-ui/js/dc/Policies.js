/* Policies above, the interfaces that the chosen one selects below. */
Ext.define('PVECNI.dc.Policies', {
    extend: 'Ext.panel.Panel',
    alias: 'widget.pveCniPolicies',

    title: gettext('Policies'),
    layout: 'border',

    initComponent: function () {
        const me = this;
        me.subjects = Ext.create('Ext.data.Store', {
            fields: ['vmid', 'interface', 'network', 'state', 'since'],
            sorters: [{ property: 'vmid' }, { property: 'interface' }],
        });
        me.items = [
            {
                xtype: 'pveCniPolicyGrid',
                region: 'center',
                listeners: { chosen: (record) => me.showSubjects(record) },
            },
            {
                xtype: 'grid',
                region: 'south',
                split: true,
                height: 220,
                itemId: 'subjects',
                title: gettext('Interfaces that it selects'),
                store: me.subjects,
                bufferedRenderer: true,
                viewConfig: {
                    trackOver: false,
                    deferEmptyText: false,
                    emptyText: gettext('No interface of this node is selected.'),
                },
                columns: [
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
                    {
                        header: gettext('Network'),
                        dataIndex: 'network',
                        flex: 1,
                        renderer: PVECNI.Render.long,
                    },
                    {
                        header: gettext('Since'),
                        dataIndex: 'since',
                        width: 175,
                        renderer: PVECNI.Render.time,
                    },
                ],
                listeners: {
                    itemdblclick: (_view, record) => PVECNI.Jump.toContainer(record.get('vmid')),
                },
            },
        ];
        me.callParent();
    },

    showSubjects(record) {
        const grid = this.down('#subjects');
        grid.setTitle(
            record
                ? `${gettext('Interfaces that it selects')}: ${Ext.htmlEncode(record.get('name'))}`
                : gettext('Interfaces that it selects'),
        );
        this.subjects.loadData(record?.get('containers') ?? []);
    },
});
