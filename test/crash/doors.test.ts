import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import type { GcView } from '../../src/model/api.ts';
import type { Answer } from '../support/daemon.ts';
import { testVmid } from '../support/lxc.ts';
import { createTally, diesDuring, eth0, eth1, killEnv, killPoints, useCrashRig } from './rig.ts';

describe('the service killed in the middle of what people ask for', function () {
  this.timeout(300_000);
  const rig = useCrashRig({ count: 1 });

  it('D45 a change of a running container: it is made as a whole or not at all, and asking again makes it', async () => {
    const { daemon } = rig;
    const [container] = rig.containers;
    assert.ok(container);
    const path = `/v1/containers/${container.vmid}`;
    const attach = () => daemon.api('POST', `${path}/interfaces`, { interface: eth1 });
    const detach = () => daemon.api('DELETE', `${path}/interfaces/eth1`);
    const isConfigured = () => readFileSync(`${daemon.root}/containers/${container.vmid}.yaml`, 'utf8').includes('eth1');
    const pointsOf = async ({ status, body }: Answer) => {
      assert.equal(status, 200, JSON.stringify(body));
      return killPoints((await daemon.api('GET', `/v1/operations/${body.operation}`)).body);
    };
    rig.configure(container, [eth0]);
    await container.start();
    const attachPoints = await pointsOf(await attach());
    const detachPoints = await pointsOf(await detach());
    const steps = (points: string[]) =>
      points.filter((point) => point.includes(':begin:')).map((point) => point.replace(/^configure\/|:begin:\d+$/g, ''));
    // the plugins' versions were asked before, when the node said which networks it can make
    const adds = ['bridge', 'portmap', 'firewall'].map((plugin) => `plugin:${plugin}:ADD`);
    assert.deepEqual(steps(attachPoints), [
      'queue',
      'observe',
      'step:reserve',
      'step:attach',
      'journal:intent',
      ...adds,
      'journal:attached',
    ]);
    const dels = ['firewall', 'portmap', 'bridge'].map((plugin) => `plugin:${plugin}:DEL`);
    assert.deepEqual(steps(detachPoints), ['queue', 'observe', 'step:detach', 'journal:removing', ...dels, 'journal:absent']);

    const tally = createTally();
    const next = () => (isConfigured() ? detachPoints : attachPoints).shift();
    await daemon.stop();
    let point = next();
    while (attachPoints.length + detachPoints.length > 0 || point) {
      await daemon.start(killEnv(point));
      await rig.settled().catch(tally.fail(`before ${point}`));
      const asked = isConfigured() ? detach() : attach();
      // a change that was not finished is not answered
      if (point) tally.died(point, await diesDuring(daemon, point, asked));
      await asked.catch(() => {});
      await daemon.kill9();
      point = next();
    }
    await daemon.start();
    await rig.settled();
    tally.conclude();
    if (!isConfigured()) assert.equal((await attach()).status, 200);
    await rig.settled();
    await container.stop();
  });

  it('gc: what nothing accounts for goes all the same', async () => {
    const { daemon } = rig;
    const stranger = testVmid(90);
    const pin = `${daemon.netnsDir}/ct${stranger}`;
    /** a network and a container that leave a bridge, a rule, an address and a marker; and a pin of nobody's */
    const litter = async () => {
      daemon.write('networks/extra.yaml', 'type: bridge\nsubnets: [{ cidr: 10.74.0.0/24, gateway: 10.74.0.1 }]\nnat: true\n');
      daemon.write(`containers/${stranger}.yaml`, JSON.stringify({ interfaces: [{ name: 'eth0', network: 'extra' }] }));
      await daemon.reconciled();
      await execa('touch', [pin]);
      await execa('mount', ['--bind', '/proc/self/ns/net', pin]);
      await daemon.stop();
      for (const file of ['networks/extra.yaml', `containers/${stranger}.yaml`]) daemon.remove(file);
    };
    const kinds = ['address', 'bridge', 'marker', 'nft-rule', 'pin'];
    const points = kinds.flatMap((kind) => [`gc/leak:${kind}:begin`, `gc/leak:${kind}:end`]);
    for (const point of points) {
      await litter();
      // its first reconcile finds them
      daemon.launch(killEnv(point));
      assert.ok(await diesDuring(daemon, point, new Promise(() => {})));
      await daemon.start();
      await rig.settled();
      const links = (await execa('ip', ['-o', 'link'])).stdout;
      assert.doesNotMatch(links, /cnibr-extra/, point);
    }
    const { body }: { body: GcView } = await daemon.api('POST', '/v1/gc', { dryRun: false });
    assert.deepEqual(body.leaks, []);
  });

  it('its own start: the next start finds everything as it was', async () => {
    const { daemon } = rig;
    const [container] = rig.containers;
    assert.ok(container);
    await container.start();
    const before = (await daemon.api('GET', `/v1/containers/${container.vmid}`)).body;
    for (let offset = 60; offset <= 480; offset += 30) {
      await daemon.kill9();
      daemon.launch();
      await pause(offset);
    }
    await daemon.kill9();
    await daemon.start();
    await rig.settled();
    assert.deepEqual((await daemon.api('GET', `/v1/containers/${container.vmid}`)).body, before);
    await container.stop();
    await rig.settled();
  });

  it('its own start, with reservations half made and half released: they are completed', async () => {
    const { daemon } = rig;
    const [container] = rig.containers;
    assert.ok(container);
    const file = `containers/${testVmid(91)}.yaml`;
    for (let offset = 0; offset <= 80; offset += 8) {
      // a look at the files reserves 20 addresses, or releases them
      const interfaces = Array.from({ length: 20 }, (_, index) => ({ name: `eth${index}`, network: 'web' }));
      if (offset % 16 === 0) daemon.write(file, JSON.stringify({ interfaces }));
      else daemon.remove(file);
      const reloading = daemon.reconciled().catch(() => {});
      await pause(offset);
      await daemon.kill9();
      await reloading;
      await daemon.start();
      await rig.settled();
    }
    daemon.remove(file);
    await rig.settled();
  });
});
