/* Stand-in for the windows of tasks and the chart of proxmox-widget-toolkit: progress, log, and the outcome in a box where it is bad. */
Ext.define('Proxmox.window.TaskProgress', {
    extend: 'Ext.window.Window',
    alias: 'widget.proxmoxTaskProgress',
    width: 300,
    modal: true,
    bodyPadding: 5,
    taskDone: Ext.emptyFn,
    initComponent: function () {
        let me = this;
        let { node, desc } = Proxmox.Utils.parse_task_upid(me.upid);
        let bar = Ext.create('Ext.ProgressBar', { text: gettext('running...') });
        me.title = `${gettext('Task')}: ${Ext.htmlEncode(desc)}`;
        me.items = bar;
        me.buttons = [
            {
                text: gettext('Details'),
                handler: () => {
                    Ext.create('Proxmox.window.TaskViewer', {
                        upid: me.upid,
                        taskDone: me.taskDone,
                        autoShow: true,
                    });
                    me.close();
                },
            },
        ];
        me.callParent();
        let look = () => {
            if (me.destroyed) return;
            Proxmox.Utils.API2Request({
                url: `/nodes/${node}/tasks/${encodeURIComponent(me.upid)}/status`,
                method: 'GET',
                failure: () => me.close(),
                success: ({ result }) => {
                    let { status, exitstatus } = result.data;
                    if (me.destroyed) return;
                    if (status !== 'stopped') {
                        Ext.defer(look, 300);
                        return;
                    }
                    me.close();
                    if (exitstatus !== 'OK')
                        Ext.Msg.alert('Task failed', Ext.htmlEncode(exitstatus));
                    me.taskDone(exitstatus === 'OK');
                },
            });
        };
        look();
    },
});

Ext.define('Proxmox.window.TaskViewer', {
    extend: 'Ext.window.Window',
    alias: 'widget.proxmoxTaskViewer',
    width: 800,
    height: 400,
    modal: true,
    scrollable: true,
    bodyPadding: 5,
    taskDone: Ext.emptyFn,
    initComponent: function () {
        let me = this;
        let { node, desc } = Proxmox.Utils.parse_task_upid(me.upid);
        let base = `/nodes/${node}/tasks/${encodeURIComponent(me.upid)}`;
        me.title = Ext.htmlEncode(`Task viewer: ${desc}`);
        me.callParent();
        let look = () => {
            if (me.destroyed) return;
            Proxmox.Utils.API2Request({
                url: `${base}/status`,
                method: 'GET',
                success: ({ result }) => {
                    let { status, exitstatus } = result.data;
                    Proxmox.Utils.API2Request({
                        url: `${base}/log`,
                        method: 'GET',
                        success: (log) => {
                            if (me.destroyed) return;
                            me.setHtml(
                                log.result.data.map(({ t }) => Ext.htmlEncode(t)).join('<br>'),
                            );
                            if (status === 'stopped') me.taskDone(exitstatus === 'OK');
                            else Ext.defer(look, 300);
                        },
                    });
                },
            });
        };
        look();
    },
});

Ext.define('Proxmox.widget.RRDChart', {
    extend: 'Ext.chart.CartesianChart',
    alias: 'widget.proxmoxRRDChart',
    width: 770,
    height: 300,
    animation: false,
    downloadServerUrl: '-',
    legend: { type: 'dom' },
    axes: [
        { type: 'numeric', position: 'left', grid: true, minimum: 0 },
        { type: 'time', position: 'bottom', grid: true, fields: ['time'] },
    ],
    initComponent: function () {
        let me = this;
        if (!me.store || !me.fields) throw 'cannot work without store and fields';
        me.callParent();
        if (me.unit === 'bytespersecond') me.axes[0].setTitle('Bytes/s');
        me.fields.forEach((field, index) => {
            me.addSeries({
                type: 'line',
                xField: 'time',
                fill: true,
                style: { opacity: 0.6 },
                ...(Ext.isObject(field)
                    ? field
                    : {
                          yField: field,
                          title: me.fieldTitles?.[index] ?? field,
                          ...me.seriesConfig,
                      }),
            });
        });
        let colour = (name, other) =>
            getComputedStyle(document.documentElement).getPropertyValue(name).trim() || other;
        me.setBackground(colour('--pwt-panel-background', '#ffffff'));
        for (let axis of me.axes) {
            axis.setLabel({ color: colour('--pwt-text-color', '#000000') });
            axis.setGrid({ stroke: colour('--pwt-chart-grid-stroke', '#dddddd') });
        }
    },
});
