import { plan, type Situation, type Step } from '../core/plan.ts';
import type { Attachment, Life } from '../model/attachment.ts';
import type { ContainerInterface } from '../model/container.ts';
import { asPveCniError, failure, type PveCniError } from '../model/errors.ts';
import { kindOf } from '../networks/networks.ts';
import { findAdopted } from './adopt.ts';
import { attach, render, wait } from './attach.ts';
import type { Dependencies } from './dependencies.ts';
import { detach, payBefore } from './detach.ts';
import { beginLife, endLife, repin } from './lives.ts';
import { type ObserveOptions, observe } from './observe.ts';
import type { OperationContext } from './operations.ts';

export interface SettleOptions extends ObserveOptions {
  /** stop at the first interface that cannot be attached, undo the whole life and throw */
  allOrNothing: boolean;
  /** how long the clean-up of one interface may take before it is a debt */
  detachTimeoutMs: number;
  netnsHint?: string | undefined;
  /** interfaces that are to be made anew although nothing looks wrong: name → why */
  renew?: ReadonlyMap<string, string>;
}

export interface Settled {
  steps: number;
  attached: Attachment[];
  detached: Attachment[];
  errors: PveCniError[];
  running: boolean;
}

/** Brings one container to what it should be: observe, plan, execute. Every door ends here. The caller holds the
 *  container's turn. */
export async function settle(deps: Dependencies, vmid: number, context: OperationContext, options: SettleOptions): Promise<Settled> {
  const observed = await deps.trace('observe', () => observe(deps, vmid, options));
  for (const [ifname, why] of options.renew ?? []) (observed.drift as Map<string, string>).set(ifname, why);
  const steps = plan({ desired: desiredInterfaces(deps, vmid), recorded: recordedOf(deps, vmid), observed });
  const settled: Settled = { steps: steps.length, attached: [], detached: [], errors: [], running: observed.init !== null };
  if (steps.length === 0) return settled;
  context.record();
  try {
    for (const step of steps) await executors[step.do]({ deps, vmid, context, options, settled }, step as never);
  } catch (thrown) {
    if (options.allOrNothing) {
      await undoLife(deps, vmid, options);
      throw thrown;
    }
    settled.errors.push(asPveCniError(thrown));
  }
  // a life of which nothing could be attached needs no pin
  const life = deps.store.lives.get(vmid);
  if (life && deps.store.attachments.list({ vmid }).length === 0) await endLife(deps, life);
  return settled;
}

interface Execution {
  deps: Dependencies;
  vmid: number;
  context: OperationContext;
  options: SettleOptions;
  settled: Settled;
}

const executors: { [D in Step['do']]: (execution: Execution, step: Extract<Step, { do: D }>) => Promise<void> } = {
  async detach({ deps, options, settled }, { attachment, why }) {
    deps.log.info({ vmid: attachment.vmid, ifname: attachment.ifname, network: attachment.network, why }, 'detaching');
    // the hook of an ended container's stop may be waiting for this turn, whoever saw the end first
    const stopMs = deps.settings.timeouts.stopSeconds * 1000;
    const timeoutMs = settled.running ? options.detachTimeoutMs : Math.min(options.detachTimeoutMs, stopMs);
    const gated = settled.running && isToBeProtected(deps, attachment);
    await detach(deps, attachment, { timeoutMs, netnsHint: options.netnsHint, gated });
    settled.detached.push(attachment);
  },
  endLife: ({ deps }, { life }) => endLife(deps, life),
  async beginLife({ deps, vmid }, { init }) {
    await payBefore(deps, vmid, init.pid);
    await beginLife(deps, vmid, init);
  },
  repin: ({ deps }, { life }) => repin(deps, life),
  async attach({ deps, vmid, context, options, settled }, { interface: wanted }) {
    try {
      settled.attached.push(await attach(deps, lifeOf(deps, vmid), wanted, context.signal));
    } catch (thrown) {
      if (options.allOrNothing) throw thrown;
      const error = asPveCniError(thrown);
      settled.errors.push(error);
      await keepGated(deps, lifeOf(deps, vmid), wanted, error);
    }
  },
};

/** Whether an interface that others made is to have Cilium on it again. */
function isToBeProtected(deps: Dependencies, { vmid, ifname }: Attachment): boolean {
  const desired = desiredInterfaces(deps, vmid);
  if (!desired) return true;
  const wanted = desired.find(({ name }) => name === ifname);
  const network = wanted && deps.configuration.current.networks.get(wanted.network);
  return Boolean(network && kindOf(network).adopts?.(network));
}

/** A container that runs on although its interface could not be protected must not be open meanwhile: the interface waits behind its
 *  gate. Only for one that others made; any other interface simply is not there. */
async function keepGated(deps: Dependencies, life: Life, wanted: ContainerInterface, error: PveCniError): Promise<void> {
  const network = deps.configuration.current.networks.get(wanted.network);
  const bridge = network && kindOf(network).adopts?.(network);
  if (!bridge) return;
  const adopted = await findAdopted(deps, life, wanted, bridge).catch(() => null);
  if (!adopted) return;
  const { conflist } = render(deps, life.vmid, wanted, network, []);
  const { vmid, containerId, bootId, netnsPath } = life;
  const request = { conflist, containerId, netns: netnsPath, ifname: wanted.name, args: {}, capabilityArgs: {} };
  const facts = { vmid, ifname: wanted.name, network: network.name, containerId, bootId, request, ...adopted, result: null, addresses: [] };
  const { absent: _absent, ...intent } = { ...facts, phase: 'adding' as const, error: null, since: deps.clock() };
  deps.store.attachments.put(intent);
  wait(deps, intent, error);
  // the row first: a gate that no row accounts for is opened
  await deps.datapath.gate.close(adopted.hostInterface);
}

/** What is configured; null when nothing may be concluded. A container whose file is gone wants no interface. */
function desiredInterfaces({ configuration }: Dependencies, vmid: number): Situation['desired'] {
  const { containers, available, problems } = configuration.current;
  const configured = containers.get(vmid)?.interfaces;
  if (configured) return configured;
  // a file that cannot be read and never could: what runs is left alone
  if (!available || problems.some(({ file }) => file === containerFile(vmid))) return null;
  return [] satisfies ContainerInterface[];
}

export function containerFile(vmid: number): string {
  return `containers/${vmid}.yaml`;
}

/** Ends everything of a container's recorded life, as if it were not running. */
async function undoLife(deps: Dependencies, vmid: number, options: SettleOptions): Promise<void> {
  for (const attachment of deps.store.attachments.list({ vmid }).sort((one, other) => other.since - one.since))
    await detach(deps, attachment, { timeoutMs: options.detachTimeoutMs });
  const life = deps.store.lives.get(vmid);
  if (life) await endLife(deps, life);
}

function recordedOf({ store }: Dependencies, vmid: number): Situation['recorded'] {
  return { life: store.lives.get(vmid), attachments: store.attachments.list({ vmid }) };
}

function lifeOf({ store }: Dependencies, vmid: number): Life {
  const life = store.lives.get(vmid);
  if (!life) throw failure('INTERNAL', `no life of container ${vmid} is recorded when one must be`, { vmid });
  return life;
}
