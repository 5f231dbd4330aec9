//! Conflicts, forced: the gate is run once more in a fresh project, passes, and is called flaky wherever a verdict is told.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use k1s_profile_gates::plan::{Gate, Profile};
use k1s_profile_gates::stack::{self, Options};

use crate::rows::Row;
use crate::support::ladder::ladder;
use crate::support::outcome;
use crate::support::stand_in::{SEEDS, script};

/// A 409 on apply: before `WorkerBee` applies, the lease of k1s-ha-min goes to another controller.
///
/// Controller 0 is stopped, its lease revoked, and it goes on when another one leads. Not in the rerun, whose project's
/// name ends in `h2`.
const ROW: Row = Row {
    name: "conflict",
    gate: Gate::Workload(Profile::HaMin),
    // Of nothing red it is nobody's.
    fault: "nobody",
    breaks: r#"
        take_the_lease() {
            key=$(printf %s "k1s/workerbee/$project/k1s-ha-min/controlplane/leader" | base64 --wrap 0)
            lease() { etcd range "{\"key\": \"$key\"}" | "$python" -c 'import json, sys; print(json.load(sys.stdin)["kvs"][0]["lease"])'; }
            for _ in $(seq 600); do first=$(lease 2> /dev/null) && break; sleep 0.1; done
            stopped=$(main_process k1s-ha-min-controller-0)
            kill -STOP "$stopped"
            etcd lease/revoke "{\"ID\": \"$first\"}"
            for _ in $(seq 300); do now=$(lease 2> /dev/null) && [ "$now" != "$first" ] && break; sleep 0.1; done
            kill -CONT "$stopped"
        }
        before_validate() {
            case $project in
            *h2) ;;
            *)
                export -f take_the_lease etcd containers named main_process
                export project python folder namespace
                leave bash -c take_the_lease
                ;;
            esac
        }"#,
    env: &[],
    red: &[],
};

pub(crate) fn not_leader() -> Result<(), String> {
    let number = crate::rows::all().count();
    let (outcome, mut wrong) = ROW.run(number);
    wrong.extend(untold(&outcome.told, &["409 Conflict", "not-leader", "k1s-ha-min-controller-"]));
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n{:?}", wrong.join("\n"), outcome.failed)) }
}

/// Lists the places that do not report what happened.
fn untold(told: &BTreeMap<&str, String>, words: &[&str]) -> Vec<String> {
    let missing = |(place, text): (&&str, &String)| {
        let words: Vec<String> =
            words.iter().filter(|word| !text.contains(**word)).map(|word| format!("`{word}`")).collect();
        (!words.is_empty()).then(|| format!("{place} does not say {}", words.join(", ")))
    };
    told.iter().filter_map(missing).collect()
}

const SCRIPT: &str = r#"
    export WORKERBEE_NERDCTL_BIN=$HERE/nerdctl REAL=$WORKERBEE_BIN WORKERBEE_BIN=$HERE/workerbee
    export XDG_STATE_HOME=$HERE/state XDG_RUNTIME_DIR=$HERE RUN_DIR=$HERE/run WB_PROJECT_BASE=kport INSTA_UPDATE=no
    "$LADDER" startup::k1s-dev-min-sqlite::"#;
/// Takes the API shim's port of the first start between `WorkerBee`'s look for a free one and nerdctl's use of it, and
/// keeps it. `WorkerBee`'s helper hands it no environment.
const NERDCTL: &str = r#"#!/bin/bash
case " $* " in *' run '*)
  port=$(echo " $*" | grep -o '127.0.0.1:186[0-9]*' | head -1)
  if [ -n "$port" ] && mkdir '@HERE@/taken' 2> /dev/null; then
    setsid --fork '@PYTHON@' -m http.server "${port#*:}" --bind 127.0.0.1 < /dev/null > /dev/null 2>&1
    sleep 1
  fi
esac
exec '@NERDCTL@' "$@"
"#;

/// A port that another process of the user's host takes first. A lane stands for that host.
pub(crate) fn port_taken() -> Result<(), String> {
    let stack = stack::ensure(&Options::from_env(), &mut |progress| eprintln!("stack: {progress}")).unwrap();
    let folder = tempfile::Builder::new().prefix("k1s-port").tempdir_in("/tmp").unwrap();
    script(folder.path(), SEEDS);
    let nerdctl = folder.path().join("nerdctl");
    let wrapper = [
        ("@HERE@", folder.path()),
        ("@PYTHON@", &stack.workerbee.with_file_name("python")),
        ("@NERDCTL@", &stack.nerdctl),
    ]
    .into_iter()
    .fold(NERDCTL.to_owned(), |text, (name, path)| text.replace(name, &path.display().to_string()));
    std::fs::write(&nerdctl, wrapper).unwrap();
    std::fs::set_permissions(&nerdctl, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_k1s-gates"));
    outcome::by_itself(&mut command);
    let output = command
        .args(["lane", "--", "bash", "-c", SCRIPT])
        .env("HERE", folder.path())
        .env("IMAGES", &stack.images)
        .env("LADDER", ladder())
        .output()
        .unwrap();
    let mut wrong = untold(&outcome::told(&folder.path().join("run")), &["port-taken"]);
    if !output.status.success() {
        wrong.push(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stdout)));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{}\n{}", wrong.join("\n"), String::from_utf8_lossy(&output.stderr)))
    }
}
