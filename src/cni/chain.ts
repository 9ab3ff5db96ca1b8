import { statfsSync } from 'node:fs';
import type { CniAttachment, CniErrorObject, CniResult, CniVerb, PluginConf } from '../model/cni.ts';
import { asPveCniError, type ErrorContext, errorRecord, failure, type PveCniError } from '../model/errors.ts';
import type { ResultCache } from './cache.ts';
import { findPluginOf } from './find-plugin.ts';
import { removeLeftovers } from './leftovers.ts';
import { attachmentConf, attachmentEnv, checkAttachment } from './request.ts';
import { type PluginRun, runForResult, runPlugin } from './run-plugin.ts';
import type { CallOptions, CniRuntime, RuntimeOptions } from './runtime.ts';

/** An undo must not take as long again as what failed, ms for each plugin. */
const undoTimeoutMs = 5000;
/** linux/magic.h */
const nsfsMagic = 0x6e736673;

/** ADD, DEL and CHECK over a list of plugins. CNI 1.1 section 3. */
export function createChain(options: RuntimeOptions, cache: ResultCache): Pick<CniRuntime, 'add' | 'del' | 'check'> {
  const runOf = (verb: CniVerb, plugin: PluginConf, attachment: CniAttachment, prevResult: CniResult | null): PluginRun => ({
    verb,
    plugin,
    env: attachmentEnv(verb, attachment, options.pluginDirs),
    stdin: attachmentConf(plugin, attachment, prevResult),
    network: attachment.conflist.name,
    containerId: attachment.containerId,
    ifname: attachment.ifname,
  });

  /** DEL over all plugins in reverse; goes on after failures and gives them all. */
  const deleteAll = async (attachment: CniAttachment, prevResult: CniResult | null, call: CallOptions): Promise<PveCniError[]> => {
    const { conflist, netns } = attachment;
    const living = { ...attachment, netns: isNamespace(netns) ? netns : '' };
    // before 0.4.0 DEL has no prevResult
    const previous = conflist.cniVersion === '0.3.1' ? null : prevResult;
    const errors: PveCniError[] = [];
    const attempt = async (work: () => Promise<unknown>) => {
      try {
        await work();
      } catch (thrown) {
        const error = asPveCniError(thrown);
        if (!isDoneAnyway(error, living.netns)) errors.push(error);
      }
    };
    for (const plugin of conflist.plugins.toReversed()) {
      await attempt(() => runPlugin(options, runOf('DEL', plugin, living, previous), call));
      if (call.signal?.aborted) return errors.length > 0 ? errors : [cancelled('DEL', attachment)];
    }
    await attempt(() => removeLeftovers(options, attachment, () => cache.siblings(attachment)));
    if (errors.length === 0) await attempt(() => cache.remove(attachment));
    return errors;
  };

  const undo = async (error: PveCniError, attachment: CniAttachment, result: CniResult | null, call: CallOptions) => {
    // not given up by the signal that gave up the ADD
    const pluginTimeoutMs = Math.min(call.pluginTimeoutMs ?? options.pluginTimeoutMs, undoTimeoutMs);
    const errors = await deleteAll(attachment, result, { pluginTimeoutMs });
    return extended(error, errors.length > 0 ? `; undoing it failed too: ${errors.map((one) => one.message).join('; ')}` : '', {
      undone: errors.length === 0,
      undoErrors: errors.map(errorRecord),
    });
  };

  return {
    async add(attachment, call = {}) {
      checkAttachment(attachment, true);
      // refused before the first plugin runs, so that there is nothing to undo
      const found = attachment.conflist.plugins.map((plugin) => ({ plugin, path: findPluginOf(plugin, options.pluginDirs).path }));
      if (call.signal?.aborted) throw cancelled('ADD', attachment);
      const { cniVersion } = attachment.conflist;
      let result: CniResult | null = attachment.previous ?? null;
      // from here on a DEL must follow, even one of a service that was killed in between: the file is there for it. The
      // disk is waited for beside the next plugin.
      let written = beside(cache.write(attachment, null));
      let known = '';
      try {
        for (const [index, { plugin, path }] of found.entries()) {
          result = await runForResult(options, { ...runOf('ADD', plugin, attachment, result), path }, cniVersion, call);
          await written;
          const isLast = index === found.length - 1;
          const text = JSON.stringify(result);
          // firewall and others find what they made by the prevResult of their DEL only; most plugins pass it on unchanged
          if (isLast || text !== known) written = beside(cache.write(attachment, result, isLast ? undefined : 'unfinished'));
          known = text;
        }
        if (!result) throw failure('CNI_CONFIG_INVALID', `network ${attachment.conflist.name} has no plugins`);
        await written;
        if (call.signal?.aborted) throw cancelled('ADD', attachment);
        return result;
      } catch (thrown) {
        // what is still being written must not come back after it was removed
        await written.catch(() => {});
        throw await undo(asPveCniError(thrown), attachment, result, call);
      }
    },
    async del(attachment, call = {}) {
      checkAttachment(attachment, false);
      const entry = await cache.read(attachment);
      const [first, ...others] = await deleteAll(attachment, entry?.result ?? null, call);
      if (first) throw extended(first, '', { errors: others.map(errorRecord) });
    },
    async check(attachment, call = {}) {
      checkAttachment(attachment, true);
      const { conflist, ifname, containerId } = attachment;
      if (conflist.disableCheck || conflist.cniVersion === '0.3.1') return;
      const where = { network: conflist.name, ifname, containerId };
      const entry = await cache.read(attachment);
      if (!entry?.result || entry.unfinished) {
        const why = 'no result of its ADD is cached, so nothing tells what should be there';
        throw failure('CNI_CHECK_FAILED', `cannot check ${ifname} of ${containerId} on network ${conflist.name}: ${why}`, where);
      }
      for (const plugin of conflist.plugins) {
        try {
          await runPlugin(options, runOf('CHECK', plugin, attachment, entry.result), call);
        } catch (thrown) {
          const error = asPveCniError(thrown);
          if (error.code !== 'CNI_PLUGIN_FAILED' && error.code !== 'CNI_PLUGIN_CRASHED') throw error;
          throw failure('CNI_CHECK_FAILED', error.message, error.context, error);
        }
      }
    },
  };
}

