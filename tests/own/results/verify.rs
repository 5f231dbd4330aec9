//! Manifest, statement, and what is found of a folder that is no longer as the run left it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use k1s_profile_gates::evidence::Redactions;
use k1s_profile_gates::plan::{Gate, Transport};
use k1s_profile_gates::results::{Judgement, Manifest, Seal, Statement, Verification, verify};
use k1s_profile_gates::signing::{PublicKey, Signer};
use k1s_profile_gates::summary::{Stage, Summary};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::evidence_fixture::EvidenceFixture;
use crate::support::sealed::{RunDir, STARTUP, WORKLOAD};

fn manifest(run: &RunDir) -> Manifest {
    serde_json::from_str(&run.read("manifest.json")).unwrap()
}

pub(crate) fn statement(run: &RunDir) -> Value {
    let envelope: Value = serde_json::from_str(&run.read(STATEMENT_FILE)).unwrap();
    assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");
    serde_json::from_slice(&STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap()).unwrap()
}

/// The file with the statement.
pub(crate) const STATEMENT_FILE: &str = "result.intoto.json";

/// Changes the statement over a run that is not signed.
pub(crate) fn edit_statement(run: &RunDir, change: impl FnOnce(&mut Value)) {
    let mut statement = statement(run);
    change(&mut statement);
    let mut envelope: Value = serde_json::from_str(&run.read(STATEMENT_FILE)).unwrap();
    envelope["payload"] = json!(STANDARD.encode(statement.to_string()));
    run.write(STATEMENT_FILE, &envelope.to_string());
}

/// Keys as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them.
pub(crate) fn keys(run: &RunDir, seed: u8) -> (Signer, PublicKey, PathBuf) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let (private, public) = (run.beside(&format!("{seed}.pem")), run.beside(&format!("{seed}.pub.pem")));
    std::fs::write(&private, key.to_pkcs8_pem(LineEnding::LF).unwrap()).unwrap();
    std::fs::write(&public, key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap()).unwrap();
    (Signer::read(&private).unwrap(), PublicKey::read(&public).unwrap(), public)
}

#[test]
fn a_manifest_names_each_file_with_its_gate_and_the_checks_that_rest_on_it() {
    let run = RunDir::honest();
    let manifest = manifest(&run);
    assert!(manifest.over);
    let entry = |path: &str| manifest.files.iter().find(|entry| entry.path == path).unwrap_or_else(|| panic!("{path}"));
    let answer = entry("startup-k1s-ha-min-validate.json");
    assert_eq!(answer.gate.as_deref(), Some("startup::k1s-ha-min"));
    assert!(answer.checks.contains("startup::k1s-ha-min::ha-leader-observed"), "{:?}", answer.checks);
    assert!(!answer.checks.contains("startup::k1s-ha-min::cleanup::namespace-removed"));
    let sight = entry("gates/startup-k1s-ha-min/seen/namespace-removed.json");
    assert_eq!(sight.checks, BTreeSet::from(["startup::k1s-ha-min::cleanup::namespace-removed".to_owned()]));
    assert_eq!(entry("run.json").gate, None);
    // sha256sum's digest of "{}\n".
    assert_eq!(entry("run.json").sha256, "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356");
    assert_eq!(entry("run.json").size, 3);
    let checked: BTreeSet<&String> = manifest.files.iter().flat_map(|entry| &entry.checks).collect();
    for gate in [Gate::Inventory, STARTUP] {
        for check in
            k1s_profile_gates::checks_of(gate, Transport::Cli).into_iter().filter(|check| check.name != "snapshot")
        {
            let name = format!("{gate}::{}", check.name);
            assert!(checked.contains(&name), "{name} rests on no file");
        }
    }
    let paths: Vec<&str> = manifest.files.iter().map(|entry| entry.path.as_str()).collect();
    assert!(paths.is_sorted());
    assert!(!paths.contains(&"manifest.json") && !paths.contains(&"result.intoto.json"));
}

