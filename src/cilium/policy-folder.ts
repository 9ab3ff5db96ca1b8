import { createHash, randomBytes } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { AgentPolicy } from '../core/agent-policy.ts';
import { exists, readTextUpTo, writeDurably } from '../host/files.ts';
import { failure } from '../model/errors.ts';

/** The folder that Cilium's agent reads its policies from, one a file. The agent ends itself when it cannot read one (a file that is not
 *  what it should be, but also one that is gone when it comes to read it), so that whatever is done here leaves a good file in place.
 *  INVARIANT: a file is never removed while the agent may have an event of it before it; see `tidy` in policies.ts. */

/** more than the largest policy file makes */
const maxBytes = 8 * 1024 * 1024;

/** What a file of the folder is: written by us and unchanged, written by us and changed by somebody, or somebody's. */
export type Owner = 'ours' | 'changed' | 'foreign';
export interface FolderFile {
  /** web.yaml */
  file: string;
  owner: Owner;
  /** null: it is no regular file, or cannot be read */
  text: string | null;
}

export interface PolicyFolder {
  readonly path: string;
  isThere(): Promise<boolean>;
  /** Tells of every change from now on, of ours too; nothing happens when it tells already. False: there is nothing to watch. */
  watch(tell: () => void): boolean;
  unwatch(): void;
  /** Files that the agent would read. */
  files(): Promise<FolderFile[]>;
  /** The old file or the new one is there at every moment, and after a power cut. */
  write(file: string, text: string): Promise<void>;
  remove(file: string): Promise<void>;
  /** Keeps what somebody put there out of the agent's sight; a text is copied, anything else moved. Gives where it is now. */
  setAside(file: FolderFile): Promise<string>;
}

export function createPolicyFolder({ path }: { path: string }): PolicyFolder {
  const aside = join(dirname(path), 'policies.aside');
  let watcher: FSWatcher | null = null;

  function forget(): void {
    watcher?.close();
    watcher = null;
  }

  return {
    path,
    isThere: () => exists(path),
    watch(tell) {
      if (watcher) return true;
      try {
        watcher = watch(path, { persistent: false }, (event, name) => {
          if (name?.endsWith('.yaml')) tell();
          // the folder itself went: its watcher sees nothing more
          else if (event === 'rename' && name === path.slice(path.lastIndexOf('/') + 1)) forget();
        });
        watcher.on('error', forget);
        return true;
      } catch {
        return false;
      }
    },
    unwatch: forget,
    async files() {
      await mkdir(path, { recursive: true, mode: 0o700 });
      const names = (await readdir(path)).filter((name) => name.endsWith('.yaml'));
      return Promise.all(
        names.sort().map(async (file) => {
          const regular = (await lstat(join(path, file)).catch(() => null))?.isFile() ?? false;
          const text = regular ? await readTextUpTo(join(path, file), maxBytes) : null;
          return { file, text, owner: text === null ? 'foreign' : ownerOf(text) };
        }),
      );
    },
    async write(file, text) {
      try {
        await writeDurably(join(path, file), text);
      } catch (error) {
        const why = (error as NodeJS.ErrnoException).code ?? String(error);
        throw failure(
          'STATE_WRITE_FAILED',
          `cannot write ${join(path, file)}: ${why}; what the agent has stays as it is`,
          { path: file },
          error,
        );
      }
    },
    remove: (file) => rm(join(path, file), { force: true }),
    async setAside({ file, text }) {
      await mkdir(aside, { recursive: true, mode: 0o700 });
      const to = join(aside, `${file}.${randomBytes(4).toString('hex')}`);
      if (text === null) await rename(join(path, file), to);
      else await writeDurably(to, text);
      return to;
    },
  };
}

const firstLine = '# written by pve-cni and written again when it is changed; see pve-cni policy list';

/** A policy as its file. What is below the comments is JSON, which is YAML. */
export function fileText(policy: AgentPolicy): string {
  const body = `${JSON.stringify(policy, null, 1)}\n`;
  return `${firstLine}\n# sha256:${digest(body)}\n${body}`;
}

function ownerOf(text: string): Owner {
  if (!text.startsWith(firstLine)) return 'foreign';
  const [, mark = '', ...body] = text.split('\n');
  return mark === `# sha256:${digest(body.join('\n'))}` ? 'ours' : 'changed';
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
