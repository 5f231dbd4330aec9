#!/bin/bash
# Compares two builds of nerdctl: every command line that a gate's WorkerBee and k1s ask of it, answered by both to the
# byte but for the time of day (output, errors and exit status), and what a start of each costs. To be run in a lane:
#
#   k1s-gates lane --project nc -- bash bench/nerdctl.sh ONE OTHER
#
# Exits 1 when any answer differs. Lines that change something are asked of each build for a container of its own, and
# then compared by what both say of it.
set -u
one=$1 other=$2
folder=$(mktemp -d) differ=0 asked=0
trap 'rm -rf "$folder"' EXIT
export CONTAINERD_ADDRESS=${CONTAINERD_ADDRESS:?in a lane}
namespace=$(ctr namespaces list --quiet | grep -- '-nc$' | head -n 1)
image=$(ctr --namespace "$namespace" images list --quiet | grep -i python | head -n 1)
[ -n "$image" ] || { echo "no image of Python in the lane" >&2; exit 1; }
global=(--address "$CONTAINERD_ADDRESS" --namespace "$namespace" --data-root "$folder/data" --cni-path /usr/lib/cni --cni-netconfpath "$folder/cni")
mkdir -p "$folder/data" "$folder/cni"

same() { # arguments
  local build status
  for build in one other; do
    "${!build}" "${global[@]}" "$@" > "$folder/$build.out" 2> "$folder/$build.err" < /dev/null
    status=$?
    echo "$status" > "$folder/$build.status"
    # The two are asked one after the other.
    sed -i -E -e 's/[0-9]+ (second|minute)s? ago/a moment ago/g' -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z/now/' "$folder/$build".{out,err}
  done
  asked=$((asked + 1))
  for what in out err status; do
    cmp -s "$folder/one.$what" "$folder/other.$what" && continue
    differ=$((differ + 1))
    echo "differs in $what: nerdctl $*"
    diff "$folder/one.$what" "$folder/other.$what" | head -n 10
  done
}

"$one" "${global[@]}" network create --subnet 10.215.99.0/24 gates-net > /dev/null || exit 1
for build in one other; do
  "${!build}" "${global[@]}" run -d --name "of-$build" --label ae.app=demo --label workerbee.managed=true --network gates-net \
    -p "127.0.0.1:$([ $build = one ] && echo 28080 || echo 28081):80" "$image" sleep 600 > /dev/null || exit 1
done
for name in of-one of-other; do
  id=$("$one" "${global[@]}" ps -q --no-trunc --filter "name=$name")
  same inspect "$id"
  same inspect --format json "$id"
  same inspect "$name" --format '{{json .Config.Labels}}'
  same inspect --mode native "$id"
  same port "$name"
  same logs "$name"
  same exec "$name" cat /etc/passwd
  same exec "$name" sh -c 'exit 7'
done
same inspect of-one of-other
for arguments in --version version info "ps" "ps -a" "ps -q" "ps -a -q" "ps -a -q --filter label=ae.app=demo" \
  "ps -q --filter name=^of-one$" "namespace ls --quiet" "namespace ls" "network ls" "network inspect gates-net" "images" \
  "images --digests" "image inspect $image" "image inspect localhost/none:dev" "inspect none" "exec none true" "rm none" \
  "volume ls" "stop none" "network inspect none" "network rm none" "no-such-command" "ps --no-such-flag" "run --help" "ps --help"; do
  # shellcheck disable=SC2086
  same $arguments
done
same ps --format '{{.Names}}' --filter name=of-one
"$other" "${global[@]}" stop -t 1 of-one > /dev/null && "$one" "${global[@]}" stop -t 1 of-other > /dev/null
same ps -a --format '{{.Names}} {{.Image}}'
for build in one other; do "${!build}" "${global[@]}" rm -f "of-$([ $build = one ] && echo other || echo one)" > /dev/null; done
same ps -a
"$other" "${global[@]}" network rm gates-net > /dev/null
same network ls
echo "$asked command lines, $differ differences"

cost() { # build
  local begin end
  begin=$(awk '{ print $16 + $17 }' /proc/$$/stat)
  for _ in $(seq 100); do "$1" "${global[@]}" ps -a -q > /dev/null; done
  end=$(awk '{ print $16 + $17 }' /proc/$$/stat)
  echo "$1: $(((end - begin) * 1000 / $(getconf CLK_TCK) / 100)) ms of processor time for a start (ps -a -q)"
}
for _ in 1 2; do cost "$one"; cost "$other"; done
[ $differ -eq 0 ]
