/* List of the cluster's objects of one kind, with editor and removal: base of networks, policies and services.
 * Fires `chosen` with the selected record, again whenever its data came anew. */
Ext.define('PVECNI.dc.Objects', {
    extend: 'PVECNI.grid.Live',

    stateful: true,
    interval: 5000,
    idProperty: 'name',
    sorters: 'name',

    editorClass: 'PVECNI.dc.Editor',
    /** more of the editor's config */
    editor: {},

    initComponent: function () {
        const me = this;
        const mayWrite = PVECNI.Caps.changeCluster();
        me.selModel = Ext.create('Ext.selection.RowModel', {});
        me.tbar = [
            {
                text: gettext('Create'),
                itemId: 'create',
                hidden: !mayWrite,
                handler: () => me.edit(undefined),
            },
            {
                xtype: 'proxmoxButton',
                itemId: 'edit',
                text: mayWrite ? gettext('Edit') : gettext('View'),
                disabled: true,
                selModel: me.selModel,
                handler: (_button, _event, record) => me.edit(record.get('name')),
            },
            {
                xtype: 'proxmoxStdRemoveButton',
                itemId: 'remove',
                hidden: !mayWrite,
                selModel: me.selModel,
                waitMsgTarget: me,
                getUrl: (record) => `${me.url}/${encodeURIComponent(record.get('name'))}`,
                confirmMsg: (record) => me.removalQuestion(record),
                callback: () => me.reload(),
            },
            '->',
            { xtype: 'tbtext', itemId: 'said', text: '' },
        ];
        me.callParent();
        const tell = () => me.fireEvent('chosen', me.getSelection()[0]);
        me.on({
            selectionchange: tell,
            itemdblclick: (_view, record) => me.edit(record.get('name')),
            itemkeydown: (_view, record, _item, _index, event) => {
                if (event.getKey() === event.ENTER) me.edit(record.get('name'));
            },
        });
        me.mon(me.store, 'refresh', tell);
    },

    removalQuestion: function (record) {
        return Ext.String.format(
            gettext('Are you sure you want to remove entry {0}'),
            Ext.htmlEncode(`'${record.get('name')}'`),
        );
    },

    edit: function (objectName) {
        const me = this;
        Ext.create(me.editorClass, {
            autoShow: true,
            url: me.url,
            objectName,
            mayWrite: PVECNI.Caps.changeCluster(),
            /** `message`: what the service says of the change */
            changed: (message) => {
                if (me.destroyed) return;
                me.reload();
                me.down('#said').setText(Ext.htmlEncode(message ?? ''));
            },
            ...me.editor,
        });
    },
});
