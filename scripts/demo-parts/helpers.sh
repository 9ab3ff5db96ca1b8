# Sourced by scripts/demo: what both parts of it use. Variables for the parts: dir (the folder of this run), vmids, steps, claims.

steps=0 claims=0 vmids=() service=''
step() { steps=$((steps + 1)) && printf '\n%s== %s. %s%s\n' "$bold" "$steps" "$*" "$plain"; }
# Shows a command and what it prints.
show() {
  printf '%s$ %s%s\n' "$dim" "$*" "$plain"
  "$@" 2>&1 | sed '/./s/^/  /'
}
# claim WORDS... -- COMMAND...: what was claimed holds when the command succeeds
claim() {
  local words=()
  while [ "$1" != -- ]; do words+=("$1") && shift; done
  shift
  "$@" > "$dir/claim" 2>&1 || { sed 's/^/  /' "$dir/claim" >&2 && fail "this does not hold: ${words[*]}"; }
  claims=$((claims + 1))
  printf '%sok%s %s\n' "$green" "$plain" "${words[*]}"
}
# until_true SECONDS WHAT COMMAND...
until_true() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt $end ] || fail "waited in vain until $what"
    sleep 0.1
  done
}

pve-cni() { node dist/pve-cni.mjs "$@"; }
json() { FORCE_COLOR=0 node -pe "const it = JSON.parse(require('fs').readFileSync(0, 'utf8')); $1"; }
# LXC's commands with the demo's folder of containers
for tool in create start stop info; do eval "lxc-$tool() { command lxc-$tool -P \"\$dir/lxc\" \"\$@\" < /dev/null; }"; done
# without the terminal, which it would switch to raw mode, where ^C is no signal
lxc-attach() { setsid --wait lxc-attach -P "$dir/lxc" "$@" < /dev/null; }
inside() { local vmid=$1 && shift && lxc-attach -n "$vmid" --clear-env -- "$@"; }
init_of() { lxc-info -n "$1" -p -H; }
# the addresses of an interface as the container itself sees them
addresses_in() { inside "$1" ip -o -4 address show dev "${2:-eth0}" | awk '{ sub("/.*", "", $4); print $4 }'; }
operation_of() { pve-cni --json operation list --container "$1" | json "it.find(({ kind, outcome }) => kind === '$2' && outcome === '$3')?.id ?? ''"; }
# links, addresses, rules and pinned namespaces of this network namespace
kernel_state() { ip -o link 2> /dev/null | cut -d: -f2- && ip -br address 2> /dev/null && nft list ruleset && findmnt --noheadings --list --output TARGET --types nsfs || true; }

is_free() { # no container of this number is here, nor its cgroups
  [ ! -e "/var/lib/lxc/$1" ] && [ -z "$(find /sys/fs/cgroup -maxdepth 3 -type d \( -name "lxc.*.$1" -o -path "*/lxc/$1" \) -print -quit)" ]
}

# choose_vmids N: fills vmids with numbers that are free
choose_vmids() {
  local base vmid
  for base in 9000 9100 9200 9300 9400 9500; do
    vmids=()
    for vmid in $(seq $((base + 1)) $((base + $1))); do ! is_free "$vmid" || vmids+=("$vmid"); done
    [ ${#vmids[@]} -lt "$1" ] || return 0
  done
  vmids=()
  fail "no $1 container numbers are free between 9001 and 95$(printf '%02d' "$1")"
}

# --- the service and LXC, with folders of their own -----------------------------------------------------------------

# start_service [YAML]: with more keys for its pve-cnid.yaml
start_service() {
  mkdir -p "$dir"/{config/networks,config/containers,lxc}
  mkdir -m 700 "$dir"/{state,run}
  cat > "$dir/pve-cnid.yaml" << END
root: $dir/config
stateDir: $dir/state
runDir: $dir/run
netnsDir: $dir/netns
cniCacheDir: $dir/cni
lxcPath: $dir/lxc
${1:-}
END
  # in a session of its own: a ^C is for the demo, which then stops the service
  setsid node dist/pve-cnid.mjs --config "$dir/pve-cnid.yaml" > "$dir/log" 2>&1 &
  service=$!
  export PVE_CNI_SOCKET=$dir/run/pve-cni.sock
  until_true 20 "the service answers" answers_or_ended
  kill -0 "$service" || fail "the service ended"
}
answers_or_ended() { ! kill -0 "$service" || curl -sf --unix-socket "$PVE_CNI_SOCKET" http://localhost/v1/status; }
end_service() {
  kill "$service" 2> /dev/null || true
  wait "$service" 2> /dev/null || true
  service=''
}

prepare_lxc() {
  cp dist/lxc-hook "$dir/lxc-hook"
  # the drop-in that a node has in /usr/share/lxc/config/common.conf.d/, with the demo's paths
  sed -e "s|/var/lib/pve-cni/|$dir/state/|g" -e "s|/usr/libexec/pve-cni/lxc-hook|$dir/lxc-hook|g" -e "s|/run/pve/|$dir/no-proxmox/|g" \
    -e "s|= /bin/sh |= /usr/bin/env PVE_CNI_STATE_DIR=$dir/state PVE_CNI_RUN_DIR=$dir/run PVE_CNI_WARNINGS_DIR=$dir/no-proxmox /bin/sh |" \
    hookscripts/50-pve-cni.conf > "$dir/50-pve-cni.conf"
  printf '%s\n' 'lxc.net.0.type = empty' 'lxc.apparmor.profile = unconfined' "lxc.include = $dir/50-pve-cni.conf" > "$dir/lxc.conf"
}

create() { # a busybox that takes no part in its own network: no DHCP client, but a note of what init found
  lxc-create -n "$1" -t busybox -f "${lxc_conf:-$dir/lxc.conf}" > "$dir/lxc-create" 2>&1 || { cat "$dir/lxc-create" >&2 && fail "lxc-create failed"; }
  sed -i -e '/udhcpc/d' -e '1a ip -o -4 address show dev eth0 > /found-by-init' "$dir/lxc/$1/rootfs/etc/init.d/rcS"
}
found_by_init() { grep -qw "$2" "$dir/lxc/$1/rootfs/found-by-init"; }

# --- the end, whatever it is ----------------------------------------------------------------------------------------

also_clean_up() { :; } # a part that starts more puts its own here
clean_up() {
  local status=$? vmid
  trap - EXIT
  trap '' INT TERM HUP # a second ^C must not interrupt this
  [ $status != 1 ] || [ ! -s "$dir/log" ] || { say "the last lines of the service's log:" && tail -5 "$dir/log"; } >&2
  for vmid in "${vmids[@]}"; do lxc-stop -n "$vmid" -k > /dev/null 2>&1 || true; done
  [ -z "$service" ] || end_service
  also_clean_up
  findmnt --noheadings --list --output TARGET | grep "^$dir/" | sort -r | xargs -r umount -l || true
  rm -rf "$dir" "/run/lxc/lock$dir"
  exit $status
}
dir=$(mktemp -d /var/tmp/pve-cni-demo.XXXXXX)
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
