/* Tab "CNI" of the datacenter: what all nodes share. */
Ext.define('PVECNI.dc.Panel', {
    extend: 'Ext.tab.Panel',
    alias: 'widget.pveCniDatacenter',

    title: 'CNI',
    border: false,
    defaults: { border: false },
    deferredRender: true,

    items: [
        { xtype: 'pveCniNetworks', itemId: 'networks', iconCls: 'fa fa-sitemap' },
        { xtype: 'pveCniPolicies', itemId: 'policies', iconCls: 'fa fa-shield' },
        { xtype: 'pveCniServices', itemId: 'services', iconCls: 'fa fa-balance-scale' },
        { xtype: 'pveCniAddresses', itemId: 'addresses', iconCls: 'fa fa-list-ol' },
        { xtype: 'pveCniSettings', itemId: 'settings', iconCls: 'fa fa-gear' },
    ],
});
