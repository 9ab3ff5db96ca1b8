import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Configuration } from '../../../src/config/configuration.ts';
import { digestOf } from '../../../src/config/digest.ts';
import { networkPath } from '../../../src/config/files.ts';
import { skip } from '../../support/skip.ts';
import { createRig, onWeb, type Rig, web } from './rig.ts';

describe('replacing a file', () => {
  let rig: Rig;
  let configuration: Configuration;
  beforeEach(async () => {
    rig = createRig();
    rig.write('networks/web.yaml', web);
    rig.write('containers/101.yaml', onWeb);
    configuration = rig.start();
    await configuration.refresh();
  });
  afterEach(() => rig.end());
  const text = (file: string) => readFileSync(`${rig.root}/${file}`, 'utf8');

  it('writes the text as it is, gives the one before, and serves it at once', async () => {
    const other = `# mine\n${web.replace('nat: true', 'nat: false')}`;
    assert.equal(await configuration.replaceFile('networks/web.yaml', other), web);
    assert.equal(text('networks/web.yaml'), other);
    const network = configuration.current.networks.get('web');
    assert.equal(network?.type === 'bridge' && network.nat, false);
    assert.equal(await configuration.replaceFile('settings.yaml', 'releaseAfterHours: 1\n'), null);
    assert.equal(configuration.current.settings.releaseAfterHours, 1);
  });

  it('looks at the file as it is by then, not as it was last read', async () => {
    rig.write('networks/web.yaml', `${web}# somebody else\n`);
    await assert.rejects(configuration.replaceFile('networks/web.yaml', web, digestOf(web)), { code: 'CONFLICT' });
    assert.match(text('networks/web.yaml'), /somebody else/);
    await configuration.replaceFile('networks/web.yaml', web, digestOf(`${web}# somebody else\n`));
    await configuration.replaceFile('networks/new.yaml', 'type: bridge\n', digestOf(''));
    await assert.rejects(configuration.replaceFile('networks/new.yaml', 'type: bridge\n', digestOf('')), { code: 'CONFLICT' });
  });

  it('of two at once that have read the same, one is refused', async () => {
    const both = await Promise.allSettled(
      ['# a\n', '# b\n'].map((line) => configuration.replaceFile('networks/web.yaml', web + line, digestOf(web))),
    );
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  });

  it('repairs a file that is wrong, and refuses one that is, though its last good version would serve', async () => {
    rig.write('networks/web.yaml', 'type: brigde\n');
    await configuration.refresh();
    assert.equal(configuration.current.problems.length, 1);
    await assert.rejects(configuration.replaceFile('networks/web.yaml', 'type: bridge\nnat: 7\n'), { code: 'CONFIG_INVALID' });
    await configuration.replaceFile('networks/web.yaml', web);
    assert.equal(configuration.current.problems.length, 0);
  });

  it('what is wrong elsewhere already is no obstacle', async () => {
    rig.write('containers/102.yaml', 'interfaces: [{ name: eth0, network: nowhere }]\n');
    rig.write('policies/bad.yaml', 'kind: x\n');
    await configuration.replaceFile('networks/web.yaml', `${web}# fine\n`);
    assert.equal(configuration.current.problems.length, 2);
  });

  it('refuses what others would not go with, and the removal of what they need', async () => {
    const away = { code: 'CONFIG_INVALID', message: /remove networks\/web\.yaml.*containers\/101\.yaml/ };
    await assert.rejects(configuration.replaceFile('networks/web.yaml', null), away);
    rig.write('containers/101.yaml', 'interfaces: [{ name: eth0, network: web, address: [10.20.0.20] }]\n');
    await assert.rejects(configuration.replaceFile('networks/web.yaml', web.replaceAll('10.20.0', '10.21.0')), {
      code: 'CONFIG_INVALID',
      message: /write networks\/web\.yaml.*containers\/101\.yaml.*10\.20\.0\.20/,
    });
    assert.equal(text('networks/web.yaml'), web);
  });

  it('a removed one is in the archive, under the ending that it had', async () => {
    const raw = JSON.stringify({ cniVersion: '1.0.0', name: 'raw', plugins: [{ type: 'loopback' }] });
    await configuration.replaceFile('networks/raw.conflist', raw);
    assert.equal(await configuration.replaceFile('networks/raw.conflist', null), raw);
    assert.equal(configuration.current.networks.has('raw'), false);
    assert.match(readdirSync(`${rig.root}/archive`).join(), /^raw-.*\.conflist$/);
  });

  it('nothing is written outside the folders that are read', async () => {
    for (const file of ['../out.yaml', 'networks/../../out.yaml', 'tests/x.yaml', 'networks/x.txt', 'networks/a b.yaml'])
      await assert.rejects(configuration.replaceFile(file, 'type: bridge\n'), { name: 'ConfigurationError' });
    assert.equal(existsSync(`${rig.root}/../out.yaml`), false);
  });

  it('nothing is written where the root is read-only', async function () {
    if (process.getuid?.() !== 0) skip(this, 'a read-only mount needs root');
    execFileSync('mount', ['--bind', rig.root, rig.root]);
    try {
      execFileSync('mount', ['-o', 'remount,bind,ro', rig.root]);
      await assert.rejects(configuration.replaceFile('networks/web.yaml', `${web}# x\n`), { code: 'CONFIG_UNAVAILABLE' });
      await assert.rejects(configuration.replaceFile('settings.yaml', '# none\n'), { code: 'CONFIG_UNAVAILABLE' });
    } finally {
      execFileSync('umount', [rig.root]);
    }
    assert.equal(text('networks/web.yaml'), web);
  });
});

describe('where the text of a new network belongs', () => {
  const cases: [string, string, string][] = [
    ['YAML', web, 'yaml'],
    ['YAML in braces', '{ type: bridge }', 'yaml'],
    ['our own in JSON', '{ "type": "bridge" }', 'yaml'],
    ['a list of CNI', ' \n{ "cniVersion": "1.0.0", "plugins": [] }', 'conflist'],
    ['a list without a version', '{ "plugins": [] }', 'conflist'],
    ['a single configuration of CNI', '{ "cniVersion": "1.0.0", "type": "bridge" }', 'conf'],
    ['a list behind a byte order mark is none', '\uFEFF{ "cniVersion": "1.0.0", "plugins": [] }', 'yaml'],
    ['a list behind an odd space is none', '\u00A0{ "cniVersion": "1.0.0", "plugins": [] }', 'yaml'],
    ['JSON that is cut', '{ "plugins": [', 'yaml'],
  ];
  for (const [name, given, ending] of cases)
    it(`${name}: .${ending}`, () => assert.equal(networkPath('web', given), `networks/web.${ending}`));
});
