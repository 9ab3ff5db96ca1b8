import { appendFile, chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { type Init, isAlive, startTimeOf } from '../../src/host/processes.ts';
import { type HookPaths, renderDropIn } from './drop-in.ts';
import { until } from './until.ts';

/** Real LXC containers with a busybox inside, for every test that needs one. Wants root, lxc, busybox-static. */

export interface ContainerOptions {
  /** folder that `lxc-start -P` is given; see `createLxcPath` */
  lxcPath: string;
  vmid: number;
  /** name instead of the decimal vmid: a foreign container */
  name?: string;
  unprivileged?: boolean;
  /** LXC's default is 0 */
  hookVersion?: 0 | 1;
  /** Shell commands that run as the first thing of init, before `/ready` is written. Output goes to /boot.log. */
  init?: string;
  /** lines for LXC's configuration, after everything else */
  config?: string[];
  /** what runs LXC's commands: another node's namespaces; [] is here */
  enter?: readonly string[];
  /** our drop-in, rendered for these paths; without it the container has no hooks of ours */
  hooks?: HookPaths;
}

export interface Container {
  vmid: number;
  name: string;
  rootfs: string;
  /** Starts it and waits until init ran its commands. @throws with lxc-start's log when the start is refused. */
  start(): Promise<void>;
  /** Stops it by signal to init (2 s with busybox), or at once. */
  stop(how?: 'clean' | 'kill'): Promise<void>;
  /** `reboot` as typed inside; returns when init of the new life ran its commands. */
  rebootFromInside(): Promise<void>;
  /** The same without waiting for a new life, e.g. since it will be refused; returns when the old init is dead. */
  requestReboot(): Promise<void>;
  poweroffFromInside(): Promise<void>;
  /** SIGKILL to init; waits until LXC says STOPPED. */
  killInit(): Promise<void>;
  /** SIGKILL to LXC's monitor: no hook runs, and init may live on (LXC 5). */
  killMonitor(): Promise<void>;
  /** host pid of init. @throws when it does not run */
  initPid(): Promise<number>;
  /** Whether the init last seen by this object lives, whatever LXC says. */
  isRunning(): Promise<boolean>;
  /** Waits until LXC says STOPPED: all hooks of the stop have run. */
  untilStopped(): Promise<void>;
  /** Runs a command inside and gives its stdout. */
  exec(argv: readonly [string, ...string[]]): Promise<string>;
  /** A file of the container, read from the host; '' when absent. */
  readInside(path: string): Promise<string>;
  /** Ends whatever lives of it and removes its files. */
  destroy(): Promise<void>;
}

const busyboxConfig = [
  // busybox init: SIGUSR1 halts, SIGTERM reboots
  'lxc.signal.halt = SIGUSR1',
  'lxc.signal.reboot = SIGTERM',
  'lxc.autodev = 1',
  'lxc.pty.max = 16',
  'lxc.tty.max = 0',
  'lxc.mount.auto = proc:mixed sys:mixed',
  'lxc.apparmor.profile = unconfined',
];
const firstMappedId = 100_000;

/** A folder of containers of this test run. Others may enter it, since unprivileged containers must. */
export async function createLxcPath(): Promise<string> {
  const path = await mkdtemp('/var/lib/pve-cni-test-');
  await chmod(path, 0o755);
  return path;
}

/** vmids that no other test process on this machine uses: containers of one number would share cgroup names. */
export function testVmid(n: number): number {
  return 100_000_000 + (process.pid % 1_000_000) * 100 + n;
}

export async function createContainer(options: ContainerOptions): Promise<Container> {
  const { lxcPath, vmid, name = String(vmid), enter = [] } = options;
  const folder = `${lxcPath}/${name}`;
  const rootfs = `${folder}/rootfs`;
  const log = `${folder}/log`;
  const ready = `${rootfs}/ready`;
  const lxc = (tool: string, ...args: string[]) => {
    const [command = '', ...rest] = [...enter, tool, '-P', lxcPath, '-n', name, ...args];
    return execa(command, rest, { reject: false, timeout: 60_000, stdin: 'ignore' });
  };
  const state = async () => (await lxc('lxc-info', '-s', '-H')).stdout;
  const untilStopped = async () => {
    await until(`container ${name} stops`, async () => (await state()) === 'STOPPED', 30);
  };
  let last: Init | null = null;

  const initPid = async () => {
    const pid = Number((await lxc('lxc-info', '-p', '-H')).stdout);
    const startTime = pid > 1 ? await startTimeOf(pid) : null;
    if (startTime === null) throw new Error(`container ${name} does not run`);
    last = { pid, startTime };
    return pid;
  };
  const untilReady = async () => {
    await until(`init of container ${name} is up`, async () => (await readFile(ready, 'utf8').catch(() => '')) === 'yes\n', 30);
    await initPid();
  };
  const untilInitDies = (init: Init) => until(`init ${init.pid} of container ${name} ends`, async () => !(await isAlive(init)));
  const killLastInit = async () => {
    if (!last || !(await isAlive(last))) return;
    process.kill(last.pid, 'SIGKILL');
    await untilInitDies(last);
  };
  /** busybox's applets make the system call that a real reboot ends in; the attached shell dies with its container */
  const endFromInside = async (applet: 'reboot' | 'poweroff') => {
    const before = { pid: await initPid(), startTime: last?.startTime ?? '' };
    await rm(ready, { force: true });
    await lxc('lxc-attach', '--clear-env', '--', '/bin/busybox', applet, '-f');
    await untilInitDies(before);
  };

  await writeRootfs(rootfs, options);
  await writeFile(`${folder}/config`, `${configOf(options, rootfs, name).join('\n')}\n`);

  return {
    vmid,
    name,
    rootfs,
    initPid,
    async start() {
      await Promise.all([ready, log].map((file) => rm(file, { force: true })));
      const result = await lxc('lxc-start', '-d', '-o', log, '-l', 'DEBUG');
      if (result.failed) throw new Error(`lxc-start ${name} failed: ${result.stderr}\n${await readFile(log, 'utf8').catch(() => '')}`);
      await untilReady();
    },
    async stop(how = 'kill') {
      const result = await lxc('lxc-stop', ...(how === 'kill' ? ['-k'] : ['-t', '20']));
      if (result.failed && (await state()) !== 'STOPPED') throw new Error(`lxc-stop ${name} failed: ${result.stderr}`);
      await untilStopped();
    },
    async rebootFromInside() {
      await endFromInside('reboot');
      await untilReady();
    },
    requestReboot: () => endFromInside('reboot'),
    async poweroffFromInside() {
      await endFromInside('poweroff');
      await untilStopped();
    },
    async killInit() {
      process.kill(await initPid(), 'SIGKILL');
      await untilStopped();
    },
    async killMonitor() {
      const stat = await readFile(`/proc/${await initPid()}/stat`, 'utf8');
      const monitor = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      process.kill(monitor, 'SIGKILL');
      await until(`monitor of container ${name} ends`, async () => (await startTimeOf(monitor)) === null);
    },
    untilStopped,
    isRunning: async () => last !== null && (await isAlive(last)),
    async exec(argv) {
      const result = await lxc('lxc-attach', '--clear-env', '--', ...argv);
      if (result.failed) throw new Error(`${argv.join(' ')} in container ${name} failed: ${result.stderr} ${result.stdout}`);
      return result.stdout;
    },
    readInside: (path) => readFile(`${rootfs}${path}`, 'utf8').catch(() => ''),
    async destroy() {
      await lxc('lxc-stop', '-k');
      await killLastInit();
      await untilStopped();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function configOf(options: ContainerOptions, rootfs: string, name: string): string[] {
  const { unprivileged, hookVersion, hooks, config = [] } = options;
  return [
    `lxc.rootfs.path = dir:${rootfs}`,
    `lxc.uts.name = ct${name}`,
    ...busyboxConfig,
    ...(unprivileged
      ? ['lxc.include = /usr/share/lxc/config/userns.conf', ...['u', 'g'].map((kind) => `lxc.idmap = ${kind} 0 ${firstMappedId} 65536`)]
      : []),
    ...(hookVersion === undefined ? [] : [`lxc.hook.version = ${hookVersion}`]),
    // Debian's busybox template loads no common.conf, hence no drop-in: it is put in here
    ...(hooks ? [renderDropIn(hooks)] : []),
    ...config,
  ];
}

async function writeRootfs(rootfs: string, { unprivileged, init = '' }: ContainerOptions): Promise<void> {
  const folders = ['bin', 'sbin', 'etc', 'dev', 'proc', 'sys', 'tmp', 'root', 'var', 'run'];
  await Promise.all(folders.map((one) => mkdir(`${rootfs}/${one}`, { recursive: true })));
  await cp('/bin/busybox', `${rootfs}/bin/busybox`);
  const applets = (await execa('/bin/busybox', ['--list'])).stdout.split('\n').filter((applet) => applet !== 'busybox');
  await Promise.all([
    ...applets.map((applet) => symlink('busybox', `${rootfs}/bin/${applet}`)),
    symlink('../bin/busybox', `${rootfs}/sbin/init`),
  ]);
  await writeFile(`${rootfs}/etc/passwd`, 'root:x:0:0:root:/root:/bin/sh\n');
  await writeFile(`${rootfs}/etc/group`, 'root:x:0:\n');
  await writeFile(`${rootfs}/etc/inittab`, '::sysinit:/etc/rc\n');
  await writeFile(`${rootfs}/etc/rc`, `#!/bin/sh\n{\n:\n${init}\n} >/boot.log 2>&1\necho yes >/ready\n`, { mode: 0o755 });
  if (!unprivileged) return;
  await Promise.all(['/etc/subuid', '/etc/subgid'].map(allowMappedIds));
  await execa('chown', ['-R', '--no-dereference', `${firstMappedId}:${firstMappedId}`, rootfs]);
}

/** root may map the range, as Proxmox sets it up; newuidmap refuses otherwise. */
async function allowMappedIds(file: string): Promise<void> {
  const line = `root:${firstMappedId}:65536`;
  if (!(await readFile(file, 'utf8').catch(() => '')).split('\n').includes(line)) await appendFile(file, `${line}\n`);
}

/** Removes the folder of a test run; every container of it must have been destroyed. */
export async function removeLxcPath(lxcPath: string): Promise<void> {
  const left = await readdir(lxcPath);
  if (left.length > 0) throw new Error(`containers left in ${lxcPath}: ${left.join(', ')}`);
  await rm(lxcPath, { recursive: true });
}
