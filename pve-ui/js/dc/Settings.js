/* The cluster's settings: fields for the plain ones, which write into the text below, and the text itself, which is what is saved. */
Ext.define('PVECNI.dc.Settings', {
    extend: 'Ext.panel.Panel',
    alias: 'widget.pveCniSettings',

    title: gettext('Settings'),
    bodyPadding: 10,
    scrollable: true,
    layout: { type: 'vbox', align: 'stretch' },
    url: '/cluster/cni/settings',

    initComponent: function () {
        const me = this;
        const readOnly = !PVECNI.Caps.changeCluster();
        const number = (path, fieldLabel, limits) => ({
            xtype: 'numberfield',
            path,
            fieldLabel,
            readOnly,
            allowBlank: true,
            hideTrigger: readOnly,
            listeners: { change: (field) => me.write(field, field.getValue() ?? undefined) },
            ...limits,
        });
        me.tbar = [
            {
                text: gettext('Save'),
                itemId: 'save',
                iconCls: 'fa fa-fw fa-floppy-o',
                disabled: true,
                hidden: readOnly,
                handler: () => me.save(),
            },
            {
                text: gettext('Reload'),
                itemId: 'reload',
                iconCls: 'fa fa-fw fa-refresh',
                handler: () => me.reload(),
            },
            '->',
            { xtype: 'tbtext', itemId: 'said', text: '' },
        ];
        me.items = [
            {
                xtype: 'form',
                border: false,
                fieldDefaults: { labelWidth: 330, maxWidth: 560, anchor: '100%' },
                items: [
                    number(
                        ['releaseAfterHours'],
                        gettext('Hours that addresses of a destroyed container are kept back'),
                        {
                            minValue: 0,
                            maxValue: 8760,
                        },
                    ),
                    number(['flows', 'retentionDays'], gettext('Days that a flow is kept'), {
                        minValue: 0,
                        maxValue: 3650,
                    }),
                    number(['flows', 'maxMegabytes'], gettext('Megabytes of flows on each node'), {
                        minValue: 8,
                        maxValue: 1048576,
                        allowDecimals: false,
                    }),
                    {
                        xtype: 'textfield',
                        path: ['identityTags'],
                        fieldLabel: gettext('Tags that are labels of policies'),
                        readOnly,
                        emptyText: gettext('web, db'),
                        listeners: {
                            change: {
                                fn: (field, value) => me.write(field, me.tagList(value)),
                                buffer: 300,
                            },
                        },
                    },
                ],
            },
            {
                xtype: 'textarea',
                itemId: 'text',
                cls: 'pve-cni-text-field',
                fieldLabel: 'settings.yaml',
                labelAlign: 'top',
                inputAttrTpl: 'spellcheck="false" wrap="off"',
                height: 280,
                readOnly,
                listeners: { change: () => me.onText() },
            },
            {
                xtype: 'component',
                itemId: 'problem',
                hidden: true,
                padding: '10 0',
                autoEl: { role: 'alert' },
            },
        ];
        me.callParent();
        // follows what others save, unless something here is not saved yet
        me.poll = Ext.create('PVECNI.Poll', {
            view: me,
            url: me.url,
            interval: 10000,
            load: (data) => me.isDirty() || me.showSettings(data),
        });
    },

    tagList: (value) => {
        const tags = value.split(/[\s,;]+/).filter(Boolean);
        return tags.length > 0 ? `[${tags.join(', ')}]` : undefined;
    },

    isDirty: function () {
        return this.saved !== undefined && this.down('#text').getValue() !== this.saved;
    },

    showSettings: function ({ text, digest, settings }) {
        this.digest = digest;
        this.saved = text ?? '';
        this.isShowing = true;
        this.down('#text').setValue(this.saved);
        for (const field of this.query('field[path]')) {
            const value = field.path.reduce((object, key) => object?.[key], settings);
            field.suspendEvents(false);
            field.setValue(Ext.isArray(value) ? value.join(', ') : value);
            field.resumeEvents();
        }
        this.isShowing = false;
        this.onText();
    },

    /** A field changed: its value goes into the text. */
    write: function (field, value) {
        if (this.destroyed || this.isShowing || field.readOnly || !field.isValid()) return;
        const next = PVECNI.dc.YamlText.set(this.down('#text').getValue(), field.path, value);
        if (next === null)
            this.say(
                Ext.htmlEncode(
                    Ext.String.format(
                        gettext('Change {0} in the text, please.'),
                        field.path.join('.'),
                    ),
                ),
            );
        else this.down('#text').setValue(next);
    },

    onText: function () {
        this.down('#save').setDisabled(!this.isDirty());
    },

    say: function (html) {
        this.down('#problem').setHtml(html);
        this.down('#problem').setVisible(html !== '');
    },

    reload: function () {
        this.saved = undefined;
        this.say('');
        this.poll.reload();
    },

    save: function () {
        const me = this;
        me.say('');
        PVECNI.Api.request({
            url: me.url,
            method: 'PUT',
            owner: me,
            params: { text: me.down('#text').getValue(), ...(me.digest && { digest: me.digest }) },
            failure: (html) => me.say(`${PVECNI.Render.icon('critical')} ${html}`),
            success: () => {
                me.down('#said').setText(gettext('Saved.'));
                me.reload();
            },
        });
    },
});
