/* What is wrong on a node and what to do about it: broken files, notices of the service, checks of `pve-cni doctor`. */
Ext.define('PVECNI.node.Findings', {
    extend: 'Ext.grid.GridPanel',
    alias: 'widget.pveCniFindings',

    title: gettext('Findings'),
    minHeight: 110,
    maxHeight: 320,
    viewConfig: {
        trackOver: false,
        enableTextSelection: true,
        deferEmptyText: false,
        emptyText: gettext('No warnings, no errors.'),
    },

    columns: [
        {
            header: gettext('State'),
            dataIndex: 'state',
            width: 110,
            renderer: PVECNI.Render.state('check'),
        },
        { header: gettext('About'), dataIndex: 'what', width: 180, renderer: PVECNI.Render.long },
        {
            header: gettext('Message'),
            dataIndex: 'message',
            flex: 3,
            tdCls: 'pve-cni-wrap',
            renderer: PVECNI.Render.text,
        },
        {
            header: gettext('What to do'),
            dataIndex: 'cure',
            flex: 2,
            tdCls: 'pve-cni-wrap',
            renderer: PVECNI.Render.text,
        },
    ],

    initComponent: function () {
        this.store = Ext.create('Ext.data.Store', {
            fields: ['id', 'what', 'state', 'message', 'cure'],
        });
        this.sources = {};
        this.callParent();
    },

    /** Replaces what came from one source. */
    showFindings(source, rows) {
        this.sources[source] = rows;
        const all = Object.values(this.sources).flat();
        const text = Ext.encode(all);
        if (text === this.shown) return;
        this.shown = text;
        this.store.loadData(all);
    },
});
