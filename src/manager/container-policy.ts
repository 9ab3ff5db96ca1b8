import { readPolicyMap } from '../cilium/policy-map.ts';
import { ciliumPaths } from '../core/cilium-agent.ts';
import { labelsByKey, vmidOf } from '../core/labels.ts';
import { type KnownIdentity, kernelDifferences } from '../core/policy-differences.ts';
import { type MapEntry, portsOf, reservedNames } from '../core/policy-map.ts';
import { isEnforced, policiesOf } from '../core/policy-verdict.ts';
import type { Policy } from '../model/policy.ts';
import type { ContainerPolicyView } from '../model/policy-api.ts';
import type { Dependencies } from './dependencies.ts';
import type { Subject } from './policy-subjects.ts';

type InterfaceView = ContainerPolicyView['interfaces'][number];

/** What the kernel holds for each interface of a container, with names in place of numbers, beside what the policies say. */
export async function containerPolicy(
  deps: Dependencies,
  subjects: readonly Subject[],
  policies: readonly Policy[],
  stateOf: (subject: Subject) => InterfaceView['state'],
): Promise<InterfaceView[]> {
  const identities = subjects.some(({ endpoint }) => endpoint) ? await knownIdentities(deps).catch(() => []) : [];
  return Promise.all(
    subjects.map(async (subject): Promise<InterfaceView> => {
      const { endpoint, labels, covered } = subject;
      const selecting = policiesOf(policies, labels);
      const enforced = { ingress: isEnforced(policies, labels, 'ingress'), egress: isEnforced(policies, labels, 'egress') };
      const read = endpoint ? await entriesOf(deps, endpoint.id) : { entries: null, why: null };
      return {
        name: subject.interface,
        network: subject.network,
        enforcer: covered ? 'cilium' : 'none',
        state: stateOf(subject),
        endpoint: endpoint?.id ?? null,
        identity: endpoint?.identity ?? null,
        labels: Object.entries(labels)
          .map(([key, value]) => `${key}=${value}`)
          .sort(),
        revision: endpoint?.policyRevision ?? null,
        enforced,
        policies: selecting.map(({ policy, directions }) => ({ name: policy.name, directions })),
        entries: read.entries?.map((entry) => entryView(entry, identities)) ?? null,
        differences: [
          ...(!covered && selecting.length > 0 ? [`nothing enforces policies on network "${subject.network}"`] : []),
          ...(read.why === null ? [] : [`the kernel's map could not be read: ${read.why}`]),
          ...(endpoint && read.entries ? [...modeDifferences(endpoint.policyEnabled, enforced, selecting.length > 0)] : []),
          ...(read.entries ? kernelDifferences(policies, labels, read.entries, identities) : []),
        ],
      };
    }),
  );
}

async function entriesOf(deps: Dependencies, endpoint: number): Promise<{ entries: MapEntry[] | null; why: string | null }> {
  try {
    return { entries: await readPolicyMap(deps.host.run, await toolOf(deps), endpoint), why: null };
  } catch (thrown) {
    return { entries: null, why: (thrown as Error).message };
  }
}

/** The agent's own tool: beside the installed agent, beside its plugin, or in PATH. */
function toolOf({ host, settings }: Dependencies): Promise<string> {
  return host.findTool('cilium-dbg', [ciliumPaths(settings).current, ...settings.pluginDirs]);
}

/** Directions in which the agent says that it enforces anything, beside those in which it should drop. */
function modeDifferences(mode: string, enforced: InterfaceView['enforced'], selected: boolean): string[] {
  if (mode.startsWith('audit')) return ['the agent only audits: what it would drop passes'];
  return (['ingress', 'egress'] as const).flatMap((direction) => {
    const does = mode === 'both' || mode === direction;
    if (enforced[direction] && !does) return [`the policies close ${direction}, the agent enforces ${mode}`];
    return !selected && does ? [`no policy selects it, and the agent enforces ${direction}`] : [];
  });
}

function entryView(entry: MapEntry, identities: readonly KnownIdentity[]): NonNullable<InterfaceView['entries']>[number] {
  const { direction, identity, deny, packets, bytes } = entry;
  return {
    direction,
    verdict: deny ? 'deny' : 'allow',
    peer: identities.find(({ id }) => id === identity)?.name ?? reservedNames[identity] ?? `identity ${identity}`,
    identity,
    ...portsOf(entry),
    packets,
    bytes,
  };
}

/** What the agent knows: containers of all nodes, entities, ranges. Those that no policy can name are left out. */
async function knownIdentities({ cilium, settings }: Dependencies): Promise<KnownIdentity[]> {
  const both = settings.cilium.ipv6Range !== undefined;
  return (await cilium.agent.identities()).flatMap(({ id, labels }): KnownIdentity[] => {
    const vmid = vmidOf(labels);
    if (vmid !== null) return [{ id, name: `container ${vmid}`, peer: { kind: 'container', labels: labelsByKey(labels) } }];
    const cidr = labels.find((label) => label.startsWith('cidr:'))?.slice('cidr:'.length);
    if (cidr) return [{ id, name: cidr, peer: { kind: 'range', cidr: rangeOf(cidr) } }];
    const family = Object.keys(worlds).find((entity) => labels.includes(`reserved:${entity}`));
    // with both families the world is two
    if (family) return both ? [{ id, name: family, peer: { kind: 'range', cidr: worlds[family] ?? '' } }] : [];
    const name = named.find((entity) => labels.includes(`reserved:${entity}`));
    return name && !(both && name === 'world') ? [{ id, name, peer: { kind: 'entity', name } }] : [];
  });
}

const worlds: Record<string, string> = { 'world-ipv4': '0.0.0.0/0', 'world-ipv6': '::/0' };

/** entities that policies can name and that packets come from */
const named = ['host', 'remote-node', 'world'];

/** Colons of IPv6 are dashes in labels. */
function rangeOf(text: string): string {
  const [address = '', length = ''] = text.split('/');
  return address.includes('.') ? text : `${address.replaceAll('-', ':').replace(/^0::/, '::').replace(/::0$/, '::')}/${length}`;
}
