/* What is shown of what the service says. Everything that comes from outside (guests' names, plugins'
 * messages, labels) becomes text here and never markup: grids of ours use `text` where a column names
 * no renderer. */
Ext.define('PVECNI.Render', {
    singleton: true,

    /** Anything as encoded text; '-' for what is not there. */
    text: function (value) {
        if (value === undefined || value === null || value === '') {
            return '-';
        }
        if (Ext.isArray(value)) {
            return PVECNI.Render.list(value);
        }
        return Ext.htmlEncode(Ext.isObject(value) ? Ext.encode(value) : String(value));
    },

    /** One line for each. */
    list: function (values) {
        return Ext.isEmpty(values)
            ? '-'
            : values.map((value) => PVECNI.Render.text(value)).join('<br>');
    },

    /** The same in one line. */
    commas: function (values) {
        return Ext.isEmpty(values)
            ? '-'
            : values.map((value) => PVECNI.Render.text(value)).join(', ');
    },

    /** Keys and values of an object, such as labels. */
    pairs: function (object) {
        let pairs = Object.entries(object || {}).map(([key, value]) => `${key}=${value}`);
        return PVECNI.Render.commas(pairs);
    },

    yesNo: function (value) {
        return value ? Proxmox.Utils.yesText : Proxmox.Utils.noText;
    },

    count: function (value) {
        return Ext.isNumber(value) ? Ext.util.Format.number(value, '0,000') : '-';
    },

    bytes: function (value) {
        return Ext.isNumber(value) ? Proxmox.Utils.format_size(value) : '-';
    },

    /** bytes a second */
    rate: function (value) {
        return Ext.isNumber(value) ? `${Proxmox.Utils.format_size(Math.round(value))}/s` : '-';
    },

    milliseconds: function (value) {
        if (!Ext.isNumber(value)) {
            return '-';
        }
        return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
    },

    /** ISO-8601 as local time. */
    time: function (value) {
        let seconds = Date.parse(value) / 1000;
        return value && !Number.isNaN(seconds) ? Proxmox.Utils.render_timestamp(seconds) : '-';
    },

    /** How long ago that was. */
    age: function (value) {
        let seconds = (Date.now() - Date.parse(value)) / 1000;
        return value && !Number.isNaN(seconds)
            ? Proxmox.Utils.format_duration_human(Math.max(0, Math.floor(seconds)))
            : '-';
    },

    /** An icon of Proxmox's own: good, warning, critical, else faded. */
    icon: function (level, glyph) {
        let kinds = {
            good: 'good fa-check-circle',
            warning: 'warning fa-exclamation-circle',
            critical: 'critical fa-times-circle',
            busy: 'fa-spinner fa-pulse',
            off: 'faded fa-minus-circle',
        };
        let kind = kinds[level] || 'faded fa-question-circle';
        if (glyph) {
            kind = `${kind.split(' ')[0]} ${glyph}`;
        }
        return `<i class="fa fa-fw ${kind}"></i>`;
    },

    /** Renderer of a state, see PVECNI.States. */
    state: function (subject) {
        return (value) => {
            let { level, text } = PVECNI.States.of(subject, value);
            return `${PVECNI.Render.icon(level)} ${Ext.htmlEncode(text)}`;
        };
    },

    /** Puts a text under the mouse of a cell. ExtJS reads the attribute as markup, hence encoded twice. */
    tip: function (metaData, text) {
        if (metaData && text) {
            metaData.tdAttr = `data-qtip="${Ext.htmlEncode(Ext.htmlEncode(text))}"`;
        }
    },

    /** Renderer of a text that may be longer than its column. */
    long: function (value, metaData) {
        PVECNI.Render.tip(metaData, value);
        return PVECNI.Render.text(value);
    },
});
