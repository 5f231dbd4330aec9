//! `reproduce.sh`: what it runs, where, with which settings, and what it refuses.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use k1s_profile_gates::results::verify;
use k1s_profile_gates::tree::Listing;
use rstest::rstest;

use crate::support::machine::{HONEST, Machine, errors};

/// Stands for `make`, `k1s-gates` and `cargo`: says how it was called, where, and with which settings.
const CALLED: &str =
    "#!/bin/sh\necho \"$(basename \"$0\") $*\"\npwd\nenv | grep -E '^(K1S|WB|WORKERBEE|RUN_DIR)' | sort\n";

/// A gate of a machine's, run, and three folders: a checkout of the harness, a repository with gates, and neither.
fn after_a_gate() -> Machine {
    after_a_gate_with(|_| {})
}

/// The same with more in the k1s root.
fn after_a_gate_with(more: impl FnOnce(&Path)) -> Machine {
    let machine = Machine::new(HONEST).set("WB_PROJECT_BASE", Some("mybase"));
    more(&machine.at("k1s"));
    machine.run(&["--exact", "inventory::ok"]);
    let manifests = [
        ("harness", format!("[package]\nname = \"k1s-profile-gates\"\nversion = \"{}\"\n", env!("CARGO_PKG_VERSION"))),
        ("older", "[package]\nname = \"k1s-profile-gates\"\nversion = \"0.0.1\"\n".to_owned()),
        ("consumer", "[package]\nname = \"other\"\n[dev-dependencies]\nk1s-profile-gates = \"0.1\"\n".to_owned()),
        ("nothing", "[package]\nname = \"other\"\n".to_owned()),
    ];
    for (folder, manifest) in manifests {
        std::fs::create_dir_all(machine.at(folder)).unwrap();
        std::fs::write(machine.at(folder).join("Cargo.toml"), manifest).unwrap();
    }
    std::fs::create_dir_all(machine.at("consumer/src/ae")).unwrap();
    machine
}

/// Runs the script alone, away from its run's folder.
fn reproduced(machine: &Machine, programs: &[&str], folder: &str, env: &[(&str, &str)]) -> Output {
    let script = machine.at("elsewhere.sh");
    std::fs::copy(machine.at("run/gates/inventory/reproduce.sh"), &script).unwrap();
    called(machine, &script, programs, folder, env)
}

