# Sourced by cilium.sh: a node as Proxmox has it, in the demo's own namespaces: vmbr0 with an uplink to a LAN, on the LAN a gateway
# that is the world, and on the node etcd and Cilium's agent, as `pve-cni cilium install` would run them by systemd.

node_address=10.99.0.11 gateway=10.99.0.1 plugins=/run/cilium/plugins
lan='' etcd='' running_agent=''

make_lan() {
  # a process that holds the namespace of the LAN
  setsid unshare --net sleep infinity &
  lan=$!
  until_true 5 "the LAN's namespace is there" test /proc/$lan/ns/net -ef /proc/$lan/ns/net -a ! /proc/$lan/ns/net -ef /proc/self/ns/net
  ip link add eth0 type veth peer name node1 netns "$lan"
  on_lan ip link add lan type bridge
  on_lan ip link set node1 master lan up
  on_lan ip address add $gateway/24 dev lan
  on_lan ip link set lan up
  ip link add vmbr0 type bridge
  ip link set eth0 master vmbr0 up
  ip address add $node_address/24 dev vmbr0
  ip link set vmbr0 up
  ip route add default via $gateway
  # so that "the world cannot reach it" is never for want of a route
  on_lan ip route add 10.240.0.0/24 via $node_address
}
on_lan() { nsenter -t "$lan" --net -- "$@"; }

# Places of its own for the agent; before the service starts, which must not speak with an agent of the machine.
prepare_places() {
  mkdir -p /run/cilium
  mount -t tmpfs -o mode=755 none /run/cilium
  mount -t bpf bpf /sys/fs/bpf
  # the agent would set two sysctls of the whole machine; it goes on without
  mount --bind /proc/sys/kernel /proc/sys/kernel
  mount -o remount,bind,ro /proc/sys/kernel
  # plugins are run only where nobody but root can change anything up to /: not from /var/tmp, and this tree may be anybody's
  mkdir -p $plugins
  install -m 755 "$agent/cilium-cni" "$agent/cilium-dbg" $plugins
}

start_etcd() {
  # where `etcd: embedded` is, and on loopback alone
  setsid etcd --data-dir="$dir/etcd" --listen-client-urls=http://127.0.0.1:23790 --advertise-client-urls=http://127.0.0.1:23790 \
    --listen-peer-urls=http://127.0.0.1:23800 > "$dir/etcd.log" 2>&1 &
  etcd=$!
  until_true 20 "etcd is healthy" curl -sf http://127.0.0.1:23790/health
}

configure_agent() {
  pve-cni cilium config --write > "$dir/agent-config" || { cat "$dir/agent-config" >&2 && fail "the agent could not be configured"; }
  mkdir -p "$dir/state/cilium/lib"
  ln -s "$agent/bpf" "$dir/state/cilium/lib/bpf"
}
start_agent() {
  setsid env PATH="$plugins:/usr/lib/llvm-19/bin:$PATH" HOME=/root K8S_NODE_NAME="$(hostname)" \
    "$agent/cilium-agent" --config-dir="$dir/state/cilium/agent.d" >> "$dir/agent.log" 2>&1 &
  running_agent=$!
  until_true 90 "the agent is healthy" healthy_or_ended
  kill -0 $running_agent 2> /dev/null || { tail -5 "$dir/agent.log" >&2 && fail "the agent ended"; }
  until_true 60 "the agent has given the node its own programs" node_is_ready
}
healthy_or_ended() { ! kill -0 "$running_agent" || [ "$(ask_agent healthz | json 'it.cilium?.state + it.kvstore?.state')" = OkOk ]; }
node_is_ready() { [ "$(ask_agent endpoint | json 'it.length > 0 && it.every(({ status }) => status.state === "ready")')" = true ]; }
ask_agent() { curl -sf --max-time 2 --unix-socket /run/cilium/cilium.sock "http://localhost/v1/$1"; }

end_agent() { # end_agent SIGNAL
  [ -n "$running_agent" ] || return 0
  kill -"$1" "$running_agent" 2> /dev/null || true
  wait "$running_agent" 2> /dev/null || true
  running_agent=''
}

# The node without its agent: what pve-cni cilium uninstall does where systemd runs. Programs and maps go with their links and the bpffs.
end_node() {
  local link table
  end_agent TERM
  [ -z "$etcd" ] || { kill "$etcd" && wait "$etcd"; } 2> /dev/null || true
  for link in cilium_host cilium_net cilium_vxlan eth0 vmbr0; do ip link delete $link 2> /dev/null || true; done
  for table in filter nat mangle raw; do nft delete table ip $table 2> /dev/null || true; nft delete table ip6 $table 2> /dev/null || true; done
  ! mountpoint -q /sys/fs/bpf || umount -l /sys/fs/bpf
  ! mountpoint -q /run/cilium || umount -R -l /run/cilium
  rmdir /run/cilium 2> /dev/null || true
  [ -z "$lan" ] || { kill "$lan" && wait "$lan"; } 2> /dev/null || true
  etcd='' lan=''
}
also_clean_up() { end_node; }
