import { cniVersions } from '../model/cni.ts';
import { asPveCniError, failure, type PveCniError } from '../model/errors.ts';
import { findPlugin } from './find-plugin.ts';
import { networkEnv } from './request.ts';
import { runForVersions } from './run-plugin.ts';
import type { CniRuntime, RuntimeOptions } from './runtime.ts';

/** VERSION, asked once of each binary. CNI 1.1 section 2, "VERSION". */
export function createVersions(options: RuntimeOptions): Pick<CniRuntime, 'version' | 'validate'> {
  const known = new Map<string, { identity: string; versions: string[] }>();

  const version: CniRuntime['version'] = async (type, call) => {
    const { identity } = findPlugin(type, options.pluginDirs);
    const cached = known.get(type);
    if (cached?.identity === identity) return [...cached.versions];
    const stdin = JSON.stringify({ cniVersion: cniVersions.at(-1) });
    const versions = await runForVersions(
      options,
      { verb: 'VERSION', plugin: { type }, env: networkEnv('VERSION', options.pluginDirs), stdin },
      call,
    );
    known.set(type, { identity, versions });
    return [...versions];
  };

  return {
    version,
    async validate({ plugins, cniVersion, name }) {
      const ipam = plugins.flatMap((plugin) => (typeof plugin.ipam?.type === 'string' ? [plugin.ipam.type] : []));
      const types = new Set([...plugins.map((plugin) => plugin.type), ...ipam]);
      const errors: PveCniError[] = [];
      for (const type of types) {
        try {
          const spoken = await version(type);
          if (spoken.includes(cniVersion)) continue;
          const why = `CNI plugin ${type} speaks ${spoken.join(', ') || 'no version'}, not ${cniVersion} of network ${name}`;
          errors.push(
            failure('CNI_VERSION_UNSUPPORTED', `${why}; use a cniVersion that all its plugins speak`, { plugin: type, network: name }),
          );
        } catch (thrown) {
          errors.push(asPveCniError(thrown));
        }
      }
      return errors;
    },
  };
}
