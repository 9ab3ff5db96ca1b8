import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readTextUpTo } from '../../../src/host/files.ts';
import { type bridgePlaces, checkBridge } from '../../../src/manager/bridge-check.ts';

const now = 1_800_000_000_000;
const tag = '<script type="text/javascript" src="/pve2/js/pvemanagerlib.js?ver=[% version %]"></script>';

describe('what doctor says of the API bridge', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pve-cni-bridge-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** A node on which all is well, but for the changes: place → text, null removes it. */
  async function findings(changes: Record<string, string | null> = {}, startedSecondsAgo: number | null = 100) {
    const note = JSON.stringify({ version: '1.2.3', pid: 1, time: now / 1000 - 101 });
    const files: Record<string, string | null> = {
      proxmox: 'package PVE::API2;',
      shim: '# pve-cni API shim 1.\n',
      routes: '{\n  "format": 1,\n  "version": "1.2.3",\n',
      page: `<head>${tag}</head>`,
      panel: '//',
      'notes/pvedaemon': note,
      'notes/pveproxy': note,
      'pid/pvedaemon': '41\n',
      'pid/pveproxy': '42\n',
      ...changes,
    };
    for (const [name, text] of Object.entries(files)) {
      const file = join(folder, name);
      mkdirSync(dirname(file), { recursive: true });
      if (text !== null) writeFileSync(file, text);
    }
    const at = (name: string) => join(folder, name);
    const places = {
      proxmox: at('proxmox'),
      shim: at('shim'),
      routes: at('routes'),
      killSwitch: at('killSwitch'),
      page: at('page'),
      panel: at('panel'),
      notes: at('notes'),
      pidFiles: { pvedaemon: at('pid/pvedaemon'), pveproxy: at('pid/pveproxy') },
    };
    const host = {
      readTextUpTo: async (path: string, bytes: number) => (path === '/proc/uptime' ? '1000.00 1.00\n' : readTextUpTo(path, bytes)),
      startTimeOf: async (pid: number) => {
        assert.ok(pid === 41 || pid === 42);
        return startedSecondsAgo === null ? null : String((1000 - startedSecondsAgo) * 100);
      },
    };
    return checkBridge({ host, version: '1.2.3', clock: () => now }, places as typeof bridgePlaces);
  }

  it('is content when both daemons have loaded it and the page has its place', async () => {
    assert.deepEqual(
      (await findings()).map(({ state }) => state),
      ['ok'],
    );
  });

  it('does not look where there is no Proxmox', async () => {
    assert.deepEqual(
      (await findings({ proxmox: null })).map(({ state }) => state),
      ['skipped'],
    );
  });

  const cases: [string, Record<string, string | null>, RegExp, 'bad' | 'warning'][] = [
    ['the kill switch', { killSwitch: '' }, /switched off by/, 'warning'],
    ['a shim that is not there', { shim: null }, /is not there: Proxmox’s API does not know us/, 'bad'],
    ['a shim of somebody else', { shim: '# another\n' }, /somebody else’s/, 'bad'],
    ['routes that are not there', { routes: null }, /missing or broken/, 'bad'],
    ['a bridge of another version', { routes: '"version": "1.2.2"' }, /of version 1\.2\.2, the service of 1\.2\.3/, 'warning'],
    ['a panel that is not there', { panel: null }, /no panel/, 'warning'],
    ['a page without the tag', { page: '<head></head>' }, /not as we know it/, 'warning'],
    ['a page with two of them', { page: tag + tag }, /not as we know it/, 'warning'],
    ['a daemon without a note', { 'notes/pvedaemon': null }, /pvedaemon has not loaded/, 'bad'],
    ['a note that is broken', { 'notes/pveproxy': '{"version":' }, /pveproxy has not loaded/, 'bad'],
    ['a note that is huge', { 'notes/pveproxy': ' '.repeat(2_000_000) }, /pveproxy has not loaded/, 'bad'],
    [
      'a note of an earlier daemon',
      { 'notes/pvedaemon': JSON.stringify({ version: '1.2.3', time: now / 1000 - 500 }) },
      /has not loaded/,
      'bad',
    ],
    ['an error', { 'notes/pvedaemon': JSON.stringify({ error: 'ouch', time: now / 1000 - 99 }) }, /could not load our API: ouch/, 'bad'],
    [
      'a daemon with an old version',
      { 'notes/pveproxy': JSON.stringify({ version: '1', time: now / 1000 - 99 }) },
      /has loaded version 1 /,
      'warning',
    ],
    ['a daemon without a pid', { 'pid/pveproxy': null }, /pveproxy does not run/, 'warning'],
  ];
  for (const [name, changes, message, state] of cases)
    it(`sees ${name}`, async () => {
      const found = await findings(changes);
      assert.equal(found.length, 1, JSON.stringify(found));
      assert.match(found[0]?.message ?? '', message);
      assert.equal(found[0]?.state, state);
      assert.ok(found[0]?.cure);
    });

  it('takes a reload, after which the note is newer than the process, for what it is', async () => {
    const note = JSON.stringify({ version: '1.2.3', time: now / 1000 - 1 });
    assert.deepEqual(
      (await findings({ 'notes/pvedaemon': note, 'notes/pveproxy': note }, 50_000 / 60)).map(({ state }) => state),
      ['ok'],
    );
  });

  it('sees a daemon that has died', async () => {
    assert.deepEqual(
      (await findings({}, null)).map(({ message }) => message),
      ['pvedaemon does not run', 'pveproxy does not run'],
    );
  });
});
