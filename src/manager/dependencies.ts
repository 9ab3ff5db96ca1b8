import type { Cilium } from '../cilium/cilium.ts';
import type { ClusterIdentities } from '../cilium/cluster-identities.ts';
import type { Etcd } from '../cilium/etcd.ts';
import type { Maps } from '../cilium/maps.ts';
import type { AgentPolicies } from '../cilium/policies.ts';
import type { CniRuntime } from '../cni/runtime.ts';
import type { Configuration } from '../config/configuration.ts';
import type { NetworkReports } from '../config/network-reports.ts';
import type { Datapath } from '../datapath/datapath.ts';
import type { Host } from '../host/host.ts';
import type { Operation, Trace } from '../model/operation.ts';
import type { NodeConfig } from '../model/settings.ts';
import type { Cluster } from '../proxmox/cluster.ts';
import type { ProxmoxFacts } from '../proxmox/facts.ts';
import type { HookscriptProperty } from '../proxmox/hookscript-property.ts';
import type { RemoteStates } from '../proxmox/remote-states.ts';
import type { ApiAccess } from '../proxmox/setup.ts';
import type { HistoryFile } from '../state/history-file.ts';
import type { Reservations } from '../state/reservations.ts';
import type { Store } from '../state/store.ts';
import type { FlowIntake } from './flow-intake.ts';
import type { FlowLog } from './flow-log.ts';

/** What the manager is made of; main.ts puts it together, tests may too. */
export interface Dependencies {
  /** name of this node: part of every containerId */
  node: string;
  version: string;
  settings: NodeConfig;
  bootId: string;
  host: Host;
  store: Store;
  configuration: Configuration;
  runtime: CniRuntime;
  reservations: Reservations;
  datapath: Datapath;
  cilium: Cilium;
  policies: AgentPolicies;
  proxmox: ProxmoxFacts;
  cluster: Cluster;
  remoteStates: RemoteStates;
  apiAccess: ApiAccess;
  hookscripts: HookscriptProperty;
  networkReports: NetworkReports;
  flows: FlowLog;
  flowIntake: FlowIntake;
  clusterIdentities: ClusterIdentities;
  ciliumMaps: Maps;
  etcd: Etcd;
  history: HistoryFile;
  trace: Trace;
  /** epoch ms */
  clock: () => number;
  log: Log;
  /** told of every ended operation: metrics and trace export */
  onOperation: (operation: Operation) => void;
}

/** What of pino the manager uses. */
export interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}
