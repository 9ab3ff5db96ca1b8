/* Adds an interface to a container, or changes one: at once where the container runs.
 * base: of the container in the API; record: the interface to change */
Ext.define('PVECNI.container.InterfaceEdit', {
    extend: 'Proxmox.window.Edit',
    alias: 'widget.pveCniInterfaceEdit',

    subject: gettext('CNI Interface'),
    isAdd: true,
    width: 420,
    fieldDefaults: { labelWidth: 120 },
    showProgress: true,

    initComponent: function () {
        let me = this;

        let data = me.record?.data;
        me.isCreate = !data;
        me.method = data ? 'PUT' : 'POST';
        me.url = data
            ? `${me.base}/interfaces/${encodeURIComponent(data.ifname)}`
            : `${me.base}/attach`;

        let fields = PVECNI.FormFields.of('interface', {
            networksUrl: `${me.base}/networks`,
            fixed: data ? ['ifname'] : [],
        });
        let hint = me.running
            ? gettext('The container is running: this takes effect at once.')
            : gettext('The container is not running: this takes effect with its next start.');

        me.items = [
            {
                xtype: 'inputpanel',
                items: [
                    ...fields.filter((one) => !one.isAdvanced).map((one) => one.field),
                    { xtype: 'displayfield', submitValue: false, userCls: 'pmx-hint', value: hint },
                ],
                advancedItems: fields.filter((one) => one.isAdvanced).map((one) => one.field),
                onGetValues: (values) => me.parametersOf(values),
            },
        ];

        me.callParent();

        if (data) {
            let configured = data.configured || { network: data.network, address: 'auto' };
            let route = configured.defaultRoute;
            me.setValues({
                ifname: data.ifname,
                network: configured.network,
                address: configured.address === 'auto' ? '' : configured.address.join(', '),
                defaultRoute: Ext.isBoolean(route) ? (route ? '1' : '0') : '__default__',
            });
        } else {
            me.down('field[name=ifname]').setValue(me.freeName);
        }
    },

    parametersOf: function ({ ifname, address, ...values }) {
        let me = this;

        // a request states the whole interface: what this user may not change is sent as it is, not left out
        let kept = me.record?.data.configured?.address;
        let fixed = PVECNI.FormFields.words(
            me.down('field[name=address]').isDisabled() && Ext.isArray(kept)
                ? kept.join(',')
                : address,
        );
        return {
            ...values,
            ...(me.isCreate && { ifname }),
            ...(fixed.length && { address: fixed.join(',') }),
        };
    },
});
