import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { until } from '../../../support/until.ts';
import { refusal, result, section } from './case.ts';

export const cacheCases = section('3 Execution of Network Configurations / Adding an attachment (result stored persistently)', {
  'what is kept has libcni’s name and form': async (rig) => {
    const attachment = rig.attachment([{ type: 'a', capabilities: { ips: true } }], {
      args: { IP: '1', B: '2' },
      capabilityArgs: { ips: [] },
    });
    await rig.runtime.add(attachment);
    assert.deepEqual(readdirSync(`${rig.cacheDir}/results`), ['net1-c0ffee-eth0']);
    const { config, ...kept } = JSON.parse(readFileSync(rig.cacheFile(attachment), 'utf8'));
    assert.deepEqual(kept, {
      kind: 'cniCacheV1',
      containerId: 'c0ffee',
      ifName: 'eth0',
      networkName: 'net1',
      netns: attachment.netns,
      cniArgs: [
        ['IP', '1'],
        ['B', '2'],
      ],
      capabilityArgs: { ips: [] },
      result: JSON.parse(result('1.0.0')),
    });
    assert.deepEqual(JSON.parse(Buffer.from(config, 'base64').toString()), attachment.conflist);
  },
  'others than root cannot read it': async (rig) => {
    const attachment = rig.attachment(['a']);
    await rig.runtime.add(attachment);
    assert.equal(statSync(rig.cacheFile(attachment)).mode & 0o777, 0o600);
    assert.equal(statSync(`${rig.cacheDir}/results`).mode & 0o777, 0o700);
  },
  'it is written before the first plugin runs, without a result': async (rig) => {
    const attachment = rig.attachment(['a']);
    rig.script('a', 'ADD', ['sleep 1'], result('1.0.0'));
    const adding = rig.runtime.add(attachment);
    await until('the plugin runs', () => rig.order() !== '', 5);
    const kept = JSON.parse(readFileSync(rig.cacheFile(attachment), 'utf8'));
    assert.equal(kept.kind, 'cniCacheV1');
    assert.ok(!('result' in kept));
    assert.equal((await rig.runtime.cached()).entries[0]?.result, null);
    await adding;
  },
  'after each plugin it holds that plugin’s result, marked as unfinished until the last: a DEL after a crash is given it': async (rig) => {
    const attachment = rig.attachment(['a', 'b', 'c']);
    rig.script('b', 'ADD', ['sleep 1'], result('1.0.0'));
    const first = result('1.0.0', { ips: [{ address: '10.0.0.77/24' }] });
    rig.script('a', 'ADD', [], first);
    const adding = rig.runtime.add(attachment);
    await until('the second plugin runs', () => rig.order() === 'a:ADD b:ADD', 5);
    const [found] = (await rig.runtime.cached()).entries;
    assert.deepEqual([found?.unfinished, found?.result?.ips], [true, JSON.parse(first).ips]);
    await refusal(rig.runtime.check(attachment), 'CNI_CHECK_FAILED');
    const file = readFileSync(rig.cacheFile(attachment), 'utf8');
    await adding;
    assert.equal((await rig.runtime.cached()).entries[0]?.unfinished, undefined);
    writeFileSync(rig.cacheFile(attachment), file);
    rig.forget();
    await rig.runtime.del(attachment);
    assert.equal(rig.order(), 'c:DEL b:DEL a:DEL');
    for (const { stdin } of rig.calls()) assert.deepEqual(JSON.parse(stdin).prevResult, JSON.parse(first));
  },
  'an attachment found in it can be deleted as it is': async (rig) => {
    const attachment = rig.attachment(['a', 'b'], { args: { IP: '1' } });
    await rig.runtime.add(attachment);
    const [found] = (await rig.runtime.cached()).entries;
    assert.ok(found);
    rig.forget();
    await rig.runtime.del(found);
    assert.equal(rig.order(), 'b:DEL a:DEL');
    assert.equal(rig.calls()[0]?.env.CNI_ARGS, 'IP=1');
  },
  'a file of libcni is read': async (rig) => {
    mkdirSync(`${rig.cacheDir}/results`, { recursive: true });
    const config = Buffer.from('{"cniVersion":"0.4.0","name":"old","plugins":[{"type":"a"}]}').toString('base64');
    const text = `{"kind":"cniCacheV1","containerId":"c1","config":"${config}","ifName":"eth0","networkName":"old","result":{"cniVersion":"0.4.0","dns":{},"ips":[{"address":"10.0.0.2/24","version":"4"}]}}`;
    writeFileSync(`${rig.cacheDir}/results/old-c1-eth0`, text);
    const { entries, damaged } = await rig.runtime.cached();
    assert.deepEqual(damaged, []);
    assert.deepEqual(entries[0]?.result?.ips, [{ address: '10.0.0.2/24' }]);
  },
  'no cache folder is an empty cache': async (rig) => {
    assert.deepEqual(await rig.runtime.cached(), { entries: [], damaged: [] });
  },
  'a service killed while it waits for the disk: its temporary file is read, a half one is not': async (rig) => {
    const attachment = rig.attachment(['a']);
    await rig.runtime.add(attachment);
    const file = rig.cacheFile(attachment);
    const temporary = file.replace(/([^/]+)$/, '.$1.tmp');
    const newer = JSON.parse(readFileSync(file, 'utf8'));
    newer.result.ips[0].address = '10.0.0.99/24';
    writeFileSync(temporary, JSON.stringify(newer).slice(0, -5));
    await rig.runtime.check(attachment);
    writeFileSync(temporary, JSON.stringify(newer));
    await rig.runtime.del(attachment);
    const [first, second] = rig.calls().filter(({ verb }) => verb !== 'ADD');
    assert.deepEqual(
      [first, second].map((call) => (call?.conf as { prevResult?: { ips: { address: string }[] } } | null)?.prevResult?.ips[0]?.address),
      ['10.0.0.2/24', '10.0.0.99/24'],
    );
    assert.ok(!existsSync(temporary));
  },
  'a cache that cannot be written: no plugin runs': async (rig) => {
    writeFileSync(rig.cacheDir, 'a file where the folder should be');
    await refusal(rig.runtime.add(rig.attachment(['a'])), 'STATE_WRITE_FAILED');
    assert.equal(rig.order(), '');
  },
});
