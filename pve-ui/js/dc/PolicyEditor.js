/* Editor of a policy: what is wrong is said while it is written, and nothing is applied before its difference was seen. */
Ext.define('PVECNI.dc.PolicyEditor', {
    extend: 'PVECNI.dc.Editor',

    asksName: false,
    submitText: gettext('Show difference'),
    noun: gettext('Policy'),
    url: '/cluster/cni/policies',

    onLoaded(data) {
        this.digest = data.digest;
        this.callParent([data]);
    },

    onText(text) {
        const me = this;
        if (me.destroyed || !me.mayWrite || !text.trim()) return;
        Proxmox.Utils.API2Request({
            url: '/cluster/cni/policies-check',
            method: 'POST',
            params: { text },
            failure: (response) => me.refused(response),
            success: ({ result }) => {
                if (me.destroyed || me.text() !== text) return;
                me.showFindings(
                    result.data.results.filter(({ ok }) => !ok).map(({ message }) => message),
                );
            },
        });
    },

    refused({ result, htmlStatus }) {
        this.showFindings([result?.message ?? Ext.htmlDecode(htmlStatus)]);
    },

    submit: function () {
        const me = this;
        Ext.create('PVECNI.dc.PolicyDiff', {
            autoShow: true,
            text: me.text(),
            opened: me.opened,
            digest: me.digest,
            applied: (receipt) => {
                me.changed(receipt.message);
                me.close();
            },
            refused: (response) => me.refused(response),
        });
    },
});
