import { closeSync, existsSync, fsync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { CniAttachment, CniResult } from '../model/cni.ts';
import { failure } from '../model/errors.ts';
import { containerId as containerIdName, ifname as ifnameName } from '../model/names.ts';
import { conflistFrom } from './conflist.ts';
import { isObject } from './json.ts';
import { parseResult, resultForVersion } from './result.ts';
import type { CachedAttachment } from './runtime.ts';

/** The specification's persistent store of results, in libcni's place and form, so that its tools read it and the
 *  other way round. A file is whole or absent, whenever the power fails. */
export interface ResultCache {
  /** Survives the end of this process when the call returns, and a power cut when its promise resolves. One at a time for
   *  an attachment. @throws StateError STATE_WRITE_FAILED, at once where it can be known at once */
  write(attachment: CniAttachment, result: CniResult | null, state?: 'unfinished'): Promise<void>;
  /** what ADD was given and answered; null when nothing usable is there */
  read(attachment: CniAttachment): Promise<CachedAttachment | null>;
  /** @throws StateError STATE_WRITE_FAILED */
  remove(attachment: CniAttachment): Promise<void>;
  /** the other interfaces of the same container on the same network */
  siblings(attachment: CniAttachment): Promise<CachedAttachment[]>;
  list(): Promise<{ entries: CachedAttachment[]; damaged: string[] }>;
}

/** libcni's CNICacheV1 */
const kind = 'cniCacheV1';
/** our own key, which libcni passes over */
const unfinished = 'pveCniUnfinished';
const sync = promisify(fsync);

export function createResultCache(cacheDir: string): ResultCache {
  const folder = `${cacheDir}/results`;
  /** temporary files of writes in progress: any other one is what a power cut left */
  const writing = new Set<string>();

  const readNames = async (names: string[]) => {
    const whole = (name: string) => (name.startsWith('.') ? null : readEntry(`${folder}/${name}`));
    // one after the other: a thousand at once would be in memory together
    const read: { name: string; entry: CachedAttachment | null }[] = [];
    for (const name of names) read.push({ name, entry: await whole(name) });
    return {
      entries: read.flatMap(({ entry }) => (entry ? [entry] : [])),
      damaged: read.flatMap(({ name, entry }) => (entry ? [] : [`${folder}/${name}`])),
    };
  };
  const namesInFolder = async () => (await readdir(folder).catch(() => [])).filter((name) => !writing.has(name)).sort();

  return {
    write(attachment, result, state) {
      const name = fileName(attachment);
      const temporary = `.${name}.tmp`;
      const content = JSON.stringify({ ...toFile(attachment, result), ...(state && { [unfinished]: true }) });
      const fail = (error: unknown) => {
        try {
          rmSync(`${folder}/${temporary}`, { force: true });
        } catch {
          // the reason for the failure is told
        }
        throw notWritten(`${folder}/${name}`, 'write', error);
      };
      writing.add(temporary);
      const done = () => void writing.delete(temporary);
      try {
        return writeDurably(folder, temporary, name, content).catch(fail).finally(done);
      } catch (error) {
        done();
        return fail(error);
      }
    },
    async read(attachment) {
      const name = fileName(attachment);
      // a temporary file is newer than the file; one that is not whole is what a power cut left
      const entry = (await readEntry(`${folder}/.${name}.tmp`)) ?? (await readEntry(`${folder}/${name}`));
      // "a-b" of "c" and "a" of "b-c" share a file name; only what the file says counts
      return entry && fileKey(entry) === fileKey(attachment) ? entry : null;
    },
    async remove(attachment) {
      const name = fileName(attachment);
      try {
        await rm(`${folder}/${name}`, { force: true });
        await rm(`${folder}/.${name}.tmp`, { force: true });
      } catch (error) {
        throw notWritten(`${folder}/${name}`, 'remove', error);
      }
    },
    async siblings(attachment) {
      const { conflist, containerId, ifname } = attachment;
      const prefix = `${conflist.name}-${containerId}-`;
      const { entries } = await readNames((await namesInFolder()).filter((name) => name.startsWith(prefix)));
      return entries.filter((one) => one.conflist.name === conflist.name && one.containerId === containerId && one.ifname !== ifname);
    },
    list: async () => readNames(await namesInFolder()),
  };
}

function fileName({ conflist, containerId, ifname }: CniAttachment): string {
  return `${conflist.name}-${containerId}-${ifname}`;
}

function fileKey({ conflist, containerId, ifname }: CniAttachment): string {
  return `${conflist.name}/${containerId}/${ifname}`;
}

/** libcni's cachedInfo (libcni/api.go) */
function toFile({ conflist, containerId, netns, ifname, args, capabilityArgs }: CniAttachment, result: CniResult | null) {
  return {
    kind,
    containerId,
    config: Buffer.from(JSON.stringify(conflist)).toString('base64'),
    ifName: ifname,
    networkName: conflist.name,
    ...(netns && { netns }),
    ...(Object.keys(args).length > 0 && { cniArgs: Object.entries(args) }),
    ...(Object.keys(capabilityArgs).length > 0 && { capabilityArgs }),
    ...(result && { result: resultForVersion(result, conflist.cniVersion) }),
  };
}

async function readEntry(file: string): Promise<CachedAttachment | null> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (!isObject(value) || value.kind !== kind) return null;
    const { config, netns = '', cniArgs, capabilityArgs, result } = value;
    const conflist = conflistFrom(JSON.parse(Buffer.from(String(config), 'base64').toString('utf8')), file);
    const parsed = result === undefined ? null : parseResult(result, conflist.cniVersion);
    return {
      conflist,
      containerId: containerIdName.parse(value.containerId),
      ifname: ifnameName.parse(value.ifName),
      netns: typeof netns === 'string' ? netns : '',
      args: Array.isArray(cniArgs) ? Object.fromEntries(cniArgs.map(([key, one]: [unknown, unknown]) => [String(key), String(one)])) : {},
      capabilityArgs: isObject(capabilityArgs) ? capabilityArgs : {},
      result: parsed && !('invalid' in parsed) ? parsed : null,
      ...(value[unfinished] === true && { unfinished: true }),
      file,
    };
  } catch {
    return null;
  }
}

/** Temporary file, fsync, rename, fsync of the folder: after a power cut the old file or the new one, whole. What does
 *  not wait for the disk is synchronous: each hop to the thread pool costs more than the call (measured 1.2 → 0.7 ms).
 *  A file that takes another's place needs no fsync of the folder: either one may be there after a power cut, which takes
 *  with it what the newer one is about. Throws at once when the file cannot be written. */
function writeDurably(folder: string, temporary: string, name: string, content: string): Promise<void> {
  const path = `${folder}/${temporary}`;
  const file = openOrMakeFolder(path, folder);
  const replaces = existsSync(`${folder}/${name}`);
  try {
    writeFileSync(file, content);
  } catch (error) {
    closeSync(file);
    throw error;
  }
  return syncAndClose(file).then(() => {
    renameSync(path, `${folder}/${name}`);
    return replaces ? undefined : syncAndClose(openSync(folder, 'r'));
  });
}

function syncAndClose(file: number): Promise<void> {
  return sync(file).finally(() => closeSync(file));
}

function openOrMakeFolder(path: string, folder: string): number {
  try {
    return openSync(path, 'w', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return openSync(path, 'w', 0o600);
  }
}

function notWritten(path: string, what: string, cause: unknown) {
  const why = cause instanceof Error ? cause.message : String(cause);
  return failure('STATE_WRITE_FAILED', `cannot ${what} the cached CNI result ${path}: ${why}`, { path }, cause);
}
