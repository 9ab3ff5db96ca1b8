/** What is wanted of the agent against what lies on the disk and what it runs with. */

/** A flag whose value on one of the three sides is not the one of the others. Null: not there, or not known. */
export interface FlagDifference {
  flag: string;
  wanted: string | null;
  onDisk: string | null;
  running: string | null;
}

/** `running` is the agent's `daemonConfigurationMap`; null when it does not answer. */
export function flagDifferences(
  wanted: Readonly<Record<string, string>>,
  onDisk: Readonly<Record<string, string>>,
  running: Readonly<Record<string, unknown>> | null,
): FlagDifference[] {
  const flags = [...new Set([...Object.keys(wanted), ...Object.keys(onDisk)])].sort();
  return flags
    .map((flag) => ({ flag, wanted: wanted[flag] ?? null, onDisk: onDisk[flag] ?? null, running: running && runningValue(running, flag) }))
    .filter((one) => one.wanted !== one.onDisk || (one.running !== null && one.running !== one.wanted));
}

/** Whether the agent runs with something else than its files say: it reads them at its start alone. */
export function needsRestart(differences: readonly FlagDifference[]): boolean {
  return differences.some(({ onDisk, running }) => running !== null && running !== onDisk);
}

/** The agent names what it runs with by fields of its own, daemonConfigurationMap of GET /v1/config. Flags that are not here cannot be read
 *  back. */
const fields: Record<string, string> = {
  'cluster-name': 'ClusterName',
  'cluster-id': 'ClusterID',
  'enable-ipv4': 'EnableIPv4',
  'enable-ipv6': 'EnableIPv6',
  'ipv4-range': 'IPv4Range',
  'ipv6-range': 'IPv6Range',
  'ipv4-node': 'IPv4NodeAddr',
  ipam: 'IPAM',
  devices: 'Devices',
  'routing-mode': 'RoutingMode',
  'auto-direct-node-routes': 'EnableAutoDirectRouting',
  'enable-ipv4-masquerade': 'EnableIPv4Masquerade',
  'enable-ipv6-masquerade': 'EnableIPv6Masquerade',
  'enable-health-checking': 'EnableHealthChecking',
  'enable-endpoint-health-checking': 'EnableEndpointHealthChecking',
  'enable-envoy-config': 'EnableEnvoyConfig',
  'enable-l7-proxy': 'EnableL7Proxy',
  'external-envoy-proxy': 'ExternalEnvoyProxy',
  'enable-source-ip-verification': 'EnableSourceIPVerification',
  'identity-change-grace-period': 'IdentityChangeGracePeriod',
  'lib-dir': 'LibDir',
  'state-dir': 'RunDir',
  'socket-path': 'SocketPath',
  'cgroup-root': 'CGroupRoot',
  'bpf-root': 'BPFRoot',
  'monitor-aggregation': 'MonitorAggregation',
  'monitor-aggregation-interval': 'MonitorAggregationInterval',
};

function runningValue(running: Readonly<Record<string, unknown>>, flag: string): string | null {
  const value = running[fields[flag] ?? ''];
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) return value.join(',');
  // Go's durations are nanoseconds
  if (typeof value === 'number' && /-(period|interval)$/.test(flag)) return `${value / 1e9}s`;
  return String(value);
}
