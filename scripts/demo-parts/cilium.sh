# Sourced by scripts/demo --cilium: Cilium without Kubernetes, with a real agent.

. scripts/demo-parts/cilium-node.sh

choose_vmids 4
read -r one two three four <<< "${vmids[*]}"
rules_of_routing() { ip rule && ip -6 rule && ip route show table all type unicast; }
{ kernel_state && rules_of_routing; } > "$dir/kernel-before"

# what the agent says of a container's endpoint: its number of identity, its labels
endpoint_of() { # endpoint_of VMID EXPRESSION
  ask_agent endpoint | json "(({ status }) => $2)(it.find(({ status }) => status.identity.labels.includes('k8s:vmid=$1')) ?? { status: null })"
}
identities() { local vmid && for vmid in "$one" "$two" "$three"; do endpoint_of "$vmid" 'status.identity.id'; done; }
# a ping goes through, or nothing of it does
reaches() { inside "$1" ping -c 1 -W 2 "$2"; }
node_reaches() { ping -c 1 -W 2 "$1"; }
world_reaches() { on_lan ping -c 1 -W 2 "$1"; }
not() { ! "$@"; }

show_first() { show "$@" | sed '/ so far$/d' | sed -n 1,2p; } # the command, and the sentence that it answers before its tables

step "A node with Cilium's agent and etcd, and no Kubernetes"
make_lan
prepare_places
start_service "pluginDirs: [$plugins, /usr/lib/cni]
cilium:
  devices: [vmbr0]
  ipv4Range: 10.201.1.0/24"
show tail -3 "$dir/pve-cnid.yaml"
configure_agent
say "pve-cni cilium config --write makes the agent's configuration of that: $(find "$dir/state/cilium/agent.d" -type f | wc -l) flags."
start_etcd
start_agent
show pve-cni cilium status || fail "the agent is not as it should be"
claim "Cilium's agent is healthy, and so is its etcd" -- healthy_or_ended
claim "there is no Kubernetes: the agent runs with enable-k8s=false" -- test "$(ask_agent healthz | json 'it.kubernetes?.state')" = Disabled

step "A network on Cilium with addresses that stay, and three containers: one file, and labels"
cat > "$dir/config/networks/pods.yaml" << 'END'
type: cilium
subnets: [{ cidr: 10.240.0.0/24 }]
nat: true
END
show cat "$dir/config/networks/pods.yaml"
prepare_lxc
for vmid in "$one" "$two" "$three"; do
  create "$vmid"
  pve-cni container attach "$vmid" eth0=pods > /dev/null
done
show_first pve-cni container label "$one" app=web
pve-cni container label "$two" app=web > /dev/null
for vmid in "$one" "$two" "$three"; do lxc-start -n "$vmid"; done
show pve-cni container list
address_one=$(addresses_in "$one") address_two=$(addresses_in "$two") address_three=$(addresses_in "$three")
until_true 10 "init wrote down what it found" test -s "$dir/lxc/$one/rootfs/found-by-init"
show pve-cni cilium identities
claim "eth0 had $address_one before init ran its first command" -- found_by_init "$one" "$address_one"
claim "container $one is an endpoint of Cilium's with its labels" -- \
  test "$(endpoint_of "$one" "['app=web', 'type=container', 'network=pods'].every((one) => status.identity.labels.includes('k8s:' + one))")" = true
never_init() { [ -s "$dir/agent.log" ] && ! grep -q 'reserved:init' "$dir/agent.log"; }
claim "it had them from birth: the agent never had an endpoint without (reserved:init)" -- never_init
claim "container $one reaches container $two" -- reaches "$one" "$address_two"
claim "container $two reaches container $one" -- reaches "$two" "$address_one"
claim "it reaches the world, masqueraded" -- reaches "$one" $gateway
claim "and without a policy everybody reaches it: the node" -- node_reaches "$address_one"
claim "and the world" -- world_reaches "$address_one"

step "A policy: only containers may reach containers"
cat > "$dir/default-deny.yaml" << 'END'
apiVersion: "cilium.io/v2"
kind: CiliumNetworkPolicy
metadata: { name: "default-deny" }
spec:
  endpointSelector: { matchLabels: { type: container } }
  ingress:
    - fromEndpoints: [{ matchLabels: { type: container } }]
END
show cat "$dir/default-deny.yaml"
show pve-cni policy apply "$dir/default-deny.yaml"
claim "container $one reaches container $two" -- reaches "$one" "$address_two"
claim "the node does not reach it any more" -- not node_reaches "$address_two"
claim "nor does the world" -- not world_reaches "$address_two"
dropped() { pve-cni --json flows --verdict dropped | json "process.exit(it.flows.some(({ from, to }) => from.kind === '$1' && to.vmid === $two) ? 0 : 1)"; }
both_dropped() { dropped host && dropped world; }
until_true 20 "the flows are kept" both_dropped
show pve-cni flows --verdict dropped --container "$two" --protocol icmp --last 4
claim "the flows name both ends of what was dropped: host and world, and container $two" -- both_dropped

step "A label flips a verdict, without a restart"
cat > "$dir/quarantine.yaml" << 'END'
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: quarantine }
spec:
  endpointSelector: { matchLabels: { type: container } }
  ingressDeny:
    - fromEndpoints: [{ matchLabels: { quarantine: "yes" } }]
