import type { ContainerView, NetworkView, OperationView, ServiceView } from '../model/api.ts';
import { namePatterns } from '../model/name-patterns.ts';
import type { PolicyView } from '../model/policy-api.ts';
import type { Api } from './api.ts';

type Values = (api: Api, given: readonly string[]) => Promise<(string | number)[]>;

const containers: Values = async (api) => (await api.get<ContainerView[]>('/v1/containers')).map(({ vmid }) => vmid);
const networks: Values = async (api) => (await api.get<NetworkView[]>('/v1/networks')).map(({ name }) => name);

/** What can stand for an argument, by its name in the command's usage. */
const values: Record<string, Values> = {
  NAME: networks,
  SERVICE: async (api) => (await api.get<ServiceView[]>('/v1/services')).map(({ name }) => name),
  POLICY: async (api) => (await api.get<PolicyView[]>('/v1/policies')).map(({ name }) => name),
  VMID: containers,
  'VMID|NAME': containers,
  FROM: async (api, given) => ['world', 'host', ...(await containers(api, given))],
  TO: async (api, given) => ['world', 'host', ...(await containers(api, given))],
  'PROTOCOL/PORT': async () => ['tcp/', 'udp/', 'icmp', 'icmpv6'],
  ID: async (api) => (await api.get<OperationView[]>('/v1/operations', { limit: 20 })).map(({ id }) => id),
  IFNAME: async (api, given) => (await interfacesOf(api, given)).map(({ name }) => name),
  'IFNAME=NETWORK': async (api, given) => {
    const [taken, known] = await Promise.all([interfacesOf(api, given).catch(() => []), networks(api, given)]);
    const names = new Set(taken.map(({ name }) => name));
    const free = Array.from({ length: 64 }, (_, index) => `eth${index}`).find((name) => !names.has(name)) ?? 'eth0';
    return known.map((network) => `${free}=${network}`);
  },
};

/** Values that the service knows for an argument. Empty for arguments that have none. */
export async function liveValues(api: Api, argument: string, given: readonly string[]): Promise<string[]> {
  return (await (values[argument]?.(api, given) ?? [])).map(String);
}

async function interfacesOf(api: Api, [vmid = '']: readonly string[]): Promise<ContainerView['interfaces']> {
  return namePatterns.vmid.test(vmid) ? (await api.get<ContainerView>(`/v1/containers/${vmid}`)).interfaces : [];
}
