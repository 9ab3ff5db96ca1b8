/* A node in short: whether each part is well, its networks, and everything that the service found worth saying. */
Ext.define('PVECNI.node.Overview', {
    extend: 'Ext.panel.Panel',
    alias: 'widget.pveCniNodeOverview',

    title: gettext('Overview'),
    scrollable: true,
    bodyPadding: 5,
    layout: { type: 'vbox', align: 'stretch' },
    defaults: { margin: 5 },

    /** names of the doctor's checks that are about Proxmox' API and this panel */
    apiChecks: ['api', 'bridge', 'panel'],

    initComponent: function () {
        const me = this;
        me.items = [
            {
                xtype: 'panel',
                title: gettext('Health'),
                itemId: 'health',
                height: 190,
                layout: { type: 'hbox', align: 'stretch' },
                defaults: { xtype: 'pveCniTile', flex: 1 },
                items: [
                    { itemId: 'service', heading: gettext('Service') },
                    { itemId: 'agent', heading: gettext('Cilium agent') },
                    { itemId: 'hooks', heading: gettext('Hooks') },
                    { itemId: 'api', heading: gettext('API') },
                ],
            },
            { xtype: 'pveCniFindings', itemId: 'findings' },
            { xtype: 'pveCniNodeNetworks', itemId: 'networks', nodename: me.nodename },
        ];
        me.callParent();
        const base = `/nodes/${me.nodename}/cni`;
        const poll = (config) => Ext.create('PVECNI.Poll', { view: me, ...config });
        poll({ url: `${base}/status`, load: (status) => me.showStatus(status) });
        const quiet = (path, interval, load) =>
            poll({ url: `${base}/${path}`, quiet: true, interval, load });
        quiet('doctor', 30000, (doctor) => me.showDoctor(doctor));
        quiet('networks', 5000, (networks) => me.down('#networks').showNetworks(networks));
        poll({
            url: `${base}/cilium`,
            quiet: true,
            interval: 10000,
            load: (cilium) => me.showAgent(cilium),
            fail: () => me.down('#agent').setHealth('agent', undefined, gettext('unknown')),
        });
    },

    showStatus({ version, root, containers, problems, notices, debts }) {
        let state = 'good';
        let text = Ext.String.format(
            gettext('{0} containers, {1} running, {2} degraded'),
            containers.managed,
            containers.running,
            containers.degraded,
        );
        if (!root.available)
            [state, text] = [
                'critical',
                Ext.String.format(
                    gettext('{0} is not available; the cached configuration serves'),
                    root.path,
                ),
            ];
        else if (!root.writable)
            [state, text] = ['warning', Ext.String.format(gettext('{0} is read-only'), root.path)];
        else if (problems.length > 0)
            [state, text] = [
                'warning',
                Ext.String.format(
                    ngettext(
                        '{0} file cannot be used',
                        '{0} files cannot be used',
                        problems.length,
                    ),
                    problems.length,
                ),
            ];
        else if (containers.degraded > 0 || debts.length > 0) state = 'warning';
        this.down('#service').setHealth('health', state, `${text} (pve-cni ${version})`);
        this.down('#findings').showFindings('status', [
            ...problems.map(({ file, error, lastGoodServes }) => ({
                id: `file ${file}`,
                what: file,
                state: lastGoodServes ? 'warning' : 'bad',
                message: lastGoodServes
                    ? `${error.message} (${gettext('its last good version serves')})`
                    : error.message,
                cure: '',
            })),
            ...notices.map((message, index) => ({
                id: `notice ${index}`,
                what: gettext('Notice'),
                state: 'warning',
                message,
                cure: '',
            })),
        ]);
    },

    showDoctor({ checks }) {
        const worst = (names) => {
            const about = checks.filter(({ name }) => names.includes(name));
            return ['bad', 'warning', 'ok', 'skipped']
                .map((state) => about.find((check) => check.state === state))
                .find(Boolean);
        };
        const hooks = worst(['hooks', 'hookscript']);
        this.down('#hooks').setHealth('check', hooks?.state, hooks?.message ?? '');
        const api = worst(this.apiChecks);
        this.down('#api').setHealth(
            'check',
            api?.state ?? 'ok',
            api?.message ?? gettext('This page came through it.'),
        );
        this.down('#findings').showFindings(
            'doctor',
            checks
                .filter(
                    ({ state, name }) =>
                        (state === 'warning' || state === 'bad') && name !== 'configuration',
                )
                .map(({ name, state, message, cure }, index) => ({
                    id: `check ${index} ${name}`,
                    what: name,
                    state,
                    message,
                    cure,
                })),
        );
    },

    showAgent({ state, agent, differences }) {
        const words = {
            ok: () =>
                Ext.String.format(
                    gettext('{0} of {1} endpoints are ready'),
                    agent?.endpoints.ready ?? 0,
                    agent?.endpoints.total ?? 0,
                ),
            degraded: () => differences?.[0]?.what ?? agent?.message ?? '',
            unreachable: () => gettext('It does not answer.'),
            off: () => gettext('Cilium is not installed on this node.'),
        };
        this.down('#agent').setHealth('agent', state, words[state]?.() ?? '');
    },
});
