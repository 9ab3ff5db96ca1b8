import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { until } from '../support/until.ts';

/** A process in a network namespace of its own: what a container's init is to us, without what LXC costs. */
export interface Target {
  pid: number;
  kill(): Promise<void>;
}

export async function createTarget(): Promise<Target> {
  const ours = readlinkSync('/proc/self/ns/net');
  const child: ChildProcess = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
  const pid = child.pid ?? 0;
  await until('the process has its namespace', () => readlinkSync(`/proc/${pid}/ns/net`) !== ours);
  return {
    pid,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** Namespaces pinned by hand, as the service pins them. */
export function createPins(folder: string) {
  mkdirSync(folder, { recursive: true });
  return {
    pin(name: string, { pid }: Target): string {
      const path = `${folder}/${name}`;
      writeFileSync(path, '');
      execFileSync('mount', ['--bind', `/proc/${pid}/ns/net`, path]);
      return path;
    },
    unpin(path: string): void {
      execFileSync('umount', ['--lazy', path]);
      rmSync(path);
    },
  };
}
