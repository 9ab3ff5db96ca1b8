import type { DoctorView } from '../model/api.ts';
import { asPveCniError } from '../model/errors.ts';
import type { Balancer } from './balancer.ts';
import { checkBridge } from './bridge-check.ts';
import type { Dependencies } from './dependencies.ts';
import { checkFlows } from './flow-check.ts';
import { inspectGarbage } from './garbage.ts';
import { checkHookscripts } from './hookscript-property.ts';
import { policyFindings } from './policies.ts';
import { checkProxmoxApi } from './proxmox-check.ts';
import type { Reconciler } from './reconcile.ts';

type Check = DoctorView['checks'][number];
export type Finding = { state: Check['state']; message: string; cure?: string };

const ok = (message: string): Finding => ({ state: 'ok', message });

/** Everything that can be wrong on a node and that somebody can do something about. One row a check. */
const checks: Record<string, (deps: Dependencies, reconciler: Reconciler, balancer: Balancer) => Promise<Finding[]>> = {
  async configuration({ configuration, settings }) {
    const { available, writable, problems } = configuration.current;
    const findings: Finding[] = problems.map(({ file, error, lastGoodServes }) => ({
      state: lastGoodServes ? 'warning' : 'bad',
      message: `${error.message}${lastGoodServes ? '; its last good version serves' : ''}`,
      cure: `edit ${settings.root}/${file}`,
    }));
    if (!available)
      findings.push({
        state: 'bad',
        message: `the root ${settings.root} is not available; the cached configuration serves`,
        cure: 'mount it, or restore quorum',
      });
    else if (!writable)
      findings.push({
        state: 'warning',
        message: `the root ${settings.root} is read-only: no new address can be reserved`,
        cure: 'restore quorum',
      });
    return findings.length > 0 ? findings : [ok(`${settings.root} is available, every file is good`)];
  },
  async plugins({ configuration, runtime }) {
    const findings: Finding[] = [];
    for (const network of configuration.current.networks.values()) {
      if (network.type !== 'cni') continue;
      for (const error of await runtime.validate(network.conflist))
        findings.push({ state: 'bad', message: error.message, cure: 'see docs/errors.md' });
    }
    const own = { cniVersion: '1.0.0' as const, name: 'doctor', plugins: [{ type: 'bridge', ipam: { type: 'static' } }] };
    for (const error of await runtime.validate(own))
      findings.push({ state: 'bad', message: error.message, cure: 'apt install containernetworking-plugins' });
    return findings.length > 0 ? findings : [ok('every plugin that a network names is there and safe')];
  },
  async tools({ host }) {
    const findings: Finding[] = [];
    for (const [tool, pack] of [
      ['ip', 'iproute2'],
      ['nft', 'nftables'],
      ['nsenter', 'util-linux'],
      ['mount', 'mount'],
      ['curl', 'curl'],
      ['lxc-stop', 'lxc'],
    ] as const)
      await host.run([tool, tool === 'ip' ? '-V' : '--version']).catch((error) => {
        if (asPveCniError(error).code === 'TOOL_MISSING')
          findings.push({ state: 'bad', message: `${tool} is not installed`, cure: `apt install ${pack}` });
      });
    return findings.length > 0 ? findings : [ok('every tool is installed')];
  },
  async hooks({ host }) {
    const folder = '/usr/share/lxc/config/common.conf.d';
    const dropIns = await Promise.all((await host.listFolder(folder)).map((name) => host.readText(`${folder}/${name}`)));
    if (!dropIns.some((text) => text?.includes('pve-cni') && text.includes('lxc.hook.start-host')))
      return [
        {
          state: 'warning',
          message: `no LXC drop-in of ours in ${folder}: without it a reboot typed inside a container is only noticed after some seconds, and packets may pass before policy`,
          cure: 'install hookscripts/50-pve-cni.conf there, or include it in the containers’ configuration',
        },
      ];
    return [ok('the LXC drop-in is installed')];
  },
  hookscripts: checkHookscripts,
  'proxmox-api': checkProxmoxApi,
  async mounts({ host }) {
    const [ours, first] = await Promise.all([host.namespaceOf('self', 'mnt'), host.namespaceOf(1, 'mnt')]);
    if (ours && first && ours !== first)
      return [
        {
          state: 'warning',
          message: 'the service runs in a mount namespace of its own: nobody else sees the namespaces it pins',
          cure: 'remove ProtectSystem, PrivateTmp and the like from the unit',
        },
      ];
    return [ok('pinned namespaces are visible on the host')];
  },
  async debts({ store }) {
    const debts = store.debts.list();
    return debts.length === 0
      ? [ok('no clean-up is owed')]
      : debts.map(({ vmid, ifname, network, attempts, reason }) => ({
          state: 'warning' as const,
          message: `${ifname} of container ${vmid} is not cleaned up on network "${network}" after ${attempts} tries: ${reason.message}`,
          cure: 'mend what the message names, then pve-cni gc',
        }));
  },
  async leaks(deps) {
    const leaks = await inspectGarbage(deps);
    return leaks.length === 0
      ? [ok('nothing is left over')]
      : leaks.map(({ kind, what, why }) => ({ state: 'warning' as const, message: `${kind} ${what}: ${why}`, cure: 'pve-cni gc' }));
  },
  async interfaces({ store }) {
    const bad = store.attachments.list().filter(({ phase }) => phase === 'degraded');
    return bad.length === 0
      ? [ok('no interface is degraded')]
      : bad.map(({ vmid, ifname, error }) => ({
          state: 'bad' as const,
          message: `${ifname} of container ${vmid}: ${error?.message ?? 'degraded'}`,
          cure: `pve-cni container check ${vmid} --repair`,
        }));
  },
  async policies(deps) {
    const findings = await policyFindings(deps);
    return findings.length > 0 ? findings : [ok('every policy is in force')];
  },
  async networks(_deps, reconciler) {
    // policies have a row of their own
    const others = [...reconciler.problems].filter(([object]) => object !== 'policies');
    const found = others.map(([object, { message }]) => ({
      state: 'bad' as const,
      message: `${object}: ${message}`,
      cure: 'see docs/errors.md',
    }));
    return found.length > 0 ? found : [ok('every network is ready on this node')];
  },
  async services(_deps, _reconciler, balancer) {
    const views = await balancer.views();
    if (views.length === 0) return [{ state: 'skipped', message: 'no services are configured' }];
    const found = views.flatMap(({ name, state, message }) =>
      state === 'ready' || state === 'pending'
        ? []
        : [
            {
              state: state === 'degraded' ? ('warning' as const) : ('bad' as const),
              message: `service ${name}: ${message}`,
              cure: `pve-cni service show ${name}`,
            },
          ],
    );
    return found.length > 0 ? found : [ok('every service has its backends')];
  },
  flows: checkFlows,
  bridge: (deps) => checkBridge(deps),
  async state({ store }) {
    return store.rebuilt
      ? [
          {
            state: 'warning',
            message: `the state was rebuilt: ${store.rebuilt.reason}`,
            cure: `look into ${store.rebuilt.setAside}, then remove it`,
          },
        ]
      : [ok('the state is sound')];
  },
};

export async function examine(deps: Dependencies, reconciler: Reconciler, balancer: Balancer): Promise<DoctorView> {
  const results: Check[] = [];
  for (const [name, check] of Object.entries(checks)) {
    const findings = await check(deps, reconciler, balancer).catch((error): Finding[] => [
      { state: 'bad', message: `cannot look: ${asPveCniError(error).message}` },
    ]);
    results.push(...findings.map((finding) => ({ name, cure: '', ...finding })));
  }
  return { ok: results.every(({ state }) => state === 'ok' || state === 'skipped'), checks: results };
}