#[test]
fn a_statement_is_a_test_result_over_the_manifest() {
    let run = RunDir::honest();
    let statement = statement(&run);
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://in-toto.io/attestation/test-result/v0.1");
    let names = |pointer: &str| -> Vec<String> {
        let subjects = statement.pointer(pointer).unwrap().as_array().unwrap();
        subjects.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    // Of a run that has not said what it stands on there is the evidence alone.
    assert_eq!(names("/subject"), ["manifest.json"]);
    let configuration = ["manifest.json", "gates/inventory/spec.json", "gates/startup-k1s-ha-min/spec.json"];
    assert_eq!(names("/predicate/configuration"), configuration);
    let predicate = &statement["predicate"];
    assert_eq!((&predicate["result"], &predicate["failedTests"]), (&json!("PASSED"), &json!([])));
    assert!(predicate["passedTests"].as_array().unwrap().contains(&json!("inventory::expected-profiles")));
}

/// `inputs.json` as a run writes it, with what is no distribution of `WorkerBee`'s and no image among it.
const INPUTS: &str = r#"{
  "WorkerBee": [
    ["lib/python3.11/site-packages/k1s_workerbee-0.1.7.dist-info", "1111111111111111111111111111111111111111111111111111111111111111"],
    ["lib/python3.11/site-packages/k1s_workerbee_runtime-0.1.7.dist-info", "2222222222222222222222222222222222222222222222222222222222222222"],
    ["lib/python3.11/site-packages/mcp-1.30.0.dist-info", "3333333333333333333333333333333333333333333333333333333333333333"],
    ["bin/python", "link to python3"]
  ],
  "images": [
    ["etcd.tar", "4444444444444444444444444444444444444444444444444444444444444444"],
    ["localhost/k1s-gates/etcd:v3.5.14", "sha256:5555555555555555555555555555555555555555555555555555555555555555"]
  ]
}"#;

#[test]
fn the_subjects_of_a_statement_are_what_was_tested() {
    let run = RunDir::new().with(EvidenceFixture::honest(STARTUP));
    run.write("inputs.json", INPUTS);
    let run = run.sealed(None, true);
    let subjects = statement(&run)["subject"].as_array().unwrap().clone();
    let told: Vec<String> = subjects
        .iter()
        .map(|one| format!("{} {}", one["name"].as_str().unwrap(), &one["digest"]["sha256"].as_str().unwrap()[..4]))
        .collect();
    assert_eq!(
        told,
        ["k1s_workerbee-0.1.7 1111", "k1s_workerbee_runtime-0.1.7 2222", "localhost/k1s-gates/etcd:v3.5.14 5555"]
    );
    let found = verify(&run.path(), None).unwrap();
    assert!(found.is_sound() && found.tested.len() == 3, "{found:?}");
    // Another tested thing in the manifest than in the statement.
    let manifest = run.read("manifest.json");
    run.write("manifest.json", &manifest.replace("5555", "6666"));
    assert!(!verify(&run.path(), None).unwrap().is_sound());
}

