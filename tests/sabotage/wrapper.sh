#!/bin/bash
# Stands before the real WorkerBee, in the lane: lets a row break something before or after one of its commands, or
# change what it prints. A row defines functions named after the command: before_validate, after_purge, print_status.
set -u
real='@REAL@'
python=$(dirname "$real")/python

step=other
case " $* " in
*' --version '*) exec "$real" "$@" ;;
*' mcp status '*) step=mcp_status ;;
*' mcp restart '*) step=mcp_restart ;;
*' containerd-privilege '*) step=privilege ;;
*' profile list '*) step=list ;;
*' validate '*) step=validate ;;
*' profile status '*) step=status ;;
*' profile stop '*' --purge '*) step=purge ;;
*' profile stop '*) step=stop ;;
esac

project=
previous=
for word in "$@"; do
  [ "$previous" = --project ] && project=$word
  previous=$word
done
state_root=${WORKERBEE_CONTAINERD_STATE_ROOT:-}
folder=$state_root/projects/$project
namespace=workerbee-$(printf %s "$state_root" | sha1sum | cut -c1-12)-$project

# nerdctl in the project's namespace.
containers() { "$WORKERBEE_NERDCTL_BIN" --namespace "$namespace" "$@"; }
# The name of the container whose name ends so.
named() { containers ps --all --format '{{.Names}}' | grep -- "$1\$" | head -1; }
# The main process of that container.
main_process() { containers inspect --format '{{.State.Pid}}' "$(named "$1")"; }
# Changes JSON from standard input by a statement in Python over `it`.
edit() { "$python" -c 'import json, sys; it = json.load(sys.stdin); exec(sys.argv[1]); json.dump(it, sys.stdout)' "$1"; }
# Has the ingress read its routes anew.
reload_ingress() {
  system=${namespace%"$project"}system
  caddy=$("$WORKERBEE_NERDCTL_BIN" --namespace "$system" ps --quiet | head -1)
  "$WORKERBEE_NERDCTL_BIN" --namespace "$system" exec "$caddy" caddy reload --config /etc/caddy/Caddyfile
}
# Asks the profile's etcd, by its HTTP gateway.
etcd() {
  "$python" - "$folder/profiles/k1s-profile.json" "$1" "$2" <<'END'
import json, sys, urllib.request
components = json.load(open(sys.argv[1]))["components"]
url = next(one["url"] for one in components if one["role"] == "etcd")
with urllib.request.urlopen(f"{url}/v3/kv/{sys.argv[2]}", data=sys.argv[3].encode(), timeout=5) as answer:
    print(answer.read().decode())
END
}
# What WorkerBee's record of the profile says under a name.
recorded() { "$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$folder/profiles/k1s-profile.json" "$1"; }
# Puts a proxy in the place of the MCP server that `mcp status` names, which changes its answers by a statement in Python:
# `called(<tool>)` says whether that was asked, `of(<tool>)` is its result, or else a thing that nobody looks at; `tools()`
# is the list of them; `agree()` has the text say what the structured content does.
through_a_proxy() {
  [ -e "$TMPDIR/proxy.py" ] || {
    cat > "$TMPDIR/proxy.py" <<'END'
import http.client, http.server, json, os, sys, time
class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "GET":
            self.send_response(405)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        server = http.client.HTTPConnection("127.0.0.1", 8765)
        server.request(self.command, self.path, body, dict(self.headers))
        answer = server.getresponse()
        asked, said = json.loads(body or b"{}"), answer.read()
        result = json.loads(said).get("result", {}) if said.startswith(b"{") else {}
        def called(tool):
            return asked.get("method") == "tools/call" and asked["params"]["name"] == f"workerbee_v1_{tool}"
        def of(tool): return result if called(tool) else {"structuredContent": {"data": {}}}
        def tools(): return result.get("tools", [])
        def agree():
            if "content" in result: result["content"][0]["text"] = json.dumps(result["structuredContent"])
        if result:
            exec(sys.argv[1], {"called": called, "of": of, "tools": tools, "agree": agree, "os": os, "time": time})
            said = json.dumps({**json.loads(said), "result": result}).encode()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"): self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    do_GET = do_POST = do_DELETE = pass_on
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 8766), Proxy).serve_forever()
END
    leave "$python" "$TMPDIR/proxy.py" "$1"
    sleep 1
  }
  edit 'it["mcp_url"] = "http://127.0.0.1:8766/mcp"'
}
# Leaves a process behind that outlives this script.
leave() { setsid --fork "$@" < /dev/null > /dev/null 2>&1; }
is_defined() { declare -F "$1" > /dev/null; }

@BREAKS@

# What a row prints is none of WorkerBee's answer.
if is_defined "before_$step"; then "before_$step" >&2; fi
if is_defined "instead_of_$step"; then "instead_of_$step"; exit; fi
printed=$(mktemp)
trap 'rm -f "$printed"' EXIT
"$real" "$@" > "$printed"
status=$?
if is_defined "after_$step"; then "after_$step" >&2; fi
if is_defined "print_$step"; then "print_$step" < "$printed"; else cat "$printed"; fi
exit "${forced_status:-$status}"
