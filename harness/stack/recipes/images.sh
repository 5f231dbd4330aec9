#!/bin/sh
# Builds the images that WorkerBee asks for by name, one small image per role, from Debian packages.
#
# In:  OUT           folder to fill
#      SUITE         Debian suite that the packages come from (bookworm)
#      REQUIREMENTS  k1s's requirements.txt: baked in, so that the `pip install` of every container finds nothing to do
#      CONSTRAINTS   versions that pip may choose from
#      PIP           pip of the WorkerBee environment
# Out: OUT/<role>.tar  docker archives named as WorkerBee names them
#      OUT/storage     podman storage with the base of the application images, used read-only
set -eu
# In a mount namespace of its own: podman mounts its storage, and a build that is killed must leave nothing mounted.
[ -n "${UNSHARED:-}" ] || { export UNSHARED=1; exec unshare --mount sh "$0"; }
work=$OUT/work
rm -rf "$work"; mkdir -p "$work/base"

say() { echo "images: $*" >&2; }

say "fetching Debian packages ($SUITE)"
# The extract variant resolves dependencies with apt but runs no maintainer script: no services, no users, no logs.
# The servers are fetched without their dependencies (adduser and what it pulls): each needs only its libraries.
mmdebstrap --quiet --variant=extract --include=busybox-static,python3,libstdc++6,zlib1g \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
  --extract-hook='mkdir "$1/debs" && cd "$1/debs" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -qq -o APT::Sandbox::User=root download etcd-server nats-server caddy' \
  "$SUITE" "$work/base" >&2
mkdir "$work/debs"
for deb in "$work"/base/debs/*.deb; do dpkg-deb -x "$deb" "$work/debs"; done
rm -rf "$work/base/debs" "$work/base/etc/apt" "$work/base/etc/resolv.conf" "$work/base/etc/hostname" \
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

# One server binary and the libraries that it is linked against, taken from the same suite.
server() {
  root=$work/$1; binary=$2
  skeleton "$root"
  cp "$binary" "$root/usr/local/bin/$1"
  loader=$(find "$work/base/" -name 'ld-linux*.so*' -type f | head -n 1)
  libraries=$(dirname "$loader")
  "$loader" --library-path "$libraries:$work/base/usr/lib/$(basename "$libraries")" --list "$binary" |
    sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p' | while read -r library; do
      mkdir -p "$root$(dirname "${library#"$work/base"}")" && cp -L "$library" "$root${library#"$work/base"}"
    done
  interpreter=$(find "$work/base/lib64/" -name 'ld-linux*' | head -n 1)
  mkdir -p "$root/lib64" && cp -L "$loader" "$root/lib64/$(basename "$interpreter")"
}

skeleton "$work/base"
ln -sf python3 "$work/base/usr/bin/python"
ln -sf /usr/bin/python3 "$work/base/usr/local/bin/python"
server etcd "$(find "$work/debs" -type f -path '*/bin/etcd')"
server nats-server "$(find "$work/debs" -type f -path '*bin/nats-server')"
server caddy "$(find "$work/debs" -type f -path '*/bin/caddy')"

say "installing k1s's requirements"
site=$work/k1s/usr/local/lib/python3.11/dist-packages
mkdir -p "$site"
machine=$(uname -m)
# First as wheels, whatever Python is here: that builds what is published as source only (nkeys). Then the image's own
# versions: binary wheels come anew for its Python, the pure ones from the folder.
"$PIP" wheel --quiet --wheel-dir "$work/wheels" --constraint "$CONSTRAINTS" --requirement "$REQUIREMENTS" pip >&2
"$PIP" install --quiet --no-compile --target "$site" --implementation cp --python-version 3.11 --only-binary=:all: --find-links "$work/wheels" \
  --platform "manylinux2014_$machine" --platform "manylinux_2_17_$machine" --platform "manylinux_2_28_$machine" --platform "manylinux_2_34_$machine" \
  --constraint "$CONSTRAINTS" --requirement "$REQUIREMENTS" pip >&2
# Containers run with PYTHONDONTWRITEBYTECODE: without byte code here each of them compiles everything at every start.
chroot "$work/base" /usr/bin/python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /usr/lib/python3.11 >&2 || true
mkdir "$work/base/mnt-k1s"; mv "$work/k1s/usr/local/lib/python3.11" "$work/base/mnt-k1s/python3.11"
chroot "$work/base" /usr/bin/python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /mnt-k1s -p /usr/local/lib /mnt-k1s/python3.11 >&2 || true
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
build() { # name, context, Containerfile on standard input
  podman build --quiet --format docker --tag "$1" --file - "$2" >&2
}
save() { podman save --quiet --format docker-archive --output "$OUT/$1.tar" "$2" >&2; }

build docker.io/library/python:3.11-alpine "$work" <<EOF
FROM scratch
COPY base /
ENV PATH=/usr/local/bin:/usr/bin:/bin:/sbin LANG=C.UTF-8
CMD ["python3"]
EOF
build docker.io/library/python:3.12-slim "$work" <<EOF
FROM docker.io/library/python:3.11-alpine
COPY k1s /
ENV PIP_ROOT_USER_ACTION=ignore
EOF
build quay.io/coreos/etcd:v3.5.14 "$work" <<EOF
FROM scratch
COPY etcd /
ENV PATH=/usr/local/bin:/bin
CMD ["/usr/local/bin/etcd"]
EOF
build docker.io/library/nats:2.10.18-alpine "$work" <<EOF
FROM scratch
COPY nats-server /
ENV PATH=/usr/local/bin:/bin
ENTRYPOINT ["/usr/local/bin/nats-server"]
CMD ["-c", "/etc/nats/nats-server.conf"]
EOF
# Without the two XDG folders Caddy keeps its CA in /root, where WorkerBee's export does not look.
build docker.io/library/caddy:2.8 "$work" <<EOF
FROM scratch
COPY caddy /
ENV PATH=/usr/local/bin:/usr/bin:/bin XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
WORKDIR /srv
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
EOF
save python-app docker.io/library/python:3.11-alpine
save python-k1s docker.io/library/python:3.12-slim
save etcd quay.io/coreos/etcd:v3.5.14
save nats docker.io/library/nats:2.10.18-alpine
save caddy docker.io/library/caddy:2.8
# The lanes need podman's storage only for the base of the application images.
podman rmi --force docker.io/library/python:3.12-slim quay.io/coreos/etcd:v3.5.14 docker.io/library/nats:2.10.18-alpine docker.io/library/caddy:2.8 > /dev/null
rm -rf "$work"
