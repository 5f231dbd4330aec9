#!/bin/sh
# Builds the images that WorkerBee is told to use, one small image per role: Python from Debian packages, the servers
# from the binaries of the stack. Each is named after what is in it.
#
# In:  OUT           folder to fill, with requirements.txt and constraints.txt in it
#      SUITE         Debian suite that Python comes from (bookworm)
#      WHEELS        folder with wheels of pip, and of what no index has as a wheel
#      LOCK          file with the hashes of all packages that are known
#      ANY_PACKAGE   `no`: requirements.txt must not lead to a package that LOCK does not name
#      ETCD, NATS, CADDY                                           the servers' binaries
#      NAME_APP, NAME_K1S, NAME_ETCD, NAME_NATS, NAME_CADDY        the images' names
# Out: OUT/<role>.tar     docker archives
#      OUT/storage        podman storage with the base of the application images, used read-only
#      OUT/ids            a line per image: role, id, name
#      OUT/said/<what>    what the programs in the images say when they are asked for their version
#      OUT/wheels.sums    the packages of requirements.txt by their SHA-256
set -eu
# In a mount namespace of its own: podman mounts its storage, and a build that is killed must leave nothing mounted.
[ -n "${UNSHARED:-}" ] || { export UNSHARED=1; exec unshare --mount sh "$0"; }
work=$OUT/work
rm -rf "$work"; mkdir -p "$work/base" "$OUT/said"

say() { echo "images: $*" >&2; }

say "fetching Debian packages ($SUITE)"
# The extract variant resolves dependencies with apt but runs no maintainer script: no services, no users, no logs.
mmdebstrap --quiet --variant=extract --include=busybox-static,python3,libstdc++6,zlib1g \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
  "$SUITE" "$work/base" >&2
rm -rf "$work/base/etc/apt" "$work/base/etc/resolv.conf" "$work/base/etc/hostname" \
  "$work/base/var/lib/apt" "$work/base/var/cache" "$work/base/usr/lib/python3.11/EXTERNALLY-MANAGED"

# The least that every image needs: busybox as every tool, the three system files, a world-writable /tmp.
skeleton() {
  mkdir -p "$1/bin" "$1/sbin" "$1/usr/bin" "$1/usr/sbin" "$1/usr/local/bin" "$1/etc" "$1/var" "$1/root" "$1/proc" "$1/sys" "$1/dev" "$1/run"
  mkdir -p "$1/tmp" && chmod 1777 "$1/tmp"
  [ -e "$1/bin/busybox" ] || cp "$work/base/bin/busybox" "$1/bin/busybox"
  "$work/base/bin/busybox" --list | while read -r tool; do [ -e "$1/bin/$tool" ] || [ -e "$1/usr/bin/$tool" ] || ln -s /bin/busybox "$1/bin/$tool"; done
  [ -e "$1/usr/bin/env" ] || ln -s /bin/busybox "$1/usr/bin/env"
  printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$1/etc/passwd"
  printf 'root:x:0:\napp:x:1000:\nnogroup:x:65534:\n' > "$1/etc/group"
  printf 'hosts: files dns\n' > "$1/etc/nsswitch.conf"
}
# Runs a program as nobody below a root folder, where it sees nothing of the host and has no way to more rights.
confined() { root=$1; shift; setpriv --no-new-privs --inh-caps=-all chroot --userspec=65534:65534 --groups= "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/tmp LANG=C.UTF-8 "$@"; }

# One server, which needs no libraries.
server() { # name of the binary, the binary
  skeleton "$work/$1"
  install -m 755 "$2" "$work/$1/usr/local/bin/$1"
}

skeleton "$work/base"
ln -sf python3 "$work/base/usr/bin/python"
ln -sf /usr/bin/python3 "$work/base/usr/local/bin/python"
server etcd "$ETCD"
server nats-server "$NATS"
server caddy "$CADDY"
confined "$work/etcd" etcd --version > "$OUT/said/etcd"
confined "$work/nats-server" nats-server --version > "$OUT/said/nats"
confined "$work/caddy" caddy version > "$OUT/said/caddy"
confined "$work/base" python3 -I -S -c 'import sys; print(sys.version)' > "$OUT/said/python"
cp "$OUT/said/python" "$OUT/said/app-python"

