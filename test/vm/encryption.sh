#!/bin/bash
# encryption.sh FOLDER: two nodes with an agent each and one etcd, on one wire; run by test/vm/encryption.test.ts inside the machine of
# test/vm/run. FOLDER has node1/ and node2/ with `agent.d` (configuration) and what it names; CILIUM is the folder of the agent's programs.
# Leaves in /vmout: wire.pcap (what was between the nodes), inside.pcap (the same ping before it was encrypted), ping, health-1, health-2.
set -u
folder=$1
CILIUM=${CILIUM:?}
here=$(cd "$(dirname "$0")" && pwd) # its clang goes before others
mkdir -p /vmout/clang
say() { echo "$(cut -d' ' -f1 /proc/uptime) $*"; }
die() { say "$*"; for n in 1 2; do tail -n 15 "/vmout/agent-$n.log" | cut -c1-600; done; exit 1; }

# a wire between the nodes, with etcd on it
ip netns add lan
ip netns exec lan sh -c 'ip link set lo up; ip link add lan type bridge; ip addr add 10.99.0.1/24 dev lan; ip link set lan up'
ip netns exec lan etcd --data-dir="$folder/etcd" --listen-client-urls=http://10.99.0.1:2379 --advertise-client-urls=http://10.99.0.1:2379 \
  --listen-peer-urls=http://127.0.0.1:2380 > "$folder/etcd.log" 2>&1 &

declare -A pids
on() { local n=$1; shift; nsenter -t "${pids[$n]}" --net --mount --uts --wd=/ -- "$@"; }
for n in 1 2; do
  unshare --net --mount --uts --propagation private sh -c 'hostname "$0"; exec sleep infinity' "node$n" &
  pids[$n]=$!
done
sleep 1
for n in 1 2; do
  ip -n lan link add "up$n" type veth peer name eth0 netns "${pids[$n]}"
  ip -n lan link set "up$n" master lan up
  on $n sh -c "mount -t sysfs sys /sys; mount -t cgroup2 cgroup /sys/fs/cgroup; mount -t bpf bpf /sys/fs/bpf; mkdir -p /run/cilium; mount -t tmpfs none /run/cilium
    ip link set lo up; ip link set eth0 up; ip addr add 10.99.0.1$n/24 dev eth0; ip route add default via 10.99.0.1"
done
say "nodes are up"
for n in 1 2; do
  on $n env -i HOME=/root PATH="$here:$CILIUM:/usr/sbin:/usr/bin:/sbin:/bin" "K8S_NODE_NAME=node$n" "$CILIUM/cilium-agent" --config-dir="$folder/node$n/agent.d" \
    > "/vmout/agent-$n.log" 2>&1 &
  agents[$n]=$!
done
api() { local n=$1; shift; on "$n" curl -s --max-time 20 --unix-socket /run/cilium/cilium.sock -H 'Content-Type: application/json' "$@"; }
for n in 1 2; do
  until api $n http://localhost/v1/healthz | grep -q '"cilium":{[^}]*"state":"Ok"'; do
    kill -0 "${agents[$n]}" 2> /dev/null || die "the agent of node $n ended"
    sleep 2
  done
  say "node $n is healthy"
done
for n in 1 2; do
  until api $n http://localhost/v1/endpoint | tee "/vmout/endpoints-$n" | grep -q '"state":"ready"'; do sleep 2; done
  say "node $n has its own programs"
done

cni() {
  local n=$1 command=$2
  on "$n" env CNI_COMMAND="$command" CNI_CONTAINERID="c0ffee000000000$n" CNI_NETNS="/run/netns/ct$n" CNI_IFNAME=eth0 CNI_PATH="$CILIUM" CNI_ARGS= \
    "$CILIUM/cilium-cni" <<< '{"cniVersion":"1.0.0","name":"pods","type":"cilium-cni"}'
}

# a container's namespace on each node
for n in 1 2; do
  on $n ip netns add "ct$n"
  # the first compilation may take longer than the plugin waits; the next ADD finds it done
  for try in 1 2 3 4; do
    cni $n ADD > "$folder/add-$n" 2> /dev/null && break
    say "ADD on node $n, try $try: $(tail -c 300 "$folder/add-$n" | tr '\n' ' ')"
    [ $try = 4 ] && die "ADD failed on node $n"
    cni $n DEL > /dev/null 2>&1
  done
  api $n -X PATCH "http://localhost/v1/endpoint/cni-attachment-id:c0ffee000000000$n:eth0" -d '{"state":"waiting-for-identity","labels":["k8s:type=container","k8s:io.kubernetes.pod.namespace=default","k8s:io.cilium.k8s.policy.cluster=default"]}'
  say "node $n has an endpoint"
done
target=$(grep -aoE '"address": ?"10\.201\.2\.[0-9]+' "$folder/add-2" | grep -oE '10\.201\.2\.[0-9]+' | head -1)
in1() { on 1 ip netns exec ct1 "$@"; }

# what is on the wire, and what the container sends
ip netns exec lan tcpdump -i lan -U -w /vmout/wire.pcap 'not tcp port 2379' 2> /dev/null &
wire=$!
in1 tcpdump -i eth0 -U -w /vmout/inside.pcap icmp 2> /dev/null &
inside=$!
sleep 3
# "secret-pve-cni!!"
for _ in $(seq 60); do in1 ping -c 1 -W 3 -s 64 -p 7365637265742d7076652d636e692121 "$target" > /vmout/ping 2>&1 && break; sleep 2; done
in1 ping -c 5 -W 3 -s 64 -p 7365637265742d7076652d636e692121 "$target" > /vmout/ping 2>&1
sleep 1
kill $wire $inside
wait $wire $inside
say "pinged $target"
for n in 1 2; do
  api $n http://localhost/v1/healthz > "/vmout/health-$n"
  api $n http://localhost/v1/debuginfo > "/vmout/debuginfo-$n"
  on $n ip -statistics xfrm state list nokeys > "/vmout/xfrm-$n"
done
# IPsec: a new key, taken up by one node after the other while a ping goes on; ROTATED is the new key's file
if [ -n "${ROTATED:-}" ]; then
  in1 ping -i 0.5 -W 3 "$target" > /vmout/ping-rotating 2>&1 &
  pinging=$!
  for n in 1 2; do
    cp "$ROTATED" "$folder/node$n/cilium/.new"
    mv "$folder/node$n/cilium/.new" "$folder/node$n/cilium/ipsec.keys"
    until grep -q 'Loaded IPsec keyfile.*spi=4' "/vmout/agent-$n.log"; do sleep 2; done
    say "node $n has the new key"
    sleep 5
  done
  sleep 10
  pkill -INT -x ping # not by $pinging: a shell's background jobs are deaf to it
  wait $pinging
  for n in 1 2; do on $n ip -statistics xfrm state list nokeys > "/vmout/xfrm-rotated-$n"; done
fi
say "done"
