import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { execa } from 'execa';
import { assertKernelUnchanged, snapshotKernel } from '../../support/kernel.ts';
import { addressesInside, useRig, web } from './rig.ts';

const list = (name: string, ...plugins: object[]) => JSON.stringify({ cniVersion: '1.0.0', name, plugins });
const bridge = {
  type: 'bridge',
  bridge: 'cnitest2',
  ipam: { type: 'host-local', dataDir: '/run/pve-cni-test-add', ranges: [[{ subnet: '10.72.0.0/24' }]] },
};
const problem = '{"cniVersion":"1.0.0","code":11,"msg":"no more tags","details":"switch 7"}';

describe('a plugin that fails at ADD', () => {
  const rig = useRig({
    files: {
      ...web,
      'networks/scripted.conflist': list('scripted', { type: 'first' }, { type: 'second' }, { type: 'third' }),
      'networks/real.conflist': list('real', bridge, { type: 'second' }, { type: 'third' }),
    },
    scripted: ['first', 'second', 'third'],
    settings: { timeouts: { pluginSeconds: 1, operationSeconds: 10, stopSeconds: 5 } },
    ignore: /cnitest2/,
    cleanUp: async () => {
      await execa('ip', ['link', 'delete', 'cnitest2'], { reject: false });
      rmSync('/run/pve-cni-test-add', { recursive: true, force: true });
    },
  });
  const on = (network: string) => ({ interfaces: [{ name: 'eth0', network }] });
  const verbs = () => rig.plugins.order().replace(/\w+:VERSION ?/g, '');
  let scripts: [string, 'ADD' | 'DEL'][] = [];
  const script = (name: string, verb: 'ADD' | 'DEL', directives: string[], stdout?: string) => {
    rig.plugins.script(name, verb, directives, stdout);
    scripts.push([name, verb]);
  };
  afterEach(() => {
    for (const [name, verb] of scripts) rig.plugins.unscript(name, verb);
    scripts = [];
  });

  for (const [index, name] of ['first', 'second', 'third'].entries()) {
    it(`D46 at place ${index + 1} of three: the start is refused, the chain undone in reverse, the reason readable`, async () => {
      script(name, 'ADD', ['exit 1'], problem);
      const container = await rig.container(on('scripted'));
      const warnings = await rig.refused(container);
      assert.match(warnings, /no more tags.*switch 7/);
      assert.match(warnings, new RegExp(`"?${name}"?`));
      const added = ['first', 'second', 'third'].slice(0, index + 1).map((one) => `${one}:ADD`);
      assert.equal(verbs(), [...added, 'third:DEL', 'second:DEL', 'first:DEL'].join(' '));
      const { stdout } = await rig.daemon.cli('container', 'show', String(container.vmid));
      assert.match(stdout.replace(/\s+/g, ' '), /no more tags/);
      await rig.assertNothingLeft(container);
    });
  }

  it('D46 after a real bridge: neither link nor address is left', async () => {
    const container = await rig.container(on('real'));
    await container.start();
    const [address] = await addressesInside(container);
    await container.stop();
    const before = await snapshotKernel();
    script('third', 'ADD', ['exit 1'], problem);
    await rig.refused(container);
    await assertKernelUnchanged(before);
    const { stdout } = await execa('ls', ['/run/pve-cni-test-add/real']);
    assert.doesNotMatch(stdout, new RegExp(String(address)));
  });

  it('D47 hanging: killed with its children at its deadline, and named', async () => {
    script('second', 'ADD', ['ignore-term', 'hold 60', 'sleep 60']);
    const container = await rig.container(on('real'));
    const warnings = await rig.refused(container);
    assert.match(warnings, /second/);
    const [call] = rig.plugins.calls().filter(({ verb }) => verb === 'ADD');
    assert.ok(call);
    // a zombie has ended; when it is buried is up to the machine's init
    const { stdout } = await execa('ps', ['-e', '-o', 'pgid=,stat=,args=']);
    assert.doesNotMatch(stdout, new RegExp(`^ *${call.processGroup} [^Z].*`, 'm'));
    const [operation] = (await rig.operations(container)).filter(({ kind }) => kind === 'attach');
    assert.equal(operation?.outcome, 'refused');
    assert.match(JSON.stringify(operation?.error), /second/);
    await rig.assertNothingLeft(container);
  });

  const rubbish = {
    'A16 rubbish on stdout': () => script('second', 'ADD', [], 'hello {"cniVersion":"1.0.0"}'),
    'A16 nothing on stdout': () => script('second', 'ADD', [], ''),
    'A16 a megabyte too much on stdout': () => script('second', 'ADD', ['flood stdout 20000000']),
    'A16 an interface name with a new line': () =>
      script('second', 'ADD', [], '{"cniVersion":"1.0.0","interfaces":[{"name":"eth\\n0","sandbox":"/x"}],"ips":[]}'),
    'killed by a signal': () => script('second', 'ADD', ['die SEGV']),
  };
  for (const [what, prepare] of Object.entries(rubbish)) {
    it(`${what}: refused and undone`, async () => {
      prepare();
      const container = await rig.container(on('real'));
      assert.match(await rig.refused(container), /second/);
      assert.match(verbs(), /third:DEL second:DEL$/);
      await rig.assertNothingLeft(container);
    });
  }

  it('a plugin whose file is missing: refused by name before anything runs', async () => {
    const container = await rig.container(on('scripted'));
    rmSync(`${rig.plugins.binDir}/second`);
    const warnings = await rig.refused(container);
    rig.plugins.install('second');
    assert.match(warnings, /second/);
    assert.doesNotMatch(verbs(), /ADD/);
  });

  it('onFailure: start lets it start without its network, with a warning, and attaches it as soon as that works', async () => {
    rig.plugins.script('third', 'ADD', ['exit 1'], problem);
    const container = await rig.container({ ...on('real'), onFailure: 'start' });
    await container.start();
    assert.match(rig.warnings(container), /no more tags/);
    await assert.rejects(container.exec(['ip', 'link', 'show', 'dev', 'eth0']));
    assert.equal((await rig.show(container)).interfaces[0]?.state, 'missing');
    rig.plugins.unscript('third', 'ADD');
    await rig.untilState(container, 'attached');
    assert.equal((await addressesInside(container)).length, 1);
  });

  it('a start that is refused is well when the plugin is well again', async () => {
    const container = await rig.container(on('real'));
    rig.plugins.script('third', 'ADD', ['exit 1'], problem);
    await rig.refused(container);
    rig.plugins.unscript('third', 'ADD');
    await container.start();
    assert.equal((await addressesInside(container)).length, 1);
  });
});
