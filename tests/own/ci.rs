//! The files of `examples/ci`, read as those who take them would.

use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use rstest::rstest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const ACTIONLINT: &str = "v1.7.7";

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci").join(name)
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// actionlint: that of the user, or one built for this test, which takes half a minute once.
fn actionlint() -> Result<PathBuf, String> {
    if let Ok(found) = which::which("actionlint") {
        return Ok(found);
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("actionlint-{ACTIONLINT}"));
    let program = folder.join("actionlint");
    if !program.is_file() {
        let module = format!("github.com/rhysd/actionlint/cmd/actionlint@{ACTIONLINT}");
        let output = Command::new("go").args(["install", &module]).env("GOBIN", &folder).output();
        let output = output.map_err(|error| format!("go: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    Ok(program)
}

/// What actionlint says of a workflow; none when it cannot be had, which is said.
fn linted(workflow: &str) -> Option<(bool, String)> {
    let program = match actionlint() {
        Ok(program) => program,
        Err(why) => {
            eprintln!("SKIPPED: the workflow is not linted, for actionlint {ACTIONLINT} cannot be built here: {why}");
            return None;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("workflow.yml");
    std::fs::write(&file, workflow).unwrap();
    let output = Command::new(program).args(["-no-color", "-shellcheck=", "-pyflakes="]).arg(&file).output().unwrap();
    Some((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[rstest]
#[case::as_it_is("", "", "")]
#[case::no_such_input("retention", "name: shard", "retention: 3\n          name: shard")]
#[case::no_such_context("\"shards\" is not defined", "matrix.shard }}/4", "matrix.shards }}/4")]
fn the_workflow_is_one(#[case] says: &str, #[case] from: &str, #[case] to: &str) {
    let text = std::fs::read_to_string(example("github-actions.yml")).unwrap();
    let changed = if from.is_empty() { text.clone() } else { text.replacen(from, to, 1) };
    assert_eq!(changed != text, !from.is_empty());
    let Some((good, said)) = linted(&changed) else { return };
    assert_eq!(good, from.is_empty(), "{said}");
    assert!(said.contains(says), "{said}");
}

#[test]
fn every_gate_is_in_one_job_of_the_workflows() {
    let github = yaml(&std::fs::read_to_string(example("github-actions.yml")).unwrap());
    let gates = &github["jobs"]["gates"];
    let shards: Vec<u64> =
        gates["strategy"]["matrix"]["shard"].as_array().unwrap().iter().map(|one| one.as_u64().unwrap()).collect();
    assert_eq!(shards, (1..=shards.len() as u64).collect::<Vec<_>>());
    assert_eq!(gates["env"]["K1S_GATES_SHARD"], format!("${{{{ matrix.shard }}}}/{}", shards.len()));
    let gitlab = yaml(&std::fs::read_to_string(example("gitlab-ci.yml")).unwrap());
    let script = gitlab["gates"]["script"].to_string();
    assert!(script.contains("$CI_NODE_INDEX/$CI_NODE_TOTAL") && gitlab["gates"]["parallel"].is_u64(), "{script}");
    for job in ["gates", "verdict"] {
        assert!(gitlab["stages"].as_array().unwrap().contains(&gitlab[job]["stage"]), "{job}");
        assert_eq!(gitlab[job]["artifacts"]["when"], "always");
    }
}

/// A document as its type knows it: a member that the type does not know is lost, and so is told.
fn typed<T: DeserializeOwned + Serialize>(document: &Value) -> Result<T, String> {
    let known: T = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
    let again = serde_json::to_value(&known).map_err(|error| error.to_string())?;
    if again == *document { Ok(known) } else { Err(format!("{document}\nis known as\n{again}")) }
}

#[test]
fn the_jobs_of_kubernetes_are_of_their_types() {
    let text = std::fs::read_to_string(example("kubernetes-job.yml")).unwrap();
    let documents: Vec<Value> = text.split("\n---\n").map(yaml).collect();
    assert_eq!(documents.len(), 3);
    typed::<PersistentVolumeClaim>(&documents[0]).unwrap();
    let gates: Job = typed(&documents[1]).unwrap();
    let spec = gates.spec.unwrap();
    assert_eq!(
        (spec.completion_mode.as_deref(), spec.completions, spec.backoff_limit),
        (Some("Indexed"), Some(8), Some(0))
    );
    let container = &spec.template.spec.unwrap().containers[0];
    let script = container.args.as_ref().unwrap().join("\n");
    // The index begins at 0, a shard's number at 1.
    assert!(script.contains("K1S_GATES_SHARD=\"$((JOB_COMPLETION_INDEX + 1))/8\""), "{script}");
    typed::<Job>(&documents[2]).unwrap();

    let mut misspelled = documents[1].clone();
    misspelled["spec"]["completionmode"] = "Indexed".into();
    assert!(typed::<Job>(&misspelled).is_err());
    let mut of_another_type = documents[1].clone();
    of_another_type["spec"]["completions"] = "eight".into();
    assert!(typed::<Job>(&of_another_type).is_err());
}
