import { chmod, cp, mkdir, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { agentUnit, type CiliumPaths, etcdUnit } from '../core/cilium-agent.ts';
import { sysctlFile, sysctlText, unitFiles } from '../core/cilium-units.ts';
import { compareVersions } from '../core/cilium-version.ts';
import type { Host } from '../host/host.ts';
import { type CiliumSettings, ciliumImage } from '../model/cilium.ts';
import { failure } from '../model/errors.ts';
import type { Agent } from './agent.ts';
import { writeAgentFiles } from './agent-files.ts';
import { fetchImage, unpackImage } from './image.ts';
import { findParts, placeParts, requireClang, requireRootsOwn, versionOf } from './parts.ts';

/** The agent put on a node and kept there: every version in a folder of its own, `current` a link to the one that runs, so that a change
 *  is one rename and can be taken back. What runs is stopped last and for as long as a start takes; containers keep their traffic, which
 *  is the kernel's. */

export interface Place {
  host: Host;
  agent: Agent;
  settings: CiliumSettings;
  paths: CiliumPaths;
  node: string;
  nodeAddress: string;
  /** where the CNI plugin goes */
  pluginDir: string;
}

/** Says what is being done while it is. */
export type Step = <T>(name: string, work: () => Promise<T>, message?: (result: T) => string) => Promise<T>;

export interface Wish {
  image?: string | undefined;
  binaries?: string | undefined;
  force: boolean;
}

const record = z.object({
  version: z.string(),
  from: z.string(),
  digest: z.string().nullable(),
  folder: z.string(),
  time: z.iso.datetime(),
  plugin: z.string(),
});
export type Installed = z.output<typeof record>;

/** how long an agent may take from its start to its health: it compiles its programs first */
const healthyMs = 180_000;
/** how long it must stay so */
const steadyMs = 4000;
/** how often its unit may be seen not running, one look each half second; systemd waits 2 s between two starts */
const downLooks = 12;

/** What an installation left; null: there was none, or its record is broken. */
export async function readInstalled({ host, paths }: Pick<Place, 'host' | 'paths'>): Promise<Installed | null> {
  const text = await host.readText(paths.installed);
  if (text === null) return null;
  try {
    return record.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Installs, or replaces what is installed. Gives one sentence.
 *  @throws CNIError CILIUM_INSTALL_FAILED, CILIUM_VERSION_UNSUPPORTED, CNI_PLUGIN_UNSAFE */
export async function install(
  place: Place,
  wish: Wish,
  { step, signal, id }: { step: Step; signal: AbortSignal; id: string },
): Promise<string> {
  const { host, paths, settings } = place;
  const scratch = `${paths.versions}/.fetch`;
  const before = await readInstalled(place);
  try {
    const source = await find(place, wish, scratch, { step, signal });
    const parts = await step('check the versions', () => findParts(source.root));
    const version = await versionOf(host.run, parts);
    if (before && compareVersions(version, before.version) < 0 && !wish.force)
      throw failure('CILIUM_VERSION_UNSUPPORTED', `refused to go back from Cilium ${before.version} to ${version}; repeat with --force`, {
        version,
      });
    const folder = `${paths.versions}/${version}-${id.slice(0, 8)}`;
    await step(
      'put the parts in place',
      async () => {
        await placeParts(host.run, parts, { root: source.root, folder, move: source.move });
        await requireClang(host.run, folder);
      },
      () => folder,
    );
    await step(
      'write the agent’s configuration',
      () => writeAgentFiles(host, place),
      (changed) => `${changed.length} flags changed`,
    );
    const installed: Installed = {
      version,
      from: source.from,
      digest: source.digest,
      folder,
      time: new Date().toISOString(),
      plugin: join(place.pluginDir, 'cilium-cni'),
    };
    const started = await activate(place, installed, before, { step, signal });
    await step('remove older versions', () => removeOthers(paths.versions, folder));
    const what = before ? (before.version === version ? 'installed anew' : `upgraded from ${before.version}`) : 'installed';
    return started
      ? `Cilium ${version} is ${what} and healthy`
      : `Cilium ${version} is ${what}; systemd does not run here: start ${settings.etcd === 'embedded' ? `${etcdUnit} and ` : ''}${agentUnit} by what their ExecStart says`;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

interface Source {
  root: string;
  from: string;
  digest: string | null;
  /** the files are ours alone and may be taken away */
  move: boolean;
}

async function find({ host }: Place, wish: Wish, scratch: string, { step, signal }: { step: Step; signal: AbortSignal }): Promise<Source> {
  const { binaries } = wish;
  if (binaries !== undefined) {
    await step('look at the binaries', async () => {
      const { clang, ...parts } = await findParts(binaries);
      for (const path of Object.values(parts)) await requireRootsOwn(path);
      if (clang !== null) await requireRootsOwn(clang);
    });
    return { root: binaries, from: binaries, digest: null, move: false };
  }
  const image = wish.image ?? ciliumImage;
  const digest = await step(
    `fetch ${image}`,
    () => fetchImage(host.run, image, scratch, signal),
    (digest) => digest,
  );
  const root = await step('unpack the image', () => unpackImage(host.run, scratch, signal));
  return { root, from: image, digest, move: true };
}

/** Makes the new folder the current one, and takes it back when its agent does not get healthy. Whether systemd started it. */
async function activate(
  place: Place,
  installed: Installed,
  before: Installed | null,
  { step, signal }: { step: Step; signal: AbortSignal },
): Promise<boolean> {
  const { host, settings } = place;
  const embedded = settings.etcd === 'embedded';
  await step('write the units', async () => {
    await switchTo(place, installed);
    await writeSystemFiles(place);
  });
  if (!(await host.systemd.runs())) return false;
  await step('start', async () => {
    await host.systemd.reload();
    if (embedded) await host.systemd.enable(etcdUnit);
    await host.systemd.enable(agentUnit);
    await host.systemd.restart(agentUnit);
  });
  try {
    await step('wait until the agent is healthy', () => untilHealthy(place, signal));
    return true;
  } catch (error) {
    if (before && before.folder !== installed.folder) {
      await step(`go back to ${before.version}`, async () => {
        await switchTo(place, before);
        await host.systemd.restart(agentUnit);
      });
    }
    throw error;
  }
}

/** INVARIANT: each of these is one rename, and the agent that runs needs none of them to go on. */
async function switchTo({ host, paths, pluginDir }: Place, installed: Installed): Promise<void> {
  await relink(installed.folder, paths.current);
  await mkdir(paths.lib, { recursive: true, mode: 0o755 });
  await relink(join(paths.current, 'bpf'), join(paths.lib, 'bpf'));
  await mkdir(pluginDir, { recursive: true, mode: 0o755 });
  await requireRootsOwn(pluginDir);
  const temporary = join(pluginDir, '.cilium-cni.new');
  await cp(join(installed.folder, 'cilium-cni'), temporary);
  await chmod(temporary, 0o755);
  await rename(temporary, installed.plugin);
  await host.writeDurably(paths.installed, `${JSON.stringify(installed, null, 2)}\n`);
}

async function relink(target: string, path: string): Promise<void> {
  if ((await readlink(path).catch(() => null)) === target) return;
  const temporary = join(dirname(path), `.${basename(path)}.new`);
  await rm(temporary, { force: true });
  await symlink(target, temporary);
  // a link replaces a link; a folder that somebody put there does not give way
  await rename(temporary, path).catch(async () => {
    await rm(path, { recursive: true, force: true });
    await rename(temporary, path);
  });
}

async function writeSystemFiles({ host, paths, settings, node }: Place): Promise<void> {
  const { etcDir } = settings;
  const embedded = settings.etcd === 'embedded';
  if (embedded) await mkdir(paths.etcdData, { recursive: true, mode: 0o700 });
  const etcdBinary = embedded ? (await host.run(['sh', '-c', 'command -v etcd'])).trim() : '';
  const files = unitFiles({ paths, node, embedded, etcdBinary });
  for (const [name, text] of Object.entries(files)) await writePlain(host, `${etcDir}/systemd/system/${name}`, text);
  if (!embedded) await rm(`${etcDir}/systemd/system/${etcdUnit}`, { force: true });
  await writePlain(host, `${etcDir}/sysctl.d/${sysctlFile}`, sysctlText);
}

async function writePlain(host: Host, path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  if ((await readFile(path, 'utf8').catch(() => null)) !== text) await host.writeDurably(path, text, 0o644);
}

/** Healthy, and still the same agent and healthy a while later: one that ends itself over something in its files says Ok first. */
async function untilHealthy({ agent, host }: Place, signal: AbortSignal): Promise<void> {
  const end = performance.now() + healthyMs;
  let healthySince: { started: unknown; at: number } | null = null;
  let last = 'it does not answer';
  let down = 0;
  for (;;) {
    const [health, config] = await Promise.all([agent.health().catch(() => null), agent.config().catch(() => null)]);
    const started = config?.status.daemonConfigurationMap?.CreationTime;
    const ok = health?.cilium.state === 'Ok' && health.kvstore.state === 'Ok' && config !== null;
    if (!ok || started !== healthySince?.started) healthySince = ok ? { started, at: performance.now() } : null;
    if (healthySince && performance.now() - healthySince.at >= steadyMs) return;
    if (health) last = `agent ${health.cilium.state} ${health.cilium.msg}, etcd ${health.kvstore.state} ${health.kvstore.msg}`;
    if (!ok && (await host.systemd.state(agentUnit)) !== 'active') down += 1;
    if (performance.now() > end || down >= downLooks)
      throw failure(
        'CILIUM_INSTALL_FAILED',
        `the agent is not healthy: ${down >= downLooks ? `${agentUnit} does not stay up` : `after ${healthyMs / 1000} s ${last}`}; see journalctl -u ${agentUnit}`,
      );
    await pause(500, undefined, { signal });
  }
}

async function removeOthers(versions: string, kept: string): Promise<void> {
  for (const name of await readdir(versions))
    if (join(versions, name) !== kept) await rm(join(versions, name), { recursive: true, force: true });
}
