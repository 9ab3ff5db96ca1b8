/** Vocabulary of the CNI specification 1.1.0. Shapes here are what the runtime works with after parsing; results are
 *  kept in the shape of 1.0.0/1.1.0 whatever version a plugin spoke. */

/** Versions that the runtime accepts in a configuration (CNI 1.1, "Version considerations"). */
export const cniVersions = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type CniVersion = (typeof cniVersions)[number];

export const cniVerbs = ['ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION'] as const;
export type CniVerb = (typeof cniVerbs)[number];

/** One plugin of a list: `type` is ours to check, every other key is the plugin's and passes through unchanged. */
export interface PluginConf {
  type: string;
  capabilities?: Record<string, boolean>;
  ipam?: Record<string, unknown>;
  [key: string]: unknown;
}

/** A network configuration list (CNI 1.1 section 1). A single `*.conf` is loaded as a list of one plugin. */
export interface Conflist {
  cniVersion: CniVersion;
  cniVersions?: CniVersion[];
  name: string;
  disableCheck?: boolean;
  disableGC?: boolean;
  loadOnlyInlinedPlugins?: boolean;
  plugins: PluginConf[];
  [key: string]: unknown;
}

export interface CniInterface {
  name: string;
  mac?: string;
  mtu?: number;
  sandbox?: string;
  socketPath?: string;
  pciID?: string;
}

export interface CniIp {
  /** with prefix length: 10.20.0.12/24 */
  address: string;
  gateway?: string;
  /** index into `interfaces` */
  interface?: number;
}

export interface CniRoute {
  dst: string;
  gw?: string;
  mtu?: number;
  advmss?: number;
  priority?: number;
  table?: number;
  scope?: number;
}

export interface CniDns {
  nameservers?: string[];
  domain?: string;
  search?: string[];
  options?: string[];
}

/** Result of ADD (CNI 1.1 section 5, "ADD Success"). */
export interface CniResult {
  cniVersion: CniVersion;
  interfaces: CniInterface[];
  ips: CniIp[];
  routes: CniRoute[];
  dns: CniDns;
}

/** Error object of a plugin (CNI 1.1 section 5, "Error"), kept whole. */
export interface CniErrorObject {
  cniVersion: string;
  code: number;
  msg: string;
  details?: string;
  [key: string]: unknown;
}

/** One attachment as the runtime sees it: everything that ADD, CHECK and DEL of one life must agree on. */
export interface CniAttachment {
  conflist: Conflist;
  containerId: string;
  /** path of the network namespace; '' when it is gone (DEL only) */
  netns: string;
  ifname: string;
  /** becomes CNI_ARGS; keys and values without ';' and '=' */
  args: Record<string, string>;
  /** what `runtimeConfig` may carry, by capability name; each plugin gets what it declares */
  capabilityArgs: Record<string, unknown>;
  /** of an interface that others made and that the list is chained onto: prevResult of the first plugin's ADD */
  previous?: CniResult;
}
