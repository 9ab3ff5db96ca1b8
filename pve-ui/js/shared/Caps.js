/* What the user may do, as far as Proxmox tells the browser: sums over all paths, so they only hide and
 * disable what is of no use. Who may what is decided by the server, whose refusal is shown. */
Ext.define('PVECNI.Caps', {
    singleton: true,

    /** kind: vms, nodes, dc, sdn */
    has: function (kind, privilege) {
        let caps = Ext.state.Manager.get('GuiCap') || {};
        return !!caps[kind]?.[privilege];
    },

    viewContainer: () => PVECNI.Caps.has('vms', 'VM.Audit'),
    changeContainer: () => PVECNI.Caps.has('vms', 'VM.Config.Network'),
    viewNode: () => PVECNI.Caps.has('nodes', 'Sys.Audit'),
    changeNode: () => PVECNI.Caps.has('nodes', 'Sys.Modify'),
    viewCluster: () => PVECNI.Caps.has('dc', 'Sys.Audit'),
    changeCluster: () => PVECNI.Caps.has('dc', 'Sys.Modify'),
});
