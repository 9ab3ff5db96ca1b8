import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { bootId, startTimeOf } from '../../src/host/processes.ts';
import type { Attachment, Life } from '../../src/model/attachment.ts';
import type { CniResult } from '../../src/model/cni.ts';
import { openStore } from '../../src/state/open-store.ts';
import type { Daemon } from '../support/daemon.ts';
import { createPins, type Target } from './target.ts';

/** What the containers of the seed are on; big enough for all of them. */
export const webNetwork = 'type: bridge\nbridge: { name: bench-web }\nsubnets: [{ cidr: 10.214.0.0/16, gateway: 10.214.0.1 }]\n';
export const firstSeeded = 600_000_001;

/** End on the node of the nth seeded interface. */
export const linkName = (n: number) => `bench${n}`;

/** Makes a service that is not started yet one of so many running containers: a file, a life, an attachment with its
 *  cached result, an address with its file and an ended operation for each. Stands in for them: all are one process, and
 *  one namespace with one link. With `links` each has an end on the node, and the first one that many
 *  interfaces. Returns a function that lets go of the namespace. */
export async function seed(daemon: Daemon, count: number, target: Target, links: { first: number } | null = null): Promise<() => void> {
  // as the service does at its start: done later it would hide the pin
  for (const how of ['--bind', '--make-shared'])
    execFileSync('mount', [how, ...(how === '--bind' ? [daemon.netnsDir] : []), daemon.netnsDir]);
  const pins = createPins(daemon.netnsDir);
  const netnsPath = pins.pin(`ct${firstSeeded}`, target);
  const life = { bootId: await bootId(), initPid: target.pid, initStartTime: (await startTimeOf(target.pid)) ?? '', netnsPath };
  for (const folder of [`${daemon.root}/addresses/web`, `${daemon.root}/containers`, `${daemon.cacheDir}/results`])
    mkdirSync(folder, { recursive: true });
  const store = openStore({ file: `${daemon.stateDir}/state.db` });
  store.transaction(() => {
    let seeded = 0;
    for (let n = 0; n < count; n += 1) {
      const own = { ...life, vmid: firstSeeded + n, generation: 1, containerId: n.toString(16).padStart(16, '0') };
      const many = n === 0 ? (links?.first ?? 1) : 1;
      store.lives.put(own);
      for (let index = 0; index < many; index += 1) {
        seedOne(daemon, store, own, { index, address: seeded + 100, hostInterface: links ? linkName(seeded) : '' });
        seeded += 1;
      }
      const interfaces = Array.from({ length: many }, (_, index) => `{ name: eth${index}, network: web }`).join(', ');
      writeFileSync(`${daemon.root}/containers/${own.vmid}.yaml`, `interfaces: [${interfaces}]\n`);
    }
  });
  store.close();
  return () => pins.unpin(netnsPath);
}

function seedOne(
  daemon: Daemon,
  store: ReturnType<typeof openStore>,
  { vmid, containerId, bootId, netnsPath }: Life,
  { index, address: n, hostInterface }: { index: number; address: number; hostInterface: string },
): void {
  const since = Date.now();
  const ifname = `eth${index}`;
  const address = `10.214.${n >> 8}.${n & 255}`;
  const mac = `02:00:00:${[16, 8, 0].map((shift) => ((n >> shift) & 255).toString(16).padStart(2, '0')).join(':')}`;
  const ipam = {
    type: 'static',
    addresses: [{ address: `${address}/16`, gateway: '10.214.0.1' }],
    routes: [{ dst: '0.0.0.0/0', gw: '10.214.0.1' }],
  };
  const plugin = {
    type: 'bridge',
    bridge: 'bench-web',
    mtu: 1500,
    isGateway: false,
    ipMasq: false,
    hairpinMode: false,
    capabilities: { mac: true },
    ipam,
  };
  const conflist = { cniVersion: '1.0.0' as const, name: 'web', plugins: [plugin] };
  const args = { IgnoreUnknown: '1', PVE_VMID: String(vmid) };
  const result: CniResult = {
    cniVersion: '1.0.0',
    interfaces: [
      { name: 'bench-web', mac },
      { name: ifname, mac, sandbox: netnsPath },
    ],
    ips: [{ address: `${address}/16`, gateway: '10.214.0.1', interface: 2 }],
    routes: [{ dst: '0.0.0.0/0', gw: '10.214.0.1' }],
    dns: {},
  };
  const request = { conflist, containerId, netns: netnsPath, ifname, args, capabilityArgs: { mac } };
  const attachment: Attachment = {
    ...{
      vmid,
      ifname,
      network: 'web',
      containerId,
      bootId,
      request,
      result,
      addresses: [address],
      mac,
      hostInterface,
      error: null,
      since,
    },
    phase: 'attached',
  };
  store.attachments.put({ ...attachment, phase: 'adding' });
  store.attachments.put(attachment);
  store.addresses.put({ network: 'web', address, vmid, ifname, state: 'reserved', since, releaseAt: null, node: hostname() });
  const operation = {
    id: `seed-${vmid}-${index}`,
    kind: 'attach' as const,
    vmid,
    network: null,
    requester: { door: 'lxc-hook' as const, user: 'root' },
    traceId: containerId.repeat(2),
  };
  const ended = {
    ...operation,
    begin: since,
    end: since,
    outcome: 'ok' as const,
    message: `container ${vmid}: eth0 ${address} on web`,
    error: null,
    before: null,
    after: null,
  };
  store.operations.begin({ ...ended, end: null, outcome: null, spans: [] });
  store.operations.end({ ...ended, spans: [{ id: containerId, parent: null, name: 'step:attach', start: since, durationMs: 1 }] });

  const claim = { vmid, ifname, node: hostname(), since, releaseAt: null, attempt: `seed-${vmid}` };
  writeFileSync(`${daemon.root}/addresses/web/${address}`, `${JSON.stringify(claim)}\n`);
  const cached = {
    kind: 'cniCacheV1',
    containerId,
    config: Buffer.from(JSON.stringify(conflist)).toString('base64'),
    ifName: ifname,
    networkName: 'web',
  };
  const entry = { ...cached, netns: netnsPath, cniArgs: Object.entries(args), capabilityArgs: { mac }, result };
  writeFileSync(`${daemon.cacheDir}/results/web-${containerId}-${ifname}`, JSON.stringify(entry));
}
