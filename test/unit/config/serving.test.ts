import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { renderContainerFile } from '../../../src/config/containers.ts';
import { ownCilium } from '../../support/own-cilium.ts';
import { until } from '../../support/until.ts';
import { createRig, onWeb, problemOf, type Rig, web } from './rig.ts';

describe('the configuration that serves', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = createRig();
  });
  afterEach(() => rig.end());

  it('reads the networks, containers and settings of a root', async () => {
    const { networks, containers, settings, problems } = await rig.read({
      'networks/web.yaml': web,
      'containers/101.yaml': onWeb,
      'settings.yaml': 'releaseAfterHours: 2\n',
      'networks/.web.yaml.swp': 'rubbish',
      'networks/web.yaml~': 'rubbish',
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(networks.get('web'), {
      type: 'bridge',
      name: 'web',
      file: 'networks/web.yaml',
      warnings: [],
      bridge: { name: 'cnibr-web', mtuBytes: 1500 },
      subnets: [{ cidr: '10.20.0.0/24', gateway: '10.20.0.1', range: '10.20.0.10-10.20.0.250' }],
      ipam: 'sticky',
      nat: true,
    });
    assert.deepEqual(containers.get(101), {
      vmid: 101,
      interfaces: [{ name: 'eth0', network: 'web', address: 'auto' }],
      onFailure: 'refuse',
    });
    assert.equal(settings.releaseAfterHours, 2);
  });

  it('loads the user’s own Cilium configuration as it is, with a warning for the kubeconfig that is not there', async () => {
    const { networks, problems } = await rig.read({ 'networks/05-cilium.conf': JSON.stringify(ownCilium) });
    assert.deepEqual(problems, []);
    const network = networks.get('cilium');
    assert.equal(network?.type, 'cilium');
    assert.match(network?.warnings.join() ?? '', /cilium-kubeconfig/);
  });

  it('refuses a second endpoint of Cilium in one container, naming the first', async () => {
    const { problems } = await rig.read({
      'networks/one.yaml': 'type: cilium\n',
      'networks/two.yaml': 'type: cilium\nmode: chained\non: vmbr0\n',
      'containers/101.yaml': 'interfaces: [{ name: eth0, network: one }, { name: eth1, network: two }]\n',
    });
    const [problem] = problems;
    assert.equal(problem?.error.code, 'UNSUPPORTED');
    assert.match(problem?.error.message ?? '', /interfaces\[1\]\.network: two is carried by Cilium, and so is one of eth0/);
  });

  it('gives a long network a bridge name that Linux takes', async () => {
    const { networks } = await rig.read({ 'networks/a-rather-long-name.yaml': 'type: bridge\n' });
    const network = networks.get('a-rather-long-name');
    assert.match(network?.type === 'bridge' ? network.bridge.name : '', /^cnibr-[0-9a-f]{8}$/);
  });

  it('a file that becomes bad keeps its last good version, over a restart too, and is shown', async () => {
    await rig.read({ 'networks/web.yaml': web, 'containers/101.yaml': onWeb });
    rig.write('containers/101.yaml', 'interfaces: [');
    for (const snapshot of [await rig.start().refresh(), await rig.start().refresh()]) {
      assert.equal(snapshot.containers.get(101)?.interfaces.length, 1);
      assert.deepEqual(
        snapshot.problems.map(({ file, lastGoodServes }) => [file, lastGoodServes]),
        [['containers/101.yaml', true]],
      );
    }
  });

  it('a file that names a wrong network is bad, too: what served last serves on, over a restart too', async () => {
    await rig.read({ 'networks/web.yaml': web, 'containers/101.yaml': onWeb });
    rig.write('containers/101.yaml', 'interfaces: [{ name: eth0, network: wbe }]');
    for (const snapshot of [await rig.start().refresh(), await rig.start().refresh()]) {
      assert.equal(snapshot.containers.get(101)?.interfaces[0]?.network, 'web');
      assert.equal(problemOf(snapshot, 'containers/101.yaml').code, 'NETWORK_UNKNOWN');
    }
  });

  it('a container whose network was removed stays configured, and its start is refused', async () => {
    await rig.read({ 'networks/web.yaml': web, 'containers/101.yaml': onWeb });
    rig.remove('networks/web.yaml');
    const { containers, problems } = await rig.start().refresh();
    assert.ok(containers.has(101));
    assert.deepEqual(
      problems.map(({ error, lastGoodServes }) => [error.code, lastGoodServes]),
      [['NETWORK_UNKNOWN', false]],
    );
  });

  it('a new network never takes from one that serves, whatever its name', async () => {
    await rig.read({ 'networks/web.yaml': web });
    rig.write('networks/aaa.yaml', web);
    const { networks, problems } = await rig.start().refresh();
    assert.deepEqual([...networks.keys()], ['web']);
    assert.deepEqual(
      problems.map(({ file }) => file),
      ['networks/aaa.yaml'],
    );
  });

  it('while the root is away everything serves on and nothing counts as removed; what is gone after it came back is gone', async () => {
    const configuration = rig.start();
    await rig.read({ 'networks/web.yaml': web, 'containers/101.yaml': onWeb });
    await configuration.refresh();
    renameSync(rig.root, `${rig.root}.away`);
    for (const away of [await configuration.refresh(), await configuration.refresh(101), await rig.start().refresh()]) {
      assert.deepEqual([away.available, away.writable, away.containers.size, away.networks.size], [false, false, 1, 1]);
    }
    await assert.rejects(configuration.writeContainer(101, null), { code: 'CONFIG_UNAVAILABLE' });
    renameSync(`${rig.root}.away`, rig.root);
    rig.remove('containers/101.yaml');
    const back = await configuration.refresh();
    assert.deepEqual([back.available, back.containers.size, back.networks.size], [true, 0, 1]);
    assert.equal((await rig.start().refresh()).containers.size, 0);
  });

  it('writes a container’s file so that it can be read again, and archives it', async () => {
    await rig.read({ 'networks/web.yaml': web });
    const configuration = rig.start();
    await configuration.refresh();
    const interfaces = [{ name: 'eth0', network: 'web', address: ['10.20.0.77'], defaultRoute: true }];
    await configuration.writeContainer(101, { interfaces, onFailure: 'start' });
    assert.deepEqual(configuration.current.containers.get(101), { vmid: 101, interfaces, onFailure: 'start' });
    assert.deepEqual(readdirSync(join(rig.root, 'containers')), ['101.yaml']);
    const text = readFileSync(join(rig.root, 'containers/101.yaml'), 'utf8');
    await configuration.writeContainer(101, null);
    assert.equal(configuration.current.containers.size, 0);
    const [archived = ''] = readdirSync(join(rig.root, 'archive'));
    assert.match(archived, /^101-/);
    assert.equal(readFileSync(join(rig.root, 'archive', archived), 'utf8'), text);
  });

  it('any container that can be configured is the same after it was written and read', () => {
    const name = fc.constantFrom('eth0', 'eth1', 'net-2', 'wan.5');
    const address = fc.oneof(fc.constant('auto' as const), fc.uniqueArray(fc.ipV4(), { minLength: 1, maxLength: 3 }));
    const one = fc.record({ name, network: fc.constantFrom('web', 'y', 'null', '0x1', '12'), address });
    const file = fc.record({
      interfaces: fc.uniqueArray(one, { selector: (item) => item.name, maxLength: 4 }),
      onFailure: fc.constantFrom('refuse' as const, 'start' as const),
      labels: fc.dictionary(
        fc.constantFrom('app', 'app.kubernetes.io/name', 'no', 'x.y', '1'),
        fc.constantFrom('web', '', 'true', 'null', '1', '0x1', '1e3', 'a_b-c.d'),
        { minKeys: 1, noNullPrototype: true },
      ),
    });
    return fc.assert(
      fc.asyncProperty(file, async (drawn) => {
        const config: typeof drawn = JSON.parse(JSON.stringify(drawn));
        const { parseContainerFile } = await import('../../../src/config/containers.ts');
        assert.deepEqual(parseContainerFile(renderContainerFile(101, config), 'containers/101.yaml'), { vmid: 101, ...config });
        assert.deepEqual(parseContainerFile(JSON.stringify(config), 'containers/101.yaml'), { vmid: 101, ...config });
      }),
    );
  });

  it('follows neither a link nor anything that is not a regular file', async () => {
    mkdirSync(join(rig.root, 'networks'), { recursive: true });
    symlinkSync('/etc/passwd', join(rig.root, 'networks', 'web.yaml'));
    mkdirSync(join(rig.root, 'networks', 'dir.yaml'));
    const { problems } = await rig.start().refresh();
    assert.deepEqual(problems.map(({ file }) => file).sort(), ['networks/dir.yaml', 'networks/web.yaml']);
    assert.doesNotMatch(problems.map(({ error }) => error.message).join(), /root:/);
  });

  it('picks up what changes, without a restart and once', async () => {
    const configuration = rig.start();
    rig.write('networks/web.yaml', web);
    await configuration.refresh();
    const changes: string[][] = [];
    configuration.onChange(({ files }) => changes.push(files));
    configuration.start();
    rig.write('containers/101.yaml', onWeb);
    await until('the new container is there', () => configuration.current.containers.has(101));
    rig.write('containers/101.yaml', `${onWeb}onFailure: start\n`);
    await until('the change is there', () => configuration.current.containers.get(101)?.onFailure === 'start');
    rig.remove('containers/101.yaml');
    await until('it is gone', () => !configuration.current.containers.has(101));
    await configuration.stop();
    assert.deepEqual(changes, [['containers/101.yaml'], ['containers/101.yaml'], ['containers/101.yaml']]);
  });
});
