/* Editor of the YAML text of one object of the cluster. The service checks the text and refuses it with its own words; the digest says whose
 * change was first. Without the right to change it only shows.
 *
 * Config: `url` of the kind (below the API), `objectName` (undefined: a new one), `template` (text of a new one), `mayWrite`, `changed`. */
Ext.define('PVECNI.dc.Editor', {
    extend: 'Proxmox.window.Edit',

    width: 760,
    resizable: true,
    mayWrite: false,
    /** called after a change with what the service says of it */
    changed: Ext.emptyFn,
    /** a new object's name is its file's; policies name themselves in the text */
    asksName: true,
    submitText: gettext('Save'),

    initComponent: function () {
        const me = this;
        const isNew = me.objectName === undefined;
        me.isCreate = isNew;
        me.method = 'PUT';
        const base = me.url;
        const of = (name) => `${base}/${encodeURIComponent(name)}`;
        me.loadUrl = () => of(me.objectName);
        me.submitUrl = (_url, values) => {
            const url = of(isNew ? values.name : me.objectName);
            delete values.name;
            return url;
        };
        me.title = isNew
            ? `${gettext('Create')}: ${me.noun}`
            : `${me.noun}: ${Ext.htmlEncode(me.objectName)}`;
        me.items = [
            ...(isNew && me.asksName
                ? [
                      {
                          xtype: 'textfield',
                          name: 'name',
                          fieldLabel: gettext('Name'),
                          allowBlank: false,
                      },
                  ]
                : []),
            {
                xtype: 'textarea',
                name: 'text',
                cls: 'pve-cni-text-field',
                inputAttrTpl: `aria-label="${gettext('Text')}" spellcheck="false" wrap="off"`,
                height: 360,
                allowBlank: false,
                readOnly: !me.mayWrite,
                value: isNew ? me.template : undefined,
                listeners: { change: { fn: (_field, text) => me.onText(text), buffer: 500 } },
            },
            {
                xtype: 'component',
                itemId: 'findings',
                hidden: true,
                autoEl: { tag: 'ul', class: 'pve-cni-findings', role: 'status' },
            },
        ];
        me.callParent();
        if (!me.mayWrite) me.lookup('submitbutton').hide();
        if (!isNew) me.load({ success: ({ result }) => me.onLoaded(result.data) });
    },

    onLoaded(data) {
        this.opened = data.text ?? '';
        this.setValues({ text: this.opened });
    },

    /** Called when the text changed. */
    onText: Ext.emptyFn,

    apiCallDone: function (success, response) {
        if (success) this.changed(response.result.data?.message);
    },

    text() {
        return this.down('field[name=text]').getValue();
    },

    /** Shows what is wrong beneath the text: strings of the service. */
    showFindings(findings) {
        if (this.destroyed) return;
        const list = this.down('#findings');
        list.setHtml(
            findings
                .map(
                    (finding) =>
                        `<li>${PVECNI.Render.icon('critical')} ${Ext.htmlEncode(finding)}</li>`,
                )
                .join(''),
        );
        list.setVisible(findings.length > 0);
    },
});