fn called(machine: &Machine, script: &Path, programs: &[&str], folder: &str, env: &[(&str, &str)]) -> Output {
    let bin = machine.at("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for name in programs {
        std::fs::write(bin.join(name), CALLED).unwrap();
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let mut command = Command::new("sh");
    command.arg(script).arg(folder).current_dir(machine.folder.path()).env_clear().env("PATH", path);
    command.envs(env.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Relative, as a person writes them.
const GIVEN: [(&str, &str); 4] = [
    ("K1S_ROOT", "k1s"),
    ("WORKERBEE_BIN", "workerbee"),
    ("WORKERBEE_CONTAINERD_STATE_ROOT", "root"),
    ("RUN_DIR", "again"),
];

#[rstest]
#[case::a_checkout(&["make"], "harness", "make -C @/harness --no-print-directory gates ARGS=-E 'test(/^inventory::/)'\n@\n")]
#[case::the_command(&["k1s-gates"], "consumer", "k1s-gates run -- -E test(/^inventory::/)\n@/consumer\n")]
#[case::nextest_alone(&["cargo"], "consumer", "cargo nextest run --profile gates --test gates -E test(/^inventory::/)\n@/consumer\n")]
fn the_gate_is_run_again_as_it_was(#[case] programs: &[&str], #[case] folder: &str, #[case] called: &str) {
    let machine = after_a_gate();
    let stray = [("K1S_GATES_FAIL_FAST", "off"), ("WB_PROJECT", "other"), ("K1S_GATES_K1S_DIGEST", "sha256:0")];
    let output = reproduced(&machine, programs, folder, &[GIVEN.as_slice(), &stray].concat());
    let here = machine.folder.path().canonicalize().unwrap().display().to_string();
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    assert!(said.starts_with(&called.replace('@', &here)) && complained.is_empty(), "{said}{complained}");
    let digest = machine.summary()["k1s_root"]["digest"].as_str().unwrap().to_owned();
    for line in [
        format!("K1S_GATES_K1S_DIGEST=sha256:{digest}"),
        format!("K1S_ROOT={here}/k1s"),
        format!("RUN_DIR={here}/again"),
        format!("WORKERBEE_BIN={here}/workerbee"),
        "K1S_GATES_FAIL_FAST=on".to_owned(),
        "K1S_GATES_QUERY_TIMEOUT=2".to_owned(),
        "WB_PROJECT_BASE=mybase".to_owned(),
    ] {
        assert!(said.lines().any(|said| said == line), "{line}\n{said}");
    }
    assert!(!said.contains("WB_PROJECT="), "{said}");
}

#[test]
fn in_a_checkout_of_k1s_that_is_the_one() {
    let machine = after_a_gate();
    let output = reproduced(&machine, &["k1s-gates"], "consumer", &GIVEN[1..]);
    let said = text(&output.stdout);
    assert!(said.lines().any(|line| line.starts_with("K1S_ROOT=") && line.ends_with("/consumer")), "{said}");
}

/// The bundle of the machine's run, with the k1s.
fn bundle(machine: &Machine) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_k1s-gates"));
    command.args(["bundle", "run", "-o", "bundle.tar.zst", "--with-k1s"]);
    command.current_dir(machine.folder.path()).output().unwrap()
}

#[test]
fn out_of_a_bundle_with_the_k1s_nothing_else_is_needed() {
    let machine = after_a_gate_with(|k1s| {
        std::os::unix::fs::symlink("ae", k1s.join("src/link")).unwrap();
        std::fs::write(k1s.join("src/ae/token.py"), "API_TOKEN = \"S3cret-0123456789abcdef\"\n").unwrap();
    });
    let packed = bundle(&machine);
    let complained = text(&packed.stderr);
    assert!(packed.status.success(), "{complained}");
    // It is said, for it cannot be replaced: the digest is over it.
    assert!(complained.contains("run-k1s/src/ae/token.py looks like a secret (Token) at line 1"), "{complained}");

    let there = machine.at("unpacked");
    let file = std::fs::File::open(machine.at("bundle.tar.zst")).unwrap();
    tar::Archive::new(zstd::Decoder::new(file).unwrap()).unpack(&there).unwrap();
    let digest = machine.summary()["k1s_root"]["digest"].as_str().unwrap().to_owned();
    assert_eq!(Listing::of(&there.join("run-k1s"), &[]).digest(), digest);

    // The evidence is as it was beside it.
    let verified = verify(&there.join("run"), None).unwrap();
    assert!(verified.added.is_empty() && verified.is_sound(), "{verified:?}");

    let script = there.join("run/gates/inventory/reproduce.sh");
    let output = called(&machine, &script, &["make"], "harness", &GIVEN[1..]);
    let said = text(&output.stdout);
    assert!(said.lines().any(|line| line.starts_with("K1S_ROOT=") && line.ends_with("/unpacked/run-k1s")), "{said}");
}

#[rstest]
#[case::changed_since("src/ae/later.py", "", "is not the k1s that was tested any more: src/ae/later.py differs")]
#[case::gone_since("src/ae/later.py", "-", "is not the k1s that was tested any more: src/ae/later.py differs")]
#[case::leads_out("src/ae/later.py", "->", "src/ae/later.py of @/k1s leads out of the k1s")]
fn a_k1s_that_would_not_be_the_same_is_not_packed(#[case] file: &str, #[case] becomes: &str, #[case] says: &str) {
    let machine = after_a_gate_with(|k1s| match becomes {
        "->" => std::os::unix::fs::symlink("/etc/hostname", k1s.join(file)).unwrap(),
        _ => std::fs::write(k1s.join(file), "first").unwrap(),
    });
    let path = machine.at("k1s").join(file);
    match becomes {
        "->" => {}
        "-" => std::fs::remove_file(&path).unwrap(),
        content => std::fs::write(&path, content).unwrap(),
    }
    let packed = bundle(&machine);
    let complained = text(&packed.stderr);
    let here = machine.folder.path().display().to_string();
    assert!(packed.status.code() == Some(3) && complained.contains(&says.replace('@', &here)), "{complained}");
    assert!(!machine.at("bundle.tar.zst").exists());
}

#[test]
fn another_version_is_said() {
    let machine = after_a_gate();
    let output = reproduced(&machine, &["make"], "older", &GIVEN);
    assert!(text(&output.stderr).contains("is not of version") && output.status.success());
}

#[rstest]
#[case::no_harness("nothing", &GIVEN, "neither a checkout of k1s-profile-gates")]
#[case::nothing_there("missing", &GIVEN, "neither a checkout of k1s-profile-gates")]
#[case::no_k1s("harness", &GIVEN[1..], "set K1S_ROOT: the k1s root of sha256:")]
#[case::no_workerbee("harness", &[GIVEN[0], GIVEN[2]], "set WORKERBEE_BIN")]
fn what_is_missing_is_named(#[case] folder: &str, #[case] env: &[(&str, &str)], #[case] says: &str) {
    let machine = after_a_gate();
    let output = reproduced(&machine, &["make"], folder, env);
    let complained = text(&output.stderr);
    assert!(output.status.code() == Some(2) && complained.contains(says), "{complained}");
}

#[test]
fn another_k1s_is_refused() {
    let machine = after_a_gate();
    let digest = machine.summary()["k1s_root"]["digest"].as_str().unwrap().to_owned();
    let same = format!("sha256:{digest}");
    let machine = machine.set("K1S_GATES_K1S_DIGEST", Some(&same)).set("RUN_DIR", Some("@/again"));
    assert!(machine.run(&["--exact", "inventory::ok"]).status.success());
    std::fs::write(machine.at("k1s/src/ae/changed.py"), "").unwrap();
    let machine = machine.set("RUN_DIR", Some("@/changed"));
    let output = machine.run(&["--exact", "inventory::ok"]);
    let said = text(&output.stderr);
    assert!(errors(&output).iter().any(|error| error.contains("the k1s under test is another one")), "{said}");
    assert!(said.contains(&same) && !output.status.success(), "{said}");
    assert!(!Path::new(&machine.at("changed/gates/inventory/record.json")).exists());
}
