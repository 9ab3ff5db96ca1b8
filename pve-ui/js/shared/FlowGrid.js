/* What containers sent and received, newest first.
 *
 * url            below the API: a node's flows or one container's
 * oneContainer   true: of one container, which need not be asked for */
Ext.define('PVECNI.grid.Flows', {
    extend: 'PVECNI.grid.Live',
    // its renderers are named while it is defined
    requires: ['PVECNI.Render'],
    alias: 'widget.pveCniFlowGrid',

    title: gettext('Flows'),
    emptyText: gettext('No flow was seen. Flows are seen where Cilium carries a container.'),
    stateful: true,
    stateId: 'grid-pve-cni-flows',
    interval: 2000,
    root: 'flows',
    oneContainer: false,

    idProperty: 'key',
    fields: [
        ...['id', 'time', 'verdict', 'protocol', 'from', 'to', 'reason', 'policies', 'detail'],
        {
            name: 'key',
            convert: (value, { data }) =>
                value || data.id || Ext.encode([data.time, data.from, data.to, data.verdict]),
        },
    ],
    sorters: { property: 'time', direction: 'DESC' },

    columns: [
        { header: gettext('Time'), dataIndex: 'time', width: 175, renderer: PVECNI.Render.time },
        {
            header: gettext('Verdict'),
            dataIndex: 'verdict',
            width: 120,
            renderer: PVECNI.Render.state('verdict'),
        },
        {
            header: gettext('From'),
            dataIndex: 'from',
            flex: 2,
            sortable: false,
            renderer: (value, metaData) => PVECNI.grid.Flows.end(value, metaData),
        },
        {
            header: gettext('To'),
            dataIndex: 'to',
            flex: 2,
            sortable: false,
            renderer: (value, metaData) => PVECNI.grid.Flows.end(value, metaData),
        },
        { header: gettext('Protocol'), dataIndex: 'protocol', width: 90 },
        { header: gettext('Reason'), dataIndex: 'reason', flex: 2, renderer: PVECNI.Render.long },
        {
            header: gettext('Policies'),
            dataIndex: 'policies',
            flex: 1,
            sortable: false,
            renderer: PVECNI.Render.commas,
        },
        { header: gettext('Detail'), dataIndex: 'detail', flex: 1, renderer: PVECNI.Render.long },
    ],

    statics: {
        /** One end of a flow: whom, and at which address and port. */
        end: function (value, metaData) {
            if (!value) return '-';
            const { kind, vmid, name, address, port } = value;
            const who = vmid ? `${vmid} ${name ?? ''}`.trim() : name || kind;
            const host = port && String(address).includes(':') ? `[${address}]` : address;
            const where = port ? `${host}:${port}` : host;
            return PVECNI.Render.long([who, where].filter(Boolean).join(' · '), metaData);
        },
    },

    initComponent: function () {
        const me = this;
        me.tbar = [
            {
                text: gettext('Live'),
                iconCls: 'fa fa-fw fa-play',
                itemId: 'live',
                enableToggle: true,
                pressed: true,
                toggleHandler: (_button, on) => {
                    me.isHalted = !on;
                    if (on) me.rstore.startUpdate();
                    else me.rstore.stopUpdate();
                },
            },
            { xtype: 'tbtext', itemId: 'losses', hidden: true, cls: 'pmx-hint' },
            '->',
            `${gettext('Verdict')}:`,
            {
                xtype: 'combobox',
                itemId: 'verdict',
                inputAttrTpl: `aria-label="${gettext('Verdict')}"`,
                width: 130,
                editable: false,
                queryMode: 'local',
                value: '',
                store: [
                    ['', gettext('All')],
                    ['forwarded', gettext('forwarded')],
                    ['dropped', gettext('dropped')],
                ],
                listeners: { change: () => me.ask() },
            },
            {
                xtype: 'textfield',
                itemId: 'container',
                fieldLabel: gettext('Container'),
                labelWidth: 70,
                width: 200,
                regex: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/,
                regexText: gettext('number or name of a container'),
                hidden: me.oneContainer,
                listeners: { change: { fn: () => me.ask(), buffer: 400 } },
            },
        ];
        me.callParent();
        me.mon(me.rstore, 'load', (_store, _records, success) => success && me.showLosses());
    },

    /** Asks anew, with what is chosen above the rows. */
    ask: function () {
        const container = this.down('#container');
        if (this.destroyed || !container.isValid()) return;
        this.rstore.getProxy().setExtraParams({
            ...(this.down('#verdict').getValue() && { verdict: this.down('#verdict').getValue() }),
            ...(container.getValue() && { container: container.getValue() }),
        });
        this.reload();
    },

    showLosses: function () {
        const losses = this.rstore.getProxy().getReader().rawData?.data?.losses ?? [];
        const isCounted = losses.every(({ count }) => count !== null);
        const sum = losses.reduce((all, { count }) => all + (count ?? 0), 0);
        this.down('#losses').setText(
            isCounted
                ? Ext.String.format(gettext('{0} flows are missing here'), sum)
                : gettext('Flows are missing here, nobody knows how many'),
        );
        this.down('#losses').setVisible(losses.length > 0);
    },
});
