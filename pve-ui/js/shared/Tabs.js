/* Which tabs of ours stand in which of Proxmox's panels: behind which of its own, and who sees them.
 * The first item is the tab; others with `groups: ['cni']` stand below it. A class that is not there
 * has no tab. */
Ext.define('PVECNI.Tabs', {
    singleton: true,

    panels: {
        pveLXCConfig: {
            after: 'network',
            shown: (panel) => !panel.pveSelNode.data.template && PVECNI.Caps.viewContainer(),
            items: [{ itemId: 'cni', xtype: 'pveCniContainer', title: 'CNI' }],
        },
        'PVE.node.Config': {
            after: 'network',
            shown: () => PVECNI.Caps.viewNode(),
            items: [{ itemId: 'cni', xtype: 'pveCniNode', title: 'CNI' }],
        },
        'PVE.dc.Config': {
            after: 'sdn',
            shown: () => PVECNI.Caps.viewCluster(),
            items: [{ itemId: 'cni', xtype: 'pveCniDatacenter', title: 'CNI' }],
        },
    },

    /** The items with ours among them; the same list where there is nothing to add. */
    insert: function (panel, items) {
        let place = this.panels[panel.xtype];
        if (!place?.shown(panel)) {
            return items;
        }
        // Proxmox gives its list in one call; another add-on may make a second one
        let isThere = (id) =>
            panel.savedItems?.[id] !== undefined || items.some((item) => item.itemId === id);
        let ours = place.items
            .filter(
                (item) =>
                    !isThere(item.itemId) && Ext.ClassManager.getByAlias(`widget.${item.xtype}`),
            )
            .map((item) => ({
                iconCls: 'fa fa-sitemap',
                ...item,
                groups: [...(item.groups || [])],
            }));
        let at = items.findIndex((item) => item.itemId === place.after) + 1 || items.length;
        return [...items.slice(0, at), ...ours, ...items.slice(at)];
    },
});
