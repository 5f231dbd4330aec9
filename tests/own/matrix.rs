//! Runs of the same gates on several environments.

use std::path::PathBuf;

use k1s_profile_gates::compare::Matrix;
use k1s_profile_gates::plan::Gate;

use crate::support::run_dir::{RunDir, red};

fn told(runs: &[(&str, &RunDir)]) -> Vec<(String, PathBuf, String)> {
    let of = |(name, run): &(&str, &RunDir)| ((*name).to_owned(), run.write().to_owned(), "it was refused".to_owned());
    runs.iter().map(of).collect()
}

#[test]
fn what_differs_between_environments_is_told_check_by_check() {
    let (mut green, mut broken) = (RunDir::new(), RunDir::new());
    green.gate(Gate::Inventory, r#"{"ok": true, "count": 4}"#);
    green.gate(Gate::Preflight, "{}");
    broken.gate(Gate::Inventory, r#"{"ok": false, "count": "four"}"#).checks =
        vec![red("ok", "WorkerBee could not start: no module named mcp.server.fastmcp", "inventory.json")];
    broken.summary.versions.insert("WorkerBee".into(), "0.1.8".into());
    let mut runs = told(&[("the lowest", &green), ("the newest", &broken)]);
    runs.push(("none".into(), PathBuf::from("/nowhere"), "it was refused".into()));
    let matrix = Matrix::of(&runs);
    assert!(!matrix.is_good());
    let text = anstream::adapter::strip_str(&matrix.text()).to_string();
    let text = text.replace(&green.path().display().to_string(), "[green]");
    insta::assert_snapshot!(text.replace(&broken.path().display().to_string(), "[broken]"));
}

#[test]
fn only_what_ran_everywhere_and_is_green_everywhere_is_good() {
    let mut green = RunDir::new();
    green.gate(Gate::Inventory, r#"{"ok": true}"#);
    let same = Matrix::of(&told(&[("one", &green), ("another", &green)]));
    assert!(same.is_good() && same.checks.is_empty(), "{same:?}");
    assert!(!Matrix::of(&[]).is_good(), "no environment is no proof");
    let empty = RunDir::new();
    assert!(!Matrix::of(&told(&[("one", &green), ("another", &empty)])).is_good(), "no check is no proof");
}
