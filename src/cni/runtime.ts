import type { Execute } from '../host/execute.ts';
import type { CniAttachment, CniResult, Conflist } from '../model/cni.ts';
import type { PveCniError } from '../model/errors.ts';
import type { Trace } from '../model/operation.ts';

export interface RuntimeOptions {
  pluginDirs: readonly string[];
  /** CNI's cache folder, /var/lib/cni: results are kept below it as CNI 1.1 wants ("Caching") */
  cacheDir: string;
  /** per plugin; its whole process group is killed when it passes */
  pluginTimeoutMs: number;
  trace: Trace;
  /** W3C traceparent of the operation in progress, for plugins' environment */
  traceparent: () => string | undefined;
  /** more of the plugins' environment */
  pluginEnv?: Record<string, string>;
  /** runs plugins; straight from this process when absent */
  execute?: Execute;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** shorter than the runtime's own, for stops */
  pluginTimeoutMs?: number;
}

/** An attachment found in the cache folder. */
export interface CachedAttachment extends CniAttachment {
  /** what the last plugin that ended had answered */
  result: CniResult | null;
  /** its ADD never came to its end */
  unfinished?: true;
  file: string;
}

/** A CNI runtime as the specification (1.1.0) describes it. Knows no network type by name, does no locking: callers
 *  never run two operations for one container at once, nor GC beside ADD or DEL of the same network. */
export interface CniRuntime {
  /** Runs the chain in order. On any failure or abort the chain has been DELeted in reverse, over every plugin, before
   *  this throws; failures of that undo are in `undoErrors` of the error's context.
   *  @throws CNIError */
  add(attachment: CniAttachment, options?: CallOptions): Promise<CniResult>;
  /** Runs DEL over the chain in reverse, all of it even when one fails, with the cached result as prevResult; removes the
   *  cache entry when all succeeded. Repeating it is harmless. `attachment` may be older than the network's present file.
   *  @throws CNIError of the first failure, the others in `context.errors` */
  del(attachment: CniAttachment, options?: CallOptions): Promise<void>;
  /** @throws CNIError CNI_CHECK_FAILED with the plugin's error whole; nothing when the list says disableCheck */
  check(attachment: CniAttachment, options?: CallOptions): Promise<void>;
  /** STATUS of each plugin of a list (1.1.0 lists; nothing is asked of older ones). @throws CNIError */
  status(conflist: Conflist, options?: CallOptions): Promise<void>;
  /** GC of each plugin with the attachments that are still valid, after DEL of cached ones that are not (the reference
   *  plugins' GC does nothing). Returns what was removed. */
  gc(conflist: Conflist, valid: readonly { containerId: string; ifname: string }[], options?: CallOptions): Promise<CachedAttachment[]>;
  /** Versions that a plugin says it supports. @throws CNIError */
  version(type: string, options?: CallOptions): Promise<string[]>;
  /** Everything that can be known without running ADD: versions, plugin files present and safe (IPAM's too). */
  validate(conflist: Conflist): Promise<PveCniError[]>;
  /** What the cache folder holds; files that cannot be read are left out and named in `damaged`. */
  cached(): Promise<{ entries: CachedAttachment[]; damaged: string[] }>;
}
