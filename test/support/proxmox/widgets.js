/* Stand-in for proxmox-widget-toolkit (proxmoxlib.js): of its names, configuration and events those that the panel uses, on ExtJS
 * 6.2.0 where Proxmox VE 9 has 7.0.0. Written anew; where the real ones do more (help, themes, touch, units), this does nothing. */
Ext.ns('Proxmox.Setup');

Ext.Ajax.on('beforerequest', (_connection, options) => {
    options.headers = { ...options.headers, CSRFPreventionToken: Proxmox.CSRFPreventionToken };
});
Ext.Ajax.setDefaultHeaders({ Accept: 'application/json' });

Ext.define('Proxmox.Utils', {
    singleton: true,

    yesText: gettext('Yes'),
    noText: gettext('No'),
    errorText: gettext('Error'),
    unknownText: gettext('Unknown'),
    noneText: gettext('none'),
    task_desc_table: {},

    authOK: () => !!Proxmox.UserName,

    setErrorMask: function (component, message) {
        if (!component.el) return;
        if (message) {
            component.el.mask(message === true ? gettext('Loading...') : message);
        } else {
            component.el.unmask();
        }
    },

    getResponseErrorMessage: function (error) {
        if (!error.statusText) return gettext('Connection error');
        let answer = Ext.decode(error.response?.responseText || '{}', true) || {};
        let params = Object.entries(answer.errors || {}).map(([key, text]) =>
            Ext.htmlEncode(`${key}: ${text}`),
        );
        return [`${error.statusText} (${error.status})`, ...params].join('<br>');
    },

    monStoreErrors: function (component, store, clearMaskBeforeLoad, errorCallback) {
        component.mon(store, 'beforeload', () => {
            if (clearMaskBeforeLoad || component.loadCount) {
                if (clearMaskBeforeLoad) Proxmox.Utils.setErrorMask(component, false);
            } else {
                component.loadCount = 0;
                Proxmox.Utils.setErrorMask(component, true);
            }
        });
        component.mon(store.proxy, 'afterload', (_proxy, request, success) => {
            component.loadCount++;
            if (success) {
                Proxmox.Utils.setErrorMask(component, false);
                return;
            }
            let error = request._operation.getError();
            let text = Proxmox.Utils.getResponseErrorMessage(error);
            if (!errorCallback?.(error, text)) {
                Proxmox.Utils.setErrorMask(component, Ext.htmlEncode(text));
            }
        });
    },

    extractRequestError: function (result) {
        let text = result.message
            ? `${Ext.htmlEncode(result.message)} (${result.status})`
            : gettext('Unknown error');
        let params = Object.entries(result.errors || {}).map(
            ([key, one]) => `<br><b>${Ext.htmlEncode(key)}</b>: ${Ext.htmlEncode(one)}`,
        );
        return params.length ? `${text}<br>${params.join('')}` : text;
    },

    API2Request: function (options) {
        let { url, success, failure, callback, waitMsgTarget, scope, ...rest } = options;
        let showsError = !failure && !callback;
        let finish = (isGood, response, request) => {
            if (waitMsgTarget && !waitMsgTarget.destroyed) waitMsgTarget.setLoading(false);
            Ext.callback(callback, scope, [request, isGood, response]);
            if (isGood) Ext.callback(success, scope, [response, request]);
            else Ext.callback(failure, scope, [response, request]);
            if (!isGood && showsError) Ext.Msg.alert(gettext('Error'), response.htmlStatus);
        };
        waitMsgTarget?.setLoading(gettext('Please wait...'));
        Ext.Ajax.request({
            ...rest,
            url: url.startsWith('/api2') ? url : `/api2/extjs${url}`,
            success: (response, request) => {
                response.result = Ext.decode(response.responseText);
                if (!response.result.success) {
                    response.htmlStatus = Proxmox.Utils.extractRequestError(response.result);
                }
                finish(!!response.result.success, response, request);
            },
            failure: (response, request) => {
                response.result = Ext.decode(response.responseText || '{}', true) || {};
                let why = response.status
                    ? ` ${response.status}: ${response.statusText}`
                    : ' - server offline?';
                response.htmlStatus = Ext.htmlEncode(gettext('Connection error') + why);
                finish(false, response, request);
            },
        });
    },

    assemble_field_data: function (values, data) {
        for (let [name, value] of Object.entries(data || {})) {
            values[name] = Object.hasOwn(values, name) ? [].concat(values[name], value) : value;
        }
    },

    dialog_title: (subject, isCreate, isAdd) =>
        `${isCreate ? (isAdd ? gettext('Add') : gettext('Create')) : gettext('Edit')}: ${subject}`,

    override_task_descriptions: (more) => Object.assign(Proxmox.Utils.task_desc_table, more),

    format_task_description: function (type, id) {
        let [prefix, text] = Proxmox.Utils.task_desc_table[type] || ['', type];
        return prefix && id ? `${prefix} ${id} - ${text}` : text;
    },

    parse_task_upid: function (upid) {
        let [, node, , , , type, id, user] = upid.split(':');
        return { node, type, id, user, desc: Proxmox.Utils.format_task_description(type, id) };
    },

    format_size: function (size) {
        let order = Math.min(Math.floor(Math.log(Math.max(size, 1)) / Math.log(1024)), 4);
        return `${(size / 1024 ** order).toFixed(order ? 2 : 0)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][order]}`;
    },

    format_duration_human: function (seconds) {
        let parts = [
            [Math.floor(seconds / 86400), 'd'],
            [Math.floor(seconds / 3600) % 24, 'h'],
            [Math.floor(seconds / 60) % 60, 'm'],
            [Math.floor(seconds) % 60, 's'],
        ].filter(([count]) => count > 0);
        return parts.map((part) => part.join('')).join(' ') || '<0.1s';
    },

    render_timestamp: (seconds) => Ext.Date.format(new Date(seconds * 1000), 'Y-m-d H:i:s'),
});

