import type {
  AddressView,
  ChangeView,
  CheckView,
  ContainerView,
  DoctorView,
  GcView,
  NetworkView,
  OperationView,
  ServiceView,
  StatusView,
} from '../model/api.ts';
import type { MapKind } from '../model/cilium-map-kinds.ts';
import type { IdentityView, MapContent, MapView } from '../model/cilium-maps-api.ts';
import type { Conflist } from '../model/cni.ts';
import type { FlowFilter } from '../model/flow.ts';
import type { FlowLine, FlowsView } from '../model/flow-api.ts';
import type { HookAnswer, HookPhase, HookRequest } from '../model/hook.ts';
import type { LabelChange } from '../model/labels.ts';
import type { Requester } from '../model/operation.ts';
import type { NetworkDetail, ServiceDetail } from '../model/panel-api.ts';
import type { SetupView } from '../model/setup.ts';
import type { AgentManager } from './cilium-agent.ts';
import type { AttachWish } from './configure.ts';
import type { NodeReports } from './node-reports.ts';
import type { ObjectManager } from './objects.ts';
import type { PolicyManager } from './policies.ts';
import type { PolicyQuestions } from './policy-questions.ts';

/** Everything that the doors can ask for. Each method throws PveCniErrors only. */
export interface Manager extends AgentManager, PolicyManager, NodeReports, ObjectManager, PolicyQuestions {
  /** A hook's observation. `signal` aborts when the client goes away: what was begun is undone. */
  hook(phase: HookPhase, request: HookRequest, requester: Requester, signal: AbortSignal): Promise<HookAnswer>;
  status(): Promise<StatusView>;
  networks(): Promise<NetworkView[]>;
  /** With the text of its file. */
  network(name: string): Promise<NetworkDetail>;
  /** The list that is (or would be) run; for one interface with `vmid` and `ifname`, else with placeholders. */
  conflist(name: string, target?: { vmid: number; ifname: string }): Promise<Conflist>;
  checkNetwork(name: string): Promise<CheckView>;
  containers(): Promise<ContainerView[]>;
  container(vmid: number): Promise<ContainerView>;
  /** Configures an interface (the file is written), and attaches it at once when the container runs. */
  attach(vmid: number, wanted: AttachWish, requester: Requester): Promise<ChangeView>;
  /** Makes a configured interface another one of the same name; a running container is changed at once. */
  change(vmid: number, ifname: string, wanted: AttachWish, requester: Requester): Promise<ChangeView>;
  detach(vmid: number, ifname: string, requester: Requester): Promise<ChangeView>;
  /** Puts Cilium onto an interface that the container has; `null`: the first. */
  protect(vmid: number, ifname: string | null, requester: Requester): Promise<ChangeView>;
  unprotect(vmid: number, ifname: string | null, requester: Requester): Promise<ChangeView>;
  /** Gives a container back what was archived when one of its number was destroyed. */
  restore(vmid: number, requester: Requester): Promise<ChangeView>;
  /** Changes the labels of a container's file. */
  label(vmid: number, change: LabelChange, requester: Requester): Promise<ChangeView>;
  checkContainer(vmid: number, options: { repair: boolean }, requester: Requester): Promise<CheckView>;
  addresses(filter: { network?: string | undefined }): Promise<AddressView[]>;
  services(): Promise<ServiceView[]>;
  /** With the text of its file. */
  service(name: string): Promise<ServiceDetail>;
  operations(filter: { vmid?: number | undefined; limit: number; before?: string | undefined }): Promise<OperationView[]>;
  operation(id: string): Promise<OperationView>;
  /** A page of kept flows, newest first. */
  /** `signal` aborts when the client goes away: the search ends. */
  flows(filter: FlowFilter, page: { before?: number | undefined; limit: number }, signal: AbortSignal): Promise<FlowsView>;
  /** The last kept ones, then new ones until `signal` aborts or the service stops. */
  followFlows(filter: FlowFilter, options: { last: number }, signal: AbortSignal): AsyncIterable<FlowLine>;
  doctor(): Promise<DoctorView>;
  /** Makes what a node of Proxmox needs once. */
  setup(options: { dryRun: boolean }, requester: Requester): Promise<SetupView>;
  gc(options: { dryRun: boolean }, requester: Requester): Promise<GcView>;
  checkConfiguration(): Promise<CheckView>;
  /** Identities of the cluster, from etcd. */
  ciliumIdentities(): Promise<IdentityView[]>;
  /** What Cilium's eBPF maps hold, and how full they are. */
  ciliumMaps(): Promise<MapView[]>;
  ciliumMap(kind: MapKind, question: { vmid?: number | undefined; limit: number }): Promise<MapContent>;
  reload(requester: Requester): Promise<StatusView>;
}