END
show cat "$dir/quarantine.yaml"
pve-cni policy apply "$dir/quarantine.yaml" > /dev/null
show pve-cni policy list
claim "container $two still reaches container $one" -- reaches "$two" "$address_one"
began=$SECONDS
show_first pve-cni container label "$two" quarantine=yes
until_true 10 "container $two is cut off" not inside "$two" ping -c 1 -W 1 "$address_one"
claim "container $two does not reach it any more, after $((SECONDS - began)) s" -- not reaches "$two" "$address_one"
claim "container $three does" -- reaches "$three" "$address_one"
show_first pve-cni container label "$two" quarantine-
until_true 10 "container $two is let in again" reaches "$two" "$address_one"
claim "without the label container $two reaches it again" -- reaches "$two" "$address_one"
pve-cni policy remove quarantine > /dev/null

step "A service: one address, two containers behind it, one of which dies"
serve() { # loopback is up where a distribution's init runs; the health checks come over it
  inside "$1" sh -c "ip link set lo up; mkdir -p /www; echo container $1 > /www/index.html
    (exec busybox httpd -f -p 8080 -h /www > /dev/null 2>&1) & echo \$! > /httpd.pid"
}
serve "$one"
serve "$two"
mkdir -p "$dir/config/services"
cat > "$dir/config/services/web.yaml" << 'END'
address: 10.96.0.10
ports: [{ port: 80, target: 8080 }]
backends: { matchLabels: { app: web } }
health: { http: /, intervalSeconds: 1, timeoutSeconds: 1 }
END
show cat "$dir/config/services/web.yaml"
service_is() { [ "$(pve-cni --json service show web | json 'it.state')" = "$1" ]; }
until_true 20 "the service is ready" service_is ready
answers() { nsenter --net="$dir/netns/ct$three" bash -c 'for n in {1..20}; do curl -s --max-time 2 http://10.96.0.10/ || echo nobody; done' | sort -u | paste -sd,; }
claim "container $three asks 10.96.0.10 twenty times: both answer" -- test "$(answers)" = "container $one,container $two"
say "The server in container $one is killed."
inside "$one" sh -c 'kill -9 $(cat /httpd.pid)'
until_true 20 "the dead backend is noticed" service_is degraded
show pve-cni service show web
claim "the server in container $one is dead: container $two answers all twenty" -- test "$(answers)" = "container $two"

step "A running container on the LAN, as it is: protected, without a restart and with its address"
printf '%s\n' 'lxc.net.0.type = veth' 'lxc.net.0.link = vmbr0' 'lxc.net.0.name = eth0' 'lxc.net.0.flags = up' \
  'lxc.net.0.ipv4.address = 10.99.0.60/24' "lxc.net.0.ipv4.gateway = $gateway" > "$dir/lan.conf"
sed -n '/^lxc.net/!p' "$dir/lxc.conf" >> "$dir/lan.conf"
lxc_conf=$dir/lan.conf create "$four"
lxc-start -n "$four"
on_link() { inside "$four" ip address show dev eth0 | sed 's/ tentative//' && ip -o link show master vmbr0 2> /dev/null | cut -d: -f2- && nft list tables bridge; }
until_true 10 "container $four is on the LAN" world_reaches 10.99.0.60
on_link > "$dir/link-before"
claim "container $four is on the LAN at 10.99.0.60, and nobody protects it: the world reaches it" -- world_reaches 10.99.0.60
show_first pve-cni container protect "$four"
show pve-cni container list
claim "its address is the same" -- test "$(addresses_in "$four")" = 10.99.0.60
claim "it is an endpoint of Cilium's" -- test "$(endpoint_of "$four" 'status?.networking.addressing[0].ipv4')" = 10.99.0.60
claim "the policy is in force for it: the world does not reach it" -- not world_reaches 10.99.0.60
claim "it reaches the world" -- reaches "$four" $gateway
show_first pve-cni container unprotect "$four"
claim "unprotected, the world reaches it again" -- world_reaches 10.99.0.60
on_link > "$dir/link-after"
claim "its interface is what it was" -- diff "$dir/link-before" "$dir/link-after"

step "The agent is killed, and comes back"
before=$(identities)
nsenter --net="$dir/netns/ct$two" ping -q -i 0.1 "$address_one" > "$dir/pings" &
pings=$!
end_agent KILL
say "The agent is dead. What the service says meanwhile:"
show pve-cni cilium status || true # an error, of course
claim "container $two reaches container $one without an agent" -- reaches "$two" "$address_one"
claim "and the world still does not" -- not world_reaches "$address_one"
start_agent
kill -INT $pings && wait $pings || true
show grep packets "$dir/pings"
claim "of a ping every 100 ms none was lost" -- grep -q ' 0% packet loss' "$dir/pings"
claim "the identities are the same: $(echo $before)" -- test "$(identities)" = "$before"

step "The end: nothing is left"
for vmid in "${vmids[@]}"; do lxc-stop -n "$vmid" -k & stops+=($!); done
wait "${stops[@]}"
pve-cni policy remove default-deny > /dev/null
for vmid in "$one" "$two" "$three"; do pve-cni container detach "$vmid" eth0 > /dev/null; done
rm "$dir"/config/{networks,services}/*
pve-cni gc > /dev/null
show pve-cni gc --dry-run
claim "gc finds nothing left over" -- test "$(pve-cni --json gc --dry-run | json 'it.leaks.length')" = 0
claim "no endpoint of a container is left in the agent" -- test "$(ask_agent endpoint | json 'it.filter(({ status }) => status["external-identifiers"]["cni-attachment-id"]).length')" = 0
end_service
end_node
{ kernel_state && rules_of_routing; } > "$dir/kernel-after"
claim "links, addresses, routes, rules and namespaces are what they were before" -- diff "$dir/kernel-before" "$dir/kernel-after"
