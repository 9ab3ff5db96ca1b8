import assert from 'node:assert/strict';
import { gateway6 } from './lab.ts';
import { reaches, useCilium } from './rig.ts';

describe('IPv6 on Cilium, without Kubernetes', () => {
  const rig = useCilium({
    nodes: 2,
    ipv6: true,
    files: {
      'networks/pods.yaml': 'type: cilium\n',
      'networks/six.yaml': 'type: cilium\nsubnets: [{ cidr: "fd00:240::/64" }]\nnat: true\n',
      'networks/dual.yaml': 'type: cilium\nsubnets: [{ cidr: 10.240.0.0/24 }, { cidr: "fd00:241::/64" }]\nnat: true\n',
    },
  });

  for (const [network, families] of [
    ['pods', [4, 6]],
    ['six', [6]],
    ['dual', [4, 6]],
  ] as const)
    it(`containers on ${network} have addresses of the families ${families.join(' and ')}, and reach each other, the hosts and the world`, async () => {
      const interfaces = [{ name: 'eth0', network }];
      const here = await rig.container({ interfaces });
      const near = await rig.container({ interfaces });
      const there = await rig.container({ interfaces, node: 1 });
      for (const container of [here, near, there]) await container.start();
      const addresses = async (container: typeof here, node = 0) =>
        (await rig.show(container, rig.daemons[node])).interfaces[0]?.addresses ?? [];
      const family = (address: string) => (address.includes(':') ? 6 : 4);
      assert.deepEqual((await addresses(here)).map(family).sort(), families);
      for (const address of [...(await addresses(near)), ...(await addresses(there, 1))])
        assert.equal(await reaches(here, address), true, `${network}: ${address}`);
      if (families.includes(6 as never)) assert.equal(await reaches(here, gateway6), true, `${network}: the world`);
      for (const address of await addresses(here)) await rig.node.run('ping', '-c', '1', '-W', '5', address);
      await here.rebootFromInside();
      for (const address of await addresses(near))
        assert.equal(await reaches(here, address), true, `${network}: ${address} after a reboot`);
    });
});

describe('IPv6 where the agent does not carry it', () => {
  const rig = useCilium({ files: { 'networks/six.yaml': 'type: cilium\nsubnets: [{ cidr: "fd00:240::/64" }]\n' } });

  it('is refused, in words', async () => {
    const container = await rig.container({ interfaces: [{ name: 'eth0', network: 'six' }] });
    await assert.rejects(container.start());
    assert.match((await rig.show(container)).lastRefusal?.message ?? '', /IPv6.*cilium\.ipv6Range/);
  });
});
