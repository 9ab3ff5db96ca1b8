import { lstatSync, readlinkSync, type Stats, statSync } from 'node:fs';
import type { PluginConf } from '../model/cni.ts';
import { failure, PveCniError } from '../model/errors.ts';
import { pluginType } from '../model/names.ts';
import { isObject } from './json.ts';

/** A plugin's file, found and safe to execute. */
export interface FoundPlugin {
  /** without symbolic links: what is executed is what was checked */
  path: string;
  /** tells this binary from a later one at the same path */
  identity: string;
}

/** Looks a plugin up by name in the plugin folders, in order (CNI 1.1 section 3, "Look up the executable").
 *  Synchronous and without a cache on purpose: about ten lstat of 3 µs each, and a permission that was opened since
 *  the last look is seen.
 *  @throws CNIError CNI_CONFIG_INVALID (not a name), CNI_PLUGIN_MISSING, CNI_PLUGIN_UNSAFE */
export function findPlugin(type: string, pluginDirs: readonly string[]): FoundPlugin {
  if (!pluginType.safeParse(type).success) {
    throw failure('CNI_CONFIG_INVALID', `plugin type ${JSON.stringify(type)} is not the name of a plugin; nothing was executed`, {
      plugin: type,
      field: 'type',
    });
  }
  // every folder, not only the one with this plugin: plugins look for their IPAM plugin in all of them (CNI_PATH)
  const folders = pluginDirs.filter((folder) => exists(folder));
  for (const folder of folders) resolveSafely(folder, type);
  let unusable = '';
  for (const folder of folders) {
    const candidate = `${folder}/${type}`;
    const stats = exists(candidate);
    if (!stats) continue;
    if (!stats.isFile() || !(stats.mode & 0o111)) {
      unusable = ` (${candidate} is not an executable file)`;
      continue;
    }
    const { path, stats: file } = resolveSafely(candidate, type);
    return { path, identity: `${file.dev}:${file.ino}:${file.size}:${file.mtimeMs}:${file.ctimeMs}` };
  }
  throw failure(
    'CNI_PLUGIN_MISSING',
    `cannot find CNI plugin ${type} in ${pluginDirs.join(':') || 'no plugin folder'}${unusable}; install it or correct type`,
    { plugin: type, path: pluginDirs.join(':') },
  );
}

/** Looks up the plugin of a configuration and, so that nothing unsafe is run through it, the plugins that it runs itself.
 *  Those are its own to report when they are absent: their `type` may be no file at all (cilium-ipam).
 *  @throws as findPlugin */
export function findPluginOf(conf: PluginConf, pluginDirs: readonly string[]): FoundPlugin {
  const found = findPlugin(conf.type, pluginDirs);
  for (const type of delegatesOf(conf)) {
    try {
      findPlugin(type, pluginDirs);
    } catch (error) {
      if (!(error instanceof PveCniError && error.code === 'CNI_PLUGIN_MISSING')) throw error;
    }
  }
  return found;
}

/** `ipam.type` and `delegate.type`, and theirs. */
function delegatesOf(conf: Record<string, unknown>): string[] {
  return [conf.ipam, conf.delegate].filter(isObject).flatMap((inner) => {
    return [...(typeof inner.type === 'string' && inner.type !== '' ? [inner.type] : []), ...delegatesOf(inner)];
  });
}

/** Follows a path as the kernel does, and refuses it when anything on the way can be changed by others than root. */
function resolveSafely(path: string, plugin: string): { path: string; stats: Stats } {
  const rest = path.split('/').filter(Boolean);
  let current = '';
  let stats = check('/', lstatSync('/'), plugin);
  for (let links = 0; rest.length > 0; ) {
    const name = rest.shift() as string;
    if (name === '.') continue;
    if (name === '..') {
      current = current.slice(0, current.lastIndexOf('/'));
      continue;
    }
    const next = `${current}/${name}`;
    stats = check(next, lstatSync(next), plugin);
    if (!stats.isSymbolicLink()) {
      current = next;
      continue;
    }
    links += 1;
    if (links > 40) throw unsafe(next, plugin, 'is a loop of symbolic links');
    const target = readlinkSync(next);
    if (target.startsWith('/')) current = '';
    rest.unshift(...target.split('/').filter(Boolean));
  }
  return { path: current || '/', stats };
}

function check(path: string, stats: Stats, plugin: string): Stats {
  if (stats.uid !== 0) throw unsafe(path, plugin, `is owned by uid ${stats.uid}; chown root it`);
  // the mode of a symbolic link means nothing; its folder is checked
  if (!stats.isSymbolicLink() && stats.mode & 0o022) {
    throw unsafe(path, plugin, `can be written by others than root (mode ${(stats.mode & 0o7777).toString(8)}); chmod go-w it`);
  }
  return stats;
}

function unsafe(path: string, plugin: string, why: string) {
  return failure('CNI_PLUGIN_UNSAFE', `refused to execute CNI plugin ${plugin}: ${path} ${why}`, { plugin, path });
}

function exists(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
