//! The evidence that an interrupted run's folder still holds.

use std::path::Path;

use k1s_profile_gates::Evidence;
use k1s_profile_gates::results::{junit, verify};
use serde_json::Value;
use walkdir::WalkDir;

/// Lists what is wrong with the evidence, one line each.
pub(crate) fn faults(run_dir: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    match std::fs::read(run_dir.join("run.json")).map(|bytes| serde_json::from_slice::<Value>(&bytes)) {
        Ok(Ok(run)) if run["gates"].as_object().is_some_and(|gates| !gates.is_empty()) => {
            let ended = run["gates"].as_object().into_iter().flatten().filter(|(_, gate)| gate["ended"].is_string());
            let file = |gate: &str| run_dir.join("gates").join(gate.replace("::", "-")).join("record.json");
            let without = ended.filter(|(gate, _)| !file(gate).is_file());
            wrong.extend(without.map(|(gate, _)| format!("{gate} has ended and left no record")));
        }
        run => wrong.push(format!("run.json tells of no gate: {run:?}")),
    }
    let files = WalkDir::new(run_dir.join("gates")).into_iter().flatten();
    for record in files.filter(|entry| entry.file_name() == "record.json") {
        if let Err(failure) = Evidence::load(run_dir, record.path()) {
            wrong.push(failure.to_string());
        }
    }
    match verify(run_dir, None) {
        Ok(found) if found.is_sound() => {}
        found => wrong.push(format!("not as the run left it: {found:?}")),
    }
    match junit(run_dir).as_deref().map(roxmltree::Document::parse) {
        Ok(Ok(_)) => {}
        report => wrong.push(format!("no JUnit: {report:?}")),
    }
    wrong
}
