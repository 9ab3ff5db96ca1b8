import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Conflist } from '../../src/model/cni.ts';

export const pluginDir = ['/opt/cni/bin', '/usr/lib/cni'].find((folder) => existsSync(`${folder}/bridge`)) ?? '/usr/lib/cni';
const bridge = 'bench0';

/** Five plugins, as a plain configuration list has them. host-local's folder is the caller's. */
export function fivePlugins(dataDir: string): Conflist {
  return {
    cniVersion: '1.0.0',
    name: 'bench',
    plugins: [
      {
        type: 'bridge',
        bridge,
        isGateway: true,
        ipam: { type: 'host-local', dataDir, ranges: [[{ subnet: '10.213.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
      { type: 'firewall' },
      { type: 'tuning', sysctl: { 'net.ipv4.conf.all.accept_redirects': '0' } },
      { type: 'bandwidth', ingressRate: 1e9, ingressBurst: 1e9, egressRate: 1e9, egressBurst: 1e9 },
    ],
  };
}

/** The bridge is there before either side begins, so that neither pays for it. */
export function makeBridge(): void {
  execFileSync('ip', ['link', 'add', bridge, 'type', 'bridge']);
  execFileSync('ip', ['address', 'add', '10.213.0.1/16', 'dev', bridge]);
  execFileSync('ip', ['link', 'set', bridge, 'up']);
}

export function removeBridge(): void {
  execFileSync('ip', ['link', 'delete', bridge]);
}
