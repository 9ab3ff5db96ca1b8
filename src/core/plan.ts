import type { Attachment, Life } from '../model/attachment.ts';
import type { ContainerInterface } from '../model/container.ts';
import { canonicalIp } from './ip.ts';

/** What a running container's init is known by. */
export interface ObservedInit {
  pid: number;
  startTime: string;
}

/** Everything that decides what to do about one container. */
export interface Situation {
  /** what is configured; null: nothing may be concluded from the configuration (not available), so what is there stays */
  desired: readonly ContainerInterface[] | null;
  recorded: { life: Life | null; attachments: readonly Attachment[] };
  observed: {
    bootId: string;
    /** null: not running */
    init: ObservedInit | null;
    /** whether the life's namespace is still pinned */
    pinned: boolean;
    /** interfaces that are not as they were made: name → what is wrong */
    drift: ReadonlyMap<string, string>;
  };
}

/** One thing to do, in order. Executors are in manager/executors.ts, one for each. */
export type Step =
  | { do: 'detach'; attachment: Attachment; why: string }
  | { do: 'endLife'; life: Life }
  | { do: 'beginLife'; init: ObservedInit }
  | { do: 'repin'; life: Life }
  | { do: 'attach'; interface: ContainerInterface };

/** Steps that make a container what it should be. Applying them leaves nothing to plan: that is tested as a property.
 *  A life's leftovers go before the next life begins; interfaces go in reverse order of their making. */
export function plan({ desired, recorded, observed }: Situation): Step[] {
  const { life, attachments } = recorded;
  const sameLife = life !== null && observed.init !== null && isLifeOf(life, observed.init, observed.bootId);
  const steps: Step[] = [];
  const kept = new Set<string>();
  for (const attachment of [...attachments].sort((one, other) => other.since - one.since)) {
    const why = reasonToDetach(attachment, sameLife ? life : null, desired, observed);
    if (why) steps.push({ do: 'detach', attachment, why });
    else kept.add(attachment.ifname);
  }
  if (life && !sameLife) steps.push({ do: 'endLife', life });
  if (!observed.init) return steps;

  const missing = (desired ?? []).filter((wanted) => !kept.has(wanted.name));
  if (!sameLife && missing.length > 0) steps.push({ do: 'beginLife', init: observed.init });
  if (sameLife && desired?.length === 0 && kept.size === 0) steps.push({ do: 'endLife', life });
  else if (sameLife && !observed.pinned) steps.push({ do: 'repin', life });
  for (const wanted of missing) steps.push({ do: 'attach', interface: wanted });
  return steps;
}

/** Whether the running init is that of the recorded life. The namespace's inode says nothing: it is reused at once. */
export function isLifeOf(life: Life, init: ObservedInit, bootId: string): boolean {
  return life.bootId === bootId && life.initPid === init.pid && life.initStartTime === init.startTime;
}

function reasonToDetach(
  attachment: Attachment,
  life: Life | null,
  desired: Situation['desired'],
  observed: Situation['observed'],
): string | null {
  if (!observed.init) return 'the container is not running';
  if (!life || attachment.containerId !== life.containerId) return 'it belongs to an earlier life of the container';
  if (attachment.phase === 'adding') return 'its ADD was never finished';
  if (attachment.phase === 'removing') return 'its DEL was never finished';
  // not even what is broken: it could not be made anew
  if (!desired) return null;
  const wanted = desired.find((one) => one.name === attachment.ifname);
  if (!wanted) return 'it is not configured any more';
  if (wanted.network !== attachment.network) return `it is to join network "${wanted.network}" now`;
  if (wanted.address !== 'auto' && !sameAddresses(wanted.address, addressesAsked(attachment))) return 'its address was changed';
  return observed.drift.get(attachment.ifname) ?? null;
}

/** What plugins were asked for by capability counts: they may give more than that. */
function addressesAsked({ request, addresses }: Attachment): readonly string[] {
  const { ips } = request.capabilityArgs;
  return Array.isArray(ips) ? ips.map(String) : addresses;
}

/** People write addresses in any spelling and order; plugins answer in theirs. */
function sameAddresses(one: readonly string[], other: readonly string[]): boolean {
  const texts = (list: readonly string[]) => [...new Set(list.map((address) => canonicalIp(address) ?? address))].sort().join(' ');
  return texts(one) === texts(other);
}
