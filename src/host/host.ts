import { existsSync } from 'node:fs';
import type { Trace } from '../model/operation.ts';
import type { Execute } from './execute.ts';
import { findTool, isExecutable, listFolder, readText, readTextUpTo, remove, writeDurably } from './files.ts';
import { createIp } from './ip.ts';
import { readAllLinkCounters } from './link-counters.ts';
import { linkByIndex, linkMtu, listLinks, localAddresses, masterOf, portsOf, readLink } from './links.ts';
import { listeningPorts } from './listeners.ts';
import { createLxc } from './lxc.ts';
import { createNetns } from './netns.ts';
import { createNft } from './nft.ts';
import { createGatherNodeFacts } from './node-facts.ts';
import { bootId, containerOf, findInits, isAlive, isNetns, namespaceOf, startTimeOf } from './processes.ts';
import { createRun } from './run.ts';
import { createRunLines } from './run-lines.ts';
import { isStarting } from './starting.ts';
import { ensureForwarding } from './sysctl.ts';
import { createSystemd } from './systemd.ts';
import { defaultRouteLinks } from './uplinks.ts';

/** The system under us: the only room that touches it. */
export type Host = ReturnType<typeof createHost>;

export function createHost(options: { trace: Trace; runDir: string; lxcPath: string; execute: Execute }) {
  const run = createRun(options.trace, options.execute);
  const ip = createIp(run);
  return {
    run,
    runLines: createRunLines(options.trace),
    ip,
    nodeFacts: createGatherNodeFacts({ run, ip }),
    systemd: createSystemd(run),
    nft: createNft(run, options.runDir),
    netns: createNetns(run),
    lxc: createLxc(run, options.lxcPath),
    ensureForwarding,
    // links
    defaultRouteLinks,
    linkCounters: readAllLinkCounters,
    linkMtu,
    linkByIndex,
    listeningPorts,
    listLinks,
    localAddresses,
    masterOf,
    portsOf,
    readLink,
    // processes and their namespaces
    bootId,
    containerOf,
    // another folder's containers may have the same numbers: they are not this node's
    findInits: async () => new Map([...(await findInits())].filter(([vmid]) => existsSync(`${options.lxcPath}/${vmid}`))),
    isAlive,
    isNetns,
    isStarting,
    namespaceOf,
    startTimeOf,
    // files
    findTool,
    isExecutable,
    listFolder,
    readText,
    readTextUpTo,
    remove,
    writeDurably,
  };
}
