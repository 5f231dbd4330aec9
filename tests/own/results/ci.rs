//! What a CI is told of a run: GitHub's page of a job, its annotations, and the paths that GitLab follows.

use std::path::Path;
use std::process::{Command, Output};

use k1s_profile_gates::plan::{Gate, Profile};
use rstest::rstest;
use serde_json::{Value, json};

use crate::results::merge::run_of;
use crate::results::verify::red;
use crate::support::sealed::RunDir;

/// The command on a merged run with so many causes, of which the first is every gate's.
fn merged(causes: usize, page: &Path) -> Output {
    let cause = |number: usize, check: String| {
        json!({ "what": format!("cause {number}"), "why": "100 % so\nand more", "component": null, "fault": "k1s",
                "at": null, "evidence": [], "excerpt": [], "checks": [check], "stops_the_gate": false })
    };
    let shards: Vec<RunDir> = (1..=2)
        .map(|index| {
            let shard = k1s_profile_gates::plan::Shard { index, count: 2 };
            run_of(index, &shard.of(&Gate::ALL), Some(shard), |summary: &mut Value, _| {
                for (at, gate) in summary["gates"].as_object_mut().unwrap().values_mut().enumerate() {
                    let mut told = vec![cause(0, "ok".into())];
                    if (index, at) == (1, 0) {
                        told.extend((1..causes).map(|number| cause(number, format!("check-{number}"))));
                    }
                    gate["checks"][0]["outcome"] = json!({ "failed": {
                        "what": "broken | here", "expected": "<b>", "seen": "x".repeat(5000), "remedy": "" } });
                    gate["diagnosis"] = json!({ "causes": told, "read": [] });
                }
            })
        })
        .collect();
    let into = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_k1s-gates"));
    command.args(["merge", "--into"]).arg(into.path()).args(shards.iter().map(RunDir::path));
    command.env("GITHUB_STEP_SUMMARY", page).env("GITHUB_ACTIONS", "true").output().unwrap()
}

#[rstest]
#[case::few(3, 3)]
#[case::many(25, 10)]
fn github_shows_a_page_and_each_cause_once(#[case] causes: usize, #[case] annotations: usize) {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.md");
    // An earlier command of the step has left little room.
    let taken = "x".repeat(1024 * 1024 - 6000) + "\n";
    std::fs::write(&page, &taken).unwrap();
    let output = merged(causes, &page);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("::error title=")).collect();
    assert_eq!(errors.len(), annotations, "{text}");
    // What broke most gates comes first, and names them all.
    let first = errors[0].split_once("::cause 0: 100 %25 so%0Afault of k1s; red checks: 8").expect(errors[0]).0;
    assert!(first.contains("workload%3A%3Ak1s-ha-min%2C") || first.contains("workload%3A%3Ak1s-ha-min"), "{first}");
    if causes > annotations {
        assert!(errors[annotations - 1].contains("and 16 more causes"), "{errors:?}");
    }
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.len() <= 1024 * 1024 && page.starts_with(&taken), "{} bytes", page.len());
    for part in ["## k1s profile gates: Failed", "| startup::k1s-ha-min | ✗ | 0 of 1 |", "cause 2", "no more room here"]
    {
        assert!(page.contains(part), "{part}");
    }
}

#[rstest]
#[case::of_gitlab(true)]
#[case::elsewhere(false)]
fn attachments_are_named_as_their_reader_looks_for_them(#[case] gitlab: bool) {
    let run = RunDir::new().with(red(Gate::Startup(Profile::HaMin))).sealed(None, true);
    let project = run.path().parent().unwrap().to_owned();
    let mut command = Command::new(env!("CARGO_BIN_EXE_k1s-gates"));
    let command = command.arg("junit").arg(run.path()).env_remove("CI_PROJECT_DIR");
    let command = if gitlab { command.env("CI_PROJECT_DIR", &project) } else { command };
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let start = if gitlab { "[[ATTACHMENT|run/".to_owned() } else { format!("[[ATTACHMENT|{}/", run.path().display()) };
    let named: Vec<&str> = text.match_indices("[[ATTACHMENT|").map(|(at, _)| &text[at..]).collect();
    assert!(!named.is_empty() && named.iter().all(|one| one.starts_with(&start)), "{start}: {text}");
}
