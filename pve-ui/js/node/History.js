/* Charts of a node over the last hour or day: traffic of all containers, how long attaching took, what was done. */
Ext.define('PVECNI.node.History', {
    extend: 'Ext.panel.Panel',
    alias: 'widget.pveCniHistory',

    title: gettext('History'),
    scrollable: true,
    bodyPadding: 5,
    layout: { type: 'vbox', align: 'stretch' },
    defaults: { margin: 5 },

    initComponent: function () {
        const me = this;
        const url = (timeframe) => PVECNI.Api.node(me.nodename, `/history?timeframe=${timeframe}`);
        me.tbar = [
            '->',
            {
                xtype: 'combobox',
                itemId: 'timeframe',
                inputAttrTpl: `aria-label="${gettext('Time frame')}"`,
                editable: false,
                queryMode: 'local',
                value: 'hour',
                width: 140,
                store: [
                    ['hour', gettext('Hour')],
                    ['day', gettext('Day')],
                ],
                listeners: { change: (_field, value) => me.poll.setUrl(url(value)) },
            },
        ];
        me.items = [
            {
                xtype: 'pveCniChart',
                itemId: 'traffic',
                title: gettext('Traffic'),
                unit: 'bytespersecond',
                powerOfTwo: true,
                fields: ['rxRate', 'txRate'],
                fieldTitles: [gettext('received'), gettext('sent')],
                rowsOf: ({ points }) => points,
            },
            {
                xtype: 'pveCniChart',
                itemId: 'latency',
                title: gettext('Time that attaching took'),
                axisTitle: gettext('Milliseconds'),
                fields: ['p50Ms', 'p99Ms'],
                fieldTitles: [gettext('median'), gettext('99th percentile')],
                // one alone must be seen, too
                seriesConfig: { fill: false, marker: { type: 'circle', radius: 3 } },
                rowsOf: ({ operations }) =>
                    operations.filter(
                        ({ kind, count, failed }) => kind === 'attach' && count > failed,
                    ),
            },
            {
                xtype: 'pveCniChart',
                itemId: 'operations',
                title: gettext('Operations'),
                axisTitle: gettext('Count'),
                fields: ['attach', 'detach', 'failed'],
                fieldTitles: [gettext('attached'), gettext('detached'), gettext('failed')],
                rowsOf: (history) => PVECNI.node.History.countsOf(history),
            },
        ];
        me.items.push({ xtype: 'component', itemId: 'empty', hidden: true, cls: 'pve-cni-empty' });
        me.callParent();
        me.poll = Ext.create('PVECNI.Poll', {
            view: me,
            url: url('hour'),
            interval: 15000,
            load: (history) => me.showHistory(history),
        });
    },

    showHistory: function (history) {
        const empty = this.query('pveCniChart').filter((chart) => !chart.showHistory(history));
        const titles = empty.map((chart) => chart.getTitle()).join(', ');
        this.down('#empty').setHtml(
            Ext.String.format(gettext('Nothing of this is known for that time: {0}.'), titles),
        );
        this.down('#empty').setVisible(empty.length > 0);
    },

    statics: {
        /** One row a bucket of time, from the first with anything to now: nothing was done in those that are left out. */
        countsOf: ({ operations, bucketSeconds }) => {
            if (operations.length === 0) return [];
            const buckets = new Map();
            for (
                let time = operations[0].time - bucketSeconds;
                time <= Date.now() / 1000;
                time += bucketSeconds
            )
                buckets.set(time, { time, attach: 0, detach: 0, failed: 0 });
            for (const { time, kind, count, failed } of operations) {
                const bucket = buckets.get(time);
                // a clock of the node that is ahead of the browser's
                if (!bucket) continue;
                bucket[kind] += count - failed;
                bucket.failed += failed;
            }
            return [...buckets.values()];
        },
    },
});