#[test]
fn a_result_says_which_of_the_chosen_gates_it_does_not_cover() {
    let mut made = crate::support::run_dir::RunDir::new();
    made.gate(Gate::Inventory, "{}");
    let summary = std::fs::read_to_string(made.write().join("run.json")).unwrap();
    let run = RunDir::new().with(EvidenceFixture::honest(Gate::Inventory));
    run.write("run.json", &summary);
    let run = run.sealed(None, true);
    let not_run = statement(&run)["predicate"]["notRun"].as_array().unwrap().clone();
    assert_eq!(not_run.len(), Gate::ALL.len() - 1);
    assert!(not_run.contains(&json!("preflight")) && !not_run.contains(&json!("inventory")));
    let said = run.command("verify", &[]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(
        said.contains(&format!("covers: a part of the gates that were chosen, 1 of {}", Gate::ALL.len())),
        "{said}"
    );
    assert!(said.contains("not run: startup::k1s-ha-min"), "{said}");
}

#[test]
fn a_statement_says_what_a_gate_ran_on_and_what_was_done_in_its_lane() {
    let mut fixture = EvidenceFixture::honest(STARTUP);
    fixture.record.versions.insert("etcd (told by itself)".into(), "3.5.14".into());
    fixture.record.interventions.insert("images".into(), "are imported".into());
    let statement = statement(&RunDir::new().with(fixture).sealed(None, true));
    let specification = &statement["predicate"]["configuration"][1];
    assert_eq!(specification["name"], "gates/startup-k1s-ha-min/spec.json");
    let told = json!({ "version.etcd (told by itself)": "3.5.14", "intervention.images": "are imported" });
    assert_eq!(specification["annotations"], told);
}

#[rstest]
#[case::red(|| RunDir::new().with(red(STARTUP)), "FAILED", &["startup::k1s-ha-min::cleanup::profile-purge"], 0)]
#[case::cut_off(|| RunDir::new().with(EvidenceFixture::honest(Gate::Inventory)).at(STARTUP, 1, Stage::Running), "FAILED",
    &["startup::k1s-ha-min"], 0)]
#[case::without_record(|| RunDir::new().at(STARTUP, 1, Stage::Failed), "FAILED", &["startup::k1s-ha-min"], 0)]
#[case::nothing(RunDir::new, "FAILED", &[], 0)]
#[case::rerun(|| RunDir::new().with_in(red(WORKLOAD), "workload-k1s-ha-min.conflict").with(rerun()), "WARNED", &[], 15)]
#[case::retried(|| RunDir::new().with(red(STARTUP)).with_in(attempt_2(), "startup-k1s-ha-min.attempt-2"), "WARNED",
    &[], 15)]
#[case::noticed(|| RunDir::new().with(noticed()), "WARNED", &[], 15)]
fn a_result_is_never_better_than_the_run(
    #[case] run: fn() -> RunDir,
    #[case] result: &str,
    #[case] failed: &[&str],
    #[case] warned: usize,
) {
    let statement = statement(&run().sealed(None, true));
    let predicate = &statement["predicate"];
    assert_eq!((predicate["result"].as_str().unwrap(), &predicate["failedTests"]), (result, &json!(failed)));
    assert!(predicate["warnedTests"].as_array().unwrap().len() >= warned, "{predicate}");
}

pub(crate) fn red(gate: Gate) -> EvidenceFixture {
    let mut fixture = EvidenceFixture::honest(gate);
    *fixture.at("profile-purge", "/ok") = json!(false);
    fixture
}

pub(crate) fn rerun() -> EvidenceFixture {
    let mut fixture = EvidenceFixture::honest(WORKLOAD);
    fixture.record.rerun_of = Some("gates/workload-k1s-ha-min.conflict".into());
    fixture
}

pub(crate) fn noticed() -> EvidenceFixture {
    let mut fixture = EvidenceFixture::honest(STARTUP);
    fixture.record.noticed = vec!["the machine's clock was set back by 3600.0 s during `validate`".into()];
    fixture
}

pub(crate) fn attempt_2() -> EvidenceFixture {
    let mut fixture = EvidenceFixture::honest(STARTUP);
    fixture.record.key.attempt = 2;
    fixture
}

