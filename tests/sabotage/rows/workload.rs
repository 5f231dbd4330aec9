//! Breaks of a deployed workload, and an answer that claims all and shows nothing.

use k1s_profile_gates::plan::{Gate, Profile};

const AT: Gate = Gate::Workload(Profile::SingleEtcdContainerd);

rows! {
    no_echo at AT, of "WorkerBee", r#"
        app=$("$python" -c 'import workerbee; print(workerbee.__path__[0])')/assets/realtime/backend/app.py
        before_validate() {
            sed 's/echo:{payload}/ohce:{payload}/' "$app" > "$TMPDIR/app.py"
            mount --bind "$TMPDIR/app.py" "$app"
        }
        after_validate() { umount "$app"; }"# => [
        ("ok", "\"ok\": false"), ("websocket-probe", "is not green"), ("attest::websocket", "not echoed"),
        ("snapshot", "not compared"),
    ];
    all_claimed_nothing_shown at AT, of "WorkerBee", r#"
        print_validate() {
            edit '
it["builds"] = []
it["deploy"]["apply"] = []
it["status"]["resources"]["pods"]["count"] = 0
it["url_checks"] = []
it["probes"] = []
it["websocket"]["message"] = ""
it["exports"] = {}
it["profile_start"]["readiness"]["ok"] = False
it["checks"].append({"name": "brand-new", "ok": True})'
        }"# => [
        ("ok", "/profile_start/readiness/ok"), ("profile-start", "ready false"), ("images-built", "0 of at least 3"), ("manifest-deploy", "0 of at least 3"),
        ("workload-status", "pods: status 200, 0 of them"), ("control-plane-urls", "0 of at least 5"), ("https-probes", "0 of at least 3"),
        ("websocket-probe", "instead of"), ("exports", "helm: ok false, of that format false, 0 files"), ("no-unknown-checks", "brand-new"),
        ("attest::images", "this gate built no"), ("attest::exports", "export"), ("snapshot", "not the accepted one"),
    ];
    exports_emptied at AT, of "k1s", r#"
        after_validate() { find "$folder" -path '*/exports/helm/*' -type f -exec truncate --size 0 {} +; }"# =>
        [("attest::exports", "helm")];
    echo_route_taken at AT, of "k1s", r#"
        after_validate() {
            printf 'https://echo.%s.workerbee.localhost {\n    tls internal\n    respond 404\n}\n' "$project" \
                > "$folder/caddy/$project--other.caddy"
        }
        after_purge() { rm -rf "$folder/caddy/.workerbee-route-quarantine" "$folder/caddy/$project--other.caddy"; }"# => [
        ("attest::websocket-echo", "no WebSocket to the echo app"),
        ("attest::confinement", "does not say what its process may do"),
        // The ingress refuses all of its new configuration: no app that comes later has a route either.
        ("attest::app-readiness", "the ingress does not lead to an app that is ready"),
        ("attest::app-removal", "was not reached"),
    ];
    zero_replicas at AT, of "k1s", r#"
        after_validate() {
            "$python" -m ae.cli --server "$(recorded controller_url)" --token "$(recorded admin_token)" \
                scale --namespace "$project" --replicas 0 db
            for _ in $(seq 60); do
                containers ps --all --format '{{.Image}}' | grep -q realtime-db || break
                sleep 0.5
            done
        }"# => [
        ("attest::resources", "0 ready pods of db"), ("attest::routes", "healthz does not answer"), ("attest::app", "the database does not answer"),
        ("attest::images", "0 containers of db"), ("attest::exports", "db does not run from"),
        ("?attest::websocket-echo", "k1s loads its ingress anew while it looks for the database, and that ends connections"),
        ("?attest::confinement", "the echo app is asked over such a connection"),
        ("?attest::app-changes", "k1s is slow to tell of other apps while it waits for the database's"),
        ("?attest::app-job", "k1s is slow to tell of other apps while it waits for the database's"),
    ];
}
