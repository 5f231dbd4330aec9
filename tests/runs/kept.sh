# In a lane, which stands for a user's own host: the project of a failed gate stays until it is released.
set -u
export XDG_STATE_HOME=$HERE/state XDG_RUNTIME_DIR=$HERE/runtime RUN_DIR=$HERE/run WB_PROJECT_BASE=kept K1S_GATES_KEEP=failed
export REAL=$WORKERBEE_BIN WORKERBEE_BIN=$HERE/workerbee
mkdir -p "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR"

fail() { echo "$*"; cat "$HERE/output"; find "$XDG_STATE_HOME" "$WORKERBEE_CONTAINERD_STATE_ROOT/projects" -maxdepth 1; exit 1; }
there() { ctr namespaces ls --quiet | grep -q -- '-keptq$' && [ -d "$WORKERBEE_CONTAINERD_STATE_ROOT/projects/keptq" ]; }
# Without WorkerBee's own dry run, which leaves files of nerdctl's in everybody's folders.
sweep() { env --unset WORKERBEE_CONTAINERD_STATE_ROOT "$GATES" sweep "$@"; }

"$LADDER" startup::k1s-dev-min-sqlite::profile-start > "$HERE/output" 2>&1 && fail "a gate that fails is green"
grep -q 'k1s-gates enter keptq' "$HERE/output" || fail "the trial does not say how to look at it"
# The supervisor has ended, and the reaper after it.
for _ in $(seq 100); do pgrep --full "^$LADDER __" > /dev/null || break; sleep 0.1; done
there || fail "it is gone"
sweep --execute || fail "a sweep found something to remove"
there || fail "a sweep removed it"
# The next run does not either.
RUN_DIR=$HERE/run-2 WB_PROJECT_BASE=next "$LADDER" inventory::ok > "$HERE/output-2" 2>&1 || fail "$(cat "$HERE/output-2")"
there || fail "the next run removed it"
sweep | grep 'project keptq, kept on this host since' || fail "the sweep does not show it: $(sweep)"
"$GATES" enter keptq -- nerdctl ps --format '{{.Names}}' | grep -c k1s-dev-min-sqlite | grep -qx 2 || fail "its containers do not run"
"$GATES" release keptq || fail "it is not released"
there && fail "it is still there"
[ -z "$(find "$XDG_STATE_HOME" -type f)" ] || fail "something is left in the ledger"
sweep | grep -q keptq && fail "the sweep still shows it"
echo "kept, looked at and released"