/// Changes an untampered folder, and checks what is found of it.
#[rstest]
#[case::nothing(|_: &RunDir| {}, |_: &mut Verification| {}, 0)]
#[case::changed(|run: &RunDir| run.write("summary.txt", "Started\n"), |found: &mut Verification| { found.changed.insert("summary.txt".into()); }, 1)]
#[case::a_record(
    |run: &RunDir| run.write("gates/inventory/record.json", "{}"),
    |found: &mut Verification| { found.changed.insert("gates/inventory/record.json".into()); },
    1
)]
#[case::missing(
    |run: &RunDir| std::fs::remove_file(run.path().join("run.json")).unwrap(),
    |found: &mut Verification| { found.missing.insert("run.json".into()); },
    1
)]
#[case::added(|run: &RunDir| run.write("more.json", "{}"), |found: &mut Verification| { found.added.insert("more.json".into()); }, 1)]
#[case::link_in_its_place(
    |run: &RunDir| {
        std::fs::rename(run.path().join("run.json"), run.beside("run.json")).unwrap();
        std::os::unix::fs::symlink(run.beside("run.json"), run.path().join("run.json")).unwrap();
    },
    |found: &mut Verification| { found.changed.insert("run.json".into()); },
    1
)]
#[case::manifest_made_to_fit(
    |run: &RunDir| {
        run.write("run.json", "[]\n");
        let digest = "37517e5f3dc66819f61f5a7bb8ace1921282415f10551d2defa5c3eb0985b570";
        let text = run.read("manifest.json");
        run.write("manifest.json", &text.replace("ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356", digest));
    },
    |found: &mut Verification| {
        found.changed.insert("manifest.json".into());
        found.unchanged += 1;
        found.broken = vec!["result.intoto.json and manifest.json do not name the same things as tested".into()];
    },
    1
)]
#[case::a_view(|run: &RunDir| run.write("report.html", "x"), |found: &mut Verification| { found.views.insert("report.html".into()); }, 0)]
#[case::no_statement(
    |run: &RunDir| std::fs::write(run.path().join("result.intoto.json"), "{}").unwrap(),
    |found: &mut Verification| {
        found.result = None;
        found.broken = vec!["result.intoto.json: no DSSE envelope: missing field `payloadType` at line 1 column 2".into()];
    },
    1
)]
fn what_was_done_to_a_folder_is_found(
    #[case] tamper: fn(&RunDir),
    #[case] change: fn(&mut Verification),
    #[case] status: i32,
) {
    let run = RunDir::honest();
    let mut expected = verify(&run.path(), None).unwrap();
    assert!(expected.is_sound() && expected.is_complete());
    tamper(&run);
    change(&mut expected);
    let lost = expected.changed.iter().filter(|file| *file != "manifest.json").count() + expected.missing.len();
    expected.unchanged -= lost;
    if expected.changed.contains("manifest.json") {
        expected.unchanged -= 1;
    }
    assert_eq!(verify(&run.path(), None).unwrap(), expected);
    let output = run.command("verify", &["--json"]);
    assert_eq!(output.status.code(), Some(status));
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), serde_json::to_value(expected).unwrap());
}

#[test]
fn a_signature_is_that_of_the_key_or_none() {
    let run = RunDir::new().with(EvidenceFixture::honest(Gate::Inventory));
    let (signer, public, file) = keys(&run, 7);
    let (_, other, other_file) = keys(&run, 8);
    let run = run.sealed(Some(&signer), true);
    let seal = |key: Option<&PublicKey>| verify(&run.path(), key).unwrap().signature;
    assert_eq!(seal(Some(&public)), Seal::Good { keyid: public.id() });
    assert_eq!(seal(None), Seal::Unchecked { keyid: public.id() });
    assert_eq!(seal(Some(&other)), Seal::Bad { keyid: public.id() });
    let status = |key: &Path| run.command("verify", &["--key", key.to_str().unwrap()]).status.code();
    assert_eq!((status(&file), status(&other_file)), (Some(0), Some(1)));

    // Signed is not only the payload but also what it is.
    let text = run.read("result.intoto.json");
    assert!(!text.contains("unsigned"));
    let mut envelope: Value = serde_json::from_str(&text).unwrap();
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let forged = String::from_utf8(payload).unwrap().replace("PASSED", "WARNED");
    envelope["payload"] = json!(STANDARD.encode(forged));
    run.write("result.intoto.json", &envelope.to_string());
    assert_eq!(seal(Some(&public)), Seal::Bad { keyid: public.id() });
    assert_eq!(status(&file), Some(1));
}

