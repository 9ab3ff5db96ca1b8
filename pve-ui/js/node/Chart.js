/* A chart of the service's history: Proxmox' own chart on rows that are handed in instead of an RRD file.
 *
 * fields, fieldTitles, unit   as Proxmox' chart takes them
 * axisTitle                   where there is no unit
 * rowsOf                      rows of the chart, of what the service answers */
Ext.define('PVECNI.node.Chart', {
    extend: 'Proxmox.widget.RRDChart',
    alias: 'widget.pveCniChart',

    width: undefined,
    height: 240,

    constructor: function (config) {
        const store = Ext.create('Ext.data.Store', {
            fields: [{ name: 'time', type: 'date', dateFormat: 'timestamp' }, ...config.fields],
            sorters: 'time',
        });
        this.callParent([{ store, ...config }]);
    },

    initComponent: function () {
        this.callParent();
        if (this.axisTitle) this.axes[0].setTitle(this.axisTitle);
    },

    /** Shows what there is; a chart of nothing hides. Whether there is something. */
    showHistory: function (history) {
        const rows = this.rowsOf(history);
        this.setVisible(rows.length > 0);
        this.store.loadData(rows);
        return rows.length > 0;
    },
});