/** Work whose failure is seen when it is awaited, and not before. */
function beside<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}

/** Whether a DEL that failed has nothing left to do. */
function isDoneAnyway({ code, context }: PveCniError, netns: string): boolean {
  if (code !== 'CNI_PLUGIN_FAILED') return false;
  const cniError = context.cniError as CniErrorObject;
  // code 3: "the runtime does not need to perform any container network cleanup" (CNI 1.1 section 5)
  if (cniError.code === 3) return true;
  // the reference plugin sbr opens the namespace '' and reports just that; its rules were in the namespace and went with it
  return netns === '' && cniError.msg === 'no such file or directory' && !cniError.details;
}

/** A path that is gone, or where only the file of a former pin is left, is no namespace: plugins accept '' and not these. */
function isNamespace(path: string): boolean {
  try {
    return path !== '' && statfsSync(path).type === nsfsMagic;
  } catch {
    return false;
  }
}

function cancelled(verb: CniVerb, { conflist, ifname, containerId }: CniAttachment): PveCniError {
  return failure('CNI_CANCELLED', `${verb} of ${ifname} of ${containerId} on network ${conflist.name} was given up`, {
    verb,
    network: conflist.name,
    ifname,
    containerId,
  });
}

function extended(error: PveCniError, more: string, context: ErrorContext): PveCniError {
  return failure(error.code, `${error.message}${more}`, { ...error.context, ...context }, error.cause ?? error);
}
