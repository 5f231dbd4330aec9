//! The k1s that a run validates, and the places that name it, against a stand-in for `WorkerBee`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Output};

use k1s_profile_gates::results::junit;
use rstest::rstest;
use serde_json::Value;

use crate::support::machine::{HONEST, Machine, errors};

const TRIAL: [&str; 2] = ["--exact", "inventory::k1s-root"];

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

fn read(machine: &Machine, file: &str) -> String {
    std::fs::read_to_string(machine.at("run").join(file)).unwrap()
}

fn git(root: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Makes the machine's k1s a checkout; returns its commit.
fn checkout(machine: &Machine) -> String {
    let k1s = machine.at("k1s");
    std::fs::write(k1s.join("src/ae/cli.py"), "").unwrap();
    git(&k1s, &["init", "-q"]);
    git(&k1s, &["add", "-A"]);
    git(&k1s, &["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "first"]);
    git(&k1s, &["rev-parse", "HEAD"])
}

#[test]
fn everything_that_gives_a_verdict_names_the_tree() {
    let machine = Machine::new(HONEST).set("K1S_ROOT", None);
    let commit = checkout(&machine);
    std::fs::write(machine.at("k1s/src/ae/new.py"), "").unwrap();
    let output = machine.command(&TRIAL).current_dir(machine.at("k1s/src/ae")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    machine.leaves_nothing();
    let path = machine.at("k1s").display().to_string();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let first = said.lines().next().unwrap_or_default();
    let named =
        format!("{path} (the checkout that the working directory is in), commit {commit} with changes, sha256:");
    assert!(first.strip_prefix("k1s under test: ").is_some_and(|tree| tree.starts_with(&named)), "{said}");
    let run = machine.summary();
    let digest = run["k1s_root"]["digest"].as_str().unwrap().to_owned();
    assert!(digest.len() == 64 && first.contains(&digest[..12]), "{first}: {digest}");
    assert_eq!(run["k1s_root"]["origin"], "working-directory");
    let summary = read(&machine, "summary.txt");
    // It begins as the runbook's does.
    let profiles = "profiles=k1s-dev-min-sqlite,k1s-dev-etcd-labs,k1s-single-etcd-containerd,k1s-ha-min,";
    assert!(summary.starts_with(&format!("profile-list ok=true\n{profiles}")), "{summary}");
    assert!(summary.contains(&format!("k1s_root={named}")), "{summary}");
    let page = read(&machine, "report.html");
    let head = page.split_once("</header>").unwrap().0;
    assert!(head.contains("k1s under test: ") && head.contains(&commit), "{head}");
    let manifest: Value = serde_json::from_str(&read(&machine, "manifest.json")).unwrap();
    assert_eq!(manifest["k1s_root"], run["k1s_root"]);
    let report = junit(&machine.at("run")).unwrap();
    for property in [format!("name=\"k1s-root.commit\" value=\"{commit}\""), format!("value=\"sha256:{digest}\"")] {
        assert!(report.contains(&property), "{property} is not in {report}");
    }
    let verified = Command::new(env!("CARGO_BIN_EXE_k1s-gates")).arg("verify").arg(machine.at("run")).output().unwrap();
    assert!(verified.status.success(), "{}", text(&verified));
}

#[test]
fn plan_and_doctor_name_the_tree() {
    let machine = Machine::new(HONEST).set("K1S_ROOT", None);
    let commit = checkout(&machine);
    for subcommand in ["plan", "doctor"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_k1s-gates"));
        command.arg(subcommand).current_dir(machine.at("k1s")).env_clear();
        let output = command.envs(machine.env.iter().map(|(name, value)| (name, value))).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("k1s under test") && said.contains(&format!("commit {commit}, sha256:")), "{said}");
    }
}

#[rstest]
#[case::nowhere("@/none", "it has no folder src/ae, no pyproject.toml, no requirements.txt (named by K1S_ROOT)")]
#[case::a_file("@/answer.json", "is no k1s root")]
#[case::without_requirements("@/k1s", "it has no requirements.txt")]
fn what_is_no_k1s_root_is_red(#[case] root: &str, #[case] seen: &str) {
    let machine = Machine::new(HONEST).set("K1S_ROOT", Some(root));
    std::fs::remove_file(machine.at("k1s/requirements.txt")).unwrap();
    // A good one in reach is not taken in its place.
    let other = machine.at("other");
    std::fs::create_dir_all(other.join("src/ae")).unwrap();
    for file in ["pyproject.toml", "requirements.txt"] {
        std::fs::write(other.join(file), "").unwrap();
    }
    let output = machine.command(&TRIAL).current_dir(&other).output().unwrap();
    assert!(!output.status.success());
    let errors = errors(&output);
    assert!(errors.len() == 1 && errors[0].contains(seen), "{}", text(&output));
    assert_eq!(machine.calls(), 0);
    machine.leaves_nothing();
}

#[test]
fn a_tree_that_changes_under_the_run_is_red() {
    let changes = format!("{HONEST}\necho more >> \"$HERE/k1s/requirements.txt\"");
    let machine = Machine::new(&changes);
    let output = machine.run(&TRIAL);
    assert!(!output.status.success());
    assert!(errors(&output)[0].contains("requirements.txt changed since the run began"), "{}", text(&output));
    machine.leaves_nothing();
}

#[test]
fn two_trees_in_reach_are_told() {
    let machine = Machine::new(HONEST).set("WORKERBEE_K1S_ROOT", Some("@/other"));
    let output = machine.run(&TRIAL);
    assert!(output.status.success(), "{}", text(&output));
    let named = format!("; not {} (named by WORKERBEE_K1S_ROOT)", machine.at("other").display());
    assert!(text(&output).contains(&named), "{}", text(&output));
}

#[test]
fn files_of_every_kind_in_the_tree_keep_nobody_waiting() {
    let machine = Machine::new(HONEST);
    let at = machine.at("k1s/src/ae");
    assert!(Command::new("mkfifo").arg(at.join(".dev.fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(at.join("control.sock")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", at.join("endless")).unwrap();
    std::os::unix::fs::symlink("..", at.join("circle")).unwrap();
    std::fs::write(at.join(OsStr::from_bytes(b"\xff.py")), "").unwrap();
    let output = machine.run(&TRIAL);
    assert!(output.status.success(), "{}", text(&output));
    machine.leaves_nothing();
    let inputs: Value = serde_json::from_str(&read(&machine, "inputs.json")).unwrap();
    let passed_over = inputs["k1s root, passed over"].to_string();
    for entry in ["[\"src/ae/.dev.fifo\",\"a FIFO\"]", "[\"src/ae/control.sock\",\"a socket\"]", "src/ae/endless"] {
        assert!(passed_over.contains(entry), "{entry} is not in {passed_over}");
    }
}

#[test]
fn a_root_that_is_no_utf8_is_refused_by_name() {
    let machine = Machine::new(HONEST);
    let root = machine.at("").join(OsStr::from_bytes(b"k1s-\xff"));
    std::fs::rename(machine.at("k1s"), &root).unwrap();
    let output = machine.command(&TRIAL).env("K1S_ROOT", &root).output().unwrap();
    assert!(!output.status.success());
    let errors = errors(&output);
    assert!(errors.len() == 1 && errors[0].contains("K1S_ROOT names a path that is no UTF-8"), "{}", text(&output));
    machine.leaves_nothing();
}

/// Nothing is written into a checkout that cannot be written to, nor asked of it as root what runs its owner's programs.
#[test]
fn a_read_only_checkout_of_another_user_is_validated() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let machine = Machine::new(HONEST);
    let commit = checkout(&machine);
    let k1s = machine.at("k1s");
    for (program, arguments) in [("chmod", ["-R", "a-w"]), ("chown", ["-R", "65534:65534"])] {
        assert!(Command::new(program).args(arguments).arg(&k1s).status().unwrap().success());
    }
    let output = machine.run(&TRIAL);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains(&format!("commit {commit}")), "{}", text(&output));
    machine.leaves_nothing();
}
