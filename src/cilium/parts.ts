import { chmod, chown, cp, lstat, mkdir, readdir, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { versionIn, versionProblem } from '../core/cilium-version.ts';
import { othersMayChange } from '../host/files.ts';
import type { Run } from '../host/run.ts';
import { asPveCniError, failure } from '../model/errors.ts';

/** The parts of an agent, found in an unpacked image or in a folder, checked, and put into a folder of their own. Nothing of where they
 *  came from is trusted: a part is a plain file or a folder of plain files, below where it was looked for. */

/** where each lies in Cilium's image, and beside each other in a folder */
const places = {
  'cilium-agent': ['cilium-agent', 'usr/bin/cilium-agent'],
  'cilium-dbg': ['cilium-dbg', 'usr/bin/cilium-dbg'],
  'cilium-cni': ['cilium-cni', 'opt/cni/bin/cilium-cni', 'usr/bin/cilium-cni'],
  bpf: ['bpf', 'var/lib/cilium/bpf'],
  clang: ['clang', 'usr/local/bin/clang', 'usr/bin/clang'],
} as const;
type Part = keyof typeof places;

export type Parts = Record<Exclude<Part, 'clang'>, string> & { clang: string | null };

/** Paths of the parts below a folder. @throws CNIError CILIUM_INSTALL_FAILED for one that is missing or no plain file */
export async function findParts(root: string): Promise<Parts> {
  const base = await realpath(root).catch(() => null);
  if (base === null) throw failure('CILIUM_INSTALL_FAILED', `there is no folder ${root}`, { path: root });
  const found = await Promise.all(Object.entries(places).map(async ([part, paths]) => [part, await firstOf(base, paths)] as const));
  const missing = found.flatMap(([part, path]) => (path === null && part !== 'clang' ? [part] : []));
  if (missing.length > 0)
    throw failure('CILIUM_INSTALL_FAILED', `${root} has no ${missing.join(', no ')}: is it Cilium ${'1.20'}?`, { path: root, missing });
  return Object.fromEntries(found) as unknown as Parts; // all but clang are there
}

async function firstOf(base: string, paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    const full = join(base, path);
    const stats = await lstat(full).catch(() => null);
    if (!stats || !(stats.isFile() || stats.isDirectory())) continue;
    // a folder above it may be a link to anywhere
    if ((await realpath(full)).startsWith(`${base}/`)) return full;
  }
  return null;
}

/** Refuses what others than root could have changed. @throws CNIError CNI_PLUGIN_UNSAFE */
export async function requireRootsOwn(path: string): Promise<void> {
  const unsafe = await othersMayChange(path);
  if (unsafe !== null)
    throw failure('CNI_PLUGIN_UNSAFE', `refused to install ${path}: ${unsafe} can be changed by others than root`, { path: unsafe });
}

/** The one version that agent and plugin say of themselves.
 *  @throws CNIError CILIUM_VERSION_UNSUPPORTED */
export async function versionOf(run: Run, parts: Parts): Promise<string> {
  const [agent, plugin] = await Promise.all([said(run, parts['cilium-agent'], '--version'), said(run, parts['cilium-cni'], '')]);
  const problem = agent === null ? `${parts['cilium-agent']} does not say its version` : versionProblem(agent);
  if (problem !== null || agent === null) throw failure('CILIUM_VERSION_UNSUPPORTED', `refused to install: ${problem}`, { version: agent });
  if (plugin !== null && plugin !== agent)
    throw failure('CILIUM_VERSION_UNSUPPORTED', `refused to install: the agent is ${agent}, its CNI plugin ${plugin}`, {
      version: agent,
      plugin,
    });
  return agent;
}

/** The plugin prints its version on stderr. */
async function said(run: Run, path: string, option: string): Promise<string | null> {
  const text = await run(['sh', '-c', 'exec "$0" $1 2>&1', path, option], { timeoutMs: 30_000 }).catch((error) => {
    throw failure('CILIUM_INSTALL_FAILED', `cannot run ${path}: ${asPveCniError(error).message}`, { path }, error);
  });
  return versionIn(text);
}

