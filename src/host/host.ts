import type { Trace } from '../model/operation.ts';
import * as files from './files.ts';
import { createIp } from './ip.ts';
import * as links from './links.ts';
import { createLxc } from './lxc.ts';
import { createNetns } from './netns.ts';
import { createNft } from './nft.ts';
import * as processes from './processes.ts';
import { createRun } from './run.ts';
import { ensureForwarding } from './sysctl.ts';

/** The system under us: the only room that touches it. */
export type Host = ReturnType<typeof createHost>;

export function createHost(options: { trace: Trace; runDir: string; lxcPath: string }) {
  const run = createRun(options.trace);
  return {
    run,
    ip: createIp(run),
    nft: createNft(run, options.runDir),
    netns: createNetns(run),
    lxc: createLxc(run, options.lxcPath),
    ensureForwarding,
    ...links,
    ...processes,
    ...files,
  };
}
