# In a lane, which stands for a user's own host: two runs begun at once, over one state root; or the second one's by
# another user, who is not root, over a state root of that user's own.
set -u
other_user=$1 # "nobody", or nothing
export REAL=$WORKERBEE_BIN WORKERBEE_BIN=$HERE/workerbee
unset RUN_DIR WB_PROJECT_BASE

fail() { echo "$*"; cat "$HERE"/output-*; find "$HERE" "$WORKERBEE_CONTAINERD_STATE_ROOT/projects" -maxdepth 3; exit 1; }
own() { # A user's own folders
  export HOME=$HERE/$1 XDG_STATE_HOME=$HERE/$1/state XDG_RUNTIME_DIR=$HERE/$1/runtime TMPDIR=$HERE/$1/tmp
  mkdir -p "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR" "$TMPDIR"
}
as() { # A command as that user, who may use sudo, reach containerd, and read what root has built
  user=$1; shift
  setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups \
    --inh-caps -all,+dac_read_search --ambient-caps -all,+dac_read_search "$@"
}
own_admin() { # The ingress's image with an admin port of its own, which CADDY_ADMIN would give it from Caddy 2.7 on
  python3 - "$1" << 'PYTHON'
import hashlib, io, json, sys, tarfile
image, out = tarfile.open(sys.argv[1]), tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
(said,) = json.load(image.extractfile("manifest.json"))
config = json.load(image.extractfile(said["Config"]))
(layer,) = said["Layers"]
layer = image.extractfile(layer).read().replace(b"localhost:2019", b"localhost:2020")
config["rootfs"]["diff_ids"] = ["sha256:" + hashlib.sha256(layer).hexdigest()]
said = {"Config": "config.json", "RepoTags": ["localhost/caddy:second"], "Layers": ["layer.tar"]}
for name, data in {"manifest.json": json.dumps([said]).encode(), "config.json": json.dumps(config).encode(), "layer.tar": layer}.items():
    file = tarfile.TarInfo(name)
    file.size = len(data)
    out.addfile(file, io.BytesIO(data))
out.close()
PYTHON
}
begin() {
  "$@" "$LADDER" startup::k1s-dev-min-sqlite:: --test-threads 64 --skip snapshot > "$HERE/output-$n" 2>&1 &
  eval "run_$n=$!"
}

own first; n=1; begin
if [ -n "$other_user" ]; then
  chmod 755 "$HERE"
  chmod 666 "$WORKERBEE_CONTAINERD_ADDRESS"
  mount -t tmpfs -o mode=755 own /etc/sudoers.d && echo "$other_user ALL=(ALL) NOPASSWD: ALL" > /etc/sudoers.d/gates
  chmod 440 /etc/sudoers.d/gates
  own second
  export WORKERBEE_CONTAINERD_STATE_ROOT=$HERE/second/workerbee
  export WORKERBEE_MCP_PORT=8766 WORKERBEE_CADDY_IMAGE=localhost/caddy:second
  system=workerbee-$(printf %s "$WORKERBEE_CONTAINERD_STATE_ROOT" | sha1sum | cut -c1-12)-system
  echo "$system" > "$HERE/system"
  own_admin "$IMAGES/caddy.tar" | ctr --namespace "$system" images import --no-unpack - > /dev/null || fail "no image of the ingress"
  mkdir "$WORKERBEE_CONTAINERD_STATE_ROOT" && chown -R "$other_user:" "$HERE/second"
  n=2; begin as "$other_user"
else
  n=2; begin
fi
wait "$run_1" && wait "$run_2" || fail "not both are green"
left() { find "$HERE"/*/state "$HERE"/*/runtime -type f; }
for _ in $(seq 100); do [ -z "$(left)" ] && break; sleep 0.1; done
[ -z "$(left)" ] || fail "something is left: $(left)"
python3 - "$HERE"/*/tmp/*/gates/*/record.json << 'PYTHON' || fail "they met"
import datetime, json, os, sys
records = [json.load(open(file)) for file in sys.argv[1:]]
assert len(records) == 2, sys.argv
assert records[0]["project"] != records[1]["project"], records[0]["project"]
assert not any(record["noticed"] for record in records), [record["noticed"] for record in records]
def at(record, name):
    started = datetime.datetime.fromisoformat(record["started"][:26].rstrip("Z") + "+00:00").timestamp()
    phase = next(phase for phase in record["phases"] if phase["name"] == name)
    return started + phase["at"], phase["seconds"]
waited = [at(record, "waited for the start token")[1] for record in records]
first, second = sorted(at(record, "validate") for record in records)
print("users", [os.stat(file).st_uid for file in sys.argv[1:]], "waited for the token", waited, "second validate", round(second[0] - first[0], 1), "s after the first, which took", round(first[1], 1))
assert max(waited) > 1 and second[0] - first[0] > 1, (waited, first, second)
PYTHON
admin() { # Whether the doctor finds the admin port of a state root's ingress to be no other's
  env -u WORKERBEE_CADDY_IMAGE "WORKERBEE_CONTAINERD_STATE_ROOT=$1" "$GATES" doctor --json |
    python3 -c 'import json, sys; print(next(one["ok"] for one in json.load(sys.stdin) if "admin port" in one["name"]))'
}
mkdir "$HERE/another"
told="$(admin "$WORKERBEE_CONTAINERD_STATE_ROOT") $(admin "$HERE/another")"
[ "$told" = "True False" ] || fail "the doctor says of the admin port: $told"
