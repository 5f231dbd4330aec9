//! The shape of a gate's evidence against the one that was accepted for this version of `WorkerBee`.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::{Path, PathBuf};

use json_patch::PatchOperation;
use serde_json::Value;

use super::{Check, Judges};
use crate::evidence::{Evidence, shape};
use crate::failure::{Failure, Kind};
use crate::plan::{Transport, WorkerBeeVersion};

/// How many differences a message names.
const NAMED: usize = 6;

/// `<gate>::snapshot`: the answer to `label` has the accepted shape.
pub fn snapshot(label: &'static str) -> Check {
    Check::new("snapshot", move |evidence| compare(evidence, label))
        .expecting("the shape of the answer that was accepted for this version of WorkerBee")
        .judging(Judges::Shape)
}

fn compare(evidence: &Evidence, label: &str) -> Result<(), Failure> {
    let record = &evidence.record;
    // What has failed has another shape: nobody is to accept it.
    let answer = evidence.json(label)?;
    let failed = answer.get("error").is_some_and(Value::is_object) || answer.get("ok") == Some(&Value::Bool(false));
    if failed {
        let file = record.calls.get(label).map_or_else(|| evidence.file.clone(), |call| evidence.path(call));
        return Err(Failure::new(format!("the shape of `{label}` is not compared: the answer itself is a failure"))
            .of(Kind::Follows)
            .expected("an answer that is no failure")
            .seen(evidence.ending(label)?.seen)
            .evidence(file)
            .remedy("see why the call failed: this follows from it; the accepted shape stays as it is"));
    }
    let shape = shape(&answer, &[&record.project]);
    let version = WorkerBeeVersion::of(&record.versions);
    let mut name = record.key.gate.slug();
    if record.key.transport == Transport::Mcp {
        name.push_str(".mcp");
    }
    let folders = folders().map(|folder| folder.join(format!("workerbee-{version}")));
    let file = |folder: &PathBuf| folder.join(format!("{name}.snap"));
    // A consumer's own snapshot goes before the one that comes with the harness.
    let accepted = || folders.iter().map(file).find_map(|file| Some((accepted(&file)?, file)));
    let is_accepted = || accepted().is_some_and(|(known, _)| known == shape);
    if is_accepted() {
        return Ok(());
    }
    // insta writes the new shape beside the consumer's manifest, or accepts it, as its own settings say. Its verdict is not
    // taken: with INSTA_FORCE_PASS it is green whatever the shape is.
    let [own, _] = &folders;
    offer(&name, own, &shape);
    if is_accepted() {
        return Ok(());
    }
    let evidence_file = record.calls.get(label).map_or_else(|| evidence.file.clone(), |call| evidence.path(call));
    let failure = match accepted() {
        Some((known, file)) => Failure::new(format!(
            "the shape of `{label}` is not the accepted one of WorkerBee {version}"
        ))
        .expected(format!("the shape in {}", file.display()))
        .seen(differences(&known, &shape))
        .remedy("if WorkerBee's answer was meant to change, accept it: `cargo insta review`, or INSTA_UPDATE=always"),
        None => Failure::new(format!("there is no accepted shape of `{label}` for WorkerBee {version}"))
            .expected(format!("a snapshot {}", file(own).display()))
            .seen("no such file")
            .remedy(format!("{}{ACCEPT}", beginning(&version))),
    };
    Err(failure.evidence(evidence_file))
}

const ACCEPT: &str = "read the answer; if it is right, accept its shape: `cargo insta review`, or INSTA_UPDATE=always; \
                      CONTRIBUTING.md says how a new version of WorkerBee is supported";

/// The beginning of the advice where a snapshot is missing.
fn beginning(version: &WorkerBeeVersion) -> String {
    if version.is_supported() {
        return String::new();
    }
    format!("the gates are written for {}: use that, or make this one known: ", WorkerBeeVersion::supported())
}

/// Has insta compare a shape with its snapshot in `folder`, and print and write what it does of a new one.
fn offer(name: &str, folder: &Path, shape: &Value) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    // insta prints the difference itself; a panic's backtrace through the harness would only hide it.
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let _ = settings.bind(|| catch_unwind(AssertUnwindSafe(|| insta::assert_json_snapshot!(name, shape))));
    set_hook(hook);
}

/// The shape in a snapshot's file: JSON, behind insta's own head. None when there is no such file, or none that can be read.
fn accepted(file: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(file).ok()?;
    let (_, content) = text.split_once("\n---\n")?;
    serde_json::from_str(content).ok()
}

/// The members in which two shapes differ, the first few of them.
fn differences(accepted: &Value, shape: &Value) -> String {
    let patch = json_patch::diff(accepted, shape).0;
    let one = |change: &PatchOperation| match change {
        PatchOperation::Add(add) => format!("{} is new: {}", add.path, add.value),
        PatchOperation::Remove(remove) => format!("{} is gone", remove.path),
        PatchOperation::Replace(replace) => format!("{} is now {}", replace.path, replace.value),
        other => other.to_string(),
    };
    let mut named: Vec<String> = patch.iter().take(NAMED).map(one).collect();
    if patch.len() > NAMED {
        named.push(format!("and {} more", patch.len() - NAMED));
    }
    named.join("; ")
}

/// The folders of snapshots: the consumer's own, where new ones are written, and that of the harness.
fn folders() -> [PathBuf; 2] {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    [PathBuf::from(own), PathBuf::from(env!("CARGO_MANIFEST_DIR"))].map(|root| root.join("snapshots"))
}
