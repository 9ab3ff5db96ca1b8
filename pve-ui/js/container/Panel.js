/* The tab "CNI" of a container: its interfaces, and below them what happened and happens on them. Only the tab that is seen asks. */
Ext.define('PVECNI.container.Panel', {
    extend: 'Ext.panel.Panel',
    alias: 'widget.pveCniContainer',

    layout: 'border',

    initComponent: function () {
        let me = this;

        let { node, vmid } = me.pveSelNode.data;
        if (!node || !vmid) {
            throw 'no node name or VM ID specified';
        }
        let base = PVECNI.Api.container(node, vmid);

        me.notice = Ext.create('Ext.Component', {
            dock: 'top',
            hidden: true,
            padding: '5 10',
            userCls: 'pmx-hint pve-cni-notice',
        });

        Ext.apply(me, {
            dockedItems: [
                me.notice,
                {
                    xtype: 'component',
                    dock: 'bottom',
                    padding: '3 10',
                    html: gettext(
                        "Rules of the container's firewall do not reach CNI interfaces; policies do.",
                    ),
                },
            ],
            items: [
                {
                    xtype: 'pveCniContainerInterfaces',
                    region: 'center',
                    border: false,
                    base,
                    listeners: { told: () => me.showNotice() },
                },
                {
                    xtype: 'tabpanel',
                    region: 'south',
                    height: '45%',
                    split: true,
                    collapsible: true,
                    header: false,
                    collapseMode: 'mini',
                    border: false,
                    items: [
                        {
                            xtype: 'pveCniTraffic',
                            iconCls: 'fa fa-area-chart',
                            url: `${base}/history`,
                        },
                        { xtype: 'pveCniOperations', base },
                        { xtype: 'pveCniContainerPolicies', base },
                        {
                            xtype: 'pveCniFlowGrid',
                            iconCls: 'fa fa-exchange',
                            url: `${base}/flows`,
                            oneContainer: true,
                        },
                    ],
                },
            ],
        });

        me.callParent();

        Ext.create('PVECNI.Poll', {
            view: me,
            url: `${base}/status`,
            quiet: true,
            load: (status) => me.showNotice(status),
            // nothing is configured for it: the list says so
            fail: () => me.showNotice({}),
        });
    },

    /** Why it does not run, and what is wrong with its file or its interfaces. */
    showNotice: function (status) {
        let me = this;

        me.status = status || me.status || {};
        let { running, problem, lastRefusal } = me.status;

        let lines = [];
        if (problem) {
            lines.push(problem.message);
        }
        if (lastRefusal && !running) {
            let when = PVECNI.Render.time(lastRefusal.time);
            lines.push(
                `${Ext.String.format(gettext('The start was refused on {0}'), when)}: ${lastRefusal.message}`,
            );
        }
        lines.push(...me.down('pveCniContainerInterfaces').messages());
        let html = lines
            .map((line) => `${PVECNI.Render.icon('warning')} ${Ext.htmlEncode(line)}`)
            .join('<br>');
        me.notice.setHtml(html);
        me.notice.setVisible(lines.length > 0);
    },
});