// --- data -----------------------------------------------------------------------------------------

Ext.define('Proxmox.RestProxy', {
    extend: 'Ext.data.RestProxy',
    alias: 'proxy.proxmox',
    pageParam: null,
    startParam: null,
    limitParam: null,
    groupParam: null,
    sortParam: null,
    filterParam: null,
    noCache: false,
    constructor: function (config) {
        this.callParent([
            { reader: { type: 'json', rootProperty: config.root || 'data' }, ...config },
        ]);
    },
    afterRequest: function (request, success) {
        this.fireEvent('afterload', this, request, success);
    },
});

Ext.define('KeyValue', { extend: 'Ext.data.Model', fields: ['key', 'value'], idProperty: 'key' });

Ext.define('Proxmox.data.UpdateStore', {
    extend: 'Ext.data.Store',
    alias: 'store.update',
    config: { interval: 3000, isStopped: true, autoStart: false },
    constructor: function (config) {
        let me = this;
        let task = new Ext.util.DelayedTask();
        let run = () => {
            if (me.getIsStopped()) return;
            let begin = Date.now();
            me.load(() => task.delay(me.getInterval() + 2 * (Date.now() - begin), run));
        };
        me.startUpdate = () => {
            me.setIsStopped(false);
            task.delay(1, run);
        };
        me.stopUpdate = () => {
            me.setIsStopped(true);
            task.cancel();
        };
        me.callParent([config]);
        if (me.getAutoStart()) me.startUpdate();
    },
    destroy: function () {
        this.stopUpdate();
        this.callParent();
    },
});

Ext.define('Proxmox.data.DiffStore', {
    extend: 'Ext.data.Store',
    alias: 'store.diff',
    sortAfterUpdate: false,
    constructor: function (config) {
        let me = this;
        me.callParent([{ ...config, model: config.rstore.model, proxy: { type: 'memory' } }]);
        me.mon(me.rstore, 'load', (store, _records, success) => {
            if (!success) return;
            me.suspendEvents();
            (me.getData().getSource() || me.getData()).items.slice().forEach((old) => {
                if (!store.getById(old.getId())) me.remove(old);
            });
            store.each(({ data, id }) => {
                let old = me.getById(id);
                if (old) {
                    old.set(data, { silent: true });
                    old.commit(true);
                } else {
                    me.add(Ext.create(me.model, data));
                }
            });
            me.filter();
            if (me.sortAfterUpdate) me.sort();
            me.resumeEvents();
            me.fireEvent('refresh', me);
            me.fireEvent('datachanged', me);
        });
    },
});

// --- fields, buttons, forms -------------------------------------------------------------------------

Ext.define('Proxmox.form.field.Textfield', {
    extend: 'Ext.form.field.Text',
    alias: 'widget.proxmoxtextfield',
    config: { skipEmptyText: true, deleteEmpty: false },
    getSubmitData: function () {
        let value = this.disabled ? '' : this.getRawValue();
        return value === '' ? null : { [this.getName()]: value };
    },
});

Ext.define('Proxmox.form.Checkbox', {
    extend: 'Ext.form.field.Checkbox',
    alias: 'widget.proxmoxcheckbox',
    inputValue: '1',
    uncheckedValue: undefined,
});

Ext.define('Proxmox.form.field.Integer', {
    extend: 'Ext.form.field.Number',
    alias: 'widget.proxmoxintegerfield',
    allowDecimals: false,
});

