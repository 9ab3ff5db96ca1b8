import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIpsecKeys } from '../../../src/cilium/ipsec-keys.ts';
import { ipsecKeyNumber, ipsecKeyText, nextIpsecKeyNumber, secretsFolder } from '../../../src/core/ipsec-keys.ts';
import { readText, writeDurably } from '../../../src/host/files.ts';
import { PveCniError } from '../../../src/model/errors.ts';

describe('the cluster’s IPsec key', () => {
  let folder: string;
  let shared: string;
  const later = 6 * 60_000;
  const node = (name: string, now: () => number = Date.now) =>
    createIpsecKeys({ host: { readText, writeDurably }, shared, local: join(folder, name, 'ipsec.keys'), now });
  const local = (name: string) => readFileSync(join(folder, name, 'ipsec.keys'), 'utf8');
  const refuses = (work: Promise<unknown>, code: string, message: RegExp) =>
    assert.rejects(work, (error: unknown) => {
      assert.ok(error instanceof PveCniError && error.code === code, String(error));
      assert.match(error.message, message);
      assert.doesNotMatch(JSON.stringify([error.message, error.context]), /[0-9a-f]{40}/);
      return true;
    });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pve-cni-keys-'));
    shared = join(folder, 'priv/ipsec.keys');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is made once, however many nodes make it at the same time, and is the same on all', async () => {
    const numbers = await Promise.all(Array.from({ length: 12 }, (_, index) => node(`node${index}`).ensure()));
    assert.deepEqual([...new Set(numbers)], [1]);
    const texts = new Set(Array.from({ length: 12 }, (_, index) => local(`node${index}`)));
    assert.equal(texts.size, 1);
    assert.equal([...texts][0], readFileSync(shared, 'utf8'));
    assert.match([...texts][0] ?? '', /^1\+ rfc4106\(gcm\(aes\)\) [0-9a-f]{40} 128\n$/);
  });

  it('can be read by root alone, here and there', async () => {
    await node('one').ensure();
    for (const path of [shared, join(folder, 'one/ipsec.keys')]) assert.equal(statSync(path).mode & 0o077, 0);
    assert.equal(statSync(join(folder, 'priv')).mode & 0o077, 0);
  });

  it('gets the next number and another key when it is rotated, and every node takes it up', async () => {
    await node('one').ensure();
    await node('two').ensure();
    const before = local('one');
    const inTime = () => Date.now() + later;
    assert.deepEqual(await node('one', inTime).rotate({ force: false }), { from: 1, to: 2 });
    assert.notEqual(local('one').split(' ')[2], before.split(' ')[2]);
    assert.equal(local('two'), before);
    assert.equal(await node('two').sync(), 2);
    assert.equal(local('two'), local('one'));
    assert.deepEqual(readdirSync(join(folder, 'priv')), ['ipsec.keys']);
  });

  it('is not rotated again while nodes may still be taking it up, unless by force', async () => {
    await node('one').ensure();
    await refuses(node('one').rotate({ force: false }), 'CILIUM_BUSY', /number 1 is \d+ s old.*repeat in \d+ s/);
    assert.deepEqual(await node('one').rotate({ force: true }), { from: 1, to: 2 });
  });

  it('is rotated by one node at a time; a rotation that died is forgotten', async () => {
    await node('one').ensure();
    writeFileSync(`${shared}.rotating`, '');
    await refuses(node('one').rotate({ force: true }), 'CILIUM_BUSY', /somebody else does/);
    utimesSync(`${shared}.rotating`, 0, 0);
    assert.deepEqual(await node('one').rotate({ force: true }), { from: 1, to: 2 });
  });

  it('stays what it is on a node that cannot see the cluster’s', async () => {
    await node('one').ensure();
    const before = local('one');
    rmSync(shared);
    assert.equal(await node('one').sync(), null);
    assert.equal(local('one'), before);
    await refuses(node('one').rotate({ force: false }), 'CILIUM_KEY_INVALID', /no IPsec key/);
  });

  it('is made anew where its maker died in the middle, and what is no key is not overwritten', async () => {
    mkdirSync(join(folder, 'priv'));
    writeFileSync(shared, '');
    utimesSync(shared, 0, 0);
    assert.equal(await node('one').ensure(), 1);
    const broken = '3 hmac(sha256) 00 cbc(aes) 00\n';
    writeFileSync(shared, broken);
    await refuses(node('two').ensure(), 'CILIUM_KEY_INVALID', /holds no IPsec key as Cilium reads it/);
    assert.equal(readFileSync(shared, 'utf8'), broken);
  });

  it('has a number from 1 to 15, which comes round', () => {
    const key = 'ab'.repeat(20);
    for (let number = 1; number <= 15; number++) assert.equal(ipsecKeyNumber(ipsecKeyText(number, key)), number);
    assert.equal(ipsecKeyNumber(ipsecKeyText(16, key)), null);
    assert.equal(ipsecKeyNumber(ipsecKeyText(0, key)), null);
    assert.equal(ipsecKeyNumber(ipsecKeyText(1, 'ab')), null);
    assert.equal(nextIpsecKeyNumber(14), 15);
    assert.equal(nextIpsecKeyNumber(15), 1);
  });

  it('lies where Proxmox keeps secrets, else below the root', () => {
    assert.equal(secretsFolder('/etc/pve/cni'), '/etc/pve/priv/cni');
    assert.equal(secretsFolder('/etc/pve-cni/cluster'), '/etc/pve-cni/cluster/priv');
  });
});
