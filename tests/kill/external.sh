#!/bin/bash
# In a lane, which stands for a user's own host: a containerd, a state root, and no kernel that would end a run's
# containers. Kills a run there (all of it, or the reaper too) and looks who removes its project.
set -u
also=$1 # "reaper", or nothing
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
# What is somebody else's, in the same containerd and the same state root.
foreign() { ctr --namespace foreign "$@"; }
view() {
  foreign containers info other && foreign tasks ls && foreign snapshots ls && foreign images ls
  find "$WORKERBEE_CONTAINERD_STATE_ROOT/projects/other" -type f -printf '%p %m %T@ ' -exec sha256sum {} +
}
at_work() { grep --quiet --no-messages '"doing": "attestations"' "$RUN_DIR"/gates/*/progress.json; }
gone() {
  namespace=$(ctr namespaces ls --quiet | grep -- '-kext.$')
  [ -z "$namespace" ] && [ -z "$(find "$XDG_STATE_HOME" -name '*.json')" ] \
    && ! ls -d "$WORKERBEE_CONTAINERD_STATE_ROOT"/projects/kext? > /dev/null 2>&1
}

mkdir -p "$WORKERBEE_CONTAINERD_STATE_ROOT/projects/other/profiles"
echo '{}' > "$WORKERBEE_CONTAINERD_STATE_ROOT/projects/other/profiles/k1s-profile.json"
foreign images import "$IMAGES/etcd.tar" > /dev/null
foreign run --detach "$(foreign images ls --quiet)" other sleep 100000 || fail "no foreign container"
before=$(view)

"$LADDER" startup::k1s-dev-min-sqlite::ok > "$HERE/output" 2>&1 &
trials=$!
eventually at_work
ctr namespaces ls --quiet | grep -q -- '-kext.$' || fail "no namespace of the run: $(ctr namespaces ls --quiet)"
[ -z "$also" ] || kill -KILL $(players __reaper)
kill -KILL $(players __supervisor) $(players __gate) "$trials"
begin=$(date +%s%N)
if [ -n "$also" ]; then
  sleep 2
  gone && fail "removed by nobody that was left"
  # Without WorkerBee's own dry run, which leaves files of nerdctl's in everybody's folders.
  env --unset WORKERBEE_CONTAINERD_STATE_ROOT "$SWEEP" sweep | grep -q '^project kext' || fail "the sweep does not say what is left"
  "$SWEEP" sweep --execute || fail "the sweep failed"
fi
eventually gone
echo "nothing left $((($(date +%s%N) - begin) / 1000000)) ms after the signal"
[ "$(view)" = "$before" ] || fail "what is somebody else's was $before and is $(view)"
