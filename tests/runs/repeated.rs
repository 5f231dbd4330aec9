//! A gate that is run several times in one run: each time anew, each with a record, a project and a verdict of its own.

use std::collections::BTreeSet;
use std::path::Path;

use k1s_profile_gates::results::{junit, verify};
use k1s_profile_gates::run;
use k1s_profile_gates::summary::Summary;
use libtest_mimic::Failed;

use crate::support::nested::Nested;
use crate::{stack, support::stand_in, verdict};

const CHEAP: [&str; 4] = ["--profile", "gates", "-E", "test(inventory::) | test(preflight::)"];

pub(crate) fn stressed() -> Result<(), Failed> {
    drop(stack());
    let mut run = Nested::start(&[&CHEAP[..], &["--stress-count", "2"]].concat(), &[]);
    let passed = run.wait();
    let names = ["inventory", "inventory (iteration 2)", "preflight", "preflight (iteration 2)"];
    let mut wrong = separate(&run.run_dir(), &names);
    if !passed {
        wrong.push("not green".to_owned());
    }
    wrong.extend(says(&run.run_dir(), "PASSED", &["<testsuite name=\"inventory (iteration 2)\""]));
    verdict(&wrong, &run.output())
}

/// Its inventory is not ok the first times.
const RED_AT_FIRST: &str = r#"
case " $* " in *' profile list '*)
  echo >> "$COUNT"
  if [ "$(wc -l < "$COUNT")" -le "$RED" ]; then "$REAL" "$@" | sed '0,/"ok": true/s//"ok": false/'; exit; fi;;
esac
exec "$REAL" "$@""#;

pub(crate) fn retried() -> Result<(), Failed> {
    green_in_the_end(10, "warn", "WARNED")
}

/// A run that forgives nothing flaky fails, though each of its trials is green in the end.
pub(crate) fn retried_in_vain() -> Result<(), Failed> {
    green_in_the_end(1, "fail", "FAILED")
}

fn green_in_the_end(red: u32, flaky: &str, result: &str) -> Result<(), Failed> {
    let folder = tempfile::Builder::new().prefix("k1s-runs").tempdir_in("/tmp")?;
    let body = format!(
        "COUNT='{}' RED={red} REAL='{}'{RED_AT_FIRST}",
        folder.path().join("count").display(),
        stack().workerbee.display()
    );
    let workerbee = stand_in::script(folder.path(), &body);
    let arguments = ["--profile", "gates", "-E", "test(=inventory::ok)", "--retries", "12"];
    let mut run = Nested::start(&arguments, &[("WORKERBEE_BIN", workerbee.into()), ("K1S_GATES_FLAKY", flaky.into())]);
    let passed = run.wait();
    let names: Vec<String> =
        (1..=red + 1).map(|n| if n == 1 { "inventory".into() } else { format!("inventory (attempt {n})") }).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut wrong = separate(&run.run_dir(), &names);
    if !passed {
        wrong.push("not green in the end".to_owned());
    }
    let summary = Summary::load(&run.run_dir())?;
    for (name, gate) in &summary.gates {
        if gate.passed() != (gate.key.attempt == red + 1) {
            wrong.push(format!("{name}: passed {}", gate.passed()));
        }
    }
    if summary.retried().len() != red as usize {
        wrong.push(format!("retried: {:?}", summary.retried()));
    }
    wrong.extend(says(&run.run_dir(), result, &["<testsuite name=\"inventory\"", "flakyFailure"]));
    verdict(&wrong, &run.output())
}

/// Just these gates, each with a record and a project of its own, in summary and report.
fn separate(run_dir: &Path, names: &[&str]) -> Vec<String> {
    run::wait_until_sealed(run_dir);
    let Ok(summary) = Summary::load(run_dir) else { return vec!["no run.json".to_owned()] };
    let mut wrong = Vec::new();
    let found: BTreeSet<&str> = summary.gates.keys().map(String::as_str).collect();
    if found != names.iter().copied().collect() {
        wrong.push(format!("{found:?} instead of {names:?}"));
    }
    let gates = summary.gates.values();
    if gates.clone().map(|gate| &gate.project).collect::<BTreeSet<_>>().len() != names.len() {
        wrong.push("two runs of a gate share a project".to_owned());
    }
    let records: BTreeSet<String> =
        gates.filter_map(|gate| std::fs::read_to_string(run_dir.join(&gate.folder).join("record.json")).ok()).collect();
    if records.len() != names.len() {
        wrong.push(format!("{} records of {}", records.len(), names.len()));
    }
    for file in ["summary.txt", "report.html"] {
        let text = std::fs::read_to_string(run_dir.join(file)).unwrap_or_default();
        wrong.extend(
            names.iter().filter(|name| !text.contains(*name)).map(|name| format!("{file} does not name {name}")),
        );
    }
    wrong
}

/// Checks the results over the whole run.
fn says(run_dir: &Path, result: &str, of_junit: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    match verify(run_dir, None) {
        Ok(found) if found.is_sound() && found.is_complete() && found.result.as_deref() == Some(result) => {}
        found => wrong.push(format!("not {result}: {found:?}")),
    }
    let report = junit(run_dir).unwrap_or_default();
    wrong.extend(
        of_junit.iter().filter(|part| !report.contains(*part)).map(|part| format!("JUnit has no {part}: {report}")),
    );
    wrong
}
