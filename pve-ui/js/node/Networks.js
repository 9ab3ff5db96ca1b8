/* Networks as they are on one node: what makes them there, and in which state. */
Ext.define('PVECNI.node.Networks', {
    extend: 'Ext.grid.GridPanel',
    alias: 'widget.pveCniNodeNetworks',

    title: gettext('Networks'),
    minHeight: 140,
    maxHeight: 420,
    viewConfig: {
        trackOver: false,
        enableTextSelection: true,
        preserveScrollOnRefresh: true,
        deferEmptyText: false,
        emptyText: gettext('No network is configured. Networks are made at Datacenter, CNI.'),
    },

    columns: [
        {
            header: gettext('State'),
            dataIndex: 'state',
            width: 110,
            renderer: PVECNI.Render.state('network'),
        },
        { header: gettext('Network'), dataIndex: 'name', flex: 1, renderer: PVECNI.Render.long },
        { header: gettext('Type'), dataIndex: 'type', width: 90, renderer: PVECNI.Render.long },
        {
            header: gettext('Bridge'),
            dataIndex: 'bridge',
            width: 140,
            renderer: PVECNI.Render.long,
        },
        {
            header: gettext('Subnets'),
            dataIndex: 'subnets',
            flex: 2,
            sortable: false,
            renderer: (value) => PVECNI.Render.commas((value ?? []).map(({ cidr }) => cidr)),
        },
        {
            header: gettext('Containers'),
            dataIndex: 'containers',
            width: 115,
            align: 'right',
            renderer: (value) => String((value ?? []).length),
        },
        {
            header: gettext('Message'),
            dataIndex: 'said',
            flex: 3,
            tdCls: 'pve-cni-wrap',
            renderer: PVECNI.Render.text,
        },
        {
            xtype: 'actioncolumn',
            header: gettext('Check'),
            width: 70,
            align: 'center',
            menuDisabled: true,
            items: [
                {
                    iconCls: 'fa fa-stethoscope',
                    tooltip: gettext('Check what the network needs on this node'),
                    handler: (view, _row, _column, _item, _event, { data }) =>
                        view.up('pveCniNodeNetworks').check(data.name),
                },
            ],
        },
    ],

    initComponent: function () {
        this.store = Ext.create('Ext.data.Store', {
            idProperty: 'name',
            fields: ['name', 'type', 'state', 'bridge', 'subnets', 'containers', 'problem', 'said'],
            sorters: 'name',
        });
        this.callParent();
    },

    showNetworks(networks) {
        const text = Ext.encode(networks);
        if (text === this.shown) return;
        this.shown = text;
        this.store.loadData(
            networks.map((network) => ({
                ...network,
                said: [network.problem?.message, ...network.warnings].filter(Boolean).join('; '),
            })),
        );
    },

    check(name) {
        Proxmox.Utils.API2Request({
            url: `/nodes/${this.nodename}/cni/networks/${encodeURIComponent(name)}/check`,
            method: 'POST',
            waitMsgTarget: this,
            failure: ({ htmlStatus }) => Ext.Msg.alert(gettext('Error'), htmlStatus),
            success: ({ result }) => {
                const lines = result.data.results.map(
                    ({ what, ok, message }) =>
                        `<li>${PVECNI.Render.icon(ok ? 'good' : 'critical')} <b>${Ext.htmlEncode(what)}</b> ${Ext.htmlEncode(message)}</li>`,
                );
                Ext.create('Ext.window.Window', {
                    title: `${gettext('Check')}: ${Ext.htmlEncode(name)}`,
                    width: 600,
                    maxHeight: 500,
                    modal: true,
                    scrollable: true,
                    bodyPadding: 10,
                    html: `<ul class="pve-cni-findings">${lines.join('')}</ul>`,
                    buttons: [
                        {
                            text: gettext('Close'),
                            handler() {
                                this.up('window').close();
                            },
                        },
                    ],
                }).show();
            },
        });
    },
});
