import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { skip } from './skip.ts';
import { until } from './until.ts';

/** Nodes of one cluster, each with a mount of the stand-in for Proxmox's cluster filesystem (pmxcfs.py says what it stands for). */
export interface Pmxcfs {
  /** where a node has it; for the setting `pveDir` */
  path(node: string): string;
  quorum(node: string, has: boolean): void;
  /** what changes something on this node waits until it is false again; without quorum by then it fails */
  blocked(node: string, is: boolean): void;
  /** until something does */
  untilWaits(node: string): Promise<void>;
  online(node: string, is: boolean): void;
  /** what `pct create` writes last; also a changed configuration */
  write(node: string, vmid: number, text?: string): void;
  migrate(vmid: number, from: string, to: string): void;
  /** what `pct destroy` does last */
  remove(node: string, vmid: number): void;
  /** the process dies: everything below its mount is ENOTCONN */
  kill(node: string): Promise<void>;
  unmount(node: string): void;
  /** again, when it is not there */
  mount(node: string): Promise<void>;
  destroy(): Promise<void>;
}

const python = '/usr/bin/python3';

/** Skips the suite where there is no FUSE. */
export async function mountPmxcfs(context: Mocha.Context, nodes: readonly string[], { lockSeconds = 120 } = {}): Promise<Pmxcfs> {
  const reason = whyNot();
  if (reason) skip(context, `the cluster filesystem's stand-in needs ${reason}`);
  const dir = mkdtempSync('/var/lib/pve-cni-test-pmxcfs-');
  const [backing, control] = [join(dir, 'backing'), join(dir, 'control')];
  for (const folder of [backing, control]) mkdirSync(folder);
  const processes = new Map<string, ChildProcess>();
  const path = (node: string) => join(dir, node);
  const config = (node: string, vmid: number) => join(path(node), 'nodes', node, 'lxc', `${vmid}.conf`);
  const tell = (node: string, what: string, on: boolean) => {
    const file = join(control, `${node}.${what}`);
    if (on) writeFileSync(file, '');
    else rmSync(file, { force: true });
  };

  const pmxcfs: Pmxcfs = {
    path,
    quorum: (node, has) => tell(node, 'noquorum', !has),
    blocked: (node, is) => tell(node, 'blocked', is),
    async untilWaits(node) {
      await until(`a change on ${node} hangs`, () => existsSync(join(control, `${node}.waits`)), 30);
    },
    online: (node, is) => tell(node, 'offline', !is),
    write(node, vmid, text = `hostname: ct${vmid}\nostype: debian\n`) {
      const file = config(node, vmid);
      writeFileSync(`${file}.tmp.1`, text);
      renameSync(`${file}.tmp.1`, file);
    },
    migrate: (vmid, from, to) => renameSync(config(from, vmid), join(path(from), 'nodes', to, 'lxc', `${vmid}.conf`)),
    remove: (node, vmid) => rmSync(config(node, vmid)),
    async kill(node) {
      const process = processes.get(node);
      process?.kill('SIGKILL');
      await until('it is dead', () => process?.signalCode !== null, 30);
    },
    unmount(node) {
      execFileSync('umount', ['-l', path(node)]);
      processes.delete(node);
    },
    async mount(node) {
      const present = processes.get(node);
      if (present && present.exitCode === null && present.signalCode === null) return;
      if (present) pmxcfs.unmount(node);
      mkdirSync(path(node), { recursive: true });
      const log = join(dir, `${node}.log`);
      const args = ['--backing', backing, '--control', control, '--node', node, '--lock-seconds', String(lockSeconds), path(node)];
      const child = spawn('sh', ['-c', `exec ${python} test/support/pmxcfs.py "$@" >>${log} 2>&1`, 'sh', ...args], { stdio: 'ignore' });
      processes.set(node, child);
      await until(
        `the cluster filesystem of ${node} is mounted`,
        () => {
          if (child.exitCode !== null) throw new Error(`it ended: ${readFileSync(log, 'utf8')}`);
          return statfsSync(path(node)).type === 0x65735546 && existsSync(join(path(node), 'local'));
        },
        30,
      );
    },
    async destroy() {
      for (const node of nodes) {
        tell(node, 'blocked', false);
        try {
          execFileSync('umount', ['-l', path(node)], { stdio: 'ignore' });
        } catch {
          // a test unmounted it
        }
      }
      for (const child of processes.values()) await until('it ends', () => child.exitCode !== null || child.signalCode !== null, 30);
      rmSync(dir, { recursive: true, force: true });
    },
  };
  try {
    for (const node of nodes) await pmxcfs.mount(node);
  } catch (error) {
    await pmxcfs.destroy().catch(() => {});
    // a container of a CI machine may have the device and not the right to mount
    if (/fuse: (mount|device|fail)|[Pp]ermission denied|not permitted/.test(String(error)))
      skip(context, `the cluster filesystem's stand-in cannot be mounted here: ${error}`);
    throw error;
  }
  return pmxcfs;
}

function whyNot(): string | null {
  if (process.getuid?.() !== 0) return 'root';
  if (!existsSync('/dev/fuse')) return '/dev/fuse';
  try {
    execFileSync(python, ['-c', 'import fusepy'], { stdio: 'ignore' });
    return null;
  } catch {
    return 'the package python3-fusepy';
  }
}
