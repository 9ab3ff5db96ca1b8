// Proxmox's tags and pools come from a stand-in for its cluster filesystem: files in a folder.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { createAgent } from '../../src/cilium/agent.ts';
import { createPluginSocket, podArgs } from '../../src/cilium/plugin-socket.ts';
import { createProxmoxFolder } from '../support/proxmox-folder.ts';
import { until } from '../support/until.ts';
import { binaries } from './binaries.ts';
import { reaches, useCilium } from './rig.ts';

describe('the identity of a container', () => {
  const dir = mkdtempSync('/var/lib/pve-cni-test-pve-');
  const pve = createProxmoxFolder(join(dir, 'pve'));
  const rig = useCilium({ service: { pveDir: pve.path } });
  after(() => rmSync(dir, { recursive: true }));
  const endpointOf = async (vmid: number) => (await rig.node.agent.endpoints()).find(({ labels }) => labels.includes(`k8s:vmid=${vmid}`));

  it('is given at birth: no look at the agent during a start ever sees another, nor none', async () => {
    const container = await rig.container({ file: { labels: { app: 'web' } } });
    const seen = new Set<string>();
    let over = false;
    const looks = (async () => {
      while (!over) for (const { attachmentId, labels } of await rig.node.agent.endpoints()) if (attachmentId) seen.add(labels.join(' '));
    })();
    await container.start();
    over = true;
    await looks;
    // an endpoint whose identity is being allocated has no labels, and no datapath yet
    seen.delete('');
    assert.equal(seen.size, 1, [...seen].join('\n'));
    assert.match([...seen].join(), /k8s:app=web .*k8s:type=container .*k8s:vmid=/);
    assert.doesNotMatch([...seen].join(), /reserved:/);
  });

  it('follows labels, registered tags and the pool within seconds, without a restart; other tags are none', async () => {
    rig.daemon.write('settings.yaml', 'releaseAfterHours: 0\nidentityTags: [web]\n');
    const container = await rig.container();
    pve.set(container.vmid, { hostname: 'shop', tags: ['other'] });
    await container.start();
    const has = (...wanted: string[]) =>
      until(
        wanted.join(' '),
        async () => {
          const labels = (await endpointOf(container.vmid))?.labels ?? [];
          return wanted.every((label) => (label.startsWith('!') ? !labels.includes(label.slice(1)) : labels.includes(label)));
        },
        20,
      );
    await has('k8s:name=shop', '!k8s:tag/other=true');
    pve.set(container.vmid, { hostname: 'shop', tags: ['other', 'web'] });
    await has('k8s:tag/web=true', '!k8s:tag/other=true');
    pve.pools({ prod: [container.vmid] });
    await has('k8s:pool=prod');
    assert.equal((await rig.daemon.cli('container', 'label', String(container.vmid), 'app=web', 'tier=front')).exitCode, 0);
    await has('k8s:app=web', 'k8s:tier=front');
    assert.equal((await rig.daemon.cli('container', 'label', String(container.vmid), 'app=db', 'tier-')).exitCode, 0);
    await has('k8s:app=db', '!k8s:tier=front', 'k8s:tag/web=true');
    const { body: operations } = await rig.daemon.api('GET', `/v1/operations?vmid=${container.vmid}`);
    const relabels = operations.filter(({ kind }: { kind: string }) => kind === 'relabel');
    assert.ok(relabels.length >= 3);
    assert.ok(relabels.some(({ message }: { message: string }) => /\+k8s:app=db/.test(message)));
    assert.equal(await reaches(container, '10.99.0.1'), true);
    rig.daemon.write('settings.yaml', 'releaseAfterHours: 0\n');
  });

  it('duplicate starts of one life make one endpoint', async () => {
    const container = await rig.container();
    await container.start();
    const pid = await container.initPid();
    const before = await endpointOf(container.vmid);
    const answers = await Promise.all([1, 2, 3].map(() => rig.daemon.api('POST', '/v1/hooks/start-host', { vmid: container.vmid, pid })));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
    );
    assert.deepEqual((await endpointOf(container.vmid))?.id, before?.id);
    assert.equal(await reaches(container, '10.99.0.1'), true);
  });

  it('an endpoint that nothing accounts for is taken away; one without our labels is left alone', async () => {
    const agent = createAgent({ socket: '/run/cilium/cilium.sock' });
    const socket = createPluginSocket({ path: '/run/cilium/test.sock', agentSocket: '/run/cilium/cilium.sock', agent });
    await socket.start();
    const base = ['k8s:io.kubernetes.pod.namespace=default', 'k8s:io.cilium.k8s.policy.cluster=default'];
    const make = async (id: string, labels: string[], verb = 'ADD') => {
      const name = `stale-${process.pid}-${id.slice(0, 4)}`;
      if (verb === 'ADD') await execa('ip', ['netns', 'add', name]);
      const withdraw = socket.announce(id, 'eth0', { vmid: 999, labels: [...base, ...labels], mac: '', addresses: null });
      const args = Object.entries({ IgnoreUnknown: '1', ...podArgs(999) }).map(([key, value]) => `${key}=${value}`);
      const env = { CNI_COMMAND: verb, CNI_CONTAINERID: id, CNI_NETNS: `/run/netns/${name}`, CNI_IFNAME: 'eth0', CNI_PATH: binaries };
      await execa(`${binaries}/cilium-cni`, {
        env: { ...env, CNI_ARGS: args.join(';'), CILIUM_SOCK: '/run/cilium/test.sock' },
        input: JSON.stringify({ cniVersion: '1.0.0', name: 'x', type: 'cilium-cni' }),
      });
      withdraw();
      if (verb === 'DEL') await execa('ip', ['netns', 'del', name]);
    };
    await make('1111111111111111', ['k8s:type=container', 'k8s:vmid=999']);
    await make('2222222222222222', ['k8s:app=somebodys']);
    const { body } = await rig.daemon.api('POST', '/v1/gc', { dryRun: true });
    assert.deepEqual(
      body.leaks.map(({ kind, what }: { kind: string; what: string }) => `${kind} ${what}`),
      ['endpoint 1111111111111111:eth0'],
    );
    await rig.daemon.reconciled();
    assert.equal(await agent.endpoint('1111111111111111:eth0'), null);
    assert.notEqual(await agent.endpoint('2222222222222222:eth0'), null);
    await make('2222222222222222', [], 'DEL');
    await execa('ip', ['netns', 'del', `stale-${process.pid}-1111`]);
    await socket.stop();
  });

  it('an endpoint that the agent lost is made anew', async () => {
    const container = await rig.container({ interfaces: [{ name: 'eth0', network: 'sticky' }] });
    await container.start();
    const address = await rig.address(container);
    await rig.node.agent.removeEndpoint((await endpointOf(container.vmid))?.attachmentId ?? '');
    await rig.daemon.reconciled();
    await rig.daemon.reconciled();
    await until('there is one again', () => endpointOf(container.vmid));
    assert.equal(await rig.address(container), address);
    assert.equal(await reaches(container, '10.99.0.1'), true);
  });
});
