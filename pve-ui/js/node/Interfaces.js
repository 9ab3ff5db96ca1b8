/* All CNI interfaces of a node. Enter or a double click on a row opens its container. */
Ext.define('PVECNI.node.Interfaces', {
    extend: 'PVECNI.grid.Live',
    alias: 'widget.pveCniNodeInterfaces',

    title: gettext('Interfaces'),
    emptyText: gettext('No container of this node has a CNI interface.'),
    stateful: true,
    stateId: 'grid-pve-cni-node-interfaces',
    interval: 5000,

    fields: [
        { name: 'vmid', type: 'int' },
        ...['container', 'ifname', 'network', 'state', 'message', 'addresses', 'mac', 'mtu'],
        ...['hostIfname', 'since', 'traffic'],
        { name: 'rxRate', convert: (_value, { data }) => data.traffic?.rxRate ?? null },
        { name: 'txRate', convert: (_value, { data }) => data.traffic?.txRate ?? null },
        { name: 'id', convert: (value, { data }) => value || `${data.vmid}/${data.ifname}` },
    ],
    sorters: [{ property: 'vmid' }, { property: 'ifname' }],

    columns: [
        {
            header: gettext('State'),
            dataIndex: 'state',
            width: 140,
            renderer: PVECNI.Render.state('interface'),
        },
        { header: 'VMID', dataIndex: 'vmid', width: 80 },
        {
            header: gettext('Container'),
            dataIndex: 'container',
            flex: 2,
            minWidth: 100,
            renderer: PVECNI.Render.long,
        },
        { header: gettext('Interface'), dataIndex: 'ifname', width: 110 },
        {
            header: gettext('Network'),
            dataIndex: 'network',
            flex: 1,
            minWidth: 90,
            renderer: PVECNI.Render.long,
        },
        {
            header: gettext('Addresses'),
            dataIndex: 'addresses',
            flex: 2,
            minWidth: 140,
            sortable: false,
            renderer: PVECNI.Render.commas,
        },
        { header: gettext('MAC address'), dataIndex: 'mac', width: 150, hidden: true },
        { header: 'MTU', dataIndex: 'mtu', width: 70, hidden: true },
        { header: gettext('Host interface'), dataIndex: 'hostIfname', width: 130 },
        {
            header: gettext('Received'),
            dataIndex: 'rxRate',
            width: 110,
            align: 'right',
            renderer: PVECNI.Render.rate,
        },
        {
            header: gettext('Sent'),
            dataIndex: 'txRate',
            width: 110,
            align: 'right',
            renderer: PVECNI.Render.rate,
        },
        { header: gettext('Since'), dataIndex: 'since', width: 175, renderer: PVECNI.Render.time },
        {
            header: gettext('Message'),
            dataIndex: 'message',
            flex: 3,
            minWidth: 120,
            renderer: PVECNI.Render.long,
        },
    ],

    initComponent: function () {
        const me = this;
        me.url = PVECNI.Api.node(me.nodename, '/interfaces');
        me.networks = Ext.create('Ext.data.Store', { fields: ['name'], sorters: 'name' });
        me.tbar = [
            { xtype: 'tbtext', itemId: 'count', text: '' },
            '->',
            `${gettext('Network')}:`,
            {
                xtype: 'combobox',
                itemId: 'network',
                inputAttrTpl: `aria-label="${gettext('Network')}"`,
                width: 170,
                store: me.networks,
                queryMode: 'local',
                displayField: 'name',
                valueField: 'name',
                emptyText: gettext('All'),
                listConfig: { itemTpl: '{name:htmlEncode}' },
                triggers: {
                    clear: {
                        cls: 'pmx-clear-trigger',
                        weight: -1,
                        hidden: true,
                        handler: (field) => field.setValue(null),
                    },
                },
                listeners: {
                    change: (field, value) => {
                        field.getTrigger('clear').setVisible(Boolean(value));
                        me.applyFilter();
                    },
                },
            },
            `${gettext('Search')}:`,
            {
                xtype: 'textfield',
                itemId: 'filter',
                inputAttrTpl: `aria-label="${gettext('Search')}"`,
                width: 210,
                emptyText: gettext('number, name, address, state'),
                listeners: { change: { fn: () => me.applyFilter(), buffer: 200 } },
            },
        ];
        me.callParent();
        me.on({
            itemdblclick: (_view, record) => PVECNI.Jump.toContainer(record.get('vmid')),
            itemkeydown: (_view, record, _item, _index, event) => {
                if (event.getKey() === event.ENTER) PVECNI.Jump.toContainer(record.get('vmid'));
            },
        });
        me.mon(me.store, 'refresh', () => me.count());
        me.mon(me.rstore, 'load', () => {
            me.listNetworks();
            me.applyFilter(); // to the rows that are new, too
        });
    },

    /** Shows the interfaces of one network, e.g. of the one that was chosen in the picture. */
    showNetwork: function (name) {
        this.down('#filter').setValue('');
        this.down('#network').setValue(name);
    },

    applyFilter: function () {
        if (this.destroyed || !this.rendered) return;
        const network = this.down('#network').getValue();
        const words = this.down('#filter').getValue().trim().toLowerCase();
        const matches = ({ data }) =>
            (!network || data.network === network) &&
            (!words || PVECNI.node.Interfaces.searched(data).includes(words));
        this.store.clearFilter(true);
        this.store.filter(network || words ? { id: 'shown', filterFn: matches } : []);
        this.count();
    },

    count: function () {
        const all = (this.store.getData().getSource() || this.store.getData()).getCount();
        const shown = this.store.getCount();
        this.down('#count').setText(
            shown === all
                ? Ext.String.format(ngettext('{0} interface', '{0} interfaces', all), all)
                : Ext.String.format(gettext('{0} of {1} interfaces'), shown, all),
        );
    },

    listNetworks: function () {
        const names = Ext.Array.unique(this.rstore.collect('network'));
        if (names.join() !== this.networks.collect('name').join())
            this.networks.loadData(names.map((name) => ({ name })));
    },

    statics: {
        searched: ({ vmid, container, ifname, network, state, mac, hostIfname, addresses }) =>
            [vmid, container, ifname, network, state, mac, hostIfname, ...(addresses ?? [])]
                .join(' ')
                .toLowerCase(),
    },
});
