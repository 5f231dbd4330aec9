//! Lies in what `profile list` prints.

use k1s_profile_gates::plan::Gate;

const AT: Gate = Gate::Inventory;

rows! {
    another_runtime at AT, of "WorkerBee", r#"print_list() { edit 'it["runtime_requirement"] = "docker"'; }"# => [
        ("runtime-containerd", "another runtime than containerd"), ("snapshot", "not the accepted one"),
    ];
    k1s_on_the_host at AT, of "WorkerBee", r#"print_list() { edit 'it["host_k1s_processes"] = True'; }"# =>
        [("no-host-processes", "k1s would run on the host")];
    no_profiles at AT, of "WorkerBee", r#"print_list() { edit 'it["profiles"] = []'; }"# =>
        [("expected-profiles", "k1s-ha-min: 0 of that name"), ("snapshot", "not the accepted one")];
    ok_and_yet_exit_1 at AT, of "WorkerBee", "forced_status=1" => [("ok", "exit 1, \"ok\": true")];
    half_an_answer at AT, of "WorkerBee", "print_list() { head -c 300; }" => [
        ("ok", "it printed no JSON"), ("runtime-containerd", "EOF while parsing"),
        ("no-host-processes", "EOF while parsing"), ("expected-profiles", "EOF while parsing"),
        ("snapshot", "EOF while parsing"),
    ];
    no_text at AT, of "WorkerBee", r"print_list() { printf '\377\376'; cat; }" => [
        ("ok", "it printed no JSON"), ("runtime-containerd", "not JSON"), ("no-host-processes", "not JSON"),
        ("expected-profiles", "not JSON"), ("snapshot", "not JSON"),
    ];
    a_hundred_megabytes at AT, of "WorkerBee", "print_list() { head -c 104857600 /dev/zero | tr '\\0' x; }" => [
        ("ok", "it printed too much"), ("runtime-containerd", "104857600 bytes"), ("no-host-processes", "104857600"),
        ("expected-profiles", "104857600 bytes"), ("snapshot", "104857600 bytes"),
    ];
    a_hang at AT, of "WorkerBee", with &[("K1S_GATES_QUERY_TIMEOUT", "3")],
        "before_list() { echo 'waiting for the moon'; sleep 1000; }" => [
        ("ok", "it did not end in time"), ("runtime-containerd", "waiting for the moon"),
        ("no-host-processes", "no answer within 3 s"), ("expected-profiles", "no answer within 3 s"),
        ("snapshot", "no answer within 3 s"),
    ];
    another_k1s_root at AT, of "host", r#"before_list() { mount -t tmpfs none "$K1S_ROOT/src"; }"# =>
        [("k1s-root", "no folder src/ae")];
    code_changed at AT, of "host", r#"before_list() { mount --bind /dev/null "$K1S_ROOT/src/ae/__init__.py"; }"# =>
        [("k1s-root", "src/ae/__init__.py changed since the run began")];
    killed at AT, of "WorkerBee", "before_list() { kill -9 $$; }" => [
        ("ok", "it printed nothing"), ("runtime-containerd", "it printed nothing"),
        ("no-host-processes", "it printed nothing"), ("expected-profiles", "it printed nothing"),
        ("snapshot", "it printed nothing"),
    ];
}
