import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execa } from 'execa';
import fc from 'fast-check';
import { type NodePort, nodePortRules, nodePortsOf, servedPorts } from '../../../src/core/node-ports.ts';
import { skip } from '../../support/skip.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const web: NodePort = {
  service: 'web',
  port: 30_080,
  protocol: 'tcp',
  target: 8080,
  affinity: 'none',
  backends: ['10.201.1.5', '10.201.2.7', 'fd00::5'],
};
const rulesOf = (...ports: NodePort[]) => nodePortRules(ports, hash).text.split('\n');
const ruleOf = (one: NodePort, family: string) =>
  rulesOf(one).find((line) => line.includes(` ${family} `) && line.includes(one.service)) ?? '';

describe('node ports', () => {
  it('of a service are turned to those of its backends that are up', () => {
    const service = {
      name: 'dns',
      file: 'services/dns.yaml',
      address: null,
      nodePort: 30_053,
      ports: [
        { port: 53, target: 5353, protocol: 'udp' as const },
        { port: 53, target: 53, protocol: 'tcp' as const },
      ],
      matchLabels: { app: 'dns' },
      affinity: 'none' as const,
      health: null,
    };
    const backends = [
      { address: '10.201.1.5', up: true },
      { address: '10.201.1.6', up: false },
    ];
    const same = { service: 'dns', port: 30_053, affinity: 'none', backends: ['10.201.1.5'] };
    assert.deepEqual(nodePortsOf(service, backends), [
      { ...same, protocol: 'udp', target: 5353 },
      { ...same, protocol: 'tcp', target: 53 },
    ]);
    assert.deepEqual(nodePortsOf({ ...service, nodePort: null }, backends), []);
  });

  it('choose anew for every connection, among the backends of its family', () => {
    assert.match(
      ruleOf(web, 'ipv4'),
      /^ +meta nfproto ipv4 tcp dport 30080 dnat ip to numgen random mod 2 map \{ 0 : 10\.201\.1\.5, 1 : 10\.201\.2\.7 \} : 8080 comment "web 30080\/tcp ipv4 [0-9a-f]{8}"$/,
    );
    assert.match(ruleOf(web, 'ipv6'), /ipv6 tcp dport 30080 dnat ip6 to numgen random mod 1 map \{ 0 : fd00::5 \} : 8080/);
  });

  it('without a backend that is up refuse connections', () => {
    assert.match(ruleOf({ ...web, backends: ['fd00::5'] }, 'ipv4'), /nfproto ipv4 tcp dport 30080 reject with tcp reset comment/);
    assert.match(ruleOf({ ...web, protocol: 'udp', backends: [] }, 'ipv6'), /nfproto ipv6 udp dport 30080 reject comment/);
  });

  it('are no table at all where no service has one', () => {
    const { text, comments } = nodePortRules([], hash);
    assert.equal(text, 'add table inet pve_cni_services\ndelete table inet pve_cni_services\n');
    assert.deepEqual(comments, []);
  });

  it('are known by their comments, to anybody', () => {
    const { comments } = nodePortRules([web, { ...web, service: 'dns', port: 30_053, protocol: 'udp' }], hash);
    assert.deepEqual(servedPorts(comments), new Set(['30080/tcp', '30053/udp']));
    const other = nodePortRules([{ ...web, backends: ['10.201.1.6'] }], hash).comments;
    assert.equal(
      comments.some((comment) => other.includes(comment)),
      false,
      'any change shows in every comment',
    );
  });

  const addresses = fc.uniqueArray(
    fc.integer({ min: 1, max: 250 }).map((n) => `10.201.1.${n}`),
    { minLength: 2, maxLength: 8 },
  );
  const slotsOf = (backends: readonly string[]) => {
    const rule = ruleOf({ ...web, affinity: 'client', backends }, 'ipv4');
    assert.match(rule, /dnat ip to jhash ip saddr mod 128 seed 0x70766563 map/);
    return [...rule.matchAll(/\d+ : (\d+\.\d+\.\d+\.\d+)/g)].map(([, address]) => address);
  };

  it('with affinity keep every client with its backend while others come and go', () =>
    fc.assert(
      fc.property(addresses, (all) => {
        const [gone, ...left] = all;
        const [before, after] = [slotsOf(all), slotsOf(left)];
        assert.equal(before.length, 128);
        for (const [slot, address] of before.entries()) {
          if (address === gone) assert.ok(left.includes(after[slot] ?? ''));
          else assert.equal(after[slot], address);
        }
      }),
      { numRuns: 30 },
    ));

  it('with affinity share the clients out', () => {
    const slots = slotsOf(['10.201.1.5', '10.201.1.6', '10.201.1.7']);
    for (const address of new Set(slots)) assert.ok(slots.filter((one) => one === address).length > 20, address);
    assert.equal(new Set(slots).size, 3);
  });

  it('are what nft takes, and nft gives back their comments', async function () {
    if (process.getuid?.() !== 0) skip(this, 'nft needs root');
    const all: NodePort[] = [
      web,
      { ...web, service: 'sticky', port: 30_081, affinity: 'client' },
      { ...web, service: 'dns', port: 30_053, protocol: 'udp' },
      { ...web, service: 'nobody', port: 30_082, backends: [] },
    ];
    const { text, comments } = nodePortRules(all, hash);
    const script = 'cat | nft -f - && nft list table inet pve_cni_services';
    const { stdout } = await execa('unshare', ['-n', 'sh', '-c', script], { input: text });
    const found = [...stdout.matchAll(/comment "([^"]+)"/g)].map(([, comment]) => comment);
    assert.deepEqual(found.sort(), [...comments].sort());
  });
});
