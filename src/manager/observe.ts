import { adopts } from '../core/cilium-plugin.ts';
import { isLifeOf, type ObservedInit, type Situation } from '../core/plan.ts';
import type { Host } from '../host/host.ts';
import type { IpLink } from '../host/ip.ts';
import type { Attachment, Life } from '../model/attachment.ts';
import { kindOf } from '../networks/networks.ts';
import { addressesOf } from './adopt.ts';
import type { Dependencies } from './dependencies.ts';

export interface ObserveOptions {
  /** what a hook saw: an init, or that there is none; undefined: find out */
  init?: ObservedInit | null | undefined;
  /** a scan of all running containers that was made already */
  inits?: ReadonlyMap<number, ObservedInit>;
  /** a container that is being started is not taken for running: its start attaches it, and may be refused */
  leaveStarting?: boolean;
  /** look into the container's namespace, too (costs a process) */
  deep?: boolean;
}

/** What is true of a container now. */
export async function observe(deps: Dependencies, vmid: number, options: ObserveOptions = {}): Promise<Situation['observed']> {
  const { store, host, bootId } = deps;
  const life = store.lives.get(vmid);
  const found = options.init === undefined ? await runningInit(deps, vmid, life, options.inits) : options.init;
  const starting = options.leaveStarting && found && !(life && isLifeOf(life, found, bootId)) && (await host.isStarting(found.pid));
  const init = starting ? null : found;
  const sameLife = life !== null && init !== null && isLifeOf(life, init, bootId);
  const pinned = sameLife && (await host.netns.inode(life.netnsPath)) !== null;
  const drift = sameLife && pinned ? await findDrift(deps, life, store.attachments.list({ vmid }), options.deep ?? false) : new Map();
  return { bootId, init, pinned, drift };
}

/** Running means: the recorded init lives, else an init is found in the payload cgroup. */
export async function runningInit(
  { host, bootId }: { host: Pick<Host, 'isAlive' | 'findInits'>; bootId: string },
  vmid: number,
  life: Life | null,
  inits?: ReadonlyMap<number, ObservedInit>,
): Promise<ObservedInit | null> {
  const recorded = life?.bootId === bootId ? { pid: life.initPid, startTime: life.initStartTime } : null;
  if (recorded && (await host.isAlive(recorded))) return recorded;
  return (inits ?? (await host.findInits())).get(vmid) ?? null;
}

/** Attached interfaces whose link is gone, or not where it was: these are made anew. */
async function findDrift(deps: Dependencies, life: Life, attachments: readonly Attachment[], deep: boolean): Promise<Map<string, string>> {
  const { host } = deps;
  const drift = new Map<string, string>();
  const attached = attachments.filter(({ phase }) => phase === 'attached' || phase === 'degraded');
  for (const { ifname, hostInterface, network } of attached) {
    if (!hostInterface) continue;
    const bridge = bridgeOf(deps, network);
    if (!(await host.readLink(hostInterface))) drift.set(ifname, `its host interface ${hostInterface} is gone`);
    else if (bridge && !(await host.portsOf(bridge)).includes(hostInterface))
      drift.set(ifname, `${hostInterface} is not on bridge ${bridge}`);
  }
  if (!deep || attached.length === 0) return drift;
  const inside = await host.ip.addresses(life.netnsPath).catch(() => null);
  for (const attachment of attached) {
    const { ifname, addresses } = attachment;
    const link = inside?.find((one) => one.ifname === ifname);
    if (inside && !link) drift.set(ifname, 'the container has no such link any more');
    if (adopts(attachment.request.conflist)) {
      const moved = link && movedTo(link, addresses);
      if (moved) drift.set(ifname, `its address is ${moved} now`);
      continue;
    }
    const present = new Set(link?.addr_info.map((one) => one.local));
    const lost = link && addresses.filter((address) => !present.has(address));
    if (lost) noteAddresses(deps, attachment, lost);
  }
  return drift;
}

/** The address that a container gave itself in place of those that Cilium knows it by; one that has none yet keeps what it had. */
function movedTo(link: IpLink, known: readonly string[]): string | undefined {
  const present = addressesOf(link).map((address) => address.split('/')[0] ?? '');
  return present.some((address) => known.includes(address)) ? undefined : present[0];
}

/** The bridge of ours that a network's containers must be on. */
function bridgeOf({ configuration }: Dependencies, name: string): string | undefined {
  const network = configuration.current.networks.get(name);
  return network && kindOf(network).bridge?.(network)?.name;
}

/** An address that the container itself took away is shown, not fought over. */
function noteAddresses({ store }: Dependencies, attachment: Attachment, lost: readonly string[]): void {
  const code = 'CNI_CHECK_FAILED';
  if (lost.length > 0 && attachment.phase === 'attached') {
    const message = `${attachment.ifname} of container ${attachment.vmid} lost ${lost.join(', ')}: something inside removed it; pve-cni container check ${attachment.vmid} --repair`;
    const error = {
      class: 'CNIError',
      code,
      message,
      retryable: true,
      context: { vmid: attachment.vmid, ifname: attachment.ifname, lost },
    };
    store.attachments.put({ ...attachment, phase: 'degraded', error });
  } else if (lost.length === 0 && attachment.phase === 'degraded' && attachment.error?.context.lost) {
    store.attachments.put({ ...attachment, phase: 'attached', error: null });
  }
}
