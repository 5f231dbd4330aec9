# In a lane, which stands for a user's own host: two runs over one state root, begun at once.
set -u
export XDG_STATE_HOME=$HERE/state XDG_RUNTIME_DIR=$HERE/runtime TMPDIR=$HERE/tmp
export REAL=$WORKERBEE_BIN WORKERBEE_BIN=$HERE/workerbee
mkdir -p "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR" "$TMPDIR"
unset RUN_DIR WB_PROJECT_BASE

fail() { echo "$*"; cat "$HERE"/output-*; find "$XDG_STATE_HOME" "$WORKERBEE_CONTAINERD_STATE_ROOT/projects" -maxdepth 1; exit 1; }

for n in 1 2; do
  "$LADDER" startup::k1s-dev-min-sqlite:: --test-threads 64 --skip snapshot > "$HERE/output-$n" 2>&1 &
  eval "run_$n=$!"
done
wait "$run_1" && wait "$run_2" || fail "not both are green"
for _ in $(seq 100); do [ -z "$(find "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR" -type f)" ] && break; sleep 0.1; done
[ -z "$(find "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR" -type f)" ] || fail "something is left"
python3 - "$TMPDIR"/*/gates/*/record.json << 'PYTHON' || fail "they met"
import datetime, json, sys
records = [json.load(open(file)) for file in sys.argv[1:]]
assert len(records) == 2, sys.argv
assert records[0]["project"] != records[1]["project"], records[0]["project"]
def at(record, name):
    started = datetime.datetime.fromisoformat(record["started"][:26].rstrip("Z") + "+00:00").timestamp()
    phase = next(phase for phase in record["phases"] if phase["name"] == name)
    return started + phase["at"], phase["seconds"]
waited = [at(record, "waited for the start token")[1] for record in records]
first, second = sorted(at(record, "validate") for record in records)
print("waited for the token", waited, "second validate", round(second[0] - first[0], 1), "s after the first, which took", round(first[1], 1))
assert max(waited) > 1 and second[0] - first[0] > 1, (waited, first, second)
PYTHON
