import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { execa } from 'execa';
import { createCilium } from '../../src/cilium/cilium.ts';
import { PveCniError } from '../../src/model/errors.ts';
import { until } from '../support/until.ts';
import { useCilium } from './rig.ts';

describe('pve-cni cilium, beside a running agent', () => {
  const rig = useCilium();
  const cli = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await rig.daemon.cli('cilium', ...args);
    return { exitCode, text: `${stdout}${stderr}` };
  };
  const json = async (...args: string[]) => JSON.parse((await rig.daemon.cli('--json', 'cilium', ...args)).stdout);

  it('shows on one screen what the agent says, with nothing that differs', async () => {
    const { exitCode, text } = await cli('status');
    assert.match(text, /Cilium +ok/);
    assert.match(text, /version +1\.20\.2/);
    assert.match(text, /key-value store +Ok: etcd: 1\/1 connected/);
    assert.match(text, /addresses +IPv4: 1\/254 allocated from 10\.201\.1\.0\/24/);
    assert.match(text, /routing +Tunnel, vxlan/);
    assert.match(text, /encryption +Disabled/);
    assert.doesNotMatch(text, /DIFFERS/);
    assert.equal(exitCode, 0);
    assert.ok(text.split('\n').length <= 24, text);
  });

  it('shows the configuration, and that disk and agent have it', async () => {
    const { exitCode, text } = await cli('config');
    assert.match(text, /kube-proxy-replacement +false/);
    assert.match(text, /devices +vmbr0/);
    assert.match(text, /is as it should be/);
    assert.equal(exitCode, 0, text);
  });

  it('names what somebody changed in the files, and writes them anew, stale flags removed', async () => {
    const { configDir } = rig.node.paths;
    writeFileSync(join(configDir, 'routing-mode'), 'native');
    writeFileSync(join(configDir, 'debug'), 'true');
    rmSync(join(configDir, 'ipam'));
    const status = await json('status');
    assert.equal(status.state, 'degraded');
    assert.deepEqual(
      status.differences.map(({ what }: { what: string }) => what),
      ['debug', 'ipam', 'routing-mode'],
    );
    const { text } = await cli('config');
    assert.match(text, /routing-mode +tunnel +native +tunnel/);
    assert.match(text, /The agent runs with other values/);
    const written = await json('config', '--write');
    assert.deepEqual(written.written, ['debug', 'ipam', 'routing-mode']);
    assert.deepEqual(written.differences, []);
    assert.equal(readdirSync(configDir).includes('debug'), false);
    assert.equal(readFileSync(join(configDir, 'routing-mode'), 'utf8'), 'tunnel');
    assert.deepEqual((await json('config', '--write')).written, []);
    assert.equal((await cli('status')).exitCode, 0);
  });

  it('says what it is when the agent is away, and when it is back', async () => {
    await rig.node.stopAgent();
    const { exitCode, text } = await cli('status');
    assert.match(text, /agent +does not answer/);
    assert.equal(exitCode, 1);
    await rig.node.startAgent();
    assert.equal((await cli('status')).exitCode, 0);
  });

  it('finds by real trials what this node and its kernel have and lack', async () => {
    const { checks } = await json('preflight');
    const of = (name: string) => checks.filter((check: { name: string }) => check.name === name);
    assert.match(of('kernel')[0].message, /BPF, cgroup2, veth and clsact/);
    assert.match(of('mounts').at(-1).message, /bpffs is mounted/);
    assert.deepEqual([of('devices')[0].state, of('devices')[0].message], ['ok', 'vmbr0; other nodes reach this one at 10.99.0.11']);
    assert.match(of('etcd')[0].message, /healthy: http:\/\/10\.99\.0\.1:2379/);
    assert.match(of('routing')[0].message, /port 8472, which nothing else takes/);
    assert.match(of('firewall')[0].message, /8472\/udp \(VXLAN\)/);
    assert.equal(of('ranges')[0].state, 'ok', JSON.stringify(of('ranges')));
  });

  it('finds a firewall, a program, a VXLAN and a route of others that are in the way', async () => {
    const sh = (script: string) => execa('sh', ['-c', script]);
    await sh(
      'nft add table inet other; nft add chain inet other in "{ type filter hook input priority 5; policy drop; }"; nft add rule inet other in accept',
    );
    await sh(
      'ip link add other type vxlan id 5 dstport 8472; ip link add busy type veth peer name busy2; ip addr add 10.201.1.200/25 dev busy; ip link set busy up',
    );
    // what an agent that starts has for a moment
    await sh('iptables -N OLD_CILIUM_TEST && iptables -A OLD_CILIUM_TEST -p udp --dport 8472 -j ACCEPT');
    try {
      let found: string[] = [];
      // the agent has just been started, and may yet take a program away that is not its own
      await until(
        'all of them are found',
        async () => {
          if (!/u32/.test((await sh('tc qdisc add dev vmbr0 clsact 2>&1; tc filter show dev vmbr0 ingress')).stdout))
            await sh('tc filter add dev vmbr0 ingress u32 match u32 0 0');
          const { checks } = await json('preflight');
          found = checks
            .filter(({ state }: { state: string }) => state !== 'ok')
            .map(({ name, message }: { name: string; message: string }) => `${name}: ${message}`);
          return [
            /^firewall: the chain in of table other filters .*8472\/udp/,
            /^otherPrograms: on vmbr0 is also the tc filter/,
            /^ranges: .*10\.201\.1\.0\/24.*overlaps 10\.201\.1\.200\/25, an address of busy/,
            /^routing: other has the VXLAN port 8472/,
          ].every((pattern) => found.some((line) => pattern.test(line)));
        },
        30,
      ).catch((error) => assert.fail(`${error.message}\n${found.join('\n')}`));
    } finally {
      await sh(
        'iptables -F OLD_CILIUM_TEST; iptables -X OLD_CILIUM_TEST; nft delete table inet other; tc qdisc del dev vmbr0 clsact; ip link del other; ip link del busy',
      );
    }
  });

  it('takes no agent of another minor version', async () => {
    // a server in place of the agent: a real one of another version is not to be had
    const folder = mkdtempSync('/var/lib/pve-cni-test-agent-');
    const socket = join(folder, 'cilium.sock');
    let msg = '';
    const server = createServer((request, response) =>
      response.end(JSON.stringify(request.url === '/v1/healthz' ? { cilium: { state: 'Ok', msg } } : {})),
    );
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const cilium = createCilium({ agentSocket: socket, pluginSocket: join(folder, 'plugin.sock') });
    try {
      for (const [said, expected] of [
        ['1.19.4 (v1.19.4-abcdef)', /Cilium 1\.19\.4 is too old/],
        ['1.21.0-pre.1 (v1.21.0-pre.1-abcdef)', /Cilium 1\.21\.0-pre\.1 is too new/],
        [' (v-)', /does not say which version/],
      ] as const) {
        msg = said;
        // what every attach asks before it runs the plugin; it does not wait for an agent that will never do
        const begin = performance.now();
        await assert.rejects(cilium.untilReady(), (error: unknown) => {
          assert.ok(error instanceof PveCniError && error.code === 'CILIUM_VERSION_UNSUPPORTED');
          assert.match(error.message, expected);
          return true;
        });
        assert.ok(performance.now() - begin < 2000);
      }
      msg = '1.20.9 (v1.20.9-abcdef)';
      await cilium.untilReady();
    } finally {
      server.close();
      rmSync(folder, { recursive: true });
    }
  });
});

