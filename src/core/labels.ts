import { tagPrefix } from '../model/labels.ts';
import { namePatterns } from '../model/name-patterns.ts';

/** What is known of a container that makes its identity. */
export interface IdentityFacts {
  vmid: number;
  /** Proxmox's name of it, never what the container claims */
  name: string;
  node: string;
  pool: string | null;
  network: string;
  /** Proxmox's tags of the container */
  tags: readonly string[];
  /** tags that an administrator registered (settings.yaml) */
  identityTags: readonly string[];
  /** labels of the container's file */
  labels: Readonly<Record<string, string>>;
}

/** The one label set of a container, by key. Policies select by it. */
export function identityOf({ vmid, name, node, pool, network, tags, identityTags, labels }: IdentityFacts): Record<string, string> {
  const ofPool = pool && poolValue(pool);
  const registered = tags.filter((tag) => identityTags.includes(tag));
  return {
    ...labels,
    ...Object.fromEntries(registered.map((tag) => [`${tagPrefix}${tag}`, 'true'])),
    type: 'container',
    vmid: String(vmid),
    name: labelValue(name),
    node: labelValue(node),
    network: labelValue(network),
    ...(ofPool && { pool: ofPool }),
  };
}

/** The same as Cilium writes it, sorted. All have the source `k8s`, which plain selectors, those of NetworkPolicy and the namespace and
 *  cluster terms that Cilium adds to every policy match alike. */
export function ciliumLabels(identity: Readonly<Record<string, string>>, clusterName: string): string[] {
  const all = { ...identity, 'io.kubernetes.pod.namespace': 'default', 'io.cilium.k8s.policy.cluster': clusterName };
  return Object.entries(all)
    .map(([key, value]) => `k8s:${key}=${value}`)
    .sort();
}

/** The container that an endpoint's labels are for; null: not one of ours. */
export function vmidOf(labels: readonly string[]): number | null {
  const digits = labels.includes('k8s:type=container') && labels.find((label) => label.startsWith('k8s:vmid='))?.slice('k8s:vmid='.length);
  return digits && namePatterns.vmid.test(digits) ? Number(digits) : null;
}

/** Labels as Cilium writes them, by key. */
export function labelsByKey(labels: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    labels.map((label) => {
      const text = label.slice(label.indexOf(':') + 1);
      const at = text.indexOf('=');
      return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** A pool as a label's value, a nested one with "__" for its slash: `prod__web`. null: it would read as another pool's, and policies for
 *  that one would select the container. Who may make pools below `prod` must not get into `prod-web` or `prod__web` by a name. */
function poolValue(pool: string): string | null {
  const value = pool.replaceAll('/', '__');
  return pool.includes('__') || value.includes('___') || labelValue(value) !== value ? null : value;
}

/** A text as a label's value may be: 63 characters of letters, digits, "-", "_" and ".", with a letter or digit at both ends. */
export function labelValue(text: string): string {
  return text
    .replace(/[^A-Za-z0-9_.-]/g, '-')
    .slice(0, 63)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
}
