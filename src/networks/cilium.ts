import { failure } from '../model/errors.ts';
import type { CiliumNetwork } from '../model/network.ts';
import type { NetworkKind } from './kind.ts';

/** Cilium's configuration loads and is shown; joining it is refused by name, never half done. */
export const cilium: NetworkKind<CiliumNetwork> = {
  render({ name }, wanted) {
    throw failure('UNSUPPORTED', `cannot attach ${wanted.name} to network "${name}": networks of type cilium are not supported yet`, {
      network: name,
      ifname: wanted.name,
    });
  },
};
