// Stands in for Proxmox's cluster filesystem: an ordinary folder with the files that the service reads there.
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ProxmoxFolder {
  /** for the setting `pveDir` */
  path: string;
  /** writes a container's configuration, whole and with another name first, as Proxmox does */
  write(vmid: number, text: string, node?: string): void;
  /** the same from its facts */
  set(vmid: number, facts: { hostname?: string; tags?: readonly string[] }): void;
  /** writes user.cfg: pool → containers */
  pools(pools: Record<string, readonly number[]>): void;
  /** the container is destroyed */
  remove(vmid: number): void;
  unmount(): void;
  mount(): void;
}

export function createProxmoxFolder(path: string, node = 'node1'): ProxmoxFolder {
  const fileOf = (vmid: number, on = node) => join(path, 'nodes', on, 'lxc', `${vmid}.conf`);
  const replace = (file: string, text: string) => {
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(`${file}.tmp.1`, text);
    renameSync(`${file}.tmp.1`, file);
  };
  mkdirSync(join(path, 'nodes', node, 'lxc'), { recursive: true });
  symlinkSync(`nodes/${node}`, join(path, 'local'));
  symlinkSync(`nodes/${node}/lxc`, join(path, 'lxc'));
  return {
    path,
    write: (vmid, text, on) => replace(fileOf(vmid, on), text),
    set(vmid, { hostname, tags = [] }) {
      const lines = ['arch: amd64', ...(hostname ? [`hostname: ${hostname}`] : []), 'memory: 512', 'ostype: debian'];
      replace(fileOf(vmid), `${[...lines, ...(tags.length > 0 ? [`tags: ${tags.join(';')}`] : [])].join('\n')}\n`);
    },
    pools(pools) {
      const lines = Object.entries(pools).map(([name, vmids]) => `pool:${name}::${vmids.join(',')}::`);
      replace(join(path, 'user.cfg'), `user:root@pam:1:0:::::x:\n\n\n${lines.join('\n')}\n\n\n\n`);
    },
    remove: (vmid) => rmSync(fileOf(vmid)),
    unmount: () => renameSync(path, `${path}.unmounted`) ?? mkdirSync(path),
    mount() {
      rmSync(path, { recursive: true });
      renameSync(`${path}.unmounted`, path);
    },
  };
}
