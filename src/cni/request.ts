import type { CniAttachment, CniResult, CniVerb, PluginConf } from '../model/cni.ts';
import { failure } from '../model/errors.ts';
import * as names from '../model/names.ts';
import { resultForVersion } from './result.ts';

/** what plugins and the tools that they call are found with; nothing else of our environment reaches them */
export const toolPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Refuses an attachment whose parameters could be read as something else by a plugin or in a path.
 *  CNI 1.1 section 2, "Parameters". @throws CNIError CNI_CONFIG_INVALID */
export function checkAttachment({ conflist, containerId, netns, ifname, args, capabilityArgs }: CniAttachment, netnsNeeded: boolean): void {
  const bad = (field: string, why: string) => failure('CNI_CONFIG_INVALID', `attachment: ${field} ${why}; nothing was executed`, { field });
  const named = [
    ['network', names.networkName, conflist.name],
    ['containerId', names.containerId, containerId],
    ['ifname', names.ifname, ifname],
  ] as const;
  for (const [field, schema, value] of named) {
    const parsed = schema.safeParse(value);
    if (!parsed.success) throw bad(field, parsed.error.issues[0]?.message ?? 'is not valid');
  }
  if (containerId.length > 128) throw bad('containerId', 'must have at most 128 characters');
  for (const plugin of conflist.plugins) {
    if (!names.pluginType.safeParse(plugin.type).success) throw bad('plugins.type', 'must be the name of a plugin, not a path');
  }
  if (netns === '' ? netnsNeeded : !/^\/[^\0\n]*$/.test(netns)) throw bad('netns', 'must be the absolute path of a network namespace');
  for (const [key, value] of Object.entries(args)) {
    if (!/^[A-Za-z0-9_.-]+$/.test(key)) throw bad(`args.${key}`, 'must have a name of letters, digits, "_", "." and "-"');
    if (/[;=\p{Cc}]/u.test(value)) throw bad(`args.${key}`, 'must not contain ";", "=" or control characters');
  }
  if (Object.keys(capabilityArgs).some((key) => key === '__proto__')) throw bad('capabilityArgs', 'has a key that is not allowed');
}

/** Environment of a plugin for a verb on an attachment (ADD, DEL, CHECK). */
export function attachmentEnv(verb: CniVerb, { containerId, netns, ifname, args }: CniAttachment, pluginDirs: readonly string[]) {
  return {
    ...networkEnv(verb, pluginDirs),
    CNI_CONTAINERID: containerId,
    CNI_NETNS: netns,
    CNI_IFNAME: ifname,
    CNI_ARGS: Object.entries(args)
      .map(([key, value]) => `${key}=${value}`)
      .join(';'),
  };
}

/** Environment of a plugin for a verb that has no attachment (STATUS, GC, VERSION). */
export function networkEnv(verb: CniVerb, pluginDirs: readonly string[]) {
  return { CNI_COMMAND: verb, CNI_PATH: pluginDirs.join(':'), PATH: toolPath };
}

/** stdin of a plugin for ADD, DEL and CHECK: its configuration with what the runtime inserts and without what only the
 *  runtime may set. CNI 1.1 section 3, "Deriving request configuration". */
export function attachmentConf(plugin: PluginConf, { conflist, capabilityArgs }: CniAttachment, prevResult: CniResult | null): string {
  const { capabilities = {} } = plugin;
  const runtimeConfig = Object.fromEntries(
    Object.entries(capabilityArgs).filter(([name]) => Object.hasOwn(capabilities, name) && capabilities[name] === true),
  );
  return JSON.stringify({
    ...networkConf(plugin, conflist),
    ...(Object.keys(runtimeConfig).length > 0 && { runtimeConfig }),
    ...(prevResult && { prevResult: resultForVersion(prevResult, conflist.cniVersion) }),
  });
}

/** The same for verbs without an attachment. */
export function networkConf(plugin: PluginConf, { name, cniVersion }: { name: string; cniVersion: string }) {
  const { capabilities: _c, runtimeConfig: _r, prevResult: _p, ...own } = plugin;
  for (const key of Object.keys(own)) if (key.startsWith('cni.dev/')) delete own[key];
  return { ...own, name, cniVersion };
}
