import { lstat, readdir, stat } from 'node:fs/promises';
import { failure } from '../model/errors.ts';
import { type ConfigFacts, type Nic, parseLxcConfig, parseProxmoxConfig } from './container-config.ts';
import { parsePools } from './pools.ts';

/** What of a container's identity Proxmox says, or LXC where there is no Proxmox. */
export interface ContainerFacts {
  name: string;
  /** in lower case */
  tags: string[];
  pool: string | null;
}

export interface ProxmoxFacts {
  /** While the cluster filesystem is not there, what it said last.
   *  @throws ProxmoxError PROXMOX_UNAVAILABLE when it is not there and never was since the service began */
  of(vmid: number): Promise<ContainerFacts>;
  /** Interfaces that Proxmox makes for the container; none without Proxmox. */
  nics(vmid: number): Promise<Nic[]>;
  /** Another text whenever the facts of a container may have changed, and seldom otherwise. Cheap: for asking every second. */
  version(): Promise<string>;
}

export interface ProxmoxFactsOptions {
  /** where the cluster filesystem is mounted; there is no Proxmox when this does not exist */
  pveDir: string;
  /** where LXC keeps its containers */
  lxcPath: string;
  /** text of a file of at most so many bytes; null when it cannot be had */
  readText: (path: string, maxBytes: number) => Promise<string | null>;
}

/** the cluster filesystem holds no larger file (facts of pmxcfs: memdb.h) */
const maxBytes = 1024 * 1024;
/** filesystems of clusters keep whole seconds: a file this young may change again unseen */
const settledAfterMs = 3000;

export function createProxmoxFacts({ pveDir, lxcPath, readText }: ProxmoxFactsOptions): ProxmoxFacts {
  const last = new Map<number, ContainerFacts>();
  let looks = 0;

  async function configOf(vmid: number): Promise<ConfigFacts | null> {
    // a container of this node first; in the middle of a migration it may be another's
    const own = await readText(`${pveDir}/lxc/${vmid}.conf`, maxBytes);
    if (own !== null) return parseProxmoxConfig(own);
    for (const node of await namesIn(`${pveDir}/nodes`)) {
      const text = await readText(`${pveDir}/nodes/${node}/lxc/${vmid}.conf`, maxBytes);
      if (text !== null) return parseProxmoxConfig(text);
    }
    return null;
  }

  async function lxcConfigOf(vmid: number): Promise<ConfigFacts | null> {
    const text = await readText(`${lxcPath}/${vmid}/config`, maxBytes);
    return text === null ? null : parseLxcConfig(text);
  }

  return {
    async of(vmid) {
      const state = await stateOf(pveDir);
      if (state === 'absent') return { name: (await lxcConfigOf(vmid))?.name ?? String(vmid), tags: [], pool: null };
      const config = (await configOf(vmid)) ?? (await lxcConfigOf(vmid));
      const users = await readText(`${pveDir}/user.cfg`, maxBytes);
      // what went away while it was read says nothing about what is missing
      if (state === 'mounted' && (await stateOf(pveDir)) === 'mounted') {
        const pool = users === null ? null : (parsePools(users).get(vmid) ?? null);
        // Proxmox's own name of a container that was given none
        const facts = { name: config?.name ?? `CT${vmid}`, tags: config?.tags ?? [], pool };
        last.set(vmid, facts);
        return facts;
      }
      const known = last.get(vmid);
      if (known) return known;
      throw failure(
        'PROXMOX_UNAVAILABLE',
        `cannot say name, tags and pool of container ${vmid}: the cluster filesystem is not mounted at ${pveDir}; start pve-cluster`,
        { vmid, path: pveDir },
      );
    },
    async nics(vmid) {
      return (await configOf(vmid))?.nics ?? [];
    },
    async version() {
      looks += 1;
      const state = await stateOf(pveDir);
      if (state === 'unmounted') return 'unmounted';
      const counted = state === 'mounted' ? await readText(`${pveDir}/.version`, maxBytes) : null;
      if (counted !== null) return countersOf(counted);
      const files =
        state === 'mounted'
          ? [`${pveDir}/user.cfg`, ...(await namesIn(`${pveDir}/lxc`)).map((name) => `${pveDir}/lxc/${name}`)]
          : (await namesIn(lxcPath)).map((name) => `${lxcPath}/${name}/config`);
      const stamps = await Promise.all(files.map(stampOf));
      const young = stamps.some((one) => one?.young);
      const text = stamps.map((one, index) => (one ? `${files[index]} ${one.text}` : '')).join('\n');
      return young ? `${text}\n${looks}` : text;
    },
  };
}

/** `local` is there as long as the filesystem is mounted; an unmounted one is a plain folder. */
async function stateOf(pveDir: string): Promise<'absent' | 'unmounted' | 'mounted'> {
  const isThere = (path: string) =>
    lstat(path).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
    );
  if (!(await isThere(pveDir))) return 'absent';
  return (await lstat(`${pveDir}/local`).catch(() => null)) ? 'mounted' : 'unmounted';
}

/** Proxmox counts the changes itself: `vmlist` those of all containers' files, `user.cfg` those of the pools. */
function countersOf(text: string): string {
  const counters = /"(starttime|vmlist|user\.cfg)"\s*:\s*(\d+)/g;
  return [...text.matchAll(counters)].map(([, name, count]) => `${name} ${count}`).join(' ');
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}

async function stampOf(file: string): Promise<{ text: string; young: boolean } | null> {
  const found = await stat(file).catch(() => null);
  return found && { text: `${found.mtimeMs} ${found.size} ${found.ino}`, young: Math.abs(Date.now() - found.mtimeMs) < settledAfterMs };
}
