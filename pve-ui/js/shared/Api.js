/* Calls of the bridge below Proxmox's API. */
Ext.define('PVECNI.Api', {
    singleton: true,

    node: (node, path = '') => `/nodes/${encodeURIComponent(node)}/cni${path}`,
    container: (node, vmid, path = '') =>
        `/nodes/${encodeURIComponent(node)}/lxc/${encodeURIComponent(vmid)}/cni${path}`,
    cluster: (path = '') => `/cluster/cni${path}`,

    /** One call; a refusal is shown in a box unless `failure` is given. `success(data)`. */
    request: function (options) {
        let { owner, success, failure, ...request } = options;
        Proxmox.Utils.API2Request({
            waitMsgTarget: owner,
            ...request,
            success: (response) => {
                if (!owner?.destroyed) {
                    Ext.callback(success, null, [response.result.data]);
                }
            },
            failure: (response) => {
                if (failure) {
                    failure(response.htmlStatus, response);
                } else {
                    PVECNI.Api.showError(response.htmlStatus);
                }
            },
        });
    },

    /** A call that starts a task: shows its progress, and says when it has ended. `done(success)`. */
    task: function (options) {
        let { done, viewer, ...request } = options;
        PVECNI.Api.request({
            method: 'POST',
            ...request,
            success: (upid) => PVECNI.Api.showTask(upid, done, viewer),
        });
    },

    showTask: function (upid, done, viewer) {
        Ext.create(viewer ? 'Proxmox.window.TaskViewer' : 'Proxmox.window.TaskProgress', {
            upid,
            autoShow: true,
            taskDone: (success) => Ext.callback(done, null, [success]),
        });
    },

    /** `html` is what Proxmox's toolkit made of an answer: encoded already. */
    showError: (html) => Ext.Msg.alert(gettext('Error'), html),
});
