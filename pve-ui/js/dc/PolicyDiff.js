/* What a policy would change, before it does: its lines, and the containers that it begins or ceases to select.
 *
 * Config: `text`, `opened` and `digest` (what the editor began with; undefined: new), `applied` (function of the receipt), `refused`. */
Ext.define('PVECNI.dc.PolicyDiff', {
    extend: 'Ext.window.Window',
    alias: 'widget.pveCniPolicyDiff',

    title: gettext('Difference'),
    modal: true,
    width: 820,
    height: 560,
    layout: { type: 'vbox', align: 'stretch' },
    applied: Ext.emptyFn,
    refused: Ext.emptyFn,

    initComponent: function () {
        const me = this;
        me.items = [
            {
                xtype: 'component',
                itemId: 'summary',
                padding: 10,
                maxHeight: 200,
                scrollable: true,
            },
            {
                xtype: 'panel',
                flex: 1,
                border: false,
                scrollable: true,
                items: [{ xtype: 'component', itemId: 'diff', cls: 'pve-cni-diff' }],
            },
        ];
        me.buttons = [
            {
                text: gettext('Apply'),
                itemId: 'apply',
                disabled: true,
                hidden: !PVECNI.Caps.changeCluster(),
                handler: () => me.applyPolicy(),
            },
            { text: gettext('Close'), handler: () => me.close() },
        ];
        me.callParent();
        me.on('afterrender', me.ask, me, { single: true });
    },

    ask() {
        const me = this;
        Proxmox.Utils.API2Request({
            url: '/cluster/cni/policies-diff',
            method: 'POST',
            params: { text: me.text },
            waitMsgTarget: me,
            failure: (response) => {
                me.refused(response);
                me.close();
                Ext.Msg.alert(gettext('Error'), response.htmlStatus);
            },
            success: ({ result }) => me.showDifference(result.data),
        });
    },

    showDifference({ name, before, diff, selects, findings }) {
        const me = this;
        // what cannot be written carries the service's error; the rest is worth knowing and no obstacle
        const wrong = (findings ?? []).filter(({ ok, error }) => !ok && error);
        const odd = (findings ?? []).filter(({ ok, error }) => !ok && !error);
        const lines = [
            ...wrong.map(({ message }) => ['critical', message]),
            ...odd.map(({ message }) => ['warning', message]),
        ];
        const changed = before === null || before === undefined || diff !== '';
        const sentences = [
            before === null || before === undefined
                ? Ext.String.format(gettext('{0} is new.'), name ?? gettext('It'))
                : changed
                  ? Ext.String.format(gettext('{0} changes.'), name)
                  : Ext.String.format(gettext('{0} stays as it is.'), name),
        ];
        const old = new Set(selects?.before ?? []);
        const next = new Set(selects?.after ?? []);
        const list = (vmids) => vmids.map((vmid) => me.containerName(vmid)).join(', ');
        const begin = [...next].filter((vmid) => !old.has(vmid));
        const cease = [...old].filter((vmid) => !next.has(vmid));
        const rows = [
            [begin, 'fa-plus-circle good', gettext('Selected from now on:')],
            [cease, 'fa-minus-circle critical', gettext('No longer selected:')],
        ]
            .filter(([vmids]) => vmids.length > 0)
            .map(
                ([vmids, icon, text]) =>
                    `<p><i class="fa fa-fw ${icon}" aria-hidden="true"></i> ${text} ${Ext.htmlEncode(list(vmids))}</p>`,
            );
        if (rows.length === 0)
            rows.push(
                `<p>${Ext.String.format(ngettext('It selects {0} container, as before.', 'It selects {0} containers, as before.', next.size), next.size)}</p>`,
            );
        const stale = me.opened !== undefined && typeof before === 'string' && before !== me.opened;
        if (stale)
            rows.unshift(
                `<p class="pmx-hint">${gettext('Somebody changed this policy since you opened it: open it anew.')}</p>`,
            );
        me.down('#summary').setHtml(
            `<b>${Ext.htmlEncode(sentences.join(' '))}</b>${rows.join('')}${lines.map(([level, text]) => `<p>${PVECNI.Render.icon(level)} ${Ext.htmlEncode(text)}</p>`).join('')}`,
        );
        me.down('#diff').setHtml(PVECNI.dc.PolicyDiff.html(diff ?? ''));
        me.down('#apply').setDisabled(wrong.length > 0 || !changed || stale);
        me.updateLayout();
    },

    containerName(vmid) {
        const name = PVE.data?.ResourceStore?.guestName?.(vmid);
        return name && name !== '-' ? `${vmid} (${name})` : String(vmid);
    },

    applyPolicy() {
        const me = this;
        Proxmox.Utils.API2Request({
            url: '/cluster/cni/policies',
            method: 'POST',
            params: { text: me.text, ...(me.digest && { digest: me.digest }) },
            waitMsgTarget: me,
            failure: ({ htmlStatus }) => Ext.Msg.alert(gettext('Error'), htmlStatus),
            success: ({ result }) => {
                me.close();
                me.applied(result.data);
            },
        });
    },

    statics: {
        /** A unified difference as lines that are coloured by their sign. */
        html(diff) {
            return diff
                .split('\n')
                .filter((line) => !/^(---|\+\+\+) /.test(line))
                .map((line) => {
                    const cls = { '+': 'good', '-': 'critical', '@': 'faded' }[line[0]] ?? '';
                    return `<div class="${cls}"><span>${Ext.htmlEncode(line) || '&nbsp;'}</span></div>`;
                })
                .join('');
        },
    },
});
