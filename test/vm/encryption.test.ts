// The agents' clang runs outside of the virtual machine (test/vm/clang stands in for it): in it a compilation takes minutes.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { agentConfig, ciliumPaths, etcdConfig } from '../../src/core/cilium-agent.ts';
import { ipsecKeyText } from '../../src/core/ipsec-keys.ts';
import { xfrmPeers } from '../../src/core/xfrm.ts';
import { ciliumSettings, ciliumVersion } from '../../src/model/cilium.ts';
import { skip } from '../support/skip.ts';

/** what the container's ping carries: test/vm/encryption.sh */
const secret = 'secret-pve-cni!!';
const binaries = `.cache/cilium-${ciliumVersion}`;

describe('what goes from node to node, on a kernel that can encrypt', () => {
  let folder: string;
  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'a virtual machine of the tests needs root');
    if (!existsSync(`${binaries}/cilium-agent`)) skip(this, 'Cilium’s agent is not built: there is no Go');
    const { exitCode } = await execa('sh', ['-c', 'command -v qemu-system-x86_64 && command -v cpio'], { reject: false });
    if (exitCode !== 0) skip(this, 'there is no qemu-system-x86_64');
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pve-cni-vm-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Two nodes with the configuration that we write; what they left. */
  async function run(encryption: string): Promise<{ log: string; out: string }> {
    const out = join(folder, 'out');
    mkdirSync(out);
    for (const node of [1, 2]) {
      const address = `10.99.0.1${node}`;
      const settings = ciliumSettings.parse({
        devices: ['eth0'],
        nodeAddress: address,
        ipv4Range: `10.201.${node}.0/24`,
        etcd: { endpoints: ['http://10.99.0.1:2379'] },
        encryption,
      });
      const own = join(folder, `node${node}`);
      const paths = { ...ciliumPaths({ stateDir: own, runDir: own }), configDir: join(own, 'agent.d'), lib: realpathSync(binaries) };
      for (const path of [paths.configDir, paths.policies]) mkdirSync(path, { recursive: true });
      writeFileSync(paths.services, '{ "services": [], "endpoints": [] }\n');
      writeFileSync(paths.etcd, JSON.stringify(etcdConfig(settings)));
      writeFileSync(paths.ipsecKeys, ipsecKeyText(3, '0123456789abcdef0123456789abcdef01234567'));
      for (const [flag, value] of Object.entries(agentConfig(settings, { paths, nodeAddress: address })))
        writeFileSync(join(paths.configDir, flag), value);
    }
    const rotated = join(folder, 'rotated.keys');
    writeFileSync(rotated, ipsecKeyText(4, 'fedcba9876543210fedcba9876543210fedcba98'));
    const more = encryption === 'ipsec' ? [`ROTATED=${rotated}`] : [];
    const argv = ['-t', '1500', 'env', ...more, `CILIUM=${realpathSync(binaries)}`, 'test/vm/encryption.sh', folder];
    const { stdout, stderr, exitCode } = await execa(resolve('test/vm/run'), argv, {
      env: { VM_BESIDE: 'test/vm/clang-outside', VM_OUT: out },
      reject: false,
    });
    assert.equal(exitCode, 0, `${stdout}\n${stderr}`);
    return { log: stdout, out };
  }

  async function packets(file: string, filter: string): Promise<number> {
    const { stdout } = await execa('tcpdump', ['-n', '-r', file, filter]);
    return stdout.split('\n').filter(Boolean).length;
  }

  for (const { encryption, filter, mode } of [
    { encryption: 'wireguard', filter: 'udp port 51871', mode: 'Wireguard' },
    { encryption: 'ipsec', filter: 'esp or udp port 4500', mode: 'IPsec' },
  ])
    it(`is not to be read on the wire with ${encryption}, and arrives${encryption === 'ipsec' ? ', also while the key is rotated' : ''}`, async function () {
      if (encryption === 'ipsec' && !process.env.PVE_CNI_FULL) skip(this, 'IPsec in a virtual machine takes five minutes: --full');
      this.timeout(1_600_000);
      const { out, log } = await run(encryption);
      const file = (name: string) => join(out, name);
      assert.match(readFileSync(file('ping'), 'utf8'), /5 packets transmitted, 5 received/, log);
      // the same bytes that cannot be found on the wire are found where the container sends them
      assert.ok(readFileSync(file('inside.pcap')).includes(secret));
      assert.equal(readFileSync(file('wire.pcap')).includes(secret), false);
      assert.ok((await packets(file('wire.pcap'), filter)) >= 10, log);
      for (const node of [1, 2]) assert.equal(JSON.parse(readFileSync(file(`health-${node}`), 'utf8')).encryption.mode, mode);
      if (encryption === 'wireguard') {
        const { encryption: said } = JSON.parse(readFileSync(file('debuginfo-1'), 'utf8'));
        const [peer] = said.wireguard.interfaces[0].peers;
        assert.match(peer.endpoint, /^10\.99\.0\.12:51871$/);
      }
      if (encryption === 'ipsec') {
        const [peer] = xfrmPeers(readFileSync(file('xfrm-1'), 'utf8'), '10.99.0.11');
        assert.equal(peer?.address, '10.99.0.12');
        assert.deepEqual(peer.keys, [3]);
        assert.ok(peer.sentBytes > 0 && peer.receivedBytes > 0);
        // a new key, one node after the other
        const [, sent = '', received = ''] =
          /(\d+) packets transmitted, (\d+) received/.exec(readFileSync(file('ping-rotating'), 'utf8')) ?? [];
        assert.ok(Number(sent) > 20, `${sent} pings`);
        assert.equal(received, sent);
        const [after] = xfrmPeers(readFileSync(file('xfrm-rotated-1'), 'utf8'), '10.99.0.11');
        assert.deepEqual(after?.keys, [3, 4]);
      }
    });
});
