#!/bin/bash
# The runbook as a person runs it: one step after another, nothing shared, nothing side by side. The baseline that the
# gates are measured against, on the same machine, images and WorkerBee.
#
# In the environment: WORKERBEE_BIN, K1S_ROOT, WORKERBEE_CONTAINERD_STATE_ROOT, WB_PROJECT_BASE, RUN_DIR.
# Writes RUN_DIR/timing.tsv (step, seconds, exit status); exits 1 when any step failed.
set -u
: "${WORKERBEE_BIN:?}" "${K1S_ROOT:?}" "${WORKERBEE_CONTAINERD_STATE_ROOT:?}" "${WB_PROJECT_BASE:?}" "${RUN_DIR:?}"
single=${WB_PROJECT_BASE}s ha=${WB_PROJECT_BASE}h
mkdir -p "$RUN_DIR"
timing=$RUN_DIR/timing.tsv failed=0
: > "$timing"

workerbee() { # project, arguments
  local project=$1
  shift
  "$WORKERBEE_BIN" --runtime containerd --containerd-privilege sudo-helper --state-root "$WORKERBEE_CONTAINERD_STATE_ROOT" \
    --project "$project" --cwd "$K1S_ROOT" --json "$@"
}
step() { # name, command
  local name=$1 begin=$EPOCHREALTIME status
  shift
  "$@"
  status=$?
  [ $status -eq 0 ] || failed=1
  awk -v name="$name" -v from="$begin" -v to="$EPOCHREALTIME" -v status=$status \
    'BEGIN { printf "%s\t%.2f\t%d\n", name, to - from, status }' | tee -a "$timing" >&2
}
good() { jq -e "$1" "$RUN_DIR/$2" > /dev/null; }

accepted='.running and .runtime == "containerd" and .global_dashboard.health_probe.ok'
preflight() {
  workerbee "$WB_PROJECT_BASE" mcp status > "$RUN_DIR/mcp-status-before.json"
  good "$accepted" mcp-status-before.json ||
    workerbee "$WB_PROJECT_BASE" mcp restart --host 127.0.0.1 --port 8765 --timeout 90 > "$RUN_DIR/mcp-restart.json"
  workerbee "$WB_PROJECT_BASE" mcp status > "$RUN_DIR/mcp-status-after.json"
  workerbee "$WB_PROJECT_BASE" containerd-privilege status > "$RUN_DIR/containerd-privilege.json"
  workerbee "$WB_PROJECT_BASE" projects > "$RUN_DIR/projects-before.json"
  good "$accepted" mcp-status-after.json
}
inventory() {
  workerbee "$WB_PROJECT_BASE" profile list > "$RUN_DIR/profile-list.json"
  good '.ok and .runtime_requirement == "containerd" and (.host_k1s_processes | not)' profile-list.json
}
startup() { # profile
  workerbee "$WB_PROJECT_BASE" validate --scenario k1s-profile --profile "$1" --k1s-root "$K1S_ROOT" --timeout 240 > "$RUN_DIR/$1-profile.json"
  good '.ok and all(.checks[]; .ok)' "$1-profile.json"
}
workload() { # project, profile
  workerbee "$1" validate --scenario profile-workload --profile "$2" --k1s-root "$K1S_ROOT" --timeout 420 > "$RUN_DIR/$1-$2-workload.json"
  good '.ok and all(.checks[]; .ok) and .websocket.ok and all(.probes[]; .ok) and all(.exports[]; .ok)' "$1-$2-workload.json"
}
for_each_project() { # file, arguments
  local file=$1 project
  shift
  for project in "$WB_PROJECT_BASE" "$single" "$ha"; do workerbee "$project" "$@" > "$RUN_DIR/$project-$file" || return; done
}
evidence() {
  for_each_project profile-status-after.json profile status --k1s-root "$K1S_ROOT" &&
    workerbee "$WB_PROJECT_BASE" projects > "$RUN_DIR/projects-after.json"
}

step preflight preflight
step inventory inventory
for profile in k1s-dev-min-sqlite k1s-dev-etcd-labs k1s-single-etcd-containerd k1s-ha-min; do
  step "startup $profile" startup "$profile"
done
step "workload k1s-single-etcd-containerd" workload "$single" k1s-single-etcd-containerd
step "workload k1s-ha-min" workload "$ha" k1s-ha-min
step evidence evidence
step stop for_each_project profile-stop.json profile stop --k1s-root "$K1S_ROOT"
step purge for_each_project profile-purge.json profile stop --k1s-root "$K1S_ROOT" --purge
exit $failed
