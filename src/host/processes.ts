import { readFileSync, readlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { setImmediate as breathe } from 'node:timers/promises';

/** A container's init as the host sees it. */
export interface Init {
  pid: number;
  /** field 22 of /proc/PID/stat: tells this process from a later one of the same number */
  startTime: string;
}

/** Start time of a living process; null when there is none (or only its zombie). proc(5), /proc/pid/stat. */
export async function startTimeOf(pid: number): Promise<string | null> {
  const stat = readProc(`/proc/${pid}/stat`);
  // the command may hold spaces and brackets: fields count from the last one
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (!fields?.[19] || 'ZX'.includes(fields[0] ?? 'X')) return null;
  return fields[19];
}

/** Whether this very process still lives. */
export async function isAlive(init: Init): Promise<boolean> {
  return (await startTimeOf(init.pid)) === init.startTime;
}

/** The LXC container that a process belongs to, by its cgroup: `/lxc.payload.NAME` (LXC) or `/lxc/VMID` (Proxmox). The
 *  leftmost match counts: what a container nests below its own cgroup says nothing. null: none, or not a vmid. */
export async function containerOf(pid: number): Promise<number | null> {
  const text = readProc(`/proc/${pid}/cgroup`);
  for (const line of text?.split('\n') ?? []) {
    const vmid = vmidOfCgroup(line.slice(line.indexOf(':', line.indexOf(':') + 1) + 1));
    if (vmid !== null) return vmid;
  }
  return null;
}

/** vmid of a cgroup path such as `/lxc.payload.101/init.scope` or `/lxc/101/ns`. */
export function vmidOfCgroup(path: string): number | null {
  const match = /^(?:.*?\/)??(?:lxc\.payload\.([^/]+)|lxc\/([^/]+))(?:\/|$)/.exec(path);
  const name = (match?.[1] ?? match?.[2] ?? '').replace(/-\d+$/, '');
  return /^[1-9]\d{2,8}$/.test(name) ? Number(name) : null;
}

/** Every running container's init: the process that is pid 1 one namespace below ours and sits in an LXC payload.
 *  Never what lxc-info says: after a killed monitor it says STOPPED while init runs on. */
export async function findInits(): Promise<Map<number, Init>> {
  const inits = new Map<number, Init>();
  for (const [index, name] of (await readdir('/proc')).entries()) {
    // a hook that waits goes first
    if (index % 64 === 63) await breathe();
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    const vmid = await containerOf(pid);
    if (vmid === null || inits.has(vmid) || !(await isPidOneBelowUs(pid))) continue;
    const startTime = await startTimeOf(pid);
    if (startTime !== null) inits.set(vmid, { pid, startTime });
  }
  return inits;
}

async function isPidOneBelowUs(pid: number): Promise<boolean> {
  const status = readProc(`/proc/${pid}/status`);
  return /^NSpid:\t\d+\t1$/m.test(status ?? '');
}

/** Identity of this boot of the host. */
export async function bootId(): Promise<string> {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Synchronous: /proc waits for no disk, and a hop to the thread pool costs ten times the call. */
function readProc(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function readLink(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

/** Whether a path such as /proc/PID/fd/N leads to a network namespace. */
export async function isNetns(path: string): Promise<boolean> {
  return readLink(path)?.startsWith('net:[') ?? false;
}

/** `net:[4026531840]`: which namespace of a kind a process is in; null when it is gone. Inode numbers are reused: they
 *  only tell namespaces apart while both live. */
export async function namespaceOf(pid: number | 'self', kind: 'mnt' | 'net'): Promise<string | null> {
  return readLink(`/proc/${pid}/ns/${kind}`);
}
