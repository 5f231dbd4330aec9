# In a lane, which stands for a user's own host: a restart of the daemon would stop what else runs in its state root.
set -u
export XDG_STATE_HOME=$HERE/state XDG_RUNTIME_DIR=$HERE/runtime WB_PROJECT_BASE=other
export REAL=$WORKERBEE_BIN WORKERBEE_BIN=$HERE/workerbee
mkdir -p "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR"
stack=$WORKERBEE_CONTAINERD_STATE_ROOT/projects/theirs/stack.json

fail() { echo "$*"; cat "$HERE"/output*; exit 1; }
run() { # a number, and a trial
  RUN_DIR=$HERE/run-$1 "$LADDER" "$2" --exact > "$HERE/output-$1" 2>&1
}
daemon() { pgrep --full -- '[-]m workerbee .* mcp serve'; }

run 1 preflight::mcp-running || fail "no daemon was started"
before=$(daemon) || fail "no daemon is found: $(ps -ef)"
mkdir -p "${stack%/*}" && echo '{}' > "$stack"
kill -KILL $before
run 2 preflight::mcp-running && fail "a daemon that was killed is green"
grep -q 'would stop what runs in theirs' "$HERE/output-2" || fail "it is not said why"
[ ! -e "$HERE/run-2/mcp-restart.json" ] || fail "it was restarted"
[ "$(cat "$stack")" = '{}' ] || fail "what runs there was stopped"
daemon && fail "a daemon runs"
rm "$stack"
run 3 preflight::mcp-running || fail "the daemon was not restarted"
echo "nobody else's stack was stopped"
