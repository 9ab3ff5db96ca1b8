/* A list of the cluster's objects above, what belongs to the chosen one below.
 *
 * Config: `list` (xtype of a PVECNI.dc.Objects), `member` (field of its records that holds the rows), `memberId` (itemId of the grid below),
 * `noun` (its title), `memberStore` and `memberGrid` (more of the config of both), `memberColumns`. */
Ext.define('PVECNI.dc.Members', {
    extend: 'Ext.panel.Panel',

    layout: 'border',

    initComponent: function () {
        const me = this;
        me.members = Ext.create('Ext.data.Store', me.memberStore);
        me.items = [
            {
                xtype: me.list,
                region: 'center',
                listeners: { chosen: (record) => me.showMembers(record) },
            },
            {
                xtype: 'grid',
                region: 'south',
                split: true,
                height: 220,
                itemId: me.memberId,
                title: me.noun,
                store: me.members,
                ...me.memberGrid,
                viewConfig: { deferEmptyText: false, ...me.memberGrid.viewConfig },
                columns: [
                    ...me.memberColumns,
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

    showMembers(record) {
        const name = record && Ext.htmlEncode(record.get('name'));
        this.down(`#${this.memberId}`).setTitle(record ? `${this.noun}: ${name}` : this.noun);
        this.members.loadData(record?.get(this.member) ?? []);
    },
});
