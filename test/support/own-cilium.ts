/** The user's own configuration of cilium-cni, as it stands in the documentation: it must load and work as it is. */
export const ownCilium = {
  cniVersion: '0.3.1',
  name: 'cilium',
  type: 'cilium-cni',
  'enable-endpoint-routes': true,
  ipam: { type: 'cilium-ipam' },
  dns: { servers: ['8.8.8.8', '1.1.1.1'], options: ['ndots:5'] },
  kubernetes: { kubeconfig: '/etc/kubernetes/cni/net.d/cilium-kubeconfig' },
};
