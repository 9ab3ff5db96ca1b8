import type { Attachment } from '../model/attachment.ts';
import { asPveCniError, failure, type PveCniError } from '../model/errors.ts';
import type { HookAnswer, HookPhase, HookRequest } from '../model/hook.ts';
import type { OperationKind, Requester } from '../model/operation.ts';
import { networkOf, prepareNetwork, validateInterface } from './attach.ts';
import type { Dependencies } from './dependencies.ts';
import { withNodesThatCan } from './network-report.ts';
import type { OperationContext, Operations } from './operations.ts';
import { containerFile, settle } from './settle.ts';

const nothing: HookAnswer = { message: '', warnings: [] };

interface Phase {
  kind: OperationKind;
  /** whether it is part of a start (operation's deadline, client's abort) or of a stop (short, never given up) */
  starts: boolean;
  /** no row in the audit log when there was nothing to do */
  lazy: boolean;
  act(deps: Dependencies, request: HookRequest, context: OperationContext, requester: Requester): Promise<HookAnswer>;
}

/** What each phase of both doors means. `null`: nothing to do but to say so. */
const phases: Record<HookPhase, Phase | null> = {
  'pre-start': { kind: 'prepare', starts: true, lazy: false, act: prepareStart },
  'start-host': { kind: 'attach', starts: true, lazy: false, act: attachAtStart },
  'post-start': { kind: 'verify', starts: true, lazy: false, act: verifyStart },
  'pre-stop': null,
  stop: { kind: 'detach', starts: false, lazy: true, act: detachAtStop },
  'post-stop': { kind: 'detach', starts: false, lazy: true, act: detachAtStop },
};

/** Answers a hook. One path for both doors; whoever comes second finds nothing to do. */
export async function answerHook(
  deps: Dependencies,
  operations: Operations,
  name: HookPhase,
  request: HookRequest,
  requester: Requester,
  signal: AbortSignal,
): Promise<HookAnswer> {
  const phase = phases[name];
  if (!phase || !isOurs(deps, request.vmid)) {
    if (!phase?.starts) return nothing;
    // a container that was configured a moment ago
    await deps.configuration.refresh(request.vmid);
    if (!isOurs(deps, request.vmid)) return nothing;
  }
  const { timeouts } = deps.settings;
  return operations.run(
    {
      kind: phase.kind,
      vmid: request.vmid,
      requester,
      priority: 10,
      lazy: phase.lazy,
      relaxed: true,
      timeoutMs: (phase.starts ? timeouts.operationSeconds : timeouts.operationSeconds + timeouts.stopSeconds) * 1000,
      ...(phase.starts && { signal }),
    },
    (context) => phase.act(deps, request, context, requester),
  );
}

/** Early refusal, with the reason in the task log: the configuration, the plugins, room for an address. Makes the
 *  bridges, and settles what an earlier life left. */
async function prepareStart(deps: Dependencies, { vmid }: HookRequest, context: OperationContext): Promise<HookAnswer> {
  return orStartAnyway(deps, vmid, context, async () => {
    const container = await configured(deps, vmid);
    for (const wanted of container.interfaces) {
      try {
        await validateInterface(deps, vmid, wanted);
        await prepareNetwork(deps, networkOf(deps, wanted, vmid), true);
      } catch (thrown) {
        throw await withNodesThatCan(deps, wanted.network, thrown);
      }
    }
    await settle(deps, vmid, context, { ...stopping(deps), allOrNothing: false });
    const names = container.interfaces.map((one) => `${one.name} on ${one.network}`).join(', ');
    return answer(context, `container ${vmid} is ready to join: ${names || 'no network'}`, deps, vmid);
  });
}

/** The network comes to be before init runs. */
async function attachAtStart(deps: Dependencies, { vmid, pid }: HookRequest, context: OperationContext): Promise<HookAnswer> {
  return orStartAnyway(deps, vmid, context, async (allOrNothing) => {
    if (pid === undefined)
      throw failure('REQUEST_INVALID', `start-host of container ${vmid} came without the pid of its init`, { vmid, field: 'pid' });
    const container = await configured(deps, vmid);
    const startTime = await deps.host.startTimeOf(pid);
    if (startTime === null) throw failure('NETNS_GONE', `cannot attach container ${vmid}: process ${pid} has ended`, { vmid, pid });
    const settled = await settle(deps, vmid, context, { ...stopping(deps), init: { pid, startTime }, allOrNothing });
    const [error] = settled.errors;
    if (error) throw error;
    deps.store.seen.add(vmid);
    const made = container.interfaces.flatMap((one) => deps.store.attachments.get(vmid, one.name) ?? []);
    return answer(context, sentence(vmid, made), deps, vmid);
  });
}

