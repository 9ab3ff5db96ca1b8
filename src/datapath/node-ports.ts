import { createHash } from 'node:crypto';
import { type NodePort, nodePortRules, nodePortTable, servedPorts } from '../core/node-ports.ts';
import type { Host } from '../host/host.ts';

/** Ports of the node that services have, by a table of our own, which is there only while there is one. */
export interface NodePorts {
  /** Makes the table exactly this. Without `deep`, what this process put there itself is believed to be there still. Returns whether
   *  anything was changed. */
  apply(ports: readonly NodePort[], options: { deep: boolean }): Promise<boolean>;
  /** What the table serves now, `30080/tcp`, whoever made it. */
  served(): Promise<Set<string>>;
}

export function createNodePorts(host: Host): NodePorts {
  /** what was asked for last, and stands */
  let known: string | null = null;

  const comments = async () => (await host.nft.comments(nodePortTable.family, nodePortTable.name)) ?? [];

  return {
    async apply(ports, { deep }) {
      const asked = JSON.stringify(ports);
      if (asked === known && !deep) return false;
      const rules = nodePortRules(ports, sha256);
      const changed = sorted(await comments()) !== sorted(rules.comments);
      known = null;
      if (changed) await host.nft.apply(rules.text);
      const all = ports.flatMap(({ backends }) => backends);
      if (all.some((address) => !address.includes(':'))) await host.ensureForwarding('ipv4');
      if (all.some((address) => address.includes(':'))) await host.ensureForwarding('ipv6');
      known = asked;
      return changed;
    },
    served: async () => servedPorts(await comments()),
  };
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

function sorted(comments: readonly string[]): string {
  return [...comments].sort().join('\n');
}
