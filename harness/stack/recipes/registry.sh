#!/bin/sh
# Fetches the images that WorkerBee would use by itself, each by the digest that it is pinned to, and adds k1s's
# requirements to that of k1s: its containers would otherwise fetch them, and there is no way out of a lane.
#
# In:  OUT           folder to fill, with requirements.txt, constraints.txt and `pins` in it: a line per image, with its
#                    name and the digest of its manifest
#      REGISTRY      address in place of those in the names, empty for none; with http:// before it, without TLS
#      WHEELS, LOCK, ANY_PACKAGE                        as in images.sh
#      REF_APP, REF_K1S, REF_ETCD, REF_NATS, REF_CADDY  the images' names
#      NAME_K1S                                         the name of that of k1s with the requirements
# Out: as of images.sh. What a registry does not have as expected is a line `image refused`, with tabs: the name, what was
#      expected, what was seen.
set -eu
[ -n "${UNSHARED:-}" ] || { export UNSHARED=1; exec unshare --mount sh "$0"; }
work=$OUT/work
rm -rf "$work" "$OUT/storage"; mkdir -p "$work/runroot" "$work/home" "$OUT/storage" "$OUT/said"

say() { echo "images: $*" >&2; }
refuse() { printf 'image refused\t%s\t%s\t%s\n' "$1" "$2" "$3" >&2; exit 1; }

# Storage of its own: nothing of the user's podman is read or changed.
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$OUT/storage" "$work/runroot" > "$work/storage.conf"
export CONTAINERS_STORAGE_CONF="$work/storage.conf"

case $REGISTRY in
  http://*) address=${REGISTRY#http://}; tls=--tls-verify=false ;;
  *) address=$REGISTRY; tls=--tls-verify=true ;;
esac
# What podman said last, in one line.
last() { sed -n 's/^Error: //; $p' "$work/said" | tr '\t' ' '; }
fetch() { podman pull --quiet "$tls" "$1" > "$work/said" 2>&1; }
# The digests of an image's manifest; of one for several machines, those of the list and of this machine's.
digests() { podman image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$1" | sed -n 's/.*@//p' | sort -u | paste -s -d ' '; }

unpinned= now=
pull() { # name
  repository=${1%:*} tag=${1##*:}
  [ -z "$address" ] || repository=$address/${repository#*/}
  pinned=$(awk -v name="$1" '$1 == name { print $2 }' "$OUT/pins")
  say "fetching $repository:$tag"
  if [ -n "$pinned" ]; then
    fetch "$repository@$pinned" || refuse "$1" "$pinned at $repository" "$(last)"
    podman tag "$repository@$pinned" "$1"
  fi
  fetch "$repository:$tag" || refuse "$1" "an image at $repository:$tag" "$(last)"
  seen=$(digests "$repository:$tag")
  if [ -z "$pinned" ]; then
    unpinned="$unpinned$1 " now="$now$1 ${seen%% *}; "
  elif ! echo " $seen " | grep -qF " $pinned "; then
    refuse "$1" "$pinned, to which it is pinned" "the tag was moved, to ${seen%% *}"
  fi
}
for name in "$REF_APP" "$REF_K1S" "$REF_ETCD" "$REF_NATS" "$REF_CADDY"; do pull "$name"; done
[ -z "$unpinned" ] || refuse "${unpinned% }" "a line with the digest of each in the file of K1S_GATES_IMAGE_PINS" "not pinned; the registry has now: ${now%; }"

# Runs a program of an image as nobody below the image's root folder, where it sees nothing of the host.
asked() { # name, program, arguments
  root=$(podman image mount "$1"); shift
  env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/tmp LANG=C.UTF-8 \
    setpriv --no-new-privs --inh-caps=-all chroot --userspec=65534:65534 --groups= "$root" "$@"
}
asked "$REF_ETCD" etcd --version > "$OUT/said/etcd"
asked "$REF_NATS" nats-server --version > "$OUT/said/nats"
asked "$REF_CADDY" caddy version > "$OUT/said/caddy"
asked "$REF_K1S" python3 -I -S -c 'import sys; print(sys.version)' > "$OUT/said/python"
asked "$REF_APP" python3 -I -S -c 'import sys; print(sys.version)' > "$OUT/said/app-python"

cp -a "$(podman image mount "$REF_K1S")" "$work/base"
mkdir -p "$work/base/mnt"

