/* Services above, the backends of the chosen one below. */
Ext.define('PVECNI.dc.Services', {
    extend: 'Ext.panel.Panel',
    alias: 'widget.pveCniServices',

    title: gettext('Services'),
    layout: 'border',

    initComponent: function () {
        const me = this;
        me.backends = Ext.create('Ext.data.Store', {
            fields: ['vmid', 'name', 'node', 'address', 'up', 'reason', 'since'],
            sorters: 'vmid',
        });
        me.items = [
            {
                xtype: 'pveCniServiceGrid',
                region: 'center',
                listeners: { chosen: (record) => me.showBackends(record) },
            },
            {
                xtype: 'grid',
                region: 'south',
                split: true,
                height: 220,
                itemId: 'backends',
                title: gettext('Backends'),
                store: me.backends,
                viewConfig: {
                    trackOver: false,
                    enableTextSelection: true,
                    deferEmptyText: false,
                    emptyText: gettext('No container is a backend of the chosen service.'),
                },
                columns: [
                    {
                        header: gettext('State'),
                        dataIndex: 'up',
                        width: 110,
                        renderer: (up) => PVECNI.Render.state('backend')(up ? 'up' : 'down'),
                    },
                    { header: 'VMID', dataIndex: 'vmid', width: 80 },
                    {
                        header: gettext('Container'),
                        dataIndex: 'name',
                        flex: 1,
                        renderer: PVECNI.Render.long,
                    },
                    {
                        header: gettext('Node'),
                        dataIndex: 'node',
                        width: 120,
                        renderer: PVECNI.Render.long,
                    },
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

    showBackends(record) {
        this.down('#backends').setTitle(
            record
                ? `${gettext('Backends')}: ${Ext.htmlEncode(record.get('name'))}`
                : gettext('Backends'),
        );
        this.backends.loadData(record?.get('backends') ?? []);
    },
});
