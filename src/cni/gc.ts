import type { PluginConf } from '../model/cni.ts';
import { asPveCniError, errorRecord, failure, type PveCniError } from '../model/errors.ts';
import type { ResultCache } from './cache.ts';
import { networkConf, networkEnv } from './request.ts';
import { runPlugin } from './run-plugin.ts';
import type { CachedAttachment, CniRuntime, RuntimeOptions } from './runtime.ts';

/** STATUS and GC, the verbs of 1.1.0 that concern a network as a whole. CNI 1.1 sections 2 and 3. */
export function createNetworkVerbs(
  options: RuntimeOptions,
  cache: ResultCache,
  { del, version }: Pick<CniRuntime, 'del' | 'version'>,
): Pick<CniRuntime, 'status' | 'gc'> {
  const run = (verb: 'STATUS' | 'GC', plugin: PluginConf, conflist: { name: string; cniVersion: string }, more: object) => ({
    verb,
    plugin,
    env: networkEnv(verb, options.pluginDirs),
    stdin: JSON.stringify({ ...networkConf(plugin, conflist), ...more }),
    network: conflist.name,
  });

  return {
    async status(conflist, call) {
      if (conflist.cniVersion !== '1.1.0') return;
      for (const plugin of conflist.plugins) await runPlugin(options, run('STATUS', plugin, conflist, {}), call);
    },
    async gc(conflist, valid, call = {}) {
      if (conflist.disableGC) return [];
      const errors: PveCniError[] = [];
      const removed: CachedAttachment[] = [];
      const isValid = (one: CachedAttachment) =>
        valid.some(({ containerId, ifname }) => one.containerId === containerId && one.ifname === ifname);
      const { entries } = await cache.list();
      for (const entry of entries) {
        if (entry.conflist.name !== conflist.name || isValid(entry)) continue;
        try {
          // the list that was ADDed, not the present one: it must not change between ADD and DEL
          await del(entry, call);
          removed.push(entry);
        } catch (thrown) {
          errors.push(asPveCniError(thrown));
        }
      }
      if (conflist.cniVersion === '1.1.0') {
        const attachments = { 'cni.dev/valid-attachments': valid.map(({ containerId, ifname }) => ({ containerID: containerId, ifname })) };
        for (const plugin of conflist.plugins) {
          try {
            const spoken = await version(plugin.type, call);
            if (spoken.includes('1.1.0')) await runPlugin(options, run('GC', plugin, conflist, attachments), call);
          } catch (thrown) {
            errors.push(asPveCniError(thrown));
          }
        }
      }
      const [first, ...others] = errors;
      if (!first) return removed;
      const context = { ...first.context, errors: others.map(errorRecord), removed: removed.map((one) => one.file) };
      throw failure(first.code, `garbage collection of network ${conflist.name}: ${first.message}`, context, first);
    },
  };
}
