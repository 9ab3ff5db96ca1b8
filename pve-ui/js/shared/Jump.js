/* Leads from a picture or a row to a container's CNI tab, the way Proxmox' own views jump to a guest. */
Ext.define('PVECNI.Jump', {
    singleton: true,

    toContainer: function (vmid) {
        const workspace = Ext.ComponentQuery.query('pveStdWorkspace')[0];
        Ext.state.Manager.getProvider()?.set('lxctab', { value: 'cni' });
        workspace?.selectById(`lxc/${vmid}`);
    },
});
