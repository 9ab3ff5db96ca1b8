import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Conflist } from '../../src/model/cni.ts';
import { pluginDir } from './chain.ts';

export interface BareRequest {
  verb: 'ADD' | 'DEL';
  conflist: Conflist;
  containerId: string;
  netns: string;
  ifname: string;
  prevResult?: unknown;
  /** of the endpoint, on Cilium */
  labels?: readonly string[];
}

/** A lean Node process of its own that runs chains bare: its heap is not ours, nor that of this benchmark. */
export interface Bare {
  /** Runs all at once. Milliseconds from the first spawn to the last answer, and what each ADD answered. */
  run(requests: BareRequest[]): Promise<{ ms: number; results: unknown[] }>;
  stop(): Promise<void>;
}

/** `folder`: where its plugins are; `labelSocket`: cilium-cni is run, and its endpoints get labels by way of this socket. */
export function createBare(folder = pluginDir, labelSocket?: string): Bare {
  const args = labelSocket === undefined ? [folder] : [folder, labelSocket];
  const child = fork(new URL('./bare-loop.mjs', import.meta.url), args, { execArgv: [] });
  return {
    async run(requests) {
      const answered = once(child, 'message') as Promise<[{ ms: number; results: unknown[]; error?: string }]>;
      child.send({ requests });
      const [answer] = await answered;
      if (answer.error) throw new Error(`bare chain failed: ${answer.error}`);
      return answer;
    },
    async stop() {
      child.disconnect();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}
