/* Who has which address. */
Ext.define('PVECNI.dc.AddressGrid', {
    extend: 'PVECNI.grid.Live',
    alias: 'widget.pveCniAddressGrid',

    title: gettext('Reserved and kept back'),
    emptyText: gettext('No address is reserved.'),
    url: '/cluster/cni/addresses',
    interval: 5000,

    fields: [
        { name: 'vmid', type: 'int' },
        ...['network', 'address', 'ifname', 'state', 'since', 'releaseAt', 'inUse'],
        { name: 'id', convert: (value, { data }) => value || `${data.network}/${data.address}` },
    ],
    sorters: [{ property: 'network' }, { property: 'vmid' }, { property: 'address' }],

    columns: [
        {
            header: gettext('State'),
            dataIndex: 'state',
            width: 120,
            renderer: PVECNI.Render.state('address'),
        },
        { header: gettext('Network'), dataIndex: 'network', width: 140 },
        { header: gettext('Address'), dataIndex: 'address', flex: 1 },
        { header: 'VMID', dataIndex: 'vmid', width: 80 },
        { header: gettext('Interface'), dataIndex: 'ifname', width: 110 },
        { header: gettext('In use'), dataIndex: 'inUse', width: 90, renderer: PVECNI.Render.yesNo },
        { header: gettext('Since'), dataIndex: 'since', width: 175, renderer: PVECNI.Render.time },
        {
            header: gettext('Free from'),
            dataIndex: 'releaseAt',
            width: 175,
            renderer: PVECNI.Render.time,
        },
    ],

    initComponent: function () {
        this.callParent();
        this.on('itemdblclick', (_view, record) => PVECNI.Jump.toContainer(record.get('vmid')));
    },

    showNetwork: function (name) {
        this.store.clearFilter(true);
        this.store.filter(name ? { property: 'network', value: name, exactMatch: true } : []);
    },
});
