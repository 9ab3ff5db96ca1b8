#!/bin/bash
# test/vm/systemd.sh: what test/vm/systemd.test.ts looks at, as lines `WHAT: VALUE`. Runs in a virtual machine that systemd has booted.
# Stand-ins of Proxmox's units (written by the test) start container 102 before the service and 101 after it.
set -u
export HOME=/root LC_ALL=C.UTF-8
socket=/run/pve-cni/pve-cni.sock

say() { echo "$1: $2"; }
of() { systemctl show --value --property="$2" "$1"; }
ask() { curl --silent --max-time 30 --unix-socket "$socket" "http://localhost$1"; }
# until CONDITION holds; two minutes, as everything is slow here
until_true() { for _ in $(seq 240); do if eval "$1" > /dev/null 2>&1; then return 0; fi; sleep 0.5; done; return 1; }
attached() { ask "/v1/containers/$1" | grep -q '"attached"'; }
reached() { ping -c 1 -W 5 "$1"; }
state() { if until_true "$1"; then say "$2" yes; else say "$2" no; fi; }

for unit in pve-cluster pve-cni.socket pve-cni early lxc pve-ha-lrm pve-guests pve-container@101; do
  say "$unit begun" "$(of "$unit" InactiveExitTimestampMonotonic)"
  say "$unit active" "$(of "$unit" ActiveEnterTimestampMonotonic)"
done
state 'attached 102' '102 attached'
state 'attached 101' '101 attached'
state 'reached 10.20.0.51' '101 reached'
state 'reached 10.20.0.52' '102 reached'
say 'ordering cycles' "$(journalctl --boot --grep 'ordering cycle' --quiet | wc -l)"
say 'failed units' "$(systemctl --failed --plain --no-legend | cut -d' ' -f1 | tr '\n' ' ')"
say 'folder' "$(stat -c '%a %U' /run/pve-cni)"
say 'socket' "$(stat -c '%a %U' "$socket")"
say 'mounts' "$(ask /v1/doctor | grep -o '"name":"mounts"[^}]*' | head -1)"
say 'drop-in' "$(of pve-container@101 After | tr ' ' '\n' | grep -c '^pve-cni.service$')"

# from here on somebody listens to container 101
ping -i 0.5 10.20.0.51 > /tmp/ping &
pinging=$!

systemctl stop pve-cni.service
say 'after stop' "$(of pve-cni.service ActiveState) $(of pve-cni.socket ActiveState)"
state 'ask /v1/status | grep version' 'answers a connection'
say 'after connection' "$(of pve-cni.service ActiveState)"
say '101 still attached' "$(ask /v1/containers/101 | grep -o '"attached"' | head -1)"

inode=$(stat -c %i "$socket")
before=$(of pve-cni.service NRestarts)
# one that hangs; the test has made the watchdog's time short
systemctl kill --signal=STOP --kill-whom=main pve-cni.service
state '[ "$(of pve-cni.service NRestarts)" -gt "$before" ] && ask /v1/status | grep version' 'answers after a hang'
say 'watchdog' "$(journalctl --boot --unit pve-cni.service --grep 'Watchdog timeout' --quiet | wc -l)"
state 'attached 101' '101 attached at the end'

dpkg -i /root/next.deb > /tmp/dpkg 2>&1
say 'upgrade' "$?"
state 'ask /v1/status | grep version' 'answers after upgrade'
say 'socket kept by upgrade' "$([ "$inode" = "$(stat -c %i "$socket")" ] && echo yes)"
say 'units after upgrade' "$(systemctl is-enabled pve-cni.service pve-cni.socket | tr '\n' ' ')$(of pve-cni.service ActiveState)"

kill -INT "$pinging"
wait "$pinging"
say 'traffic' "$(grep transmitted /tmp/ping)"

dpkg -r pve-cni > /tmp/dpkg 2>&1
say 'removal' "$?"
say 'after removal' "$(of pve-cni.service LoadState) $(of pve-cni.socket LoadState) $(ls "$socket" 2> /dev/null)"
systemctl restart pve-container@101
state '[ "$(lxc-info -s -H -n 101)" = RUNNING ]' '101 starts without us'
journalctl --boot --unit pve-cni.service --no-pager --output cat > /vmout/service
