import { usesCilium } from '../core/cilium-plugin.ts';
import { failure } from '../model/errors.ts';
import type { CniNetwork } from '../model/network.ts';
import type { NetworkKind } from './kind.ts';

/** Plain CNI configurations: run as they are. */
export const cni: NetworkKind<CniNetwork> = {
  render({ name, conflist }, wanted, given) {
    const declared = new Set(
      conflist.plugins.flatMap(({ capabilities }) => Object.keys(capabilities ?? {}).filter((key) => capabilities?.[key])),
    );
    if (wanted.address !== 'auto' && !declared.has('ips'))
      throw failure(
        'UNSUPPORTED',
        `cannot give ${wanted.name} the fixed address ${wanted.address.join(', ')}: no plugin of network "${name}" declares the capability "ips"; use "auto"`,
        { network: name, ifname: wanted.name, field: 'address' },
      );
    const capabilityArgs: Record<string, unknown> = {};
    if (wanted.address !== 'auto') capabilityArgs.ips = [...wanted.address];
    if (given.mac && declared.has('mac')) capabilityArgs.mac = given.mac;
    return { conflist, capabilityArgs, endpoint: usesCilium(conflist) ? { addresses: null, mac: '' } : null };
  },
};