/** Puts the parts into a new folder, owned by root and written by nobody else. `move` takes them away from where they are. */
export async function placeParts(run: Run, parts: Parts, options: { root: string; folder: string; move: boolean }): Promise<void> {
  const { root, folder, move } = options;
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o755 });
  for (const part of ['cilium-agent', 'cilium-dbg', 'cilium-cni', 'bpf'] as const) {
    const target = join(partial, part);
    await (move ? rename(parts[part], target) : cp(parts[part], target, { recursive: true, verbatimSymlinks: true }));
    await makeRoots(target, part !== 'bpf');
  }
  if (parts.clang !== null) await placeClang(run, parts.clang, root, partial, folder);
  await rm(folder, { recursive: true, force: true });
  await rename(partial, folder);
}

async function makeRoots(path: string, executable: boolean): Promise<void> {
  const stats = await lstat(path);
  if (stats.isDirectory()) {
    await chown(path, 0, 0);
    await chmod(path, 0o755);
    for (const name of await readdir(path)) await makeRoots(join(path, name), executable);
    return;
  }
  // the sources are plain files alone; a link could lead anywhere
  if (!stats.isFile()) return rm(path);
  await chown(path, 0, 0);
  await chmod(path, executable ? 0o755 : 0o644);
}

const loaders = [
  'lib64/ld-linux-x86-64.so.2',
  'usr/lib64/ld-linux-x86-64.so.2',
  'lib/ld-linux-aarch64.so.1',
  'usr/lib/ld-linux-aarch64.so.1',
];

/** An image's clang is linked against the image's libraries, which may be newer than this node's: it comes with those that it needs, and
 *  is started by their loader. Without a loader beside it (a folder of binaries) it is taken as it is. */
async function placeClang(run: Run, clang: string, root: string, partial: string, folder: string): Promise<void> {
  const base = await realpath(root);
  const loader = await firstExisting(loaders.map((path) => join(base, path)));
  if (loader === null || !(await realpath(loader)).startsWith(`${base}/`)) {
    await cp(clang, join(partial, 'clang'), { dereference: true });
    return makeRoots(join(partial, 'clang'), true);
  }
  const searched = ['lib', 'usr/lib', 'usr/local/lib'].flatMap((path) => [
    join(base, path),
    join(base, path, 'x86_64-linux-gnu'),
    join(base, path, 'aarch64-linux-gnu'),
  ]);
  const listed = await run([loader, '--library-path', searched.join(':'), '--list', clang]).catch((error) => {
    throw failure('CILIUM_INSTALL_FAILED', `the image’s clang lacks a library: ${asPveCniError(error).message}`, { path: clang }, error);
  });
  const libraries = [...listed.matchAll(/^\s*(\S+) => (\/\S+) \(/gm)].map(([, name = '', path = '']) => ({ name: basename(name), path }));
  const own = join(partial, 'llvm');
  await mkdir(own);
  const wanted = [{ name: 'clang', path: clang }, { name: 'ld.so', path: loader }, ...libraries];
  for (const { name, path } of wanted) {
    const real = await realpath(path);
    if (!real.startsWith(`${base}/`))
      throw failure('CILIUM_INSTALL_FAILED', `the image’s clang needs ${name}, which the image does not have`, { path });
    await cp(real, join(own, name));
  }
  await makeRoots(own, true);
  const final = join(folder, 'llvm');
  const script = `#!/bin/sh\nexec '${final}/ld.so' --library-path '${final}' '${final}/clang' "$@"\n`;
  await writeFile(join(partial, 'clang'), script, { mode: 0o755 });
}

async function firstExisting(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) if (await lstat(path).catch(() => null)) return path;
  return null;
}

/** Whether clang, as the agent will find it, makes BPF programs. @throws CNIError CILIUM_INSTALL_FAILED */
export async function requireClang(run: Run, folder: string): Promise<void> {
  const script =
    'PATH="$0:$PATH"; command -v clang >/dev/null || { echo "clang is not installed" >&2; exit 1; }; exec clang --target=bpf -O2 -c -x c - -o /dev/null';
  await run(['sh', '-c', script, folder], { input: 'int probe(void) { return 0; }\n', timeoutMs: 60_000 }).catch((error) => {
    const { context, message } = asPveCniError(error);
    throw failure(
      'CILIUM_INSTALL_FAILED',
      `clang, which compiles the agent’s programs, does not work: ${String(context.stderr ?? message)
        .trim()
        .slice(0, 300)}; apt install clang`,
      {},
      error,
    );
  });
}
