import { type CniVersion, type Conflist, cniVersions, type PluginConf } from '../model/cni.ts';
import { failure } from '../model/errors.ts';
import { networkName, pluginType } from '../model/names.ts';
import { checkJsonValue, isObject, type JsonObject, parseJson } from './json.ts';

const maxPlugins = 32;
const listSwitches = ['disableCheck', 'disableGC', 'loadOnlyInlinedPlugins'] as const;

/** A CNI configuration from its text: a list (`plugins`), or a single configuration, which becomes a list of one.
 *  `file` is named in errors. The plugins' own keys pass through unchanged. CNI 1.1 section 1.
 *  @throws CNIError CNI_CONFIG_INVALID, CNI_VERSION_UNSUPPORTED; ConfigurationError CONFIG_SYNTAX, CONFIG_TOO_LARGE */
export function parseConflist(text: string, file: string): Conflist {
  return conflistFrom(parseJson(text, file), file);
}

/** The same from a value that is parsed already.
 *  @throws CNIError CNI_CONFIG_INVALID, CNI_VERSION_UNSUPPORTED; ConfigurationError CONFIG_TOO_LARGE */
export function conflistFrom(value: unknown, file: string): Conflist {
  checkJsonValue(value, file);
  const bad = (field: string, why: string) => failure('CNI_CONFIG_INVALID', `${file}: ${field} ${why}`, { path: file, field });
  if (!isObject(value)) throw bad('the configuration', 'must be a JSON object');
  if (!('plugins' in value) && !('type' in value))
    throw bad('plugins', 'is missing: a list has `plugins`, a single configuration has `type`');

  const name = networkName.safeParse(value.name);
  if (!name.success) throw bad('name', name.error.issues[0]?.message ?? 'is not valid');
  const single = !('plugins' in value);
  const plugins = single ? [value] : value.plugins;
  if (!Array.isArray(plugins) || plugins.length === 0 || plugins.length > maxPlugins) {
    throw bad('plugins', `must be a list of 1 to ${maxPlugins} plugin configurations`);
  }
  plugins.forEach((plugin, index) => {
    checkPlugin(plugin, single ? '' : `plugins[${index}].`, bad);
  });
  for (const key of listSwitches) {
    if (!single && key in value && typeof value[key] !== 'boolean') throw bad(key, 'must be true or false');
  }
  const versions = { cniVersion: chooseVersion(value, file), ...supportedVersions(value) };
  return { ...(single ? {} : value), ...versions, name: name.data, plugins: plugins as PluginConf[] };
}

function checkPlugin(plugin: unknown, at: string, bad: (field: string, why: string) => Error): void {
  if (!isObject(plugin)) throw bad(at.slice(0, -1), 'must be an object');
  checkType(plugin, at, true, bad);
  const { capabilities } = plugin;
  if (capabilities === undefined) return;
  if (!isObject(capabilities)) throw bad(`${at}capabilities`, 'must be an object of true and false');
  for (const [name, declared] of Object.entries(capabilities)) {
    if (typeof declared !== 'boolean') throw bad(`${at}capabilities.${name}`, 'must be true or false');
  }
}

/** `type`, and that of the plugins which this one runs itself: not all of them check it (CVE-2021-20206). */
function checkType(conf: JsonObject, at: string, required: boolean, bad: (field: string, why: string) => Error): void {
  if (required || conf.type !== undefined) {
    const type = pluginType.safeParse(conf.type);
    if (!type.success) throw bad(`${at}type`, type.error.issues[0]?.message ?? 'is not valid');
  }
  for (const key of ['ipam', 'delegate']) {
    const inner = conf[key];
    if (inner === undefined || inner === null) continue;
    if (!isObject(inner)) throw bad(`${at}${key}`, 'must be an object');
    checkType(inner, `${at}${key}.`, false, bad);
  }
}

/** The highest version of `cniVersion` and `cniVersions` that we speak (CNI 1.1, "Version considerations"). */
function chooseVersion(value: JsonObject, file: string): CniVersion {
  const { cniVersion, cniVersions: more = [] } = value;
  if (cniVersion !== undefined && typeof cniVersion !== 'string') throw versionFailure(file, 'cniVersion', 'must be a string');
  if (!Array.isArray(more) || more.some((one) => typeof one !== 'string')) {
    throw versionFailure(file, 'cniVersions', 'must be a list of strings');
  }
  const chosen = cniVersions.findLast((one) => one === cniVersion || more.includes(one));
  if (chosen) return chosen;
  // the specification reads an absent cniVersion as 0.1.0
  const given = [cniVersion ?? '0.1.0 (no cniVersion)', ...more].join(', ');
  throw failure('CNI_VERSION_UNSUPPORTED', `${file}: cniVersion ${given} is not supported; allowed are ${cniVersions.join(', ')}`, {
    path: file,
    field: 'cniVersion',
  });
}

function supportedVersions(value: JsonObject): { cniVersions?: CniVersion[] } {
  const { cniVersions: given } = value;
  return Array.isArray(given) ? { cniVersions: cniVersions.filter((one) => given.includes(one)) } : {};
}

function versionFailure(file: string, field: string, why: string) {
  return failure('CNI_CONFIG_INVALID', `${file}: ${field} ${why}`, { path: file, field });
}
