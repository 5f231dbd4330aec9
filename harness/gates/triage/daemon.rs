//! The MCP daemon as `WorkerBee` wrote it down, against the process, and against how containerd is really reached.

use std::path::Path;

use procfs::process::Process;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::capture::Observed;

pub(super) const SHOWS: &str = "the saved command line of WorkerBee's MCP daemon against its process and the helper";

/// `WorkerBee`'s record of its daemon, as far as it is of interest.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    pid: Option<i32>,
    argv: Vec<String>,
    containerd_privilege_mode: Option<String>,
    containerd_privilege: Value,
    started_at: Option<f64>,
}

/// The daemon, three times.
#[derive(Debug, Serialize)]
pub(super) struct Daemon {
    saved: Option<Saved>,
    /// The command line of the process of that id; none when there is no such process.
    process: Option<Vec<String>>,
    /// The present answer of `containerd-privilege status`.
    privilege: Option<Value>,
}

/// Looks, and compares.
pub(super) fn observe(state_root: &Path, privilege: &Path) -> Observed<Daemon> {
    let file = state_root.join("global/mcp-daemon.json");
    let read = std::fs::read(&file).map_err(|error| error.to_string());
    let saved = read.and_then(|bytes| serde_json::from_slice::<Saved>(&bytes).map_err(|error| error.to_string()));
    let privilege: Option<Value> = std::fs::read(privilege).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut found = Vec::new();
    let saved = saved.map_err(|error| found.push(format!("{}: {error}", file.display()))).ok();
    let process = saved.as_ref().and_then(|saved| Process::new(saved.pid?).ok()?.cmdline().ok());
    if let Some(saved) = &saved {
        found.extend(compare(saved, process.as_deref(), privilege.as_ref()));
    }
    (Daemon { saved, process, privilege }, found)
}

/// Lists what does not fit.
fn compare(saved: &Saved, process: Option<&[String]>, privilege: Option<&Value>) -> Vec<String> {
    let mut found = Vec::new();
    let pid = saved.pid.map_or_else(|| "none".to_owned(), |pid| pid.to_string());
    match process {
        None => found.push(format!("no process {pid}, which WorkerBee wrote down as its daemon")),
        Some(argv) if argv != saved.argv => {
            found.push(format!("the command line of process {pid} differs from the saved one"));
        }
        Some(_) => {}
    }
    let mut words = saved.argv.iter().skip_while(|word| *word != "--containerd-privilege");
    let mode = words.nth(1).map_or("none", String::as_str);
    let then = saved.containerd_privilege["effective_mode"].as_str().unwrap_or("none");
    // By a helper the daemon itself needs no privilege, and WorkerBee starts it without.
    let requested = saved.containerd_privilege_mode.as_deref().unwrap_or("none");
    let fitting = if then == "sudo-helper" { "unprivileged" } else { requested };
    if mode != fitting {
        found.push(format!(
            "the daemon was started with --containerd-privilege {mode} instead of {fitting}, in mode {then}"
        ));
    }
    let now = privilege.map_or("unknown", effective);
    if now != then {
        found.push(format!("containerd was reached in mode {then} when the daemon was started, and is now in {now}"));
    }
    found
}

/// Returns how containerd is really reached: WorkerBee's status calls effective what was merely asked for.
fn effective(privilege: &Value) -> &'static str {
    let is = |pointer: &str| privilege.pointer(pointer) == Some(&Value::Bool(true));
    if is("/unprivileged_probe/ok") {
        "unprivileged"
    } else if is("/helper/running") && is("/helper/responsive") {
        "sudo-helper"
    } else {
        "none"
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn found(mode: &str, then: &str, privilege: &Value, process: Option<&str>) -> Vec<String> {
        let argv = |last: &str| vec!["--containerd-privilege".to_owned(), mode.to_owned(), last.to_owned()];
        let saved = Saved {
            pid: Some(1),
            argv: argv("serve"),
            containerd_privilege_mode: Some("sudo-helper".to_owned()),
            containerd_privilege: json!({ "effective_mode": then }),
            started_at: None,
        };
        compare(&saved, process.map(argv).as_deref(), Some(privilege))
    }

    #[rstest]
    #[case::direct("sudo-helper", "unprivileged", json!({"unprivileged_probe": {"ok": true}}))]
    #[case::helper("unprivileged", "sudo-helper", json!({"helper": {"running": true, "responsive": true}}))]
    fn what_fits_is_not_striking(#[case] mode: &str, #[case] then: &str, #[case] privilege: Value) {
        assert_eq!(found(mode, then, &privilege, Some("serve")), Vec::<String>::new());
    }

    #[rstest]
    #[case::gone("sudo-helper", "unprivileged", json!({"unprivileged_probe": {"ok": true}}), None, "no process 1")]
    #[case::another("sudo-helper", "unprivileged", json!({"unprivileged_probe": {"ok": true}}), Some("other"), "differs from the saved")]
    #[case::mode("sudo-helper", "sudo-helper", json!({"helper": {"running": true, "responsive": true}}), Some("serve"), "started with")]
    #[case::helper("unprivileged", "sudo-helper", json!({"helper": {"running": true, "responsive": false}}), Some("serve"), "now in none")]
    #[case::changed("unprivileged", "sudo-helper", json!({"unprivileged_probe": {"ok": true}}), Some("serve"), "now in unprivileged")]
    fn what_does_not_fit_is(
        #[case] mode: &str,
        #[case] then: &str,
        #[case] privilege: Value,
        #[case] process: Option<&str>,
        #[case] says: &str,
    ) {
        let found = found(mode, then, &privilege, process);
        assert!(found.len() == 1 && found[0].contains(says), "{found:?}");
    }
}
