/* The health of one part, in the way of Proxmox' own health widget: a title, a large icon, a sentence. */
Ext.define('PVECNI.node.Tile', {
    extend: 'Ext.Component',
    alias: 'widget.pveCniTile',

    heading: undefined,
    cls: 'pve-cni-tile',
    tpl: [
        '<h3>{heading:htmlEncode}</h3>',
        '<span class="pve-cni-large">{icon}</span>',
        '<p><b>{word:htmlEncode}</b></p><p title="{text:htmlEncode}">{text:htmlEncode}</p>',
    ],

    initComponent: function () {
        this.callParent();
        this.setHealth('health', undefined, '');
    },

    /** `subject` and `state` of PVECNI.States; no state: it is not known (yet) */
    setHealth: function (subject, state, text) {
        const { level, text: word } = state
            ? PVECNI.States.of(subject, state)
            : { level: 'unknown', text: '' };
        this.update({ heading: this.heading, icon: PVECNI.Render.icon(level), word, text });
    },
});
