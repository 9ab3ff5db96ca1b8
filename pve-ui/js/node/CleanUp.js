/* Debts (clean-up that failed and is tried again) and leaks (what should not be there), and the button that settles both. */
Ext.define('PVECNI.node.CleanUp', {
    extend: 'Ext.panel.Panel',
    alias: 'widget.pveCniCleanUp',

    title: gettext('Debts and leaks'),
    layout: { type: 'vbox', align: 'stretch' },
    defaults: {
        xtype: 'grid',
        flex: 1,
        viewConfig: { trackOver: false, enableTextSelection: true, deferEmptyText: false },
    },

    initComponent: function () {
        const me = this;
        me.debts = Ext.create('Ext.data.Store', {
            fields: ['id', 'vmid', 'ifname', 'network', 'attempts', 'since', 'nextTryAt', 'reason'],
            sorters: 'since',
        });
        me.leaks = Ext.create('Ext.data.Store', {
            fields: ['kind', 'what', 'why', 'vmid', 'network'],
            sorters: 'kind',
        });
        me.tbar = [
            {
                text: gettext('Preview'),
                iconCls: 'fa fa-fw fa-refresh',
                handler: () => me.reload(),
            },
            {
                text: gettext('Clean up'),
                itemId: 'cleanup',
                iconCls: 'fa fa-fw fa-trash-o',
                disabled: true,
                hidden: !PVECNI.Caps.changeNode(),
                handler: () => me.confirmCleanUp(),
            },
        ];
        me.items = [
            {
                title: gettext('Debts: clean-up that failed and is tried again'),
                itemId: 'debts',
                store: me.debts,
                emptyText: gettext('No debts.'),
                columns: [
                    { header: 'VMID', dataIndex: 'vmid', width: 80 },
                    {
                        header: gettext('Interface'),
                        dataIndex: 'ifname',
                        width: 110,
                        renderer: PVECNI.Render.long,
                    },
                    {
                        header: gettext('Network'),
                        dataIndex: 'network',
                        width: 120,
                        renderer: PVECNI.Render.long,
                    },
                    {
                        header: gettext('Attempts'),
                        dataIndex: 'attempts',
                        width: 90,
                        align: 'right',
                    },
                    {
                        header: gettext('Since'),
                        dataIndex: 'since',
                        width: 175,
                        renderer: PVECNI.Render.time,
                    },
                    {
                        header: gettext('Next attempt'),
                        dataIndex: 'nextTryAt',
                        width: 175,
                        renderer: PVECNI.Render.time,
                    },
                    {
                        header: gettext('Reason'),
                        dataIndex: 'reason',
                        flex: 1,
                        sortable: false,
                        tdCls: 'pve-cni-wrap',
                        renderer: (value) => PVECNI.Render.text(value?.message),
                    },
                ],
            },
            {
                title: gettext('Leaks: what should not be there'),
                itemId: 'leaks',
                store: me.leaks,
                emptyText: gettext('No leaks.'),
                columns: [
                    {
                        header: gettext('Kind'),
                        dataIndex: 'kind',
                        width: 110,
                        renderer: PVECNI.Render.long,
                    },
                    {
                        header: gettext('What'),
                        dataIndex: 'what',
                        flex: 1,
                        tdCls: 'pve-cni-wrap',
                        renderer: PVECNI.Render.text,
                    },
                    {
                        header: gettext('Why'),
                        dataIndex: 'why',
                        flex: 1,
                        tdCls: 'pve-cni-wrap',
                        renderer: PVECNI.Render.text,
                    },
                    { header: 'VMID', dataIndex: 'vmid', width: 80 },
                    {
                        header: gettext('Network'),
                        dataIndex: 'network',
                        width: 120,
                        renderer: PVECNI.Render.long,
                    },
                ],
            },
        ];
        me.callParent();
        me.polls = [
            Ext.create('PVECNI.Poll', {
                view: me,
                url: `/nodes/${me.nodename}/cni/status`,
                load: ({ debts }) => me.fill('debts', debts),
            }),
            Ext.create('PVECNI.Poll', {
                view: me,
                quiet: true,
                url: `/nodes/${me.nodename}/cni/gc`,
                interval: 30000,
                load: ({ leaks }) => me.fill('leaks', leaks),
            }),
        ];
    },

    reload() {
        for (const poll of this.polls) poll.reload();
    },

    fill(name, rows) {
        const text = Ext.encode(rows);
        if (this[`${name}Shown`] !== text) this[name].loadData(rows);
        this[`${name}Shown`] = text;
        this.down('#cleanup').setDisabled(this.debts.getCount() + this.leaks.getCount() === 0);
    },

    confirmCleanUp() {
        const me = this;
        const [debts, leaks] = [me.debts.getCount(), me.leaks.getCount()];
        const message = [
            gettext('Clean up this node?'),
            Ext.String.format(ngettext('{0} debt', '{0} debts', debts), debts),
            Ext.String.format(ngettext('{0} leak', '{0} leaks', leaks), leaks),
        ].join(' · ');
        Ext.Msg.confirm(gettext('Confirm'), message, (button) => {
            if (button !== 'yes') return;
            Proxmox.Utils.API2Request({
                url: `/nodes/${me.nodename}/cni/gc`,
                method: 'POST',
                waitMsgTarget: me,
                failure: ({ htmlStatus }) => Ext.Msg.alert(gettext('Error'), htmlStatus),
                success: ({ result }) =>
                    Ext.create('Proxmox.window.TaskViewer', {
                        autoShow: true,
                        upid: result.data,
                        taskDone: () => !me.destroyed && me.reload(),
                    }),
            });
        });
    },
});
