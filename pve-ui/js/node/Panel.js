/* Tab "CNI" of a node. */
Ext.define('PVECNI.node.Panel', {
    extend: 'Ext.tab.Panel',
    alias: 'widget.pveCniNode',

    title: 'CNI',
    border: false,
    defaults: { border: false },
    deferredRender: true,

    initComponent: function () {
        const me = this;
        const nodename = me.pveSelNode?.data.node;
        if (!nodename) throw new Error('no node name specified');
        me.items = [
            {
                xtype: 'pveCniNodeOverview',
                itemId: 'overview',
                iconCls: 'fa fa-heartbeat',
                nodename,
            },
            {
                xtype: 'pveCniTopology',
                itemId: 'topology',
                iconCls: 'fa fa-sitemap',
                nodename,
                listeners: { networkchosen: (_topology, network) => me.showInterfacesOf(network) },
            },
            {
                xtype: 'pveCniNodeInterfaces',
                itemId: 'interfaces',
                iconCls: 'fa fa-exchange',
                nodename,
            },
            {
                xtype: 'pveCniFlowGrid',
                itemId: 'flows',
                iconCls: 'fa fa-random',
                url: `/nodes/${nodename}/cni/flows`,
            },
            { xtype: 'pveCniHistory', itemId: 'history', iconCls: 'fa fa-area-chart', nodename },
            { xtype: 'pveCniCleanUp', itemId: 'cleanup', iconCls: 'fa fa-trash-o', nodename },
        ];
        me.callParent();
    },

    showInterfacesOf(network) {
        const grid = this.setActiveTab('interfaces') || this.down('#interfaces');
        grid.showNetwork(network);
    },
});
