inside() { env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LANG=C.UTF-8 chroot "$work/base" "$@"; }
site=$(inside python3 -I -c 'import site; print(site.getsitepackages()[0])')
mkdir -p "$work/base$site" "$work/k1s$(dirname "$site")"
# The image has some already, and what came with it stays.
(cd "$packages/site" && tar -cf - .) | tar -C "$work/base$site" -xf - --no-same-owner
rm -rf "$packages" "$work/base/mnt/etc"

# Containers run with PYTHONDONTWRITEBYTECODE, and the images of the registry have no byte code: without it each of them
# compiles everything at every start.
library=$(inside python3 -I -S -c 'import os; print(os.path.dirname(os.__file__))')
inside python3 -I -S -m compileall -q -j 0 --invalidation-mode unchecked-hash "$library" "$site" >&2 || true
# The layer over the image: what was not there, or is another file now.
image=$(podman image mount "$REF_K1S")
for folder in "$library" "$site"; do
  (cd "$work/base" && find ".$folder" -type f) | while read -r file; do
    cmp -s "$work/base/$file" "$image/$file" || echo "$file"
  done
done | sort -u | tar -C "$work/base" -cf - -T - | tar -C "$work/k1s" -xf -

say "saving"
podman build --quiet --format docker --tag "$NAME_K1S" --file - "$work" >&2 <<EOF
FROM $REF_K1S
COPY k1s /
ENV PIP_ROOT_USER_ACTION=ignore
EOF
: > "$OUT/ids"
save() { # role, name
  podman save --quiet --format docker-archive --output "$OUT/$1.tar" "$2" >&2
  echo "$1 sha256:$(podman image inspect --format '{{.Id}}' "$2") $2" >> "$OUT/ids"
}
save python-app "$REF_APP"
save python-k1s "$NAME_K1S"
save etcd "$REF_ETCD"
save nats "$REF_NATS"
save caddy "$REF_CADDY"
# The lanes need podman's storage only for the base of the application images.
podman image umount --all --force > /dev/null
podman rmi --force "$NAME_K1S" > /dev/null
base=$(podman image inspect --format '{{.Id}}' "$REF_APP")
podman images --quiet --no-trunc | sort -u | grep -vF "$base" | xargs podman rmi --force > /dev/null
find "$OUT/storage" -path '*/diff' -prune -o ! -type l -exec chmod a+rX {} +
rm -rf "$work"
