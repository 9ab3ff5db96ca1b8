/* Fields of a form from its definition (PVECNI.Forms, made of the service's schemas): what does not fit is
 * marked before it is sent, in the words that the service would refuse it with. */
Ext.define('PVECNI.FormFields', {
    singleton: true,

    /** url of the networks that may be chosen; `fixed`: names of fields that cannot be changed. */
    of: function (form, { networksUrl, fixed = [] }) {
        return PVECNI.Forms.forms[form].map((definition) => ({
            isAdvanced: !!definition.advanced,
            field: {
                name: definition.name,
                fieldLabel: definition.label,
                allowBlank: !definition.required,
                disabled: !!definition.privilege && !PVECNI.Caps.has('dc', definition.privilege),
                autoEl: { tag: 'div', 'data-qtip': Ext.htmlEncode(definition.description || '') },
                ...PVECNI.FormFields.kinds[definition.kind](definition, networksUrl),
                ...(fixed.includes(definition.name) && { editable: false, readOnly: true }),
            },
        }));
    },

    kinds: {
        text: (definition) => ({
            xtype: 'proxmoxtextfield',
            validator: (value) => PVECNI.FormFields.fits(definition, value),
        }),

        // names of networks may be typed, too: who may use one need not be able to list it
        network: (definition, networksUrl) => ({
            xtype: 'combobox',
            displayField: 'name',
            valueField: 'name',
            queryMode: 'local',
            typeAhead: true,
            store: {
                fields: ['name', 'type'],
                autoLoad: true,
                sorters: 'name',
                proxy: { type: 'proxmox', url: `/api2/json${networksUrl}` },
            },
            listConfig: {
                emptyText: `<div class="pve-cni-empty">${gettext('No network that you may use')}</div>`,
                getInnerTpl: () => '{name:htmlEncode} <span class="faded">{type:htmlEncode}</span>',
            },
            validator: (value) => PVECNI.FormFields.fits(definition, value),
        }),

        list: (definition) => ({
            xtype: 'proxmoxtextfield',
            emptyText: definition.defaultValue,
            validator: (value) => {
                let words = PVECNI.FormFields.words(value);
                if (!value || value === definition.defaultValue) {
                    return true;
                }
                if (words.length > (definition.maxItems ?? Infinity)) {
                    return Ext.String.format(gettext('at most {0}'), definition.maxItems);
                }
                let wrong = words.find((word) => PVECNI.FormFields.fits(definition, word) !== true);
                return wrong === undefined || `${Ext.htmlEncode(wrong)} ${definition.message}`;
            },
        }),

        boolean: () => ({
            xtype: 'proxmoxKVComboBox',
            value: '__default__',
            deleteEmpty: false,
            comboItems: [
                ['__default__', Proxmox.Utils.defaultText || gettext('Default')],
                ['1', Proxmox.Utils.yesText],
                ['0', Proxmox.Utils.noText],
            ],
        }),

        choice: ({ values }) => ({
            xtype: 'proxmoxKVComboBox',
            value: '__default__',
            deleteEmpty: false,
            comboItems: [
                ['__default__', Proxmox.Utils.defaultText || gettext('Default')],
                ...values,
            ],
        }),
    },

    /** true, or what is wrong */
    fits: function ({ patterns = [], message }, value) {
        let isGood =
            !value || !patterns.length || patterns.some((one) => new RegExp(one).test(value));
        return isGood || message;
    },

    words: (value) => (value || '').split(/[\s,]+/).filter((word) => word !== ''),
});
