//! Breaks of a started profile, and false answers about it.

use k1s_profile_gates::plan::{Gate, Profile};

const SQLITE: Gate = Gate::Startup(Profile::DevMinSqlite);
const ETCD: Gate = Gate::Startup(Profile::DevEtcdLabs);
const HA: Gate = Gate::Startup(Profile::HaMin);

rows! {
    ok_without_checks at SQLITE, of "WorkerBee", r#"print_validate() { edit 'it["checks"] = []'; }"# => [
        ("profile-start", "no checks at all"), ("components-running", "no checks at all"),
        ("containerized-components", "no checks at all"), ("no-unknown-checks", "no checks at all"),
        ("snapshot", "not the accepted one"),
    ];
    check_missing at SQLITE, of "WorkerBee", r#"print_validate() { edit 'del it["checks"][1]'; }"# =>
        [("components-running", "no check of that name"), ("snapshot", "not the accepted one")];
    check_unknown at SQLITE, of "WorkerBee",
        r#"print_validate() { edit 'it["checks"].append({"name": "brand-new", "ok": True})'; }"# =>
        [("no-unknown-checks", "unknown: brand-new"), ("snapshot", "not the accepted one")];
    ok_and_yet_exit_1 at SQLITE, of "WorkerBee", "after_validate() { forced_status=1; }" => [("ok", "exit 1, \"ok\": true")];
    made_up_ids at SQLITE, of "WorkerBee", r#"
        print_validate() {
            edit 'for n, one in enumerate(it["status"]["components"]): one["container_id"] = f"{n:064x}"'
        }"# => [("attest::containers", "is not in the container that WorkerBee reported")];
    controller_killed at SQLITE, of "k1s", r#"
        after_validate() { kill -9 "$(main_process controller-0)"; sleep 1; }"# => [
        ("attest::containers", "controller-0"), ("attest::readiness", "controller-0"), ("attest::routes", "502"),
        ("attest::component-exits", "controller-0 was ended by SIGKILL"),
        ("attest::answers", "of controller-0 answers nothing"), ("attest::loop", "controller-0"),
        ("attest::refusals", "controller-0 gives no answer"),
        ("attest::versions", "controller-0 does not tell its version"),
        ("profile-status-after", "no longer ran"), ("projects-after", "running false"),
    ];
    host_process at SQLITE, of "WorkerBee", r#"
        after_validate() {
            mkdir -p "$TMPDIR/planted/ae"
            echo 'import time; time.sleep(600)' > "$TMPDIR/planted/ae/controller.py"
            cd "$TMPDIR/planted" && leave unshare --pid --fork "$python" -m ae.controller
        }"# => [("attest::host-processes", "ae.controller")];
    route_removed at SQLITE, of "WorkerBee", r#"
        after_validate() {
            rm "$folder/caddy/k1s-profile.caddy"
            reload_ingress
        }"# => [("attest::routes", "does not answer")];
    another_ca at SQLITE, of "WorkerBee", r#"
        after_validate() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=other \
            -keyout /dev/null -out "$state_root/global/caddy-local-root.crt"; }"# =>
        [
            ("attest::routes", "the certificate was not issued by WorkerBee's CA"),
            ("mcp-daemon-after", "TLS verified false"),
        ];
    still_installing at HA, of "k1s", r#"
        before_validate() {
            leave bash -c 'until for one in /proc/[0-9]*; do
                tr "\\0" " " < $one/cmdline 2> /dev/null | grep -q "pip install" \
                    && grep -qz controller-2 $one/environ && kill -STOP ${one#/proc/} && break
            done; do sleep 0.02; done'
        }"# => [
        ("attest::containers", "controller-2"), ("attest::readiness", "controller-2"),
        ("attest::authority", "controller-2 does not say who leads"), ("attest::loop", "controller-2"),
        ("attest::versions", "controller-2 does not tell its version"),
    ];
    label_changed at SQLITE, of "WorkerBee", r#"
        after_validate() {
            ctr --address "$CONTAINERD_ADDRESS" --namespace "$namespace" containers label \
                "$(containers inspect --format '{{.Id}}' "$(named controller-0)")" workerbee.project=another
        }"# => [("attest::containers", "another")];
    state_in_no_file at SQLITE, of "k1s", r#"after_validate() { find "$folder" -name '*.db*' -delete; }"# =>
        [
        ("attest::state-backend", "no SQLite file"), ("attest::answers", "answers nothing"),
        ("attest::objects", "with nothing instead of"), ("attest::rbac", "no token"),
        ("attest::refusals", "no answer"),
    ];
    etcd_paused at ETCD, of "k1s", r#"
        after_validate() { containers pause "$(named etcd)"; }
        before_stop() { containers unpause "$(named etcd)"; }"# => [
        ("attest::containers", "PAUSED"), ("attest::readiness", "etcd does not answer"),
        ("attest::versions", "etcd does not tell its version"),
        ("attest::state-backend", "etcd does not answer"), ("attest::routes", "/health"),
        ("attest::answers", "/health of controller-0"), ("attest::loop", "controller-0"),
        ("profile-status-after", "no longer ran"), ("projects-after", "running false"),
    ];
    state_lost at ETCD, of "k1s", r#"
        after_validate() { etcd deleterange '{"key": "AA==", "range_end": "AA=="}'; }"# =>
        [("attest::state-backend", "no state at all")];
    second_controller_killed at HA, of "k1s", r#"
        after_validate() { kill -9 "$(main_process controller-1)"; sleep 1; }"# =>
        [
        ("attest::containers", "controller-1"), ("attest::readiness", "controller-1"),
        ("attest::component-exits", "controller-1 was ended by SIGKILL"),
        ("attest::authority", "controller-1 does not say who leads"), ("attest::loop", "controller-1"),
        ("attest::versions", "controller-1 does not tell its version"),
        ("profile-status-after", "no longer ran"), ("projects-after", "running false"),
    ];
    another_leads at HA, of "k1s", r#"
        after_validate() {
            key=$(printf %s "k1s/workerbee/$project/k1s-ha-min/controlplane/leader" | base64 --wrap 0)
            value=$(printf %s '{"controller_id": "somebody-else"}' | base64 --wrap 0)
            etcd put "{\"key\": \"$key\", \"value\": \"$value\"}"
            # Who led notices at its next renewal, every five seconds.
            sleep 8
        }"# => [
        ("attest::leader", "somebody-else"), ("attest::leadership", "somebody-else led"),
        ("attest::authority", "says that it leads"), ("attest::lease-renewal", "never renewed"),
        ("attest::loop", "none of them leads"), ("profile-status-after", "somebody-else leads"),
    ];
    leadership_lost at HA, of "k1s", r#"
        after_validate() {
            key=$(printf %s "k1s/workerbee/$project/k1s-ha-min/controlplane/leader" | base64 --wrap 0)
            etcd deleterange "{\"key\": \"$key\"}"
            for _ in $(seq 60); do
                sleep 0.5
                etcd range "{\"key\": \"$key\"}" | grep -q '"kvs"' && break
            done
            # Who led says so until its next renewal, every five seconds.
            sleep 8
        }"# => [("attest::leadership", "leadership moved from")];
    binary_swapped at ETCD, of "stack", r#"
        before_validate() {
            name=$(ctr --address "$CONTAINERD_ADDRESS" --namespace "$namespace" images list --quiet | grep /etcd:)
            ctr --address "$CONTAINERD_ADDRESS" --namespace "$namespace" images export - "$name" | podman load --quiet
            printf '%s\n' "FROM $name" 'RUN sed -i s/3\.5\.14/3.5.15/g /usr/local/bin/etcd' |
                podman build --quiet --format docker --isolation chroot --tag "$name" --file - "$(mktemp -d)"
            podman save --quiet --format docker-archive "$name" |
                ctr --address "$CONTAINERD_ADDRESS" --namespace "$namespace" images import --no-unpack -
        }"# => [("attest::versions", "3.5.15")];
    leader_unreported at HA, of "WorkerBee", r#"
        print_validate() { edit 'it["checks"] = [one for one in it["checks"] if one["name"] != "ha-leader-observed"]'; }
        "# => [("ha-leader-observed", "no check of that name"), ("snapshot", "not the accepted one")];
}
