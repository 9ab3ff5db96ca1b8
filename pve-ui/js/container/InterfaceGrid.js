/* Interfaces of one container: what is, and what may be done. base: of the container in the API */
Ext.define('PVECNI.container.InterfaceGrid', {
    extend: 'PVECNI.grid.Live',
    alias: 'widget.pveCniContainerInterfaces',

    emptyText: gettext('This container has no CNI interface.'),
    stateful: true,
    stateId: 'grid-pve-cni-container',

    idProperty: 'ifname',
    fields: [
        ...['ifname', 'network', 'type', 'state', 'message', 'running', 'addresses', 'configured'],
        ...['mac', 'mtu', 'hostIfname', 'since', 'defaultRoute', 'names', 'enforced', 'traffic'],
    ],
    sorters: 'ifname',

    columns: [
        { header: gettext('Name'), dataIndex: 'ifname', width: 75 },
        {
            header: gettext('State'),
            dataIndex: 'state',
            width: 165,
            renderer: (value, metaData, { data }) => {
                PVECNI.Render.tip(metaData, data.message);
                return PVECNI.Render.state('interface')(value);
            },
        },
        { header: gettext('Network'), dataIndex: 'network', width: 95 },
        { header: gettext('IP Address'), dataIndex: 'addresses', minWidth: 135, flex: 2 },
        { header: gettext('MAC Address'), dataIndex: 'mac', width: 150 },
        { header: 'MTU', dataIndex: 'mtu', width: 62, align: 'right' },
        { header: gettext('Host Interface'), dataIndex: 'hostIfname', width: 130 },
        {
            header: gettext('Since'),
            dataIndex: 'since',
            width: 85,
            renderer: (value, metaData) => {
                PVECNI.Render.tip(metaData, value && PVECNI.Render.time(value));
                return PVECNI.Render.age(value);
            },
        },
        ...[
            ['rx', gettext('Received')],
            ['tx', gettext('Sent')],
        ].map(([way, header]) => ({
            header,
            dataIndex: 'traffic',
            width: 105,
            align: 'right',
            renderer: (value, metaData) => {
                PVECNI.Render.tip(metaData, PVECNI.container.InterfaceGrid.counted(value, way));
                return PVECNI.Render.rate(value?.[`${way}Rate`]);
            },
        })),
        {
            header: gettext('Default Route'),
            dataIndex: 'defaultRoute',
            width: 90,
            renderer: PVECNI.Render.yesNo,
        },
        { header: gettext('Names in DNS'), dataIndex: 'names', flex: 1, minWidth: 60 },
        {
            header: gettext('Message'),
            dataIndex: 'message',
            flex: 1,
            minWidth: 70,
            renderer: PVECNI.Render.long,
        },
    ],

    statics: {
        counted: (traffic, way) =>
            traffic &&
            Ext.String.format(
                gettext('{0} in {1} packets, {2} dropped'),
                PVECNI.Render.bytes(traffic[`${way}Bytes`]),
                PVECNI.Render.count(traffic[`${way}Packets`]),
                PVECNI.Render.count(traffic[`${way}Drops`]),
            ),
    },

    initComponent: function () {
        let me = this;

        let mayChange = PVECNI.Caps.changeContainer();
        me.url = `${me.base}/interfaces`;
        me.selModel = Ext.create('Ext.selection.RowModel', {});
        me.tbar = [
            {
                text: gettext('Add'),
                itemId: 'add',
                iconCls: 'fa fa-plus-circle',
                disabled: !mayChange,
                handler: () => me.add_(),
            },
            {
                xtype: 'proxmoxButton',
                text: gettext('Remove'),
                itemId: 'remove',
                selModel: me.selModel,
                disabled: true,
                dangerous: true,
                enableFn: () => mayChange,
                confirmMsg: ({ data }) =>
                    Ext.String.format(
                        gettext('Are you sure you want to remove entry {0}'),
                        Ext.htmlEncode(`'${data.ifname}'`),
                    ),
                handler: (_button, _event, { data }) => me.run('/detach', { ifname: data.ifname }),
            },
            {
                xtype: 'proxmoxButton',
                text: gettext('Edit'),
                itemId: 'edit',
                selModel: me.selModel,
                disabled: true,
                enableFn: ({ data }) => mayChange && !!data.configured,
                handler: () => me.edit(),
            },
            '-',
            {
                text: gettext('Check'),
                itemId: 'check',
                iconCls: 'fa fa-check-square-o',
                handler: () => me.run('/check', {}, true),
            },
            {
                text: gettext('Repair'),
                itemId: 'repair',
                iconCls: 'fa fa-wrench',
                disabled: !mayChange,
                tooltip: gettext('Check, and make right what is not'),
                handler: () => me.run('/check', { repair: 1 }, true),
            },
        ];

        me.callParent();

        me.mon(
            me.rstore,
            'load',
            (_store, _records, success) => success && me.fireEvent('told', me),
        );
        me.on({
            itemdblclick: () => me.edit(),
            itemkeydown: (_view, _record, _row, _index, event) => me.onKey(event),
            afterrender: () => {
                // where there is no row that could have the focus
                me.view.el.on('keydown', (event) => !me.store.getCount() && me.onKey(event));
            },
        });
    },

    /** As in Proxmox's own lists: Insert, Enter, Delete. */
    onKey: function (event) {
        let me = this;

        let buttons = { [event.INSERT]: 'add', [event.ENTER]: 'edit', [event.DELETE]: 'remove' };
        let button = buttons[event.getKey()] && me.down(`#${buttons[event.getKey()]}`);
        if (button && !button.isDisabled()) {
            event.stopEvent();
            button.handler.call(button.scope || button, button, event);
        }
    },

    /** What the interfaces have to say, in full. */
    messages: function () {
        return this.rstore
            .getRange()
            .filter(({ data }) => data.message)
            .map(({ data }) => `${data.ifname}: ${data.message}`);
    },

    isRunning: function () {
        return this.store.getCount() ? !!this.store.first().data.running : this.running;
    },

    add_: function () {
        let me = this;

        let number = 0;
        while (me.store.getById(`eth${number}`)) {
            number++;
        }
        me.open({ freeName: `eth${number}` });
    },

    edit: function () {
        let me = this;

        let record = me.selModel.getSelection()[0];
        if (record && !me.down('#edit').isDisabled()) {
            me.open({ record });
        }
    },

    open: function (config) {
        let me = this;

        Ext.create('PVECNI.container.InterfaceEdit', {
            base: me.base,
            running: me.isRunning(),
            autoShow: true,
            ...config,
            taskDone: () => me.changed(),
            listeners: { destroy: () => me.changed() },
        });
    },

    run: function (path, params, viewer) {
        let me = this;

        PVECNI.Api.task({
            owner: me,
            url: `${me.base}${path}`,
            params,
            viewer,
            done: () => me.changed(),
        });
    },

    changed: function () {
        let me = this;

        me.reload();
        if (!me.destroyed) {
            me.fireEvent('changed', me);
        }
    },
});
