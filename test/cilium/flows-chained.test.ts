import assert from 'node:assert/strict';
import type { FlowsView, FlowView } from '../../src/model/flow-api.ts';
import { until } from '../support/until.ts';
import { reaches, useCilium } from './rig.ts';
import { usePolicies } from './use-policies.ts';

const nic = (address: string) => [
  'lxc.net.0.type = veth',
  'lxc.net.0.link = vmbr0',
  'lxc.net.0.name = eth0',
  `lxc.net.0.ipv4.address = ${address}/24`,
  'lxc.net.0.flags = up',
];

describe('flows of containers with Cilium chained onto their interface', () => {
  const rig = useCilium({ files: { 'networks/lan.yaml': 'type: cilium\nmode: chained\non: vmbr0\n' } });
  const apply = usePolicies(rig);

  it('name the containers by their LAN addresses, and the LAN as the world', async function () {
    this.timeout(120_000);
    const create = (address: string) => rig.container({ interfaces: [{ name: 'eth0', network: 'lan' }], config: nic(address) });
    const [one, other] = [await create('10.99.0.50'), await create('10.99.0.51')];
    await one.start();
    await other.start();
    const flow = (query: string, wanted: (flow: FlowView) => boolean) =>
      until('the flow is there', async () => {
        const { body } = await rig.daemon.api('GET', `/v1/flows?limit=500&${query}`);
        return (body as FlowsView).flows.find(wanted);
      });

    assert.equal(await reaches(one, '10.99.0.51'), true);
    await flow(`container=${one.vmid}&verdict=forwarded`, ({ from, to }) => from.vmid === one.vmid && to.vmid === other.vmid);
    await apply('closed', { endpointSelector: { matchLabels: { vmid: String(other.vmid) } }, ingress: [{}] });
    await rig.lab.lan('ping', '-c', '1', '-W', '1', '10.99.0.51').catch(() => {});
    const denied = await flow(`container=${other.vmid}&verdict=dropped&protocol=icmp`, ({ from }) => from.address === '10.99.0.1');
    assert.deepEqual([denied.from.kind, denied.to.vmid, denied.reason], ['world', other.vmid, 'no policy allows it']);
  });
});
