/* What Proxmox's task list calls our tasks. */
Ext.define('PVECNI.Tasks', {
    singleton: true,

    describe: function () {
        Proxmox.Utils.override_task_descriptions({
            cniattach: ['CT', gettext('CNI attach')],
            cniupdate: ['CT', gettext('CNI change')],
            cnidetach: ['CT', gettext('CNI detach')],
            cnicheck: ['CT', gettext('CNI check')],
            cnigc: ['', gettext('CNI clean-up')],
        });
    },
});