describe('pve-cni cilium preflight, where encryption is asked for', () => {
  for (const [encryption, expected] of [
    ['wireguard', /the kernel lacks WireGuard/],
    ['ipsec', /the kernel lacks ESP/],
  ] as const)
    describe(encryption, () => {
      const rig = useCilium({
        settings: {},
        service: {
          cilium: {
            devices: ['vmbr0'],
            nodeAddress: '10.99.0.11',
            ipv4Range: '10.201.1.0/24',
            etcd: { endpoints: ['http://10.99.0.1:2379'] },
            encryption,
          },
        },
      });
      it('says whether this kernel has it', async () => {
        const { stdout, exitCode } = await rig.daemon.cli('cilium', 'preflight');
        const has = await execa('unshare', [
          '--net',
          'ip',
          ...(encryption === 'wireguard'
            ? ['link', 'add', 'w', 'type', 'wireguard']
            : 'xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 1 mode tunnel aead rfc4106(gcm(aes)) 0x0123456789abcdef0123456789abcdef01234567 128'.split(
                ' ',
              )),
        ]).then(
          () => true,
          () => false,
        );
        if (has) assert.match(stdout, /the kernel has/);
        else {
          assert.match(stdout, expected);
          assert.equal(exitCode, 1);
        }
      });
    });
});
