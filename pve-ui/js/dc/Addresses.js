/* How full each range is, and who has which address. */
Ext.define('PVECNI.dc.Addresses', {
    extend: 'Ext.panel.Panel',
    alias: 'widget.pveCniAddresses',

    title: gettext('Addresses'),
    layout: 'border',

    initComponent: function () {
        const me = this;
        me.use = Ext.create('Ext.data.Store', {
            fields: ['network', 'family', 'range', 'size', 'used', 'kept', 'free'],
            sorters: 'network',
        });
        me.items = [
            {
                xtype: 'grid',
                region: 'north',
                split: true,
                height: 200,
                itemId: 'use',
                title: gettext('Use'),
                store: me.use,
                viewConfig: {
                    trackOver: false,
                    deferEmptyText: false,
                    emptyText: gettext('No network has addresses of its own.'),
                },
                columns: [
                    {
                        header: gettext('Network'),
                        dataIndex: 'network',
                        width: 140,
                        renderer: PVECNI.Render.long,
                    },
                    {
                        header: gettext('Range'),
                        dataIndex: 'range',
                        flex: 1,
                        renderer: PVECNI.Render.long,
                    },
                    {
                        header: gettext('Use'),
                        dataIndex: 'used',
                        flex: 2,
                        renderer: (_value, _meta, { data }) => PVECNI.dc.Addresses.bar(data),
                    },
                    { header: gettext('In use'), dataIndex: 'used', width: 90, align: 'right' },
                    { header: gettext('Kept back'), dataIndex: 'kept', width: 100, align: 'right' },
                    {
                        header: gettext('Free'),
                        dataIndex: 'free',
                        width: 110,
                        align: 'right',
                        renderer: PVECNI.Render.text,
                    },
                ],
                listeners: {
                    selectionchange: (_model, [record]) =>
                        me.down('#list').showNetwork(record?.get('network')),
                },
            },
            { xtype: 'pveCniAddressGrid', region: 'center', itemId: 'list' },
        ];
        me.callParent();
        Ext.create('PVECNI.Poll', {
            view: me,
            url: '/cluster/cni/addresses?use=1',
            load: (rows) => me.showUse(rows),
        });
    },

    showUse(rows) {
        const text = Ext.encode(rows);
        if (text === this.shown) return;
        this.shown = text;
        this.use.loadData(rows);
    },

    statics: {
        /** Part of a range that is taken; sizes of IPv6 ranges come as text, as they are larger than numbers hold. */
        bar({ used, kept, size }) {
            const part =
                Number(size) > 0
                    ? Math.min(1, (Number(used) + Number(kept ?? 0)) / Number(size))
                    : 0;
            const percent = Math.round(part * 100);
            const state = part >= 0.95 ? 'critical' : part >= 0.8 ? 'warning' : 'good';
            return `<div class="pve-cni-bar ${state}" role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="${percent}" data-qtip="${percent}%"><span style="width:${percent}%"></span></div>`;
        },
    },
});
