import assert from 'node:assert/strict';
import fc from 'fast-check';
import { connectionEntry, endpointEntry, ipcacheEntry, serviceEntries } from '../../../src/core/cilium-maps.ts';

const rest = 'expires=3559 Packets=7 Bytes=900 RxFlagsSeen=0x13 LastRxReport=3499 TxFlagsSeen=0x13 LastTxReport=3499';
const end = 'RevNAT=0 SourceSecurityID=7232 BackendID=0 NatPort=0 ';

describe('what cilium-dbg prints of eBPF maps', () => {
  it('connections: both ends, flags, and who began', () => {
    const line = `TCP IN 10.201.1.224:41532 -> 10.240.0.1:80 ${rest} Flags=0x0012 [ TxClosing SeenNonSyn ] ${end}`;
    assert.deepEqual(connectionEntry(line), {
      protocol: 'TCP',
      direction: 'in',
      from: { address: '10.201.1.224', port: 41532 },
      to: { address: '10.240.0.1', port: 80 },
      related: false,
      expires: 3559,
      packets: 7,
      bytes: 900,
      flags: ['TxClosing', 'SeenNonSyn'],
      identity: 7232,
    });
  });

  it('connections: of IPv6, to a service, and errors of others', () => {
    const line = `UDP SVC [fd00::1]:53 -> [fd00::2]:5353 related ${rest} Flags=0x0000 [ ] ${end}`;
    const { from, to, related, direction, flags } = connectionEntry(line) ?? {};
    assert.deepEqual(
      [from, to],
      [
        { address: 'fd00::1', port: 53 },
        { address: 'fd00::2', port: 5353 },
      ],
    );
    assert.deepEqual([related, direction, flags], [true, 'service', []]);
  });

  it('endpoints and the host itself', () => {
    const value =
      'id=454   sec_id=52516 flags=0x0000 ifindex=8   mac=BE:41:BA:AB:27:8D nodemac=BE:41:00:AA:B1:E4 parent_ifindex=0   rt_info:0';
    assert.deepEqual(endpointEntry('10.201.1.33:0', [value]), {
      address: '10.201.1.33',
      endpoint: 454,
      identity: 52516,
      ifindex: 8,
      mac: 'BE:41:BA:AB:27:8D',
      hostMac: 'BE:41:00:AA:B1:E4',
    });
    assert.deepEqual(
      [endpointEntry('[fd00::1]:0', ['(localhost)'])].map((one) => [one?.address, one?.endpoint]),
      [['fd00::1', null]],
    );
  });

  it('addresses here, and behind another node', () => {
    const here = ipcacheEntry('10.0.0.1/32', ['identity=5 encryptkey=0 tunnelendpoint=0.0.0.0 flags=<none>']);
    const there = ipcacheEntry('10.0.0.2/32', ['identity=300 encryptkey=3 tunnelendpoint=10.99.0.12 flags=hastunnel,skip']);
    assert.deepEqual([here?.tunnel, here?.flags, here?.encryptKey], ['', [], 0]);
    assert.deepEqual([there?.tunnel, there?.flags, there?.encryptKey], ['10.99.0.12', ['hastunnel', 'skip'], 3]);
  });

  it('services with all their backends, those without any, and backends that are gone', () => {
    const services = serviceEntries({
      '10.96.0.10:80/TCP (2)': ['10.240.0.2:8080/TCP (1) (2)'],
      '10.96.0.10:80/TCP (0)': ['0.0.0.0:0 (1) (0) [ClusterIP, non-routable] '],
      '10.96.0.10:80/TCP (1)': ['10.240.0.1:8080/TCP (1) (1)'],
      '[fd00::10]:53/UDP (0)': ['[::]:0 (2) (0) [NodePort] '],
      '[fd00::10]:53/UDP (1)': ['[fd00::1]:5353/UDP (2) (1)'],
      '10.96.0.11:80/TCP (0)': ['0.0.0.0:0 (3) (0) [] '],
      '10.96.0.11:80/TCP (1)': ['backend 9 not found'],
    });
    assert.deepEqual(
      services
        ?.map(({ address, port, protocol, flags, backends }) => [
          `${address} ${port} ${protocol}`,
          flags.join(),
          backends.map((one) => `${one.address} ${one.port}`).join(),
        ])
        .sort(),
      [
        ['10.96.0.10 80 TCP', 'ClusterIP,non-routable', '10.240.0.1 8080,10.240.0.2 8080'],
        ['10.96.0.11 80 TCP', '', ''],
        ['fd00::10 53 UDP', 'NodePort', 'fd00::1 5353'],
      ],
    );
  });

  it('anything else is known for something else, in bounded time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        assert.equal(connectionEntry(text), null);
        assert.equal(ipcacheEntry('10.0.0.1/32', [text]), null);
        assert.equal(serviceEntries({ [`${text}(`]: [text] }), null);
      }),
    );
    const begin = performance.now();
    connectionEntry(`TCP IN ${'1 Packets=1 Flags=0x0 [ '.repeat(2500)}`);
    connectionEntry(`TCP IN a:1 -> b:2 expires=1 ${' Packets=1 Bytes=1 Flags=0x0 [ ]'.repeat(1900)}`);
    assert.ok(performance.now() - begin < 1000, `${performance.now() - begin} ms`);
  });
});
