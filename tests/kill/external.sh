#!/bin/bash
# In a lane, which stands for a user's own host: a containerd, a state root, and no kernel that would end a run's
# containers. Ends a run there (all of it, or the reaper too) and looks who removes its project.
set -u
signal=$1
phase=$2 # what the gate is at
transport=$3
also=$4 # "reaper", or nothing
export XDG_STATE_HOME=$HERE/state XDG_RUNTIME_DIR=$HERE/runtime RUN_DIR=$HERE/run WB_PROJECT_BASE=kext
export REAL=$WORKERBEE_BIN WORKERBEE_BIN=$HERE/workerbee
mkdir -p "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR"

fail() {
  echo "$*"
  find "$XDG_STATE_HOME" "$WORKERBEE_CONTAINERD_STATE_ROOT/projects" -ls
  cat "$HERE/output"
  exit 1
}
# Looks again until it is so, half a minute long.
eventually() {
  for _ in $(seq 300); do "$@" && return; sleep 0.1; done
  fail "still not so: $*"
}
# The run's processes of a kind. No other run is in this PID namespace; the lane itself has another executable.
players() { pgrep --full "^$LADDER $1"; }
nobody_plays() { [ -z "$(players __)" ]; }
# What is somebody else's, in the same containerd and the same state root.
foreign() { ctr --namespace foreign "$@"; }
view() {
  foreign containers info other && foreign tasks ls && foreign snapshots ls && foreign images ls
  find "$WORKERBEE_CONTAINERD_STATE_ROOT/projects/other" -type f -printf '%p %m %T@ ' -exec sha256sum {} +
}
at_work() { grep --quiet --no-messages "\"doing\": \"$phase" "$RUN_DIR"/gates/*/progress.json; }
at_containers() {
  namespace=$(ctr namespaces ls --quiet | grep -- '-kext.$') && ctr --namespace "$namespace" tasks ls --quiet | grep -q .
}
# What a project makes outside of its folder. The daemon and WorkerBee's helper are nobody's project, and the chains of
# all networks stay (ARCHITECTURE.md).
host() {
  ip -oneline link | cut -d: -f2 | cut -d@ -f1
  for tables in iptables-save ip6tables-save; do $tables | grep -e --to-destination -e workerbee-; done
  ss -Hltn | awk '{ print $4 }' | sort
  cut -d' ' -f1,2 /proc/mounts
  find /var/lib /run/netns -path '*/lib/containerd' -prune -o -type f -path '*workerbee-*' ! -name lock ! -name 'last_reserved_ip.*' -print
  pgrep --full --list-name 'workerbee-[0-9a-f]{12}-kext'
}
as_before() { [ "$(host)" = "$host" ]; }
gone() {
  namespace=$(ctr namespaces ls --quiet | grep -- '-kext.$')
  [ -z "$namespace" ] && [ -z "$(find "$XDG_STATE_HOME" -name '*.json')" ] \
    && ! ls -d "$WORKERBEE_CONTAINERD_STATE_ROOT"/projects/kext? > /dev/null 2>&1
}

mkdir -p "$WORKERBEE_CONTAINERD_STATE_ROOT/projects/other/profiles"
echo '{}' > "$WORKERBEE_CONTAINERD_STATE_ROOT/projects/other/profiles/k1s-profile.json"
foreign images import "$IMAGES/etcd.tar" > /dev/null
foreign run --detach "$(foreign images ls --quiet)" other sleep 100000 || fail "no foreign container"
# The daemon stays, and is nobody's project. WorkerBee's own dry run of a cleanup, which the runbook asks for, has nerdctl
# make its files in the folder of a project that has none yet.
RUN_DIR=$HERE/first "$LADDER" preflight::mcp-running --exact > "$HERE/output" 2>&1 || fail "no daemon"
eventually nobody_plays
before=$(view) host=$(host)

K1S_GATES_TRANSPORT=$transport "$LADDER" startup::k1s-dev-min-sqlite:: --skip mcp:: --skip parity:: > "$HERE/output" 2>&1 &
trials=$!
eventually at_work
eventually at_containers
[ -z "$also" ] || kill -KILL $(players __reaper)
kill "-$signal" $(players __supervisor) $(players __gate) "$trials"
begin=$(date +%s%N)
if [ -n "$also" ]; then
  sleep 2
  gone && fail "removed by nobody that was left"
  # Without WorkerBee's own dry run, which leaves files of nerdctl's in everybody's folders.
  env --unset WORKERBEE_CONTAINERD_STATE_ROOT "$SWEEP" sweep | grep -q '^project kext' || fail "the sweep does not say what is left"
  # What a purge leaves outside of the folder keeps the entry, and is said.
  rule="--jump ACCEPT --match comment --comment of-$namespace"
  iptables --append FORWARD $rule
  "$SWEEP" sweep --execute > "$HERE/refused" 2>&1 && fail "a firewall rule was left, and the sweep is content"
  grep -q "left after the purge: .*of-$namespace" "$HERE/refused" || fail "the rule is not named: $(cat "$HERE/refused")"
  ls "$XDG_STATE_HOME"/k1s-profile-gates/ledger/*.json > /dev/null || fail "the entry is gone"
  iptables --delete FORWARD $rule
  "$SWEEP" sweep --execute || fail "the sweep failed"
fi
eventually gone
echo "nothing left $((($(date +%s%N) - begin) / 1000000)) ms after the signal"
for _ in $(seq 50); do as_before && break; sleep 0.1; done
as_before || fail "$(diff <(echo "$host") <(host))"
[ "$(view)" = "$before" ] || fail "what is somebody else's was $before and is $(view)"
