/* Traffic over an hour or a day, as the container (or all of them) sent and received it.
 * url: below /api2/json, answers `{ points: [{ time, rxRate, txRate }] }` */
Ext.define('PVECNI.panel.Traffic', {
    extend: 'Ext.panel.Panel',
    alias: 'widget.pveCniTraffic',

    url: undefined,
    title: gettext('Traffic'),
    layout: 'card',
    timeframe: 'hour',

    initComponent: function () {
        let me = this;

        me.store = Ext.create('Proxmox.data.UpdateStore', {
            interval: 15000,
            fields: [{ name: 'time', type: 'date', dateFormat: 'timestamp' }, 'rxRate', 'txRate'],
            proxy: {
                type: 'proxmox',
                url: `/api2/json${me.url}`,
                root: 'data.points',
                extraParams: { timeframe: me.timeframe },
            },
        });

        Ext.apply(this, {
            tbar: [
                {
                    xtype: 'proxmoxKVComboBox',
                    fieldLabel: gettext('Time'),
                    labelWidth: 50,
                    width: 180,
                    value: me.timeframe,
                    comboItems: [
                        ['hour', gettext('Hour')],
                        ['day', gettext('Day')],
                    ],
                    listeners: {
                        change: (field, value) => {
                            me.store.getProxy().setExtraParam('timeframe', value);
                            me.store.load();
                        },
                    },
                },
            ],
            items: [
                {
                    xtype: 'component',
                    userCls: 'pve-cni-empty',
                    html: gettext('No traffic was counted yet.'),
                },
                {
                    xtype: 'proxmoxRRDChart',
                    store: me.store,
                    fields: ['rxRate', 'txRate'],
                    fieldTitles: [gettext('received'), gettext('sent')],
                    unit: 'bytespersecond',
                    powerOfTwo: true,
                    noTool: true,
                    border: false,
                },
            ],
        });

        me.callParent();

        Proxmox.Utils.monStoreErrors(me, me.store, true);
        me.mon(me.store, 'load', (store, _records, success) => {
            if (success) {
                me.setActiveItem(store.getCount() ? 1 : 0);
            }
        });
        PVECNI.Follow.begin(me, me.store);
    },
});
