//! The project of a failed gate that its user asked to keep: it outlives its run and every sweep, until it is released.

use std::process::{Command, Output};

use k1s_profile_gates::results::verify;
use k1s_profile_gates::run;
use k1s_profile_gates::summary::{Outcome, Summary};
use libtest_mimic::Failed;

use crate::support::nested::{GATE, Nested};
use crate::{at_once, stack, support::stand_in, verdict};

/// The answer is not ok, and the profile lives.
const NOT_OK: &str = r#"
case " $* " in *' validate '*) "$REAL" "$@" | sed '0,/"ok": true/s//"ok": false/'; exit;; esac
exec "$REAL" "$@""#;

pub(crate) fn in_a_lane() -> Result<(), Failed> {
    let folder = tempfile::Builder::new().prefix("k1s-runs").tempdir_in("/tmp")?;
    let workerbee = stand_in::script(folder.path(), &format!("REAL='{}'{NOT_OK}", stack().workerbee.display()));
    let arguments = ["--profile", "gates", "-E", "test(startup::k1s-dev-min-sqlite::) - test(snapshot)"];
    let mut run =
        Nested::start(&arguments, &[("WORKERBEE_BIN", workerbee.into()), ("K1S_GATES_KEEP", "failed".into())]);
    let mut wrong = Vec::new();
    if run.wait() {
        wrong.push("a gate that fails is green".to_owned());
    }
    run::wait_until_sealed(&run.run_dir());
    let project = run.project.clone();
    let through = |words: &[&str], arguments: &[&str]| -> Output {
        Command::new("env")
            .args(words)
            .arg(env!("CARGO_BIN_EXE_k1s-gates"))
            .args(arguments)
            .env("XDG_RUNTIME_DIR", run.folder().join("runtime"))
            .env("XDG_STATE_HOME", run.folder().join("state"))
            .env_remove("WORKERBEE_CONTAINERD_STATE_ROOT")
            .output()
            .unwrap()
    };
    let gates = |arguments: &[&str]| through(&[], arguments);
    // As in another container that shares the ledger.
    let elsewhere = |arguments: &[&str]| through(&["unshare", "--pid", "--fork", "--mount-proc"], arguments);
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let mut expect = |what: &str, so: bool, seen: &Output| {
        if !so {
            wrong.push(format!("{what}: {seen:?}"));
        }
    };
    let way = format!("k1s-gates enter {project}");
    for sweep in [&["sweep"][..], &["sweep", "--execute"], &["sweep"]] {
        let shown = gates(sweep);
        println!("{}", text(&shown));
        let told = text(&shown).contains(&format!("project {project}, kept in the lane of process"))
            && text(&shown).contains(&way);
        expect("a sweep shows it and lets it be", told && shown.status.success(), &shown);
    }
    let swept = elsewhere(&["sweep", "--execute"]);
    let told = text(&swept).contains(&format!("project {project}, kept in a lane of another PID namespace"));
    expect("a sweep in another PID namespace lets it be", told && swept.status.success(), &swept);
    for refused in [elsewhere(&["release", &project]), elsewhere(&["enter", &project, "--", "true"])] {
        let told = String::from_utf8_lossy(&refused.stderr).contains("runs in another PID namespace");
        expect("another PID namespace has no way to it", told && !refused.status.success(), &refused);
    }
    let seen = gates(&["enter", &project, "--", "nerdctl", "ps", "--format", "{{.Names}}"]);
    expect("its containers run", text(&seen).lines().count() == 2, &seen);
    let asked = r#"workerbee --runtime containerd --state-root "$WORKERBEE_CONTAINERD_STATE_ROOT" --project "$WB_PROJECT" --json profile status --k1s-root "$K1S_ROOT"; exit 7"#;
    let seen = gates(&["enter", &project, "--", "sh", "-c", asked]);
    expect("WorkerBee answers", text(&seen).contains("\"running\": true") && seen.status.code() == Some(7), &seen);
    let unknown = gates(&["release", "another"]);
    expect("only what is kept is released", unknown.status.code() == Some(1), &unknown);
    let released = gates(&["release", &project]);
    expect("it is released", released.status.success(), &released);
    let after = gates(&["sweep"]);
    expect("nothing is left", text(&after).contains("left nothing behind") && !text(&after).contains(&project), &after);
    let mark = format!("/run/k1s-gates/{project}");
    let processes =
        std::fs::read_dir("/proc")?.flatten().filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let left = processes.filter(|line| String::from_utf8_lossy(line).contains(&mark)).count();
    if left > 0 {
        wrong.push(format!("{left} processes are left"));
    }
    let summary = Summary::load(&run.run_dir())?;
    let gate = &summary.gates[&GATE.to_string()];
    let cleanup = gate.failures().filter(|(check, _)| check.starts_with("cleanup::")).count();
    if !gate.project_kept
        || cleanup == 0
        || gate.checks.iter().any(|one| one.check.starts_with("cleanup::") && one.outcome == Outcome::Passed)
    {
        wrong.push(format!("what was left out is called clean: {:?}", gate.checks));
    }
    for file in ["summary.txt", "report.html"] {
        let said = std::fs::read_to_string(run.run_dir().join(file))?;
        wrong.extend((!said.contains(&way)).then(|| format!("{file} does not say how to look at it")));
    }
    wrong.extend((!run.output().contains(&way)).then(|| "the trials do not say how to look at it".to_owned()));
    let found = verify(&run.run_dir(), None)?;
    if !found.is_sound() || !found.is_complete() {
        wrong.push(format!("{found:?}"));
    }
    verdict(&wrong, &run.output())
}

const SCRIPT: &str = include_str!("kept.sh");

pub(crate) fn on_the_host() -> Result<(), Failed> {
    let folder = tempfile::Builder::new().prefix("k1s-runs").tempdir_in("/tmp")?;
    let seeds = stand_in::SEEDS.replace("exec \"$REAL\" \"$@\"", "");
    at_once::in_a_host(folder.path(), SCRIPT, "", &(seeds + NOT_OK))
}
