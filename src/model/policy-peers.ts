import { z } from 'zod';
import { cidr, ipAddress, unenforced } from './fields.ts';
import { labelSelector } from './selector.ts';

/** Whom a rule speaks of: other containers by labels, addresses, or what is no container (entities). One kind a rule. */

const kubernetes = 'it is made from objects of Kubernetes';

/** What is no container and still has a name. */
const entities = ['all', 'world', 'cluster', 'host', 'remote-node', 'none'] as const;
const entity = z.union([
  z.enum(entities),
  unenforced('there is no Kubernetes', ['kube-apiserver', 'unmanaged']),
  unenforced('every container has its labels before its first packet', ['init']),
  unenforced('no Envoy is run', ['ingress']),
  unenforced('the agent’s health checks are off', ['health']),
  unenforced('there is one cluster; write cluster', ['cluster-mesh']),
  unenforced('write world, or the range as fromCIDR', ['world-ipv4', 'world-ipv6']),
]);

const many = 256;
/** An empty list selects nothing, in some places of Cilium everything: it is never written. */
const list = <T extends z.ZodType>(schema: T) => z.array(schema).min(1).max(many).optional();

const address = z.union([ipAddress, cidr], { error: 'must be an address or a range, such as 10.20.0.0/24' });
const cidrRule = z.strictObject({
  cidr: cidr.meta({ description: 'the range' }),
  except: list(cidr).meta({ description: 'ranges inside it that do not count' }),
  cidrGroupRef: unenforced(kubernetes).optional(),
  cidrGroupSelector: unenforced(kubernetes).optional(),
});

const requires = 'Cilium ignores it since 1.17; add the labels to the selectors';
const groups = 'it asks a cloud for addresses';
const nodes = 'nodes have no labels here; write the entities host and remote-node';

export const fromPeers = {
  fromEndpoints: list(labelSelector).meta({ description: 'containers, by labels' }),
  fromCIDR: list(address).meta({ description: 'addresses outside; never containers' }),
  fromCIDRSet: list(cidrRule).meta({ description: 'ranges outside with exceptions; never containers' }),
  fromEntities: list(entity).meta({ description: `of ${entities.join(', ')}` }),
  fromRequires: unenforced(requires).optional(),
  fromGroups: unenforced(groups).optional(),
  fromNodes: unenforced(nodes).optional(),
};

export const toPeers = {
  toEndpoints: list(labelSelector).meta({ description: 'containers, by labels' }),
  toCIDR: list(address).meta({ description: 'addresses outside; never containers' }),
  toCIDRSet: list(cidrRule).meta({ description: 'ranges outside with exceptions; never containers' }),
  toEntities: list(entity).meta({ description: `of ${entities.join(', ')}` }),
  toRequires: unenforced(requires).optional(),
  toGroups: unenforced(groups).optional(),
  toNodes: unenforced(nodes).optional(),
  toServices: unenforced(`${kubernetes}; select the containers behind the service by their labels`).optional(),
};
