/** eBPF maps of Cilium that can be read, in the order in which they are listed. Apart from the schemas, which the command does not load. */
export const mapKinds = ['endpoints', 'ipcache', 'policy', 'ct', 'services', 'encryption'] as const;
export type MapKind = (typeof mapKinds)[number];
