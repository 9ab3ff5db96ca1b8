import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { execa } from 'execa';
import { until } from '../../support/until.ts';
import { addressesInside, ping, useRig } from './rig.ts';

/** What other hands do to a running container's network. */
describe('drift', () => {
  const rig = useRig({
    files: { 'networks/web.yaml': 'type: bridge\nnat: true\nsubnets: [{ cidr: 10.20.0.0/24, gateway: 10.20.0.1 }]\n' },
    settings: { reconcileSeconds: 1 },
    flushes: true,
  });
  const started = async () => {
    const container = await rig.container();
    await container.start();
    const [one] = (await rig.show(container)).interfaces;
    assert.ok(one);
    return { container, hostInterface: one.hostInterface, addresses: one.addresses };
  };
  const untilPinged = (container: Awaited<ReturnType<typeof started>>['container'], address: string) =>
    until(`${address} answers`, () =>
      ping(container, address, 1).then(
        () => true,
        () => false,
      ),
    );
  const bridge = async () => (await rig.daemon.api('GET', '/v1/networks/web')).body.bridge as string;

  it('D64 the host’s end of the pair deleted: made anew with the same address', async () => {
    const { container, hostInterface, addresses } = await started();
    await execa('ip', ['link', 'delete', hostInterface]);
    await untilPinged(container, '10.20.0.1');
    assert.deepEqual(await addressesInside(container), addresses);
  });

  it('D64 the container’s end deleted from inside: made anew', async () => {
    const { container, addresses } = await started();
    await execa('nsenter', ['-t', String(await container.initPid()), '-n', 'ip', 'link', 'delete', 'eth0']);
    await untilPinged(container, '10.20.0.1');
    assert.deepEqual(await addressesInside(container), addresses);
  });

  it('D64 the bridge deleted: made anew, with its containers on it', async () => {
    const { container, addresses } = await started();
    const { container: other, addresses: others } = await started();
    await execa('ip', ['link', 'delete', await bridge()]);
    await untilPinged(container, '10.20.0.1');
    await untilPinged(other, addresses[0] ?? '');
    await untilPinged(container, others[0] ?? '');
    assert.deepEqual(await addressesInside(container), addresses);
  });

  it('D64 the bridge down, or without its address: made right', async () => {
    const { container } = await started();
    await execa('ip', ['link', 'set', await bridge(), 'down']);
    await untilPinged(container, '10.20.0.1');
    await execa('ip', ['address', 'flush', 'dev', await bridge()]);
    await untilPinged(container, '10.20.0.1');
  });

  it('D64 the pin unmounted: pinned again', async () => {
    const { container } = await started();
    const pin = `${rig.daemon.netnsDir}/ct${container.vmid}`;
    await execa('umount', ['--lazy', pin]);
    await rig.daemon.reconciled();
    const { stdout } = await execa('nsenter', [`--net=${pin}`, 'ip', '-o', 'addr']);
    assert.match(stdout, /eth0/);
    await container.stop();
    assert.ok(!existsSync(pin));
  });

  it('D66 nft flush ruleset: the rule of nat is back', async () => {
    await started();
    const rules = async () => (await execa('nft', ['list', 'ruleset'])).stdout;
    assert.match(await rules(), /masquerade/);
    await execa('nft', ['flush', 'ruleset']);
    await until('the rule is back', async () => /masquerade/.test(await rules()));
  });

  it('D65 the container takes its own address away: shown as degraded, healed by check --repair', async () => {
    const { container, addresses } = await started();
    await container.exec(['ip', 'addr', 'flush', 'dev', 'eth0']);
    await rig.untilState(container, 'degraded');
    assert.match((await rig.show(container)).interfaces[0]?.error?.message ?? '', /--repair/);
    const looked = await rig.daemon.cli('container', 'check', String(container.vmid));
    assert.notEqual(looked.exitCode, 0);
    const repaired = await rig.daemon.cli('container', 'check', String(container.vmid), '--repair');
    assert.equal(repaired.exitCode, 0, repaired.stdout + repaired.stderr);
    assert.equal((await rig.show(container)).interfaces[0]?.state, 'attached');
    assert.deepEqual(await addressesInside(container), addresses);
    assert.match(await container.exec(['ip', 'route']), /default via 10\.20\.0\.1/);
  });
});
