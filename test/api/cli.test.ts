import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { ErrorCode } from '../../src/model/error-codes.ts';
import { failure } from '../../src/model/errors.ts';
import { skip } from '../support/skip.ts';
import { ciliumWork, container, fixedManager, network, operation } from './fixed-manager.ts';
import { startServer, type TestServer } from './server.ts';

const esc = '\u001b';

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

describe('the command', () => {
  let running: TestServer;
  let folder: string;
  let bundle: string;
  // changed by tests, put back after each
  let changes: Parameters<typeof fixedManager>[1] = {};
  const calls: Parameters<typeof fixedManager>[0] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pve-cni-cli-'));
    bundle = join(folder, 'pve-cni.mjs');
    const banner = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
    await build({
      entryPoints: ['src/cli.ts'],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      banner: { js: banner },
      define: { __VERSION__: '"1.2.3"' },
    });
    const manager = new Proxy(fixedManager([]), {
      get: (_target, method: string) => fixedManager(calls, changes)[method as 'status'],
    });
    running = await startServer({ manager });
  });
  after(async () => {
    await running.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    changes = {};
    calls.length = 0;
  });

  const run = (argv: string[], env: Record<string, string> = {}, onErr: (text: string) => void = () => {}) =>
    new Promise<Ended>((resolve, reject) => {
      const child = spawn(process.execPath, [bundle, ...argv], {
        env: { PATH: process.env.PATH, LANG: 'C.UTF-8', PVE_CNI_SOCKET: running.socketPath, ...env },
      });
      let out = '';
      let err = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        out += chunk;
      });
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        err += chunk;
        onErr(chunk);
      });
      child.on('error', reject).on('close', (code) => resolve({ code, out, err }));
    });

  const root = { door: 'cli', user: 'root' };
  const policyText = readFileSync('test/api/policy.yaml', 'utf8');
  const attached = { interface: { name: 'eth1', network: 'lan', address: ['10.20.0.50'], defaultRoute: true }, onFailure: 'start' };
  /** Each command: what it asks the manager, and what a person reads. */
  const commands: { argv: string[]; asked: unknown[]; reads: RegExp }[] = [
    { argv: ['status'], asked: ['status'], reads: /1 managed, 1 running/ },
    { argv: ['setup', '--dry-run'], asked: ['setup', { dryRun: true }, root], reads: /pve-cni@pve +kept/ },
    { argv: ['doctor'], asked: ['doctor'], reads: /ok +plugins/ },
    { argv: ['gc', '--dry-run'], asked: ['gc', { dryRun: true }, root], reads: /would go.*\/run\/netns\/ct102/ },
    { argv: ['gc'], asked: ['gc', { dryRun: false }, root], reads: /removed.*\/run\/netns\/ct102/ },
    { argv: ['config', 'check'], asked: ['checkConfiguration'], reads: /No configuration files yet/ },
    { argv: ['network', 'list'], asked: ['networks'], reads: /web +bridge +ready +cnibr-web +10\.20\.0\.0\/24/ },
    { argv: ['network', 'show', 'web'], asked: ['network', 'web'], reads: /1 of 253/ },
    { argv: ['network', 'show', 'web', '--conflist'], asked: ['conflist', 'web', undefined], reads: /"cniVersion": "1\.1\.0"/ },
    {
      argv: ['network', 'show', 'web', '--conflist', '--container', '101', '--interface', 'eth0'],
      asked: ['conflist', 'web', { vmid: 101, ifname: 'eth0' }],
      reads: /"bridge"/,
    },
    { argv: ['network', 'check', 'web'], asked: ['checkNetwork', 'web'], reads: /as it was made/ },
    { argv: ['service', 'list'], asked: ['services'], reads: /web +10\.96\.0\.10 nodes:30080 +80→8080\/tcp +degraded +1 of 2/ },
    {
      argv: ['service', 'show', 'web'],
      asked: ['service', 'web'],
      reads: /node port +30080, served by this node[\s\S]*102 +web2 +node2 +10\.244\.2\.7 +down .*Connection refused/,
    },
    { argv: ['container', 'list'], asked: ['containers'], reads: /101 +running +eth0 +web +attached +10\.20\.0\.10/ },
    { argv: ['container', 'show', '101'], asked: ['container', 101], reads: /\/run\/netns\/ct101/ },
    {
      argv: ['container', 'attach', '101', 'eth1=lan', '--address', '10.20.0.50', '--default-route', '--on-failure', 'start'],
      asked: ['attach', 101, attached, root],
      reads: /operation op-1/,
    },
    { argv: ['container', 'detach', '101', 'eth1'], asked: ['detach', 101, 'eth1', root], reads: /operation op-1/ },
    {
      argv: ['container', 'label', '101', 'app=web', 'app.kubernetes.io/name=shop', 'tier-'],
      asked: ['label', 101, { set: { app: 'web', 'app.kubernetes.io/name': 'shop' }, remove: ['tier'] }, root],
      reads: /labels +app=web/,
    },
    { argv: ['container', 'check', '101', '--repair'], asked: ['checkContainer', 101, { repair: true }, root], reads: /ok +eth0/ },
    { argv: ['policy', 'list'], asked: ['policies'], reads: /default-deny +CiliumNetworkPolicy +in force +ingress +101/ },
    {
      argv: ['policy', 'show', 'default-deny'],
      asked: ['policy', 'default-deny'],
      reads: /101 +eth0 +pods +in force +7[\s\S]*kind: Cilium/,
    },
    {
      argv: ['policy', 'apply', 'test/api/policy.yaml'],
      asked: ['applyPolicy', { text: policyText }, root],
      reads: /is in force \(revision 7\)[\s\S]*101 +eth0[\s\S]*Other endpoints[\s\S]*102 +eth0/,
    },
    {
      argv: ['policy', 'check', 'test/api/policy.yaml'],
      asked: ['checkPolicy', readFileSync('test/api/policy.yaml', 'utf8')],
      reads: /ok +eth0/,
    },
    { argv: ['policy', 'remove', 'default-deny'], asked: ['removePolicy', 'default-deny', root], reads: /default-deny is removed/ },
    {
      argv: ['policy', 'get', '101'],
      asked: ['containerPolicy', 101],
      reads: /default-deny \(ingress\)[\s\S]*ingress +allow +container 102 +TCP +80 +3 +210/,
    },
    {
      argv: ['interface', 'list'],
      asked: ['interfaces'],
      reads:
        /101 +web1 +eth0 +web +attached +10\.20\.0\.10\/24 +veth1234 +125 kB\/s +0 B\/s\n102 .*failed .*- +-\n\nfailed eth0 of 102: the pool is empty/,
    },
    { argv: ['interface', 'list', '--container', '101'], asked: ['containerInterfaces', 101], reads: /101 +web1 +eth0/ },
    {
      argv: ['topology'],
      asked: ['topology'],
      reads:
        /^uplink eth0 {2}good {2}up\n└─ bridge cnibr-web NAT {2}good {2}up\n {3}└─ network web {2}good .*\n {6}└─ container web1 \(101\) eth0 {2}critical/,
    },
    { argv: ['address', 'use'], asked: ['addressUse'], reads: /web +ipv4 +10\.20\.0\.2-10\.20\.0\.254 +253 +1 +0 +252/ },
    { argv: ['settings', 'show'], asked: ['settings'], reads: /releaseAfterHours +24\n.*\n.*7 days, 512 MB/ },
    {
      argv: ['settings', 'apply', 'test/api/policy.yaml'],
      asked: ['applySettings', { text: policyText }, root],
      reads: /settings of the cluster are written \(operation op-1\)/,
    },
    {
      argv: ['network', 'apply', 'test/api/policy.yaml'],
      asked: ['applyNetwork', 'policy', { text: policyText, allowPlugins: true }, root],
      reads: /network web is written \(operation op-1\)/,
    },
    { argv: ['network', 'remove', 'web'], asked: ['removeNetwork', 'web', root], reads: /network web is removed/ },
    {
      argv: ['service', 'apply', 'test/api/policy.yaml', '--name', 'shop'],
      asked: ['applyService', 'shop', { text: policyText }, root],
      reads: /service web is written/,
    },
    { argv: ['service', 'remove', 'web'], asked: ['removeService', 'web', root], reads: /service web is removed/ },
    { argv: ['address', 'list', '--network', 'web'], asked: ['addresses', { network: 'web' }], reads: /10\.20\.0\.10 +web +101/ },
    {
      argv: ['cilium', 'status'],
      asked: ['ciliumStatus'],
      reads: /endpoints +1 of 2 ready[\s\S]*192\.0\.2\.11:51871[\s\S]*endpoint-gc failed 3 times/,
    },
    { argv: ['cilium', 'preflight'], asked: ['ciliumPreflight'], reads: /ok +etcd +healthy/ },
    {
      argv: ['cilium', 'install', '--image', 'localhost:5000/cilium/cilium:v1.20.2', '--force'],
      asked: ['installCilium', { image: 'localhost:5000/cilium/cilium:v1.20.2', force: true }, root],
      reads: /Cilium 1\.20\.2 is healthy \(operation op-1\)/,
    },
    {
      argv: ['cilium', 'upgrade', '--binaries', '/root/cilium'],
      asked: ['upgradeCilium', { binaries: '/root/cilium', force: false }, root],
      reads: /is healthy/,
    },
    {
      argv: ['cilium', 'rotate-key', '--force'],
      asked: ['rotateCiliumKey', { force: true }, root],
      reads: /number 4 now \(operation op-1\)/,
    },
    { argv: ['cilium', 'uninstall'], asked: ['uninstallCilium', { force: false }, root], reads: /operation op-1/ },
    { argv: ['cilium', 'config'], asked: ['ciliumConfig'], reads: /devices +vmbr0[\s\S]*is as it should be/ },
    { argv: ['cilium', 'config', '--write'], asked: ['writeCiliumConfig', root], reads: /written to .*agent\.d: devices/ },
    {
      argv: ['operation', 'list', '--container', '101', '--limit', '5'],
      asked: ['operations', { vmid: 101, limit: 5 }],
      reads: /op-1.*attach.*200 ms/,
    },
    {
      argv: ['cilium', 'maps', 'endpoints'],
      asked: ['ciliumMap', 'endpoints', { limit: 500 }],
      reads: /10\.201\.1\.5 +web1 \(101\) +7 +4711 +lxc1234/,
    },
    {
      argv: ['cilium', 'maps', 'ipcache'],
      asked: ['ciliumMap', 'ipcache', { limit: 500 }],
      reads: /web1 \(101\) +4711 +10\.99\.0\.12 +3 +-\n.*identity 16777217/,
    },
    {
      argv: ['cilium', 'maps', 'policy', '--container', '101', '--limit', '1'],
      asked: ['ciliumMap', 'policy', { vmid: 101, limit: 1 }],
      reads: /web1 \(101\) +7 +ingress +deny +world +TCP +80-95 +3 +-\n\n1 of 9; more with --limit/,
    },
    {
      argv: ['cilium', 'maps', 'ct'],
      asked: ['ciliumMap', 'ct', { limit: 500 }],
      reads: /TCP +in +\[fd00::9\]:4242 +web1 \(101\) 10\.201\.1\.5:80 +world +58 s +related SeenNonSyn/,
    },
    {
      argv: ['cilium', 'maps', 'services'],
      asked: ['ciliumMap', 'services', { limit: 500 }],
      reads: /10\.96\.0\.10:80\/TCP +web1 \(101\) 10\.201\.1\.5:80 +ClusterIP/,
    },
    {
      argv: ['cilium', 'maps', 'encryption'],
      asked: ['ciliumMap', 'encryption', { limit: 500 }],
      reads: /Encryption: Wireguard\ncilium_wg0.*\n\n.*\nnode2 +10\.99\.0\.12 +4 +-/,
    },
    { argv: ['cilium', 'identities'], asked: ['ciliumIdentities'], reads: /4711 +101 +node1 +- +app=web\n/ },
    { argv: ['operation', 'show', 'op-1'], asked: ['operation', 'op-1'], reads: /root through lxc-hook/ },
  ];

  for (const { argv, asked, reads } of commands)
    it(`${argv.join(' ')}: asks the service, and shows a table to people and JSON to machines`, async () => {
      const [shown, json] = [await run(argv), await run([...argv, '--json'])];
      assert.deepEqual([shown.code, shown.err], [0, '']);
      assert.match(shown.out, reads);
      assert.ok(!shown.out.includes(esc), 'no colours without a terminal');
      assert.deepEqual([json.code, typeof JSON.parse(json.out)], [0, 'object']);
      assert.deepEqual(calls, [asked, asked]);
    });

  it('container update changes what is said, and leaves the rest as it is configured', async () => {
    const asked = async (...options: string[]) => {
      calls.length = 0;
      const { code, err } = await run(['container', 'update', '101', 'eth0', ...options]);
      assert.deepEqual([code, err], [0, '']);
      assert.deepEqual(calls[0], ['containerInterfaces', 101]);
      const [method, vmid, ifname, wanted] = calls[1] ?? [];
      assert.deepEqual([method, vmid, ifname], ['change', 101, 'eth0']);
      return wanted;
    };
    const own = { name: 'eth0', network: 'web', address: 'auto' };
    assert.deepEqual(await asked('--default-route', '--on-failure', 'start'), {
      interface: { ...own, defaultRoute: true },
      onFailure: 'start',
    });
    assert.deepEqual(await asked('--no-default-route'), { interface: { ...own, defaultRoute: false } });
    assert.deepEqual(await asked('--address', '10.20.0.51'), { interface: { ...own, address: ['10.20.0.51'] } });
    const [before] = await fixedManager([]).containerInterfaces(101);
    assert.ok(before);
    changes = {
      containerInterfaces: async () => [{ ...before, configured: { network: 'web', address: ['10.20.0.51'], defaultRoute: true } }],
    };
    const fixed = { ...own, address: ['10.20.0.51'], defaultRoute: true };
    assert.deepEqual(await asked(), { interface: fixed });
    assert.deepEqual(await asked('--auto'), { interface: { ...fixed, address: 'auto' } });
    assert.deepEqual(await asked('--network', 'lan'), { interface: { ...fixed, network: 'lan', address: 'auto' } });
  });

  it('policy diff and explain show what they found, and end with 1', async () => {
    const diff = await run(['policy', 'diff', 'test/api/policy.yaml']);
    assert.equal(diff.code, 1);
    assert.match(diff.out, /\n-a\n\+b\n\nit is about +101\nno more +102\n\nproblem would not be enforced/);
    const explained = await run(['policy', 'explain', '101', '102', 'tcp/5432']);
    assert.equal(explained.code, 1);
    assert.match(
      explained.out,
      /^deny {2}container 101 may not reach .*\n\npolicy +default-deny\nnearest +ingress\[0\] of policy web-to-db: add tcp\/5432/,
    );
    assert.deepEqual(calls.at(-1), ['explain', { from: '101', to: '102', protocol: 'tcp', port: 5432 }]);
    changes = {
      diffPolicy: async (after) => ({ name: 'x', before: after, after, diff: '', selects: { before: [], after: [] }, findings: [] }),
    };
    const same = await run(['policy', 'diff', 'test/api/policy.yaml']);
    assert.deepEqual([same.code, same.out], [0, 'Nothing changes.\n\nit is about  no container\n']);
  });

  it('a network in CNI’s JSON has the name that it says', async () => {
    const file = join(folder, '10-raw.conflist');
    writeFileSync(file, JSON.stringify({ cniVersion: '1.0.0', name: 'raw', plugins: [{ type: 'loopback' }] }));
    assert.equal((await run(['network', 'apply', file])).code, 0);
    assert.deepEqual(calls[0]?.slice(0, 2), ['applyNetwork', 'raw']);
  });

  it('shows the trace as a tree with bars on one time axis', async () => {
    const { out } = await run(['operation', 'show', 'op-1', '--trace']);
    assert.match(out, /^attach +200 ms {2}█+$/m);
    assert.match(out, /^└─ step:add +160 ms {2} +█+$/m);
    assert.match(out, /^ {3}├─ plugin:bridge:ADD +100 ms {2} +█+$/m);
    assert.match(out, /^ {3}└─ plugin:tuning:ADD +45 ms {2} +█+\n +exit 1$/m);
    const ascii = await run(['operation', 'show', 'op-1', '--trace'], { LANG: 'C' });
    assert.match(ascii.out, /^ {3}`- plugin:tuning:ADD +45 ms {2} +#+$/m);
  });

  it('uses colours when they are asked for, and never with NO_COLOR', async () => {
    assert.ok((await run(['container', 'list'], { FORCE_COLOR: '1' })).out.includes(`${esc}[32mattached`));
    assert.ok(!(await run(['container', 'list'], { FORCE_COLOR: '1', NO_COLOR: '1' })).out.includes(esc));
  });

  for (const [argv, says] of [
    [['container', 'list'], /Attach one: pve-cni container attach 101 eth0=web/],
    [['network', 'list'], /Write networks\/NAME\.yaml/],
    [['service', 'list'], /Write services\/NAME\.yaml/],
    [['address', 'list'], /pve-cni container attach/],
    [['operation', 'list'], /No operations/],
    [['gc'], /Nothing is left over/],
  ] as const)
    it(`${argv.join(' ')} says what to do next when there is nothing`, async () => {
      const none = async () => [];
      changes = {
        containers: none,
        networks: none,
        services: none,
        addresses: none,
        operations: none,
        gc: async () => ({ dryRun: false, leaks: [] }),
      };
      const { code, out } = await run([...argv]);
      assert.equal(code, 0);
      assert.match(out, says);
    });

  for (const [code, exit] of [
    ['NETWORK_UNKNOWN', 3],
    ['CNI_PLUGIN_FAILED', 4],
    ['IPAM_POOL_EXHAUSTED', 5],
    ['NETNS_SHARED', 6],
    ['OPERATION_TIMEOUT', 7],
    ['CONTAINER_NOT_RUNNING', 8],
  ] satisfies [ErrorCode, number][])
    it(`ends with ${exit} on ${code}, with message, cure and code on stderr`, async () => {
      changes = { status: () => Promise.reject(failure(code, 'cannot do it')) };
      const ended = await run(['status']);
      assert.deepEqual([ended.code, ended.out], [exit, '']);
      assert.match(ended.err, new RegExp(`^pve-cni: cannot do it\n  cure: .+\n  code: ${code}\n$`));
    });

  it('ends with 1 when a check, the doctor or the configuration found something', async () => {
    const bad = { ok: false, results: [{ what: 'eth0', ok: false, message: 'it is down', error: null }] };
    changes = {
      checkContainer: async () => bad,
      checkNetwork: async () => bad,
      checkConfiguration: async () => bad,
      doctor: async () => ({ ok: false, checks: [{ name: 'plugins', state: 'bad', message: 'missing', cure: 'install them' }] }),
    };
    for (const argv of [
      ['container', 'check', '101'],
      ['network', 'check', 'web'],
      ['config', 'check'],
    ]) {
      const ended = await run(argv);
      assert.equal(ended.code, 1);
      assert.match(ended.out, /failed +eth0 +it is down/);
    }
    const ended = await run(['doctor']);
    assert.equal(ended.code, 1);
    assert.match(ended.out, /plugins: install them/);
  });

  it('ends with 7 and says so when the service is absent', async () => {
    const ended = await run(['status', '--socket', join(folder, 'none.sock')]);
    assert.equal(ended.code, 7);
    assert.match(ended.err, /no socket.*\n.*systemctl status.*\n.*SERVICE_UNAVAILABLE/);
  });

  for (const argv of [
    ['stauts'],
    ['network'],
    ['container', 'show'],
    ['status', '--wide'],
    ['operation', 'list', '--limit', '0'],
    ['network', 'show', 'web', '--container', '101'],
    ['container', 'attach', '101', 'eth0'],
    ['container', 'label', '101'],
    ['cilium', 'maps', 'everything'],
    ['container', 'update', '101', 'eth0', '--auto', '--address', '10.20.0.5'],
    ['network', 'apply', '/no/such/file'],
    ['policy', 'explain', '101', '102'],
    ['policy', 'explain', '101', '102', 'tcp'],
    ['policy', 'explain', '101', '../102', 'tcp/80'],
    ['cilium', 'maps', '--limit', '5'],
    ['container', 'label', '101', '=web'],
    ['container', 'label', '101', 'app'],
    ['container', 'attach', '101', 'eth0=web', '--on-failure', 'ignore'],
  ])
    it(`ends with 2 on the wrong command line: ${argv.join(' ')}`, async () => {
      const ended = await run(argv);
      assert.deepEqual([ended.code, ended.out], [2, '']);
      assert.notEqual(ended.err, '');
      assert.deepEqual(calls, []);
    });

  for (const vmid of ['101;reboot', '-1', '1e3', '0x65', '../101', '101/../102'])
    it(`A4 vmid ${vmid} on the command line: refused, nothing asked`, async () => {
      assert.equal((await run(['container', 'show', '--', vmid])).code, 2);
      assert.deepEqual(calls, []);
    });

  for (const name of ['../x', 'a/b', 'web?x=1', 'x'.repeat(300), 'wеb'])
    it(`A3 network name ${name.slice(0, 20)} on the command line: refused, nothing asked`, async () => {
      assert.equal((await run(['network', 'show', name])).code, 2);
      assert.deepEqual(calls, []);
    });

  it('A5 shell characters in a value: sent as they are and refused by the service, nothing run', async () => {
    const ended = await run(['container', 'attach', '101', 'eth0=web', '--address', `$(touch ${join(folder, 'run')})`]);
    assert.equal(ended.code, 3);
    assert.match(ended.err, /must be an IPv4 or IPv6 address/);
    assert.equal(existsSync(join(folder, 'run')), false);
  });

  it('A7 escape sequences in names and messages: not on the terminal, escaped in JSON', async () => {
    const evil = '\u001b]0;owned\u0007\u009b31mred\u202e';
    changes = {
      operations: async () => [{ ...operation, message: `${evil}\nforged row` }],
      container: async () => ({ ...container, problem: { class: 'CNIError', code: 'X', message: evil, retryable: false, context: {} } }),
      networks: async () => [{ ...network, file: evil }],
      status: () => Promise.reject(failure('CNI_PLUGIN_FAILED', evil)),
    };
    const all = ['operation list', 'container show 101', 'network list', 'status', 'operation list --json', 'container show 101 --json'];
    for (const line of all) {
      const { out, err } = await run(line.split(' '));
      assert.doesNotMatch(out + err, /(?![\n\t])\p{Cc}|\u202e/u, line);
    }
    const { out } = await run(['operation', 'list', '--json']);
    assert.equal(JSON.parse(out)[0].message, `${evil}\nforged row`, 'JSON loses nothing');
    assert.doesNotMatch((await run(['operation', 'list'])).out, /^forged row/m);
  });

  it('says after 2 s what is waited for, on stderr', async () => {
    let release = () => {};
    const noted = new Promise<void>((resolve) => {
      release = resolve;
    });
    changes = {
      gc: async () => {
        await noted;
        return { dryRun: false, leaks: [] };
      },
      operations: async () => [{ ...operation, id: 'op-7', kind: 'gc', vmid: null, end: null }],
    };
    const { code, err } = await run(['gc'], {}, release);
    assert.equal(code, 0);
    assert.match(err, /^waiting for gc \(operation op-7\), 2\.\d+ s so far\n$/);
  });

  it('has help with examples on every command, and a version', async () => {
    assert.equal((await run(['--version'])).out, '1.2.3\n');
    for (const line of [
      '',
      'status',
      'doctor',
      'setup',
      'gc',
      'config',
      'config check',
      'network',
      'service',
      'service list',
      'service show',
      'network list',
      'network show',
      'network check',
      'container',
      'container list',
      'container show',
      'container attach',
      'container detach',
      'container label',
      'container check',
      'policy',
      'policy list',
      'policy show',
      'policy apply',
      'policy check',
      'policy remove',
      'policy get',
      'address',
      'address list',
      'operation',
      'operation list',
      'operation show',
      'flows',
      'cilium',
      'cilium identities',
      'cilium maps',
      'completion',
    ]) {
      const { code, out } = await run([...line.split(' ').filter(Boolean), '--help']);
      assert.equal(code, 0, line);
      assert.match(out, /Examples:\n {2}(pve-cni|source)/, line);
    }
  });

  it('says the steps of long work as they go, and fails as it does', async () => {
    const step = { name: 'fetch the image', state: 'running' as const, message: '', durationMs: 0 };
    const fetched = { ...step, state: 'done' as const, message: 'sha256:0123', durationMs: 2000 };
    const views = [
      { ...ciliumWork, state: 'running' as const, steps: [step] },
      { ...ciliumWork, state: 'running' as const, steps: [fetched, { ...step, name: 'unpack the image' }] },
      {
        ...ciliumWork,
        state: 'failed' as const,
        steps: [fetched, { ...step, name: 'unpack the image', state: 'failed' as const }],
        error: { code: 'CILIUM_INSTALL_FAILED' as const, message: 'cannot unpack the image: no space' },
      },
    ];
    const next = async () => views.shift() ?? ciliumWork;
    changes = { installCilium: next, ciliumWork: next };
    const { code, out, err } = await run(['cilium', 'install']);
    assert.equal(code, 4);
    assert.equal(out, '');
    assert.match(err, /^fetch the image …\n {2}2\.00 s, sha256:0123\nunpack the image …\npve-cni: cannot unpack the image: no space\n/);
  });

  for (const [words, offers] of [
    [
      [''],
      [
        'status',
        'doctor',
        'setup',
        'gc',
        'config',
        'network',
        'service',
        'container',
        'interface',
        'topology',
        'policy',
        'address',
        'settings',
        'cilium',
        'operation',
        'flows',
        'completion',
      ],
    ],
    [['container', 'a'], ['attach']],
    [['gc', '--d'], ['--dry-run']],
    [['flows', '--container', ''], ['101']],
    [
      ['flows', '--direction', ''],
      ['ingress', 'egress'],
    ],
    [['network', 'show', ''], ['web']],
    [['container', 'show', '1'], ['101']],
    [['policy', 'show', ''], ['default-deny']],
    [['container', 'detach', '101', ''], ['eth0']],
    [['container', 'update', '101', ''], ['eth0']],
    [['container', 'update', '101', 'eth0', '--network', ''], ['web']],
    [['network', 'remove', ''], ['web']],
    [['service', 'remove', ''], ['web']],
    [['interface', 'list', '--container', ''], ['101']],
    [
      ['policy', 'explain', '101', ''],
      ['world', 'host', '101'],
    ],
    [['policy', 'explain', '101', '102', 't'], ['tcp/']],
    [
      ['settings', ''],
      ['show', 'apply'],
    ],
    [['container', 'attach', '101', ''], ['eth1=web']],
    [
      ['container', 'attach', '101', 'eth1=web', '--on-failure', ''],
      ['refuse', 'start'],
    ],
    [['address', 'list', '--network', 'w'], ['web']],
    [['operation', 'show', ''], ['op-1']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
  ] as const)
    it(`completes ${JSON.stringify(words.join(' '))} to ${offers.join(' ')}`, async () => {
      const { code, out } = await run(['__complete', 'zsh', ...words]);
      assert.deepEqual([code, out.split('\n').filter(Boolean)], [0, [...offers]]);
    });

  it('completes without the service what needs no service', async () => {
    const env = { PVE_CNI_SOCKET: join(folder, 'none.sock') };
    assert.deepEqual(await run(['__complete', 'zsh', 'network', 's'], env), { code: 0, out: 'show\n', err: '' });
    assert.deepEqual(await run(['__complete', 'zsh', 'network', 'show', ''], env), { code: 0, out: '', err: '' });
  });

  it('completes in a real bash, behind the = too', async () => {
    const { out } = await run(['completion', 'bash']);
    execFileSync('bash', ['-n'], { input: out });
    const probe = (words: string[]) => {
      const script = `pve-cni() { "$NODE" "$BUNDLE" "$@"; }\n${out}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pve_cni; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return new Promise<string>((resolve) => {
        const env = { PATH: process.env.PATH, NODE: process.execPath, BUNDLE: bundle, PVE_CNI_SOCKET: running.socketPath };
        const child = spawn('bash', ['-c', script, 'bash', ...words], { env });
        let text = '';
        child.stdout.on('data', (chunk) => {
          text += chunk;
        });
        child.on('close', () => resolve(text.trim()));
      });
    };
    assert.equal(await probe(['pve-cni', 'network', 'show', 'w']), 'web');
    assert.equal(await probe(['pve-cni', 'container', 'attach', '101', 'eth1', '=', 'w']), 'web');
    assert.equal(await probe(['pve-cni', 'container', 'attach', '101', 'eth1', '=']), 'web');
  });

  it('has a zsh completion that zsh parses', async function () {
    const { out } = await run(['completion', 'zsh']);
    assert.match(out, /^#compdef pve-cni\n/);
    if (!existsSync('/usr/bin/zsh')) skip(this, 'zsh is not installed');
    execFileSync('zsh', ['-n'], { input: out });
  });
});
