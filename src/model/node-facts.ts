/** What was seen of a node before Cilium's agent is put on it: facts, no judgement. */
export interface NodeFacts {
  kernel: {
    /** as uname prints it: 6.8.12-4-pve */
    release: string;
    /** names of the file systems that the kernel has */
    filesystems: readonly string[];
    /** whether it describes its own types (BTF), which also says that it has the bpf() system call */
    btf: boolean;
  };
  /** whether the kernel did what was asked, in a throw-away network namespace; a sentence says why not */
  probes: Record<KernelProbe, true | string>;
  mounts: {
    /** file systems at /sys/fs/bpf, '' for none */
    bpffs: string;
    /** the service's mount namespace is the host's */
    ofHost: boolean;
  };
  /** 0 off, 1 strict, 2 loose: net.ipv4.conf.all.rp_filter */
  rpFilter: number;
  devices: readonly DeviceFacts[];
  /** what the node reaches, and through what; default routes are left out */
  reached: readonly { cidr: string; link: string; what: 'address' | 'route' }[];
  /** links of type vxlan with the port that they take */
  vxlans: readonly { link: string; port: number }[];
  /** first line of what each tool says of its version; null: not installed */
  tools: Record<NodeTool, string | null>;
  /** why each endpoint of etcd is not healthy; null: it is */
  etcd: readonly { endpoint: string; problem: string | null }[];
  firewall: {
    /** why the rules could not be read; null: they were */
    unread: string | null;
    /** what filters what comes in, null for nothing */
    filters: string | null;
    /** ports that a rule names, whatever it does with them */
    ports: readonly number[];
    /** whether a rule names ESP */
    esp: boolean;
  };
  /** free where the agent would be unpacked */
  freeMegabytes: number;
}

export interface DeviceFacts {
  name: string;
  exists: boolean;
  up: boolean;
  /** with prefix length, those of the link itself left out */
  addresses: readonly string[];
  /** who else sees its packets: XDP programs, tc filters, tcx programs that are not Cilium's */
  hooks: readonly string[];
}

export const kernelProbes = ['veth', 'vxlan', 'clsact', 'wireguard', 'esp'] as const;
export type KernelProbe = (typeof kernelProbes)[number];

export const nodeTools = ['skopeo', 'umoci', 'etcd', 'clang', 'iptables', 'ipset', 'tc', 'bpftool'] as const;
export type NodeTool = (typeof nodeTools)[number];
