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
