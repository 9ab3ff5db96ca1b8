import { agentUnit, type CiliumPaths, embeddedEtcd, etcdUnit } from './cilium-agent.ts';

/** Files outside our own folders that an installation writes, as text. */

/** Sorts after those of distributions, one of which sets rp_filter of every new link. */
export const sysctlFile = '99-zzz-pve-cni-cilium.conf';

/** Reverse-path filters drop what Cilium's programs turn round. The agent sets them off, but udev sets each new link anew
 *  (systemd's 50-default.conf), a moment later. */
export const sysctlText = `# written by pve-cni cilium install
-net.ipv4.conf.lxc*.rp_filter = 0
-net.ipv4.conf.cilium_*.rp_filter = 0
net.ipv4.conf.all.rp_filter = 0
`;

/** Units by name. Etcd's only where it is embedded. */
export function unitFiles(options: { paths: CiliumPaths; node: string; embedded: boolean; etcdBinary: string }): Record<string, string> {
  const { paths, node, embedded, etcdBinary } = options;
  return { [agentUnit]: agentUnitText(paths, node, embedded), ...(embedded && { [etcdUnit]: etcdUnitText(paths, etcdBinary) }) };
}

function agentUnitText(paths: CiliumPaths, node: string, embedded: boolean): string {
  const after = ['network-online.target', 'sys-fs-bpf.mount', ...(embedded ? [etcdUnit] : [])].join(' ');
  return `# written by pve-cni cilium install; your own settings belong in a drop-in: systemctl edit ${agentUnit}
[Unit]
Description=Cilium's agent, for pve-cni
Wants=network-online.target${embedded ? ` ${etcdUnit}` : ''}
After=${after}
StartLimitIntervalSec=0

[Service]
# No setting here may give the agent a mount namespace of its own (ProtectSystem, PrivateTmp and the like): its programs are pinned
# in the host's bpffs, and would go with it.
ExecStartPre=/bin/sh -c "mountpoint -q /sys/fs/bpf || exec mount -t bpf bpf /sys/fs/bpf"
ExecStart=${word(`${paths.current}/cilium-agent`)} ${word(`--config-dir=${paths.configDir}`)}
Environment=${word(`K8S_NODE_NAME=${node}`)} HOME=/root
Environment=${word(`PATH=${paths.current}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`)}
Restart=always
RestartSec=2
TimeoutStopSec=30
LimitNOFILE=1048576
LimitMEMLOCK=infinity
OOMScoreAdjust=-900

[Install]
WantedBy=multi-user.target
`;
}

function etcdUnitText(paths: CiliumPaths, binary: string): string {
  const peers = peerUrl(embeddedEtcd);
  const flags = {
    name: 'pve-cni',
    'data-dir': paths.etcdData,
    'listen-client-urls': embeddedEtcd,
    'advertise-client-urls': embeddedEtcd,
    'listen-peer-urls': peers,
    'initial-advertise-peer-urls': peers,
    'initial-cluster': `pve-cni=${peers}`,
    'auto-compaction-retention': '1',
  };
  const command = [binary, ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)].map(word).join(' ');
  return `# written by pve-cni cilium install
[Unit]
Description=Etcd for Cilium's agent of this node, for pve-cni
After=local-fs.target

[Service]
Type=notify
ExecStart=${command}
Restart=always
RestartSec=2
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=${word(paths.etcdData)}
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
`;
}

/** The port after the clients'. */
function peerUrl(clientUrl: string): string {
  return clientUrl.replace(/\d+$/, (port) => String(Number(port) + 1));
}

/** One word of a unit's line: quoted where need be, with what systemd would replace (`%`, `$`) doubled; systemd.service(5). */
function word(text: string): string {
  const escaped = text.replaceAll('%', '%%').replaceAll('$', () => '$$');
  return /^[\w@%+=:,./$-]+$/.test(escaped) ? escaped : `"${escaped.replace(/["\\]/g, '\\$&')}"`;
}
