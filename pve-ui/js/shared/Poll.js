/* Asks one URL of the API again and again, for views that show an object instead of rows. While that fails, the view is masked with the
 * reason, as Proxmox' grids are; it goes on asking and recovers by itself. Begins and ends with its view, see PVECNI.Follow.
 *
 * view       component that is masked and whose sight it follows
 * url        below the API
 * interval   ms between an answer and the next request
 * load       function of the data
 * quiet      true: no mask, as another one masks the same view
 * fail       function of the reason as HTML */
Ext.define('PVECNI.Poll', {
    extend: 'Ext.Base',

    interval: 5000,
    quiet: false,
    load: Ext.emptyFn,
    fail: Ext.emptyFn,

    constructor: function (config) {
        Ext.apply(this, config);
        this.task = new Ext.util.DelayedTask(this.ask, this);
        PVECNI.Follow.begin(this.view, this);
    },

    // the part of Proxmox.data.UpdateStore that PVECNI.Follow needs
    getIsStopped: function () {
        return !this.running;
    },

    startUpdate: function () {
        this.running = true;
        this.task.delay(1);
    },

    stopUpdate: function () {
        this.running = false;
        this.task.cancel();
    },

    /** Asks at once, e.g. after a change. */
    reload: function () {
        if (this.running) this.task.delay(1);
    },

    setUrl: function (url) {
        this.url = url;
        this.reload();
    },

    mask: function (message) {
        if (!this.quiet) Proxmox.Utils.setErrorMask(this.view, message);
    },

    /** An answer that is not as it should be is a failure like any other, and not the end of asking. */
    show: function (data) {
        try {
            this.load(data);
        } catch (error) {
            console.warn(`pve-cni: ${this.url} answered what cannot be shown`, error);
            this.failed = true;
            this.mask(gettext('The service answered what cannot be shown here.'));
        }
    },

    ask: function () {
        const me = this;
        const asked = me.url;
        if (!me.loaded && !me.failed) me.mask(true);
        const answered = (work) => {
            if (!me.running || me.view.destroyed) return;
            if (asked === me.url) work();
            me.task.delay(asked === me.url ? me.interval : 1);
        };
        Proxmox.Utils.API2Request({
            url: asked,
            method: 'GET',
            success: ({ result }) =>
                answered(() => {
                    if (!me.loaded || me.failed) me.mask(false);
                    me.loaded = true;
                    me.failed = false;
                    me.show(result.data);
                }),
            failure: ({ htmlStatus }) =>
                answered(() => {
                    me.failed = true;
                    me.mask(htmlStatus);
                    me.fail(htmlStatus);
                }),
        });
    },
});