/** Looks at what start-host did; does it itself where the LXC drop-in is switched off. */
async function verifyStart(deps: Dependencies, { vmid }: HookRequest, context: OperationContext): Promise<HookAnswer> {
  const { store, runtime, clock } = deps;
  const container = await configured(deps, vmid).catch((error) => error as PveCniError);
  if (container instanceof Error) return { message: '', warnings: [container.message] };
  const late = store.attachments.list({ vmid }).length < container.interfaces.length;
  const settled = await settle(deps, vmid, context, { ...stopping(deps), allOrNothing: late && container.onFailure === 'refuse' }).catch(
    async (thrown) => {
      // nobody asked us before init ran: a container without its network must not go on
      await deps.host.lxc.kill(vmid).catch((error) => deps.log.error({ err: error, vmid }, 'cannot stop the container'));
      throw thrown;
    },
  );
  if (!settled.running) return { message: '', warnings: [`container ${vmid} is not running`] };
  const warnings = settled.errors.map((error) => error.message);
  for (const attachment of store.attachments.list({ vmid })) {
    if (attachment.phase === 'waiting') continue;
    try {
      await runtime.check(attachment.request, { signal: context.signal });
    } catch (thrown) {
      const error = asPveCniError(thrown);
      warnings.push(error.message);
      store.attachments.put({ ...attachment, phase: 'degraded', error: { class: error.name, ...pick(error) }, since: clock() });
    }
  }
  return { ...answer(context, sentence(vmid, store.attachments.list({ vmid })), deps, vmid), warnings };
}

/** The container is gone or going. Never fails: what cannot be undone is a debt. */
async function detachAtStop(deps: Dependencies, { vmid, netns }: HookRequest, context: OperationContext): Promise<HookAnswer> {
  const life = deps.store.lives.get(vmid);
  // an init that lives means a late, doubled or forged hook: the container keeps its network
  if (life && life.bootId === deps.bootId && (await deps.host.isAlive({ pid: life.initPid, startTime: life.initStartTime })))
    return nothing;
  const settled = await settle(deps, vmid, context, { ...stopping(deps), init: null, allOrNothing: false, netnsHint: netns });
  if (settled.detached.length > 0)
    context.say(`container ${vmid}: ${settled.detached.map((one) => `${one.ifname} left ${one.network}`).join(', ')}`);
  return nothing;
}

/** A failure refuses the start, unless the container is to start without. */
async function orStartAnyway(
  deps: Dependencies,
  vmid: number,
  context: OperationContext,
  work: (allOrNothing: boolean) => Promise<HookAnswer>,
): Promise<HookAnswer> {
  const startsAnyway = deps.configuration.current.containers.get(vmid)?.onFailure === 'start';
  try {
    return await work(!startsAnyway);
  } catch (thrown) {
    if (!startsAnyway || context.signal.aborted) throw thrown;
    const error = asPveCniError(thrown);
    context.say(`container ${vmid} starts although: ${error.message}`);
    return { message: '', warnings: [error.message] };
  }
}

/** The container's configuration as it is this moment. @throws what is wrong with it */
async function configured(deps: Dependencies, vmid: number) {
  const snapshot = await deps.trace('configuration', () => deps.configuration.refresh(vmid));
  const problem = snapshot.problems.find(({ file }) => file === containerFile(vmid));
  if (problem && !problem.lastGoodServes) throw problem.error;
  const container = snapshot.containers.get(vmid);
  if (!container) throw failure('CONTAINER_UNKNOWN', `container ${vmid} is not managed by pve-cni any more`, { vmid });
  return container;
}

function isOurs({ configuration, store }: Dependencies, vmid: number): boolean {
  const { containers, problems } = configuration.current;
  return (
    containers.has(vmid) ||
    store.lives.get(vmid) !== null ||
    store.attachments.list({ vmid }).length > 0 ||
    problems.some(({ file }) => file === containerFile(vmid))
  );
}

function answer(context: OperationContext, message: string, { configuration }: Dependencies, vmid: number): HookAnswer {
  context.say(message);
  const stale = configuration.current.problems.find(({ file, lastGoodServes }) => file === containerFile(vmid) && lastGoodServes);
  return { message, warnings: stale ? [`${stale.error.message}; its last good version serves`] : [] };
}

function sentence(vmid: number, attachments: readonly Attachment[]): string {
  const parts = attachments.map((one) => `${one.ifname} ${one.addresses.join(' ') || one.mac} on ${one.network}`);
  return parts.length > 0 ? `container ${vmid}: ${parts.join(', ')}` : `container ${vmid} has no networks`;
}

function pick({ code, message, retryable, context }: PveCniError) {
  return { code, message, retryable, context };
}

function stopping({ settings }: Dependencies): { detachTimeoutMs: number } {
  return { detachTimeoutMs: settings.timeouts.stopSeconds * 1000 };
}
