import { createResultCache } from './cache.ts';
import { createChain } from './chain.ts';
import { createNetworkVerbs } from './gc.ts';
import type { CniRuntime, RuntimeOptions } from './runtime.ts';
import { createVersions } from './versions.ts';

/** A CNI runtime over a plugin path and a cache folder. Does nothing until it is asked. */
export function createCniRuntime(options: RuntimeOptions): CniRuntime {
  const cache = createResultCache(options.cacheDir);
  const chain = createChain(options, cache);
  const versions = createVersions(options);
  const network = createNetworkVerbs(options, cache, { ...chain, ...versions });
  return { ...chain, ...versions, ...network, cached: () => cache.list() };
}
