import type { CiliumSettings } from '../model/cilium.ts';

/** Units that systemd runs. */
export const agentUnit = 'pve-cni-cilium.service';
export const etcdUnit = 'pve-cni-etcd.service';

/** Where things of the agent lie on this node. */
export interface CiliumPaths {
  /** one file a flag */
  configDir: string;
  policies: string;
  services: string;
  /** holds `bpf/`, the sources of the agent's eBPF programs */
  lib: string;
  /** how etcd is reached */
  etcd: string;
  ipsecKeys: string;
  /** link to the folder of the version that runs */
  current: string;
  /** a folder for each version */
  versions: string;
  /** what is installed, and from where */
  installed: string;
  /** data of the embedded etcd */
  etcdData: string;
  /** what the plugin takes for the agent's socket */
  pluginSocket: string;
}

export function ciliumPaths({ stateDir, runDir }: { stateDir: string; runDir: string }): CiliumPaths {
  const base = `${stateDir}/cilium`;
  return {
    configDir: `${base}/agent.d`,
    policies: `${base}/policies`,
    services: `${base}/services.yaml`,
    lib: `${base}/lib`,
    etcd: `${base}/etcd.yaml`,
    ipsecKeys: `${base}/ipsec.keys`,
    current: `${base}/current`,
    versions: `${base}/versions`,
    installed: `${base}/installed.json`,
    etcdData: `${base}/etcd`,
    pluginSocket: `${runDir}/cilium/plugin.sock`,
  };
}

/** Address that other nodes reach this one at: as set, else the first of the first device, IPv4 before IPv6. */
export function nodeAddressOf(
  { nodeAddress, devices: [first] }: CiliumSettings,
  devices: readonly { name: string; addresses: readonly string[] }[],
): string | null {
  if (nodeAddress) return nodeAddress;
  const own = devices.find(({ name }) => name === first)?.addresses.map((cidr) => cidr.split('/')[0] ?? '') ?? [];
  return own.find((address) => !address.includes(':')) ?? own[0] ?? null;
}

/** Embedded etcd listens here, on loopback. */
export const embeddedEtcd = 'http://127.0.0.1:23790';

export function etcdEndpoints({ etcd }: CiliumSettings): string[] {
  return etcd === 'embedded' ? [embeddedEtcd] : etcd.endpoints;
}

/** How this node reaches etcd. */
export function etcdAccess(settings: CiliumSettings): { endpoints: string[]; caFile?: string; certFile?: string; keyFile?: string } {
  const { etcd } = settings;
  const { caFile, certFile, keyFile }: Partial<Exclude<CiliumSettings['etcd'], string>> = etcd === 'embedded' ? {} : etcd;
  return {
    endpoints: etcdEndpoints(settings),
    ...(caFile && { caFile }),
    ...(certFile && { certFile }),
    ...(keyFile && { keyFile }),
  };
}

/** etcd's client configuration as the agent reads it (kvstore option `etcd.config`). */
export function etcdConfig(settings: CiliumSettings): Record<string, unknown> {
  const { endpoints, caFile, certFile, keyFile } = etcdAccess(settings);
  return {
    endpoints,
    ...(caFile && { 'trusted-ca-file': caFile }),
    ...(certFile && { 'cert-file': certFile }),
    ...(keyFile && { 'key-file': keyFile }),
  };
}

/** The agent's configuration, flag → value, safe beside a host's own networking: devices are named, nothing hooks the host's own
 *  processes (no kube-proxy replacement), no CNI configuration of others is touched. `nodeAddress` is what other nodes reach this one at. */
export function agentConfig(
  settings: CiliumSettings,
  { paths, nodeAddress }: { paths: CiliumPaths; nodeAddress: string },
): Record<string, string> {
  const { devices, ipv4Range, ipv6Range, routing, nativeRange, masquerade, dnsPolicies, socket, hubbleSocket } = settings;
  return {
    // no Kubernetes: etcd keeps identities, files bring policies and services
    'enable-k8s': 'false',
    kvstore: 'etcd',
    'kvstore-opt': JSON.stringify({ 'etcd.config': paths.etcd }),
    'cluster-name': settings.clusterName,
    'cluster-id': '0',
    'static-cnp-path': paths.policies,
    'lb-state-file': paths.services,
    // how long the file must have lain still before it is read; the default, 1s, is the longest part of taking a dead backend out
    'lb-state-file-interval': '200ms',
    // addresses
    ipam: 'kubernetes',
    'enable-ipv4': 'true',
    ...(ipv4Range && { 'ipv4-range': ipv4Range }),
    ...(!nodeAddress.includes(':') && { 'ipv4-node': nodeAddress }),
    'enable-ipv6': String(ipv6Range !== undefined),
    ...(ipv6Range && { 'ipv6-range': ipv6Range }),
    // the way to other nodes
    devices: devices.join(','),
    'routing-mode': routing,
    ...(routing === 'tunnel' ? { 'tunnel-protocol': 'vxlan' } : { 'auto-direct-node-routes': 'true' }),
    ...(routing === 'native' && nativeRange && { 'ipv4-native-routing-cidr': nativeRange }),
    'enable-ipv4-masquerade': String(masquerade),
    'enable-ipv6-masquerade': String(masquerade && ipv6Range !== undefined),
    ...encryptionFlags[settings.encryption](paths),
    // nothing that takes over the host's own traffic
    'kube-proxy-replacement': 'false',
    'enable-health-checking': 'false',
    'enable-endpoint-health-checking': 'false',
    'cni-exclusive': 'false',
    'enable-envoy-config': 'false',
    // the DNS proxy is the agent's own; Envoy is external and absent
    'enable-l7-proxy': String(dnsPolicies),
    ...(dnsPolicies && { 'external-envoy-proxy': 'true' }),
    // containers may not send from addresses that are not theirs. Not a flag: without this key it is off
    'enable-source-ip-verification': 'true',
    // how long an endpoint goes on with its old identity, so that other nodes know the new one
    'identity-change-grace-period': '1s',
    // files, sockets, ports
    'lib-dir': paths.lib,
    'state-dir': folderOf(socket),
    'socket-path': socket,
    'cgroup-root': `${folderOf(socket)}/cgroupv2`,
    'bpf-root': '/sys/fs/bpf',
    'prometheus-serve-addr': `127.0.0.1:${settings.metricsPort}`,
    'agent-health-port': String(settings.healthPort),
    // flows: an event for each connection and each drop, not for each packet
    'enable-hubble': 'true',
    'hubble-socket-path': hubbleSocket,
    'monitor-aggregation': 'medium',
    'monitor-aggregation-interval': '5s',
    'monitor-aggregation-flags': 'all',
  };
}

const encryptionFlags: Record<CiliumSettings['encryption'], (paths: CiliumPaths) => Record<string, string>> = {
  none: () => ({}),
  wireguard: () => ({ 'enable-wireguard': 'true' }),
  ipsec: ({ ipsecKeys }) => ({ 'enable-ipsec': 'true', 'ipsec-key-file': ipsecKeys }),
};

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}