Ext.define('Proxmox.form.KVComboBox', {
    extend: 'Ext.form.field.ComboBox',
    alias: 'widget.proxmoxKVComboBox',
    config: { deleteEmpty: true },
    displayField: 'value',
    valueField: 'key',
    queryMode: 'local',
    editable: false,
    initComponent: function () {
        this.store = Ext.create('Ext.data.ArrayStore', {
            fields: ['key', 'value'],
            data: this.comboItems,
        });
        this.callParent();
    },
    getSubmitData: function () {
        let value = this.disabled ? null : this.getSubmitValue();
        if (value === null || value === '' || value === '__default__') {
            return !this.disabled && this.getDeleteEmpty() ? { delete: this.getName() } : null;
        }
        return { [this.getName()]: value };
    },
});

Ext.define('Proxmox.button.Button', {
    extend: 'Ext.button.Button',
    alias: 'widget.proxmoxButton',
    enableFn: Ext.emptyFn,
    confirmMsg: false,
    dangerous: false,
    parentXType: 'grid',
    initComponent: function () {
        let me = this;
        let act = me.handler;
        let selected = () => me.selModel?.getSelection()[0];
        if (act) {
            me.handler = (button, event) => {
                let record = selected();
                if (me.selModel && (!record || me.enableFn(record) === false)) return;
                let run = () => Ext.callback(act, me.scope, [button, event, record], 0, me);
                if (!me.confirmMsg) {
                    run();
                    return;
                }
                let message = Ext.isFunction(me.confirmMsg) ? me.confirmMsg(record) : me.confirmMsg;
                Ext.Msg.show({
                    title: gettext('Confirm'),
                    message,
                    icon: me.dangerous ? Ext.Msg.WARNING : Ext.Msg.QUESTION,
                    buttons: Ext.Msg.YESNO,
                    defaultFocus: me.dangerous ? 'no' : 'yes',
                    callback: (answer) => answer === 'yes' && run(),
                });
            };
        }
        me.callParent();
        if (me.selModel === undefined) me.selModel = me.up(me.parentXType)?.selModel;
        if (me.selModel) {
            me.mon(me.selModel, 'selectionchange', () => {
                let record = selected();
                me.setDisabled(!record || me.enableFn(record) === false);
            });
        }
    },
});

Ext.define('Proxmox.button.StdRemoveButton', {
    extend: 'Proxmox.button.Button',
    alias: 'widget.proxmoxStdRemoveButton',
    text: gettext('Remove'),
    disabled: true,
    config: { baseurl: undefined, customConfirmationMessage: undefined },
    callback: Ext.emptyFn,
    getRecordName: (record) => record.getId(),
    getUrl: function (record) {
        return `${this.baseurl}/${record.getId()}`;
    },
    confirmMsg: function (record) {
        let text =
            this.customConfirmationMessage || gettext('Are you sure you want to remove entry {0}');
        return Ext.String.format(text, Ext.htmlEncode(`'${this.getRecordName(record)}'`));
    },
    handler: function (_button, _event, record) {
        Proxmox.Utils.API2Request({
            url: this.getUrl(record),
            method: 'DELETE',
            waitMsgTarget: this.waitMsgTarget,
            callback: (...all) => Ext.callback(this.callback, this.scope, all, 0, this),
            failure: (response) => Ext.Msg.alert(gettext('Error'), response.htmlStatus),
        });
    },
});

Ext.define('Proxmox.panel.InputPanel', {
    extend: 'Ext.panel.Panel',
    alias: 'widget.inputpanel',
    border: false,
    layout: { type: 'vbox', align: 'stretch' },
    defaultType: 'container',
    hasAdvanced: false,
    onGetValues: (values) => values,
    onSetValues: (values) => values,
    initComponent: function () {
        let me = this;
        let items = [{ layout: 'anchor', items: me.items || me.column1 || [] }];
        if (me.advancedItems) {
            me.hasAdvanced = true;
            items.push({
                itemId: 'advancedContainer',
                hidden: true,
                layout: 'anchor',
                items: me.advancedItems,
            });
        }
        me.items = items;
        me.callParent();
    },
    getValues: function () {
        let values = {};
        for (let field of this.query('[isFormField]')) {
            Proxmox.Utils.assemble_field_data(values, field.getSubmitData());
        }
        return this.onGetValues(values);
    },
    setValues: function (values) {
        for (let [name, value] of Object.entries(this.onSetValues(values))) {
            for (let field of this.query(`[isFormField][name=${name}]`)) {
                field.setValue(value);
                field.resetOriginalValue();
            }
        }
    },
    setAdvancedVisible: function (visible) {
        this.getComponent('advancedContainer')?.setVisible(!!visible);
    },
});

