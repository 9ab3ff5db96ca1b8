import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { assertKernelUnchanged, snapshotKernel } from '../../support/kernel.ts';
import { until } from '../../support/until.ts';
import { addressesInside, ping, useRig, web } from './rig.ts';

const lan = 'type: bridge\nsubnets: [{ cidr: 10.30.0.0/24, gateway: 10.30.0.1 }]\n';

describe('what is configured, and when it takes effect', () => {
  const rig = useRig({ files: { ...web, 'networks/lan.yaml': lan } });
  const cli = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await rig.daemon.cli(...args);
    assert.equal(exitCode, 0, stdout + stderr);
    return stdout;
  };
  const hasLink = (container: Awaited<ReturnType<typeof rig.container>>, ifname: string) =>
    container.exec(['ip', 'link', 'show', 'dev', ifname]).then(
      () => true,
      () => false,
    );

  it('container attach and detach on a running container take effect at once', async () => {
    const container = await rig.container();
    await container.start();
    const [first] = await addressesInside(container);
    await cli('container', 'attach', String(container.vmid), 'eth1=lan');
    assert.match((await addressesInside(container, 'eth1'))[0] ?? '', /^10\.30\.0\./);
    await ping(container, '10.30.0.1');
    assert.match(readFileSync(`${rig.daemon.root}/containers/${container.vmid}.yaml`, 'utf8'), /eth1/);
    await cli('container', 'detach', String(container.vmid), 'eth1');
    assert.equal(await hasLink(container, 'eth1'), false);
    assert.deepEqual(await addressesInside(container), [first], 'the other interface was not touched');
    const [operation] = await rig.operations(container);
    assert.equal(operation?.kind, 'configure');
    assert.match(operation?.before ?? '', /eth1/);
    assert.doesNotMatch(operation?.after ?? '', /eth1/);
  });

  it('container attach and detach on a stopped container take effect at its next start', async () => {
    const container = await rig.container({ interfaces: null });
    await cli('container', 'attach', String(container.vmid), 'eth0=web');
    await cli('container', 'attach', String(container.vmid), 'eth1=lan', '--address', '10.30.0.77');
    await container.start();
    assert.deepEqual(await addressesInside(container, 'eth1'), ['10.30.0.77']);
    await container.stop();
    await cli('container', 'detach', String(container.vmid), 'eth1');
    await container.start();
    assert.equal(await hasLink(container, 'eth1'), false);
    assert.equal(await hasLink(container, 'eth0'), true);
  });

  it('the last interface detached from a running container: it is foreign from then on', async () => {
    const container = await rig.container();
    await container.start();
    await cli('container', 'detach', String(container.vmid), 'eth0');
    assert.equal(await hasLink(container, 'eth0'), false);
    await container.stop();
    assert.equal((await rig.daemon.api('GET', `/v1/containers/${container.vmid}`)).status, 404);
  });

  it('labels are written, read back, audited, and outlive the interfaces', async () => {
    const container = await rig.container();
    const file = () => readFileSync(`${rig.daemon.root}/containers/${container.vmid}.yaml`, 'utf8');
    await cli('container', 'label', String(container.vmid), 'app=web', 'tier=front');
    await cli('container', 'label', String(container.vmid), 'tier-', 'app=db');
    assert.match(await cli('container', 'show', String(container.vmid)), /labels +app=db\n/);
    const [operation] = await rig.operations(container);
    assert.deepEqual([operation?.kind, operation?.outcome], ['configure', 'ok']);
    assert.match(operation?.before ?? '', /app: web\n +tier: front/);
    assert.match(operation?.after ?? '', /labels:\n +app: db\n$/);
    const written = file();
    const refused = await rig.daemon.cli('container', 'label', String(container.vmid), 'type=vm');
    assert.match(refused.stderr, /type.*is reserved/);
    assert.equal(file(), written);
    await cli('container', 'detach', String(container.vmid), 'eth0');
    await cli('container', 'attach', String(container.vmid), 'eth0=lan');
    assert.match(file(), /app: db/);
  });

  it('a file edited by hand: the running container follows', async () => {
    const container = await rig.container();
    await container.start();
    rig.daemon.write(`containers/${container.vmid}.yaml`, 'interfaces: [{ name: eth0, network: lan }]\n');
    await until('eth0 is on lan', async () => /^10\.30/.test((await addressesInside(container).catch(() => []))[0] ?? ''));
    await ping(container, '10.30.0.1');
  });

  it('a container’s file that never was good: the start is refused, naming file and field', async () => {
    const container = await rig.container({ interfaces: [{ name: 'eth0', network: 'web', adress: 'auto' }] });
    const warnings = await rig.refused(container);
    assert.match(warnings, new RegExp(`containers/${container.vmid}\\.yaml`));
    assert.match(warnings, /adress.*address/);
  });

  it('a container’s file that is broken later: the last good one serves, with a warning', async () => {
    const container = await rig.container();
    rig.daemon.write(`containers/${container.vmid}.yaml`, 'interfaces: [{ name: eth0, network: web }\n');
    await rig.daemon.reconciled();
    await container.start();
    await ping(container, '10.20.0.1');
    assert.match(rig.warnings(container), /last good version serves/);
    assert.match((await rig.show(container)).problem?.message ?? '', new RegExp(`${container.vmid}\\.yaml`));
  });

  it('a network’s file removed while it is in use: it goes on until the stop, then nothing is left of it', async () => {
    const interfaces = [{ name: 'eth0', network: 'lan' }];
    const container = await rig.container({ interfaces });
    await container.start();
    rig.daemon.remove('networks/lan.yaml');
    await rig.daemon.reconciled();
    await rig.daemon.reconciled();
    await ping(container, '10.30.0.1');
    await container.stop();
    assert.match(await rig.refused(container), /lan/);
    // as long as a file speaks of the network, nothing is concluded from its absence
    rig.daemon.remove(`containers/${container.vmid}.yaml`);
    await until('the bridge is gone', async () => (await snapshotKernel()).every((line) => !line.includes('alias pve-cni:lan')));
    rig.daemon.write('networks/lan.yaml', lan);
    rig.daemon.write(`containers/${container.vmid}.yaml`, JSON.stringify({ interfaces }));
    await rig.daemon.reconciled();
    await container.start();
    await ping(container, '10.30.0.1');
  });

  it('B28 a container that shares the host’s namespace: refused, the host is untouched', async () => {
    const container = await rig.container({ config: ['lxc.net.0.type = none'] });
    const before = await snapshotKernel();
    assert.match(await rig.refused(container), /shares the host's network namespace/);
    const refusals = (await rig.operations(container)).filter(({ outcome }) => outcome === 'refused');
    assert.equal(refusals[0]?.error?.code, 'NETNS_SHARED');
    await assertKernelUnchanged(before);
  });

  it('B28 a pid of the host or of another container: refused, neither is touched', async () => {
    const [one, other] = [await rig.container(), await rig.container()];
    await one.start();
    const before = await snapshotKernel();
    for (const pid of [process.pid, await one.initPid()]) {
      const { status, body } = await rig.daemon.api('POST', '/v1/hooks/start-host', { vmid: other.vmid, pid });
      assert.equal(`${status} ${body.code}`, '409 NETNS_SHARED', JSON.stringify(body));
    }
    await assertKernelUnchanged(before);
    assert.equal((await addressesInside(one)).length, 1);
  });

  it('B28 the same with onFailure: start: it runs, and is never attached', async () => {
    const container = await rig.container({ config: ['lxc.net.0.type = none'], onFailure: 'start' });
    const before = await snapshotKernel();
    await container.start();
    await rig.daemon.reconciled();
    assert.match(rig.warnings(container), /shares the host's network namespace/);
    await assertKernelUnchanged(before);
  });
});
