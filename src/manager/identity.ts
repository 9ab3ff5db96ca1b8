import { setTimeout as pause } from 'node:timers/promises';
import { attachmentIdOf } from '../core/cilium-plugin.ts';
import { ciliumLabels, identityOf } from '../core/labels.ts';
import { asPveCniError, errorRecord } from '../model/errors.ts';
import type { Dependencies } from './dependencies.ts';
import type { Operations } from './operations.ts';

/** The one label set of a container on a network, as Cilium writes it. @throws ProxmoxError PROXMOX_UNAVAILABLE */
export async function labelsOf({ node, settings, configuration, proxmox }: Dependencies, vmid: number, network: string): Promise<string[]> {
  const { containers, settings: cluster } = configuration.current;
  const facts = await proxmox.of(vmid);
  const labels = containers.get(vmid)?.labels ?? {};
  const identity = identityOf({ ...facts, vmid, node, network, identityTags: cluster.identityTags, labels });
  return ciliumLabels(identity, settings.cilium.clusterName);
}

/** How often, and after how long each, it is looked whether a change that "failed" was made, ms. */
const looks = 10;
const lookMs = 200;

export interface Identities {
  /** Gives every endpoint the labels that its container has now. Never throws. */
  settle(): Promise<void>;
  /** The same, when something changed that labels are made of. */
  settleIfChanged(): Promise<void>;
}

/** Keeps the identities of running containers true to tags, pools and labels, without a restart. */
export function createIdentities(deps: Dependencies, operations: Operations): Identities {
  const { store, cilium, configuration, proxmox, log, settings } = deps;
  const requester = { door: 'service', user: 'root' } as const;
  let known = '';
  let snapshot: unknown = null;

  async function settle(): Promise<void> {
    const endpoints = new Map(((await cilium.endpoints()) ?? []).map((endpoint) => [endpoint.attachmentId, endpoint]));
    for (const row of store.attachments.brief()) {
      const id = attachmentIdOf(row);
      const endpoint = endpoints.get(id);
      if (!endpoint || (row.phase !== 'attached' && row.phase !== 'degraded')) continue;
      const { vmid, network, ifname } = row;
      if (sameLabels(endpoint.labels, await labelsOf(deps, vmid, network))) continue;
      const timeoutMs = settings.timeouts.operationSeconds * 1000;
      await operations.run({ kind: 'relabel', vmid, network, requester, priority: 5, lazy: true, timeoutMs }, async (context) => {
        // it may have left, or been made anew, while its turn was waited for
        if (store.attachments.get(vmid, ifname)?.containerId !== row.containerId) return;
        const labels = await labelsOf(deps, vmid, network);
        context.record();
        context.changed(endpoint.labels.join('\n'), labels.join('\n'));
        await relabel(id, labels);
        context.say(`container ${vmid}: new identity of ${ifname}: ${difference(endpoint.labels, labels)}`);
      });
    }
  }

  /** The agent says "failed" of a change that it made, too, when a build of the endpoint that was under way took its turn. */
  async function relabel(id: string, labels: readonly string[]): Promise<void> {
    try {
      await cilium.agent.relabel(id, labels);
    } catch (error) {
      for (let look = 0; look < looks; look++) {
        const now = await cilium.agent.endpoint(id);
        if (now && sameLabels(now.labels, labels)) return;
        await pause(lookMs);
      }
      throw error;
    }
  }

  /** what labels are made of, by what is cheap to ask */
  async function changed(): Promise<boolean> {
    const version = await proxmox.version();
    if (version === known && configuration.current === snapshot) return false;
    known = version;
    snapshot = configuration.current;
    return true;
  }

  const careful = (work: () => Promise<void>) => async () => {
    try {
      await work();
    } catch (thrown) {
      // looked at again soon, whatever changes
      known = '';
      log.warn({ error: errorRecord(asPveCniError(thrown)) }, 'identities could not be brought up to date; tried again');
    }
  };

  return {
    settle: careful(settle),
    settleIfChanged: careful(async () => {
      if (store.attachments.any() && (await changed())) await settle();
    }),
  };
}

function sameLabels(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((label) => other.includes(label));
}

function difference(before: readonly string[], after: readonly string[]): string {
  const gone = before.filter((label) => !after.includes(label)).map((label) => `-${label}`);
  return [...after.filter((label) => !before.includes(label)).map((label) => `+${label}`), ...gone].join(' ');
}
