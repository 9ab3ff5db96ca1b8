# Sourced by scripts/demo: networks on bridges of our own.

choose_vmids 3
read -r one two three <<< "${vmids[*]}"
kernel_state > "$dir/kernel-before"

step "The service, with folders of its own"
start_service
show pve-cni status

step "A network: one file"
cat > "$dir/config/networks/web.yaml" << 'END'
type: bridge
subnets:
  - { cidr: 10.20.0.0/24, gateway: 10.20.0.1, range: 10.20.0.10-10.20.0.250 }
nat: true
END
show cat "$dir/config/networks/web.yaml"
claim "the files are good" -- pve-cni config check
show pve-cni network list

step "Two containers join it"
prepare_lxc
for vmid in "${vmids[@]}"; do create "$vmid"; done
show pve-cni container attach "$one" eth0=web
pve-cni container attach "$two" eth0=web > /dev/null

step "They start, by plain lxc-start"
show lxc-start -n "$one"
show lxc-start -n "$two"
show pve-cni container list
show pve-cni topology
address_one=$(addresses_in "$one") address_two=$(addresses_in "$two")
until_true 10 "init wrote down what it found" test -s "$dir/lxc/$one/rootfs/found-by-init"
claim "eth0 had $address_one before init ran its first command" -- found_by_init "$one" "$address_one"
claim "the list says what the containers see: $address_one and $address_two" -- \
  test "$(pve-cni --json container list | json 'it.map((one) => one.interfaces[0].addresses).join()')" = "$address_one,$address_two"
claim "container $one reaches the gateway" -- inside "$one" ping -c 1 -W 2 10.20.0.1
claim "container $one reaches container $two" -- inside "$one" ping -c 1 -W 2 "$address_two"
claim "container $two reaches container $one" -- inside "$two" ping -c 1 -W 2 "$address_one"
show nft list chain inet pve_cni postrouting
claim "what leaves the network is masqueraded" -- grep -q 'ip saddr 10.20.0.0/24 .*masquerade' <(nft list table inet pve_cni)

step "A reboot typed inside: the same address in a new namespace"
old_init=$(init_of "$one")
exec {held}< "/proc/$old_init/ns/net" # so that its number is not given to the new one
old_namespace=$(readlink "/proc/$old_init/ns/net")
rebooted() { local pid && pid=$(init_of "$one") && [ "$pid" != "$old_init" ] && found_by_init "$one" "$address_one"; }
rm "$dir/lxc/$one/rootfs/found-by-init"
show lxc-attach -n "$one" -- busybox reboot -f || true # the shell that asks dies with its container
until_true 30 "container $one is back" rebooted
new_namespace=$(readlink "/proc/$(init_of "$one")/ns/net")
claim "the namespace is another one: $new_namespace, before $old_namespace" -- test "$new_namespace" != "$old_namespace"
claim "the address is the same: $address_one" -- test "$(addresses_in "$one")" = "$address_one"
claim "container $two still reaches it" -- inside "$two" ping -c 1 -W 2 "$address_one"
exec {held}<&-

step "A start that is refused: the pool of a second network has one address, and container $one has it"
cat > "$dir/config/networks/tiny.conflist" << END
{ "cniVersion": "1.0.0", "name": "tiny", "plugins": [
  { "type": "ptp", "ipam": { "type": "host-local", "dataDir": "$dir/host-local",
    "ranges": [[{ "subnet": "10.21.0.0/24", "rangeStart": "10.21.0.5", "rangeEnd": "10.21.0.5" }]] } } ] }
END
show cat "$dir/config/networks/tiny.conflist"
show pve-cni container attach "$one" eth1=tiny
claim "the running container $one has eth1 at once" -- test "$(addresses_in "$one" eth1)" = 10.21.0.5
pve-cni container attach "$three" eth0=web > /dev/null
pve-cni container attach "$three" eth1=tiny > /dev/null
refused() { ! lxc-start -n "$three" && [ "$(lxc-info -n "$three" -s -H)" = STOPPED ]; }
claim "container $three does not start" -- refused
say "lxc-start only says that a hook failed; the reason is kept beside the service's socket and in the audit log:"
show cat "$dir/run/refused/$three"
show pve-cni operation show "$(operation_of "$three" attach refused)"
claim "its eth0, which was attached already, was undone" -- \
  test "$(pve-cni --json container show "$three" | json 'it.interfaces.map((one) => one.state).join()')" = stopped,stopped
show pve-cni container detach "$one" eth1
claim "the address is free: now container $three starts" -- lxc-start -n "$three"
show pve-cni container list

step "Where the time of that start went"
show pve-cni operation show "$(operation_of "$three" attach ok)" --trace

step "The end: nothing is left"
for vmid in "${vmids[@]}"; do lxc-stop -n "$vmid" -t 20 & stops+=($!); done
wait "${stops[@]}"
show pve-cni container list
show pve-cni gc --dry-run
claim "gc finds nothing left over" -- test "$(pve-cni --json gc --dry-run | json 'it.leaks.length')" = 0
for vmid in "${vmids[@]}"; do
  pve-cni --json container show "$vmid" | json 'it.interfaces.map((one) => one.name).join("\n")' | while read -r ifname; do
    pve-cni container detach "$vmid" "$ifname" > /dev/null
  done
done
rm "$dir"/config/networks/*
say "The containers leave their networks, the networks' files are removed: what the service made for them goes, too."
pve-cni gc > /dev/null
show pve-cni status
claim "gc finds nothing left over" -- test "$(pve-cni --json gc --dry-run | json 'it.leaks.length')" = 0
end_service
kernel_state > "$dir/kernel-after"
claim "links, addresses, rules and namespaces are what they were before" -- diff "$dir/kernel-before" "$dir/kernel-after"
