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
