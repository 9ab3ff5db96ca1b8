/* A grid that follows a list of the API. Rows that did not change are left alone (DiffStore), only those
 * in view are rendered, and a column without a renderer shows encoded text.
 *
 * url           below /api2/json
 * fields        of a row, as Ext.data.Model takes them
 * idProperty    of a row
 * root          where the list is below `data`, e.g. `flows`
 * interval      ms between two requests
 * sorters, emptyText, columns as usual */
Ext.define('PVECNI.grid.Live', {
    extend: 'Ext.grid.GridPanel',
    alias: 'widget.pveCniLiveGrid',

    url: undefined,
    fields: [],
    idProperty: 'id',
    root: undefined,
    interval: 3000,
    emptyText: gettext('No Data'),
    extraParams: undefined,
    bufferedRenderer: true,

    viewConfig: {
        enableTextSelection: true,
        // a row that changes must not flash
        markDirty: false,
    },

    initComponent: function () {
        let me = this;

        if (!me.url) {
            throw 'no url specified';
        }

        me.rstore = Ext.create('Proxmox.data.UpdateStore', {
            interval: me.interval,
            model: PVECNI.grid.Live.modelOf(me.fields, me.idProperty),
            proxy: {
                type: 'proxmox',
                url: `/api2/json${me.url}`,
                root: me.root ? `data.${me.root}` : 'data',
                extraParams: me.extraParams,
            },
        });

        me.columns = (me.columns || []).map((column) => ({
            renderer: PVECNI.Render.text,
            ...column,
        }));

        Ext.apply(this, {
            store: Ext.create('Proxmox.data.DiffStore', {
                rstore: me.rstore,
                sorters: me.sorters,
                sortAfterUpdate: true,
            }),
            viewConfig: {
                ...me.viewConfig,
                emptyText: `<div class="pve-cni-empty">${Ext.htmlEncode(me.emptyText)}</div>`,
                deferEmptyText: true,
            },
        });

        me.callParent();

        // what is not there (a container that has no networks of ours) has no rows
        Proxmox.Utils.monStoreErrors(me, me.rstore, true, (error) => {
            if (error.status !== 404) {
                return false;
            }
            me.store.removeAll();
            return true;
        });
        PVECNI.Follow.begin(me, me.rstore);
    },

    /** Asks at once, e.g. after a change. */
    reload: function () {
        let me = this;

        if (!me.destroyed) {
            me.rstore.load();
        }
    },

    setUrl: function (url) {
        let me = this;

        me.url = url;
        me.rstore.getProxy().setUrl(`/api2/json${url}`);
    },

    statics: {
        /** Lists and objects are new ones in every answer: compared by their text, or every row would change every time. */
        modelOf: function (fields, idProperty) {
            return Ext.define(null, {
                extend: 'Ext.data.Model',
                idProperty,
                fields: fields.map((field) => ({
                    ...(Ext.isString(field) ? { name: field } : field),
                    isEqual: (one, other) =>
                        one === other || Ext.encode(one ?? null) === Ext.encode(other ?? null),
                })),
            });
        },
    },
});
