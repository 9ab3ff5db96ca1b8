import { parseCidr } from '../core/ip.ts';

/** What of a container's configuration file makes its identity. The files are untrusted: a line that is none is left out. */

export interface ConfigFacts {
  /** null: none, or none that a host can have */
  name: string | null;
  tags: string[];
  /** volume of its hookscript; '' for none */
  hookscript: string;
  /** interfaces that Proxmox makes */
  nics: Nic[];
}

export interface Nic {
  /** inside the container */
  ifname: string;
  bridge: string;
  /** static ones, with prefix length */
  addresses: string[];
}

/** characters of a volume's name that are shown */
const maxVolume = 256;
/** more than the panel of Proxmox shows, and fewer than a label set may hold */
const maxTags = 128;
const hostName = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;
/** pve-common, JSONSchema.pm, `pve-tag` */
const tagName = /^[a-z0-9_][a-z0-9_+.-]{0,127}$/;

/** `/etc/pve/lxc/VMID.conf`: the configuration that is in force, which ends where the first section begins, of a snapshot or of pending
 *  changes. As in Proxmox the last line of a key counts (pve-container, LXC/Config.pm, `parse_pct_config`). */
export function parseProxmoxConfig(text: string): ConfigFacts {
  const values = new Map<string, string>();
  for (const line of linesOf(text)) {
    if (line.startsWith('[')) break;
    const at = line.indexOf(':');
    if (at > 0 && !line.startsWith('#')) values.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  const nics = [...values].filter(([key]) => /^net\d{1,2}$/.test(key)).map(([, text]) => nicOf(text));
  return {
    name: nameOf(values.get('hostname')),
    tags: tagsOf(values.get('tags') ?? ''),
    hookscript: (values.get('hookscript') ?? '').slice(0, maxVolume),
    nics,
  };
}

/** `LXCPATH/VMID/config` of plain LXC, without what it includes. Tags are Proxmox's alone. */
export function parseLxcConfig(text: string): ConfigFacts {
  let name: string | null = null;
  for (const line of linesOf(text)) {
    const at = line.indexOf('=');
    if (at > 0 && line.slice(0, at).trim() === 'lxc.uts.name') name = nameOf(line.slice(at + 1).trim());
  }
  return { name, tags: [], hookscript: '', nics: [] };
}

export function linesOf(text: string): string[] {
  return text.split(/\r?\n/);
}

/** `name=eth0,bridge=vmbr0,hwaddr=…,ip=10.0.0.5/24,gw=…` (pve-container, LXC/Config.pm, `$netconf_desc`) */
function nicOf(text: string): Nic {
  const fields = new Map(text.split(',').map((field) => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)]));
  const addresses = ['ip', 'ip6'].map((key) => fields.get(key) ?? '').filter((value) => parseCidr(value) !== null);
  return { ifname: fields.get('name') ?? '', bridge: fields.get('bridge') ?? '', addresses };
}

function nameOf(text: string | undefined): string | null {
  return text !== undefined && hostName.test(text) ? text : null;
}

/** In lower case, as Proxmox compares them unless it is told otherwise. */
function tagsOf(text: string): string[] {
  const tags = text.toLowerCase().split(/[;,\s\0]+/);
  return [...new Set(tags.filter((tag) => tagName.test(tag)))].slice(0, maxTags);
}
