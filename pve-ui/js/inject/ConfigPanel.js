/* Adds our tabs to Proxmox's panels. They are inserted where Proxmox builds its menu, so that deep links
 * and restored tabs find them; whatever goes wrong here leaves Proxmox's own tabs as they are. */
Ext.define('PVECNI.ConfigPanel', {
    override: 'PVE.panel.Config',

    insertNodes: function (items) {
        let me = this;

        let all = items;
        try {
            all = PVECNI.Tabs.insert(me, items);
        } catch (error) {
            console.error('pve-cni: no tab is added', error);
        }
        return me.callParent([all]);
    },
});
