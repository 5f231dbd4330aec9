//! The residue of a purge, for real: one thing of a kind, or everything.

use k1s_profile_gates::plan::{Gate, Profile};

const SQLITE: Gate = Gate::Startup(Profile::DevMinSqlite);

rows! {
    stop_refused at SQLITE, of "WorkerBee", r#"instead_of_stop() { echo '{"ok": false, "error": {"code": "BUSY"}}'; return 1; }"# =>
        [("cleanup::profile-stop", "BUSY")];
    purge_refused at SQLITE, of "WorkerBee", r#"
        after_purge() { forced_status=1; }
        print_purge() { echo '{"ok": false, "error": {"code": "BUSY"}}'; }"# => [("cleanup::profile-purge", "BUSY")];
    purged_in_words_only at SQLITE, of "WorkerBee", r#"
        instead_of_stop() { echo '{"ok": true, "purged": false}'; }
        instead_of_purge() { echo '{"ok": true, "purged": true}'; }"# => [
        ("cleanup::containers", "task"), ("cleanup::snapshots", "active"), ("cleanup::networks", "conflist"),
        ("cleanup::bridges", "br-"), ("cleanup::firewall", "-A CNI-"), ("cleanup::mounts", "rootfs"), ("cleanup::ports", "forwarded"),
        ("cleanup::processes", "containerd-shim"), ("cleanup::state-folder", "names"),
        ("cleanup::namespace-removed", "was not removed"), ("own-project", "has no /project"),
        ("cleanup::profile-stop", "0 of 2 components were removed"), ("cleanup::profile-purge", "result null"),
    ];
    container_left at SQLITE, of "WorkerBee", r#"
        after_purge() { containers create --network none --name left "$(containers images --quiet | head -1)" true; }"#
        => [("cleanup::containers", "container"), ("cleanup::snapshots", "active"),
            // nerdctl's own files of it: name, hosts.
            ("cleanup::state-folder", "/names/"), ("cleanup::namespace-removed", "was not removed"),
        ];
    network_left at SQLITE, of "WorkerBee", r#"
        configuration() { find "$folder/containerd-cni-net.d" -name "*$namespace*.conflist"; }
        before_stop() { mount --bind "$(configuration)" "$(configuration)"; }
        after_purge() { umount "$(configuration)"; }"# =>
        // Its removal fails, and WorkerBee says that all is well.
        [("cleanup::networks", "conflist"), ("cleanup::bridges", "br-")];
    bridge_left at SQLITE, of "WorkerBee", "
        after_purge() { ip link add left0 type bridge; }" => [("cleanup::bridges", "bridge left0")];
    firewall_rule_left at SQLITE, of "WorkerBee", r#"
        after_purge() {
            iptables --append FORWARD --jump ACCEPT --match comment --comment "name: \"$namespace\" id: \"left\""
        }"# => [("cleanup::firewall", "FORWARD")];
    mount_left at SQLITE, of "WorkerBee", r#"
        after_purge() { mkdir -p "$folder/left" && mount -t tmpfs left "$folder/left"; }"# =>
        [("cleanup::mounts", "/left")];
    process_left at SQLITE, of "WorkerBee", r#"
        after_purge() { leave bash -c "sleep 600; : $namespace"; }"# => [("cleanup::processes", "bash")];
    listener_left at SQLITE, of "WorkerBee", r#"
        after_purge() { leave "$python" -m http.server 19609 --bind 127.0.0.1 --directory "$folder/.."; sleep 1; }"# =>
        [("cleanup::ports", "19609"), ("cleanup::processes", "python")];
    folder_left at SQLITE, of "WorkerBee", r#"
        after_purge() { mkdir -p "$folder/profiles" && echo left > "$folder/profiles/left.json"; }"# =>
        [("cleanup::state-folder", "left.json")];
    died_before_the_end at SQLITE, of "WorkerBee", r#"print_status() { edit 'it["running"] = False'; }"# =>
        [("profile-status-after", "no longer ran")];
    died_after_all_was_green at SQLITE, of "k1s", r#"
        after_status() {
            main=$(main_process controller-0)
            if [ "${main:-0}" -gt 0 ]; then kill -9 "$main"; sleep 1; fi
        }"# => [
        ("attest::component-exits", "controller-0 was ended by SIGKILL"), ("projects-after", "running false"),
    ];
}