Ext.define('Proxmox.window.Edit', {
    extend: 'Ext.window.Window',
    alias: 'widget.proxmoxWindowEdit',
    autoLoad: false,
    resizable: false,
    isCreate: false,
    isAdd: false,
    modal: true,
    referenceHolder: true,
    defaultButton: 'submitbutton',
    defaultFocus: 'field:focusable[disabled=false][hidden=false]',
    submitUrl: Ext.identityFn,
    loadUrl: Ext.identityFn,
    showProgress: false,
    showTaskViewer: false,
    taskDone: Ext.emptyFn,
    apiCallDone: Ext.emptyFn,
    initComponent: function () {
        let me = this;
        me.formPanel = Ext.create('Ext.form.Panel', {
            trackResetOnLoad: true,
            bodyPadding: me.bodyPadding ?? 10,
            border: false,
            defaults: { border: false, ...me.defaults },
            fieldDefaults: { labelWidth: 100, anchor: '100%', ...me.fieldDefaults },
            items: me.items,
        });
        let form = me.formPanel.getForm();
        let panel = me.formPanel.down('inputpanel');
        let submit = Ext.create('Ext.Button', {
            reference: 'submitbutton',
            text:
                me.submitText ||
                (me.isCreate ? (me.isAdd ? gettext('Add') : gettext('Create')) : gettext('OK')),
            disabled: !me.isCreate,
            handler: () => me.submit(),
        });
        let look = () => submit.setDisabled(!form.isValid() || !(form.isDirty() || me.isCreate));
        form.on({ dirtychange: look, validitychange: look });
        me.buttons = [submit];
        if (panel?.hasAdvanced) {
            me.buttons.unshift({
                xtype: 'proxmoxcheckbox',
                itemId: 'advancedcb',
                boxLabel: gettext('Advanced'),
                listeners: { change: (_box, value) => panel.setAdvancedVisible(value) },
            });
        }
        if (me.subject && !me.title) {
            me.title = Proxmox.Utils.dialog_title(me.subject, me.isCreate, me.isAdd);
        }
        me.width = me.width || 300 + ((me.fieldDefaults?.labelWidth ?? 100) - 100);
        me.items = [me.formPanel];
        me.callParent();
        me.on('afterlayout', () => form.isValid());
        if (me.autoLoad) me.load(me.autoLoadOptions);
    },
    getValues: function () {
        let values = {};
        this.formPanel
            .getForm()
            .getFields()
            .each((field) => {
                if (!field.up('inputpanel'))
                    Proxmox.Utils.assemble_field_data(values, field.getSubmitData());
            });
        for (let panel of this.query('inputpanel')) {
            Proxmox.Utils.assemble_field_data(values, panel.getValues());
        }
        return values;
    },
    setValues: function (values) {
        let form = this.formPanel.getForm();
        for (let [name, value] of Object.entries(values)) {
            let field = form.findField(name);
            if (field && !field.up('inputpanel')) {
                field.setValue(value);
                field.resetOriginalValue();
            }
        }
        for (let panel of this.query('inputpanel')) panel.setValues(values);
    },
    submit: function () {
        let me = this;
        let params = me.getValues();
        if (me.digest) params.digest = me.digest;
        Proxmox.Utils.API2Request({
            url: Ext.isFunction(me.submitUrl)
                ? me.submitUrl(me.url, params)
                : me.submitUrl || me.url,
            method: me.method || 'PUT',
            waitMsgTarget: me,
            params,
            failure: (response, options) => {
                me.apiCallDone(false, response, options);
                me.formPanel.getForm().markInvalid(response.result?.errors || {});
                Ext.Msg.alert(gettext('Error'), response.htmlStatus);
            },
            success: (response, options) => {
                let upid = response.result.data;
                me.apiCallDone(true, response, options);
                if (!upid || !(me.showProgress || me.showTaskViewer)) {
                    me.close();
                    return;
                }
                me.hide();
                Ext.create(`Proxmox.window.Task${me.showTaskViewer ? 'Viewer' : 'Progress'}`, {
                    autoShow: true,
                    upid,
                    taskDone: me.taskDone,
                    listeners: { destroy: () => me.close() },
                });
            },
        });
    },
    load: function (options = {}) {
        let me = this;
        Proxmox.Utils.API2Request({
            url: Ext.isFunction(me.loadUrl)
                ? me.loadUrl(me.url, me.initialConfig)
                : me.loadUrl || me.url,
            method: 'GET',
            waitMsgTarget: me,
            success: (response, request) => {
                me.digest = response.result.data?.digest;
                if (options.success) options.success(response, request);
                else me.setValues(response.result.data);
            },
            failure: (response) =>
                Ext.Msg.alert(gettext('Error'), response.htmlStatus, () => me.close()),
        });
    },
});