#[test]
fn what_is_not_signed_says_so() {
    let run = RunDir::honest();
    assert!(run.read("result.intoto.json").contains("\"unsigned\": true"));
    let (_, public, file) = keys(&run, 7);
    let found = verify(&run.path(), Some(&public)).unwrap();
    assert_eq!((found.signature.clone(), found.is_sound()), (Seal::Unsigned, false));
    let output = run.command("verify", &[]);
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("signature: none"));
    assert_eq!(run.command("verify", &["--key", file.to_str().unwrap()]).status.code(), Some(1));
}

#[rstest]
#[case::waiting(Stage::Waiting)]
#[case::running(Stage::Running)]
fn a_run_that_was_cut_short_is_sound_as_far_as_it_went(#[case] state: Stage) {
    let run = RunDir::new().with(EvidenceFixture::honest(Gate::Inventory)).at(STARTUP, 1, state).sealed(None, false);
    // What the gate wrote after the supervisor was killed with it.
    run.write("k1s-ha-min-profile.json", "{}");
    let found = verify(&run.path(), None).unwrap();
    assert!(found.is_sound() && !found.is_complete());
    assert_eq!(found.unfinished, BTreeSet::from(["startup::k1s-ha-min".to_owned()]));
    assert!(found.uncovered.contains("k1s-ha-min-profile.json"));
    assert_eq!(run.command("verify", &[]).status.code(), Some(4));
    // The supervisor writes this before the manifest, and may be killed between the two.
    run.write("summary.txt", "all is well\n");
    assert!(verify(&run.path(), None).unwrap().uncovered.contains("summary.txt"));
    assert_eq!(run.command("verify", &[]).status.code(), Some(4));
    run.write("gates/inventory/record.json", "{}");
    assert_eq!(run.command("verify", &[]).status.code(), Some(1));
}

#[rstest]
#[case::no_manifest(|run: &RunDir| std::fs::remove_file(run.path().join("manifest.json")).unwrap(), "RUN_DIR")]
#[case::no_json(|run: &RunDir| run.write("manifest.json", "x"), "expected value")]
#[case::another_form(
    |run: &RunDir| run.write("manifest.json", &run.read("manifest.json").replace("manifest/v2", "manifest/v9")),
    "k1s-profile-gates/manifest/v9"
)]
fn nothing_is_said_of_a_folder_without_a_manifest(#[case] change: fn(&RunDir), #[case] named: &str) {
    let run = RunDir::honest();
    change(&run);
    let output = run.command("verify", &["--json"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(output.stdout.is_empty() && text.contains(named), "{text}");
}

#[test]
fn a_key_that_is_none_is_named() {
    let run = RunDir::honest();
    run.write("../key.pem", "no key");
    for key in ["key.pem", "nothing.pem"] {
        let output = run.command("verify", &["--key", key]);
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&output.stderr).contains(key));
    }
}

/// Formats of files that others read. To accept a change that was meant: `UPDATE_SCHEMAS=1 cargo test --test own results::`.
#[rstest]
#[case::run("run", schemars::schema_for!(Summary))]
#[case::manifest("manifest", schemars::schema_for!(Manifest))]
#[case::statement("statement", schemars::schema_for!(Statement))]
#[case::redactions("redactions", schemars::schema_for!(Redactions))]
#[case::verification("verification", schemars::schema_for!(Verification))]
#[case::judgement("judgement", schemars::schema_for!(Judgement))]
fn a_schema_is_that_of_its_type(#[case] name: &str, #[case] schema: schemars::Schema) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/{name}.schema.json"));
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let accepted = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(accepted, text, "{} is not that of its type", file.display());
}
