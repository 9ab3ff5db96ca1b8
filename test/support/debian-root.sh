#!/bin/bash
# debian-root.sh [-r trixie|bookworm] [-n] [-u DIR] [-b HOST_PATH:INNER_PATH]... COMMAND [ARGS]
# Runs COMMAND as real root in a throw-away Debian root with nothing but minbase, on this machine's kernel, in mount, pid and
# network namespaces of its own. lxc-start works inside: the root is entered by pivot_root, a chroot would not do.
#   -r  Debian 13 (trixie, the default: what Proxmox VE 9 is built on) or Debian 12 (bookworm)
#   -n  keep this machine's network namespace (to install things); tests of networking leave it out
#   -u  keep what the run writes in DIR, so that another run can go on from there; else it goes to a tmpfs
#   -b  bind a path of this machine into the root
# The root is made once by debootstrap (about a minute) under .cache/roots. Configuration that this machine needs to reach
# apt mirrors and npm registries (proxies, certificates, .npmrc, environment) is carried in. Needs root and debootstrap.
set -euo pipefail

release=trixie net=--net upper='' binds=()
while getopts r:nu:b: option; do
  case $option in
    r) release=$OPTARG ;;
    n) net='' ;;
    u) upper=$OPTARG ;;
    b) binds+=("$OPTARG") ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { echo "debian-root: no command" >&2; exit 2; }
case $release in trixie | bookworm) ;; *) echo "debian-root: unknown release $release" >&2; exit 2 ;; esac

repository=$(cd "$(dirname "$0")/../.." && pwd)
cache=${DEBIAN_ROOT_CACHE:-$repository/.cache/roots}
root=$cache/$release
mkdir -p "$cache/mountpoint" # every run mounts over it in a mount namespace of its own

make_root() {
  local mirror
  # the mirror that this machine uses; `|| true`: awk may close the pipe of a file that is not there
  mirror=$(awk '/^URIs:/ { print $2; exit } /^deb / { for (i = 2; i <= NF; i++) if ($i ~ /^http/) { print $i; exit } }' \
    /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2> /dev/null || true)
  echo "debian-root: making a $release root by debootstrap (once, about a minute)" >&2
  rm -rf "$root" "$root.new"
  debootstrap --variant=minbase "$release" "$root.new" ${mirror:+"$mirror"} > "$cache/$release.log" 2>&1 || {
    echo "debian-root: debootstrap failed, the end of $cache/$release.log:" >&2
    tail -5 "$cache/$release.log" >&2
    exit 98
  }
  printf '#!/bin/sh\nexit 101\n' > "$root.new/usr/sbin/policy-rc.d" # packages start no services here
  chmod 755 "$root.new/usr/sbin/policy-rc.d"
  mv "$root.new" "$root"
}
exec 9> "$cache/$release.lock"
flock 9
[ -d "$root" ] || make_root
exec 9>&-

# what the inner half needs, by environment: its own variables would be lost over `bash -c` otherwise
export ROOT=$root UPPER=$upper NET=$net MOUNTPOINT=$cache/mountpoint
BINDS=$(printf '%s\n' "${binds[@]+"${binds[@]}"}")
export BINDS
exec unshare --mount --pid $net --fork --kill-child --propagation private bash -c '
  set -euo pipefail
  [ -z "$NET" ] || ip link set lo up
  work=$MOUNTPOINT
  mount -t tmpfs run "$work"
  new=$work/new
  mkdir "$new"
  if [ -n "$UPPER" ]; then
    mkdir -p "$UPPER/up" "$UPPER/work"
  else
    UPPER=$work
    mkdir "$UPPER/up" "$UPPER/work"
  fi
  mount -t overlay -o "lowerdir=$ROOT,upperdir=$UPPER/up,workdir=$UPPER/work" root "$new"
  mkdir -p "$new/oldroot"
  mount -t proc proc "$new/proc"
  # a sysfs of this network namespace: one that is bound from outside would show the links of the machine
  mount -t sysfs sysfs "$new/sys"
  for below in fs/cgroup kernel/security; do
    ! mountpoint -q "/sys/$below" || mount --rbind "/sys/$below" "$new/sys/$below"
  done
  mount --rbind /dev "$new/dev"
  mount -t tmpfs run "$new/run"
  mount -t tmpfs tmp "$new/tmp"

  carry() { [ ! -e "$1" ] || { mkdir -p "$new$(dirname "$1")"; cp -rL "$1" "$new$1"; }; }
  carry /etc/hosts
  rm -f "$new/etc/resolv.conf"
  carry /etc/resolv.conf
  carry /root/.npmrc
  [ -z "${NODE_EXTRA_CA_CERTS:-}" ] || carry "$NODE_EXTRA_CA_CERTS"
  # ca-certificates makes its bundle anew when it is installed; what the machine added is added there, too
  for certificate in /usr/local/share/ca-certificates/*.crt; do carry "$certificate"; done
  [ -e "$new/usr/sbin/update-ca-certificates" ] || carry /etc/ssl/certs/ca-certificates.crt
  for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
    ! grep -qs "^ *Acquire" "$file" || carry "$file"
  done

  while IFS=: read -r from to; do
    [ -n "$from" ] || continue
    if [ -d "$from" ]; then mkdir -p "$new$to"; else mkdir -p "$new$(dirname "$to")"; touch "$new$to"; fi
    mount --bind "$from" "$new$to"
  done <<< "$BINDS"

  cd "$new"
  pivot_root . oldroot
  cd /
  umount -l /oldroot
  rmdir /oldroot 2> /dev/null || true
  unset ROOT UPPER NET BINDS MOUNTPOINT OLDPWD
  export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
  exec "$@"' debian-root "$@"
