import assert from 'node:assert/strict';
import { createRig, problemOf, type Rig, web } from './rig.ts';

const service = (more: Record<string, unknown> = {}) =>
  JSON.stringify({ address: '10.96.0.10', ports: [{ port: 80, target: 8080 }], backends: { matchLabels: { app: 'web' } }, ...more });

describe('files of services', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = createRig();
  });
  afterEach(() => rig.end());

  it('say what is balanced to what', async () => {
    const { services, problems } = await rig.read({
      'services/web.yaml':
        'address: 10.96.0.10\nports: [{ port: 80, target: 8080, protocol: tcp }, { port: 53, protocol: udp }]\nbackends: { matchLabels: { app: web, tag/front: "true" } }\naffinity: client\nhealth: { http: /healthz, intervalSeconds: 5 }\n',
      'services/db.yaml': 'address: "FD00:96:0::1"\nports: [{ port: 5432 }]\nbackends: { matchLabels: { vmid: "101" } }\n',
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(services.get('web'), {
      name: 'web',
      file: 'services/web.yaml',
      address: '10.96.0.10',
      nodePort: null,
      ports: [
        { port: 80, target: 8080, protocol: 'tcp' },
        { port: 53, target: 53, protocol: 'udp' },
      ],
      matchLabels: { app: 'web', 'tag/front': 'true' },
      affinity: 'client',
      health: { check: { kind: 'http', path: '/healthz' }, port: 8080, intervalMs: 5000, timeoutMs: 2000 },
    });
    assert.equal(services.get('db')?.address, 'fd00:96::1');
    assert.equal(services.get('db')?.health, null);
  });

  const health = (value: object) => service({ health: value });
  const cases: [string, string, string, RegExp][] = [
    [
      'without an address and without a node port',
      JSON.stringify({ ports: [{ port: 80 }], backends: { matchLabels: { a: 'b' } } }),
      'CONFIG_INVALID',
      /needs an address, a nodePort or both/,
    ],
    ['with an address that is none', service({ address: '10.96.0.300' }), 'CONFIG_INVALID', /address.*IPv4 or IPv6/],
    ['on loopback', service({ address: '127.0.0.5' }), 'CONFIG_INVALID', /address.*127\.0\.0\.0\/8/],
    ['on a multicast address', service({ address: 'ff02::1' }), 'CONFIG_INVALID', /address.*ff00::\/8/],
    ['with a low node port', service({ nodePort: 8080 }), 'CONFIG_INVALID', /nodePort must be at least 30000/],
    ['with a high node port', service({ nodePort: 32768 }), 'CONFIG_INVALID', /nodePort must be at most 32767/],
    [
      'with a node port for two ports of one protocol',
      service({ nodePort: 30080, ports: [{ port: 80 }, { port: 443 }] }),
      'CONFIG_INVALID',
      /nodePort: stands for one port, but ports has several of TCP/,
    ],
    ['without ports', service({ ports: [] }), 'CONFIG_INVALID', /ports must have at least 1/],
    ['with port 0', service({ ports: [{ port: 0 }] }), 'CONFIG_INVALID', /ports\[0\]\.port must be at least 1/],
    ['with another protocol', service({ ports: [{ port: 80, protocol: 'sctp' }] }), 'CONFIG_INVALID', /ports\[0\]\.protocol.*"tcp", "udp"/],
    ['with a port twice', service({ ports: [{ port: 80 }, { port: 80, target: 81 }] }), 'CONFIG_INVALID', /two ports/],
    ['that choose every container', service({ backends: { matchLabels: {} } }), 'CONFIG_INVALID', /at least one label/],
    ['A5 with a command in a label', service({ backends: { matchLabels: { app: '$(id)' } } }), 'CONFIG_INVALID', /matchLabels\.app/],
    ['with another affinity', service({ affinity: 'cookie' }), 'CONFIG_INVALID', /affinity.*"none", "client"/],
    ['with an unknown key', service({ adress: '10.0.0.1' }), 'CONFIG_INVALID', /adress is not a key; did you mean address/],
    ['whose check is two', health({ http: '/', tcp: true }), 'CONFIG_INVALID', /health.*one of http and tcp/],
    ['whose check is none', health({ intervalSeconds: 5 }), 'CONFIG_INVALID', /health.*one of http and tcp/],
    ['whose path has a line break', health({ http: '/x\r\nHost: y' }), 'CONFIG_INVALID', /health\.http/],
    ['whose path is another server’s', health({ http: 'http://10.0.0.1/' }), 'CONFIG_INVALID', /health\.http.*begins with/],
    [
      'whose timeout is longer than its interval',
      health({ http: '/', intervalSeconds: 1, timeoutSeconds: 2 }),
      'CONFIG_INVALID',
      /health\.timeoutSeconds.*intervalSeconds/,
    ],
    [
      'of UDP alone, checked nowhere',
      service({ ports: [{ port: 53, protocol: 'udp' }], health: { tcp: true } }),
      'CONFIG_INVALID',
      /health\.port is missing/,
    ],
    [
      'whose address a network gives out',
      service({ address: '10.20.0.77' }),
      'CONFIG_INVALID',
      /10\.20\.0\.77 is one that networks\/web\.yaml/,
    ],
    ['whose address is a gateway', service({ address: '10.20.0.1' }), 'CONFIG_INVALID', /10\.20\.0\.1 is one that networks\/web\.yaml/],
    [
      'whose address is a container’s fixed one',
      service({ address: '10.20.0.252' }),
      'CONFIG_INVALID',
      /container 101's \(containers\/101\.yaml\)/,
    ],
  ];
  for (const [what, text, code, message] of cases)
    it(`are refused ${what}`, async () => {
      const files = {
        'networks/web.yaml': web,
        'containers/101.yaml': 'interfaces: [{ name: eth0, network: web, address: [10.20.0.252] }]\n',
        'services/zz.yaml': text,
      };
      const snapshot = await rig.read(files);
      const error = problemOf(snapshot, 'services/zz.yaml');
      assert.match(error.message, message);
      assert.equal(error.code, code);
      assert.equal(snapshot.services.size, 0);
      assert.equal(snapshot.containers.size, 1);
    });

  it('A3 are refused with a name that is no label of DNS', async () => {
    const error = problemOf(await rig.read({ 'services/Web_1.yaml': service() }), 'services/Web_1.yaml');
    assert.match(error.message, /lower-case/);
  });

  it('may have a node port alone, or beside an address, for a port over TCP and over UDP', async () => {
    const ports = [
      { port: 53, protocol: 'udp' },
      { port: 53, protocol: 'tcp' },
    ];
    const { services, problems } = await rig.read({
      'services/both.yaml': service({ nodePort: 30080 }),
      'services/dns.yaml': service({ address: undefined, nodePort: 30053, ports }),
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(
      [...services.values()].map(({ address, nodePort }) => [address, nodePort]),
      [
        ['10.96.0.10', 30080],
        [null, 30053],
      ],
    );
  });

  it('are refused with another’s node port', async () => {
    const files = {
      'services/aa.yaml': service({ nodePort: 30080 }),
      'services/bb.yaml': service({ address: undefined, nodePort: 30080 }),
    };
    const error = problemOf(await rig.read(files), 'services/bb.yaml');
    assert.match(error.message, /nodePort.*30080 is the node port of services\/aa\.yaml; choose another/);
  });

  it('may lie in a subnet where nothing is given out', async () => {
    const { services } = await rig.read({ 'networks/web.yaml': web, 'services/web.yaml': service({ address: '10.20.0.253' }) });
    assert.equal(services.size, 1);
  });

  it('of one address: the one that serves serves on', async () => {
    const configuration = rig.start();
    rig.write('services/zz.yaml', service());
    await configuration.refresh();
    rig.write('services/aa.yaml', service());
    const snapshot = await configuration.refresh();
    assert.deepEqual([...snapshot.services.keys()], ['zz']);
    assert.match(problemOf(snapshot, 'services/aa.yaml').message, /10\.96\.0\.10 is the address of services\/zz\.yaml/);
  });

  it('serve on as they last were when they become wrong, and after a restart, too', async () => {
    const configuration = rig.start();
    rig.write('networks/web.yaml', web);
    rig.write('services/web.yaml', service());
    await configuration.refresh();
    rig.write('services/web.yaml', service({ address: '10.20.0.77' }));
    for (const one of [configuration, rig.start()]) {
      const { services, problems } = await one.refresh();
      assert.equal(services.get('web')?.address, '10.96.0.10');
      assert.deepEqual(
        problems.map(({ lastGoodServes }) => lastGoodServes),
        [true],
      );
    }
  });
});
