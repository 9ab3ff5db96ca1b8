import { randomBytes } from 'node:crypto';
import { mkdir, open, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ipsecKeyBytes, ipsecKeyNumber, ipsecKeyText, ipsecRotationMs, nextIpsecKeyNumber } from '../core/ipsec-keys.ts';
import type { Host } from '../host/host.ts';
import { failure } from '../model/errors.ts';

/** The cluster's IPsec key: made once by whichever node is first, changed by whoever rotates it, copied by each node to where its agent
 *  watches it, since a cluster file system tells no watcher what other nodes write. It is never shown. */
export interface IpsecKeys {
  /** Makes the cluster's key unless there is one, and copies it. Gives its number. @throws CNIError CILIUM_KEY_INVALID */
  ensure(): Promise<number>;
  /** Copies the cluster's key when it is another one. Null: there is none now, and the node keeps what it has. */
  sync(): Promise<number | null>;
  /** Replaces the cluster's key by a new one. @throws CNIError CILIUM_BUSY while the last change may still be on its way */
  rotate(options: { force: boolean }): Promise<{ from: number; to: number }>;
}

/** A file that was begun this long ago has no maker any more, ms. */
const abandonedMs = 60_000;
const patienceMs = 5000;

export function createIpsecKeys(options: {
  host: Pick<Host, 'readText' | 'writeDurably'>;
  shared: string;
  local: string;
  now: () => number;
}): IpsecKeys {
  const { host, shared, local, now } = options;

  /** Null: there is none, or one that is being made. */
  async function sharedKey(): Promise<{ text: string; number: number } | null> {
    const text = await host.readText(shared);
    if (text === null || text === '') return null;
    const number = ipsecKeyNumber(text);
    if (number !== null) return { text, number };
    throw failure('CILIUM_KEY_INVALID', `${shared} holds no IPsec key as Cilium reads it: NUMBER+ rfc4106(gcm(aes)) KEY 128`, {
      path: shared,
    });
  }

  async function copy({ text, number }: { text: string; number: number }): Promise<number> {
    if ((await host.readText(local)) !== text) await host.writeDurably(local, text);
    return number;
  }

  async function sync(): Promise<number | null> {
    const key = await sharedKey();
    return key && copy(key);
  }

  async function ensure(): Promise<number> {
    const end = performance.now() + patienceMs;
    for (;;) {
      const key = await sharedKey();
      if (key) return copy(key);
      if (performance.now() > end)
        throw failure('CILIUM_KEY_INVALID', `cannot make the IPsec key: ${shared} stays empty`, { path: shared });
      await mkdir(dirname(shared), { recursive: true, mode: 0o700 });
      if (await begin(shared, ipsecKeyText(1, randomBytes(ipsecKeyBytes).toString('hex')), now())) continue;
      await pause(100);
    }
  }

  async function rotate({ force }: { force: boolean }): Promise<{ from: number; to: number }> {
    // two keys of one number would cut nodes off from each other
    const lock = `${shared}.rotating`;
    const before = await sharedKey();
    if (before === null)
      throw failure('CILIUM_KEY_INVALID', `there is no IPsec key ${shared} to rotate; set cilium.encryption: ipsec first`, {
        path: shared,
      });
    if (!(await begin(lock, String(process.pid), now())))
      throw failure('CILIUM_BUSY', `cannot rotate the IPsec key: somebody else does (${lock})`, { path: lock });
    try {
      const from = (await sharedKey()) ?? before;
      const ageMs = now() - (await stat(shared)).mtimeMs;
      if (ageMs < ipsecRotationMs && !force)
        throw failure(
          'CILIUM_BUSY',
          `cannot rotate the IPsec key: number ${from.number} is ${Math.round(ageMs / 1000)} s old, and agents may still be taking it up; repeat in ${Math.ceil((ipsecRotationMs - ageMs) / 1000)} s, or with --force`,
          { path: shared },
        );
      const to = nextIpsecKeyNumber(from.number);
      await host.writeDurably(shared, ipsecKeyText(to, randomBytes(ipsecKeyBytes).toString('hex')));
      await sync();
      return { from: from.number, to };
    } finally {
      await rm(lock, { force: true });
    }
  }

  return { ensure, sync, rotate };
}

/** Makes a file that nobody else has made: O_EXCL has one winner in the whole cluster. What was begun long ago is cleared away. */
async function begin(path: string, text: string, nowMs: number): Promise<boolean> {
  const there = await stat(path).catch(() => null);
  if (there && nowMs - there.mtimeMs > abandonedMs) await rm(path, { force: true });
  const file = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return null;
    throw error;
  });
  if (!file) return false;
  try {
    await writeFile(file, text);
    await file.sync();
  } finally {
    await file.close();
  }
  return true;
}
