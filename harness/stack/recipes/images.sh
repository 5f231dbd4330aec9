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

say "fetching k1s's requirements"
# What is fetched are wheels, of which nothing runs when they are installed. Still pip is kept where it can do no harm:
# the requirements are those of a checkout that somebody else may have written.
packages=$work/base/mnt/packages
mkdir -p "$packages/own" "$packages/fetched" "$packages/site" "$work/base/mnt/etc"
cp "$WHEELS"/*.whl "$packages/own/"
cp "$OUT/requirements.txt" "$OUT/constraints.txt" "$packages/"
cp "${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}" "$packages/ca.pem"
chown 65534:65534 "$packages/fetched" "$packages/site"
pip=$(basename "$(ls "$packages"/own/pip-*.whl)")
touch "$work/base/etc/resolv.conf" "$work/base/etc/hosts"
mknod -m 666 "$work/base/dev/urandom" c 1 9 2> /dev/null || true
mknod -m 666 "$work/base/dev/null" c 1 3 2> /dev/null || true
# In a process namespace of its own, with all that it may leave running ended at its end.
in_sandbox() {
  script=$1; shift
  unshare --mount --pid --ipc --uts --fork --kill-child sh -eu -c '
    base=$1; shift
    mount -t proc proc "$base/proc"
    mount --bind /etc/resolv.conf "$base/etc/resolv.conf"; mount --bind /etc/hosts "$base/etc/hosts"
    exec setpriv --no-new-privs --inh-caps=-all chroot --userspec=65534:65534 --groups= "$base" /usr/bin/env -i "$@"
  ' sandbox "$work/base" PATH=/usr/local/bin:/usr/bin:/bin HOME=/tmp TMPDIR=/tmp LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 \
    PIP_CONFIG_FILE=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_CERT=/mnt/packages/ca.pem \
    ${PIP_INDEX_URL:+"PIP_INDEX_URL=$PIP_INDEX_URL"} ${https_proxy:+"https_proxy=$https_proxy"} ${http_proxy:+"http_proxy=$http_proxy"} \
    ${HTTPS_PROXY:+"HTTPS_PROXY=$HTTPS_PROXY"} ${HTTP_PROXY:+"HTTP_PROXY=$HTTP_PROXY"} ${no_proxy:+"no_proxy=$no_proxy"} \
    "PIP=/mnt/packages/own/$pip/pip" sh -euc "cd /mnt/packages; $script" < /dev/null >&2
}
in_sandbox 'python3 "$PIP" download --quiet --only-binary :all: --find-links own --dest fetched --constraint constraints.txt --requirement requirements.txt pip'
# Each is one that was built here, or that the lock names by its hash. A checkout may ask for others.
(cd "$packages/fetched" && sha256sum -- *) | while read -r sum file; do
  if [ -e "$packages/own/$file" ] && cmp -s "$packages/own/$file" "$packages/fetched/$file"; then how=built
  elif grep -q -- "--hash=sha256:$sum" "$LOCK"; then how=pinned
  elif [ "$ANY_PACKAGE" = no ]; then say "$file has the SHA-256 $sum, which the lock does not name"; exit 1
  else how=unpinned; fi
  echo "$sum  $file  $how"
done > "$OUT/wheels.sums"
in_sandbox 'python3 "$PIP" install --quiet --no-index --no-deps --no-compile --target site fetched/*.whl'
site=$work/k1s/usr/local/lib/python3.11/dist-packages
mkdir -p "$(dirname "$site")"
mv "$packages/site" "$site"
chown -R 0:0 "$site"
rm -rf "$packages" "$work/base/mnt/etc" "$work/base/etc/resolv.conf" "$work/base/etc/hosts"

# Containers run with PYTHONDONTWRITEBYTECODE: without byte code here each of them compiles everything at every start.
compiled() { chroot "$work/base" /usr/bin/python3 -I -S -m compileall -q -j 0 --invalidation-mode unchecked-hash "$@" >&2 || true; }
compiled /usr/lib/python3.11
mkdir "$work/base/mnt-k1s"; mv "$work/k1s/usr/local/lib/python3.11" "$work/base/mnt-k1s/python3.11"
compiled -s /mnt-k1s -p /usr/local/lib /mnt-k1s/python3.11
mv "$work/base/mnt-k1s/python3.11" "$work/k1s/usr/local/lib/python3.11"; rmdir "$work/base/mnt-k1s"

# A wheel that needs a library that the image lacks would fail only in a controller, minutes into a gate.
loader=$(find "$work/base/" -name 'ld-linux*.so*' -type f | head -n 1)
triplet=$(basename "$(dirname "$loader")")
missing=$(find "$site" -name '*.so*' -type f | while read -r module; do
  "$loader" --library-path "$work/base/lib/$triplet:$work/base/usr/lib/$triplet" --list "$module" 2>&1 | sed -n "s|not found.*|not found, needed by ${module#"$site"/}|p"
done)
[ -z "$missing" ] || { say "the image of k1s lacks libraries: $missing"; exit 1; }

say "building and saving"
# Storage of its own: nothing of the user's podman is read or changed.
mkdir -p "$OUT/storage" "$work/runroot"
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$OUT/storage" "$work/runroot" > "$work/storage.conf"
export CONTAINERS_STORAGE_CONF="$work/storage.conf"
build() { # role, name, context, Containerfile on standard input
  podman build --quiet --format docker --tag "$2" --file - "$3" >&2
  podman save --quiet --format docker-archive --output "$OUT/$1.tar" "$2" >&2
  echo "$1 sha256:$(podman image inspect --format '{{.Id}}' "$2") $2" >> "$OUT/ids"
}

: > "$OUT/ids"
build python-app "$NAME_APP" "$work" <<EOF
FROM scratch
COPY base /
ENV PATH=/usr/local/bin:/usr/bin:/bin:/sbin LANG=C.UTF-8
CMD ["python3"]
EOF
build python-k1s "$NAME_K1S" "$work" <<EOF
FROM $NAME_APP
COPY k1s /
ENV PIP_ROOT_USER_ACTION=ignore
EOF
build etcd "$NAME_ETCD" "$work" <<EOF
FROM scratch
COPY etcd /
ENV PATH=/usr/local/bin:/bin
CMD ["/usr/local/bin/etcd"]
EOF
build nats "$NAME_NATS" "$work" <<EOF
FROM scratch
COPY nats-server /
ENV PATH=/usr/local/bin:/bin
ENTRYPOINT ["/usr/local/bin/nats-server"]
CMD ["-c", "/etc/nats/nats-server.conf"]
EOF
# Without the two XDG folders Caddy keeps its CA in /root, where WorkerBee's export does not look.
build caddy "$NAME_CADDY" "$work" <<EOF
FROM scratch
COPY caddy /
ENV PATH=/usr/local/bin:/usr/bin:/bin XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
WORKDIR /srv
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
EOF
# The lanes need podman's storage only for the base of the application images.
podman rmi --force "$NAME_K1S" "$NAME_ETCD" "$NAME_NATS" "$NAME_CADDY" > /dev/null
# Who called sudo compares all of it with its digest. What is in the image keeps its modes, and is readable already.
find "$OUT/storage" -path '*/diff' -prune -o ! -type l -exec chmod a+rX {} +
rm -rf "$work"
