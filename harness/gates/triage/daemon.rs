//! The MCP daemon as `WorkerBee` wrote it down, against the process, and against how containerd is really reached.

use std::path::Path;

use procfs::process::Process;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::looks::Sight;

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
    /// What `containerd-privilege status` says now.
    privilege: Option<Value>,
}

/// Looks, and compares.
pub(super) fn look(state_root: &Path, privilege: &Path) -> Sight<Daemon> {
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

/// What does not fit.
fn compare(saved: &Saved, process: Option<&[String]>, privilege: Option<&Value>) -> Vec<String> {
    let mut found = Vec::new();
    let pid = saved.pid.map_or_else(|| "none".to_owned(), |pid| pid.to_string());
    match process {
        None => found.push(format!("no process {pid}, which WorkerBee wrote down as its daemon")),
        Some(argv) if argv != saved.argv => {
            found.push(format!("process {pid} has another command line than the saved one"))
        }
        Some(_) => {}
    }
    let mut words = saved.argv.iter().skip_while(|word| *word != "--containerd-privilege");
    let mode = words.nth(1).map_or("none", String::as_str);
    let Some(privilege) = privilege else {
        found.push("how containerd is reached is not known".to_owned());
        return found;
    };
    let effective = privilege["effective_mode"].as_str().unwrap_or("none");
    // By a helper the daemon itself needs no privilege, and WorkerBee starts it without.
    let fitting = if effective == "sudo-helper" { "unprivileged" } else { effective };
    if mode != fitting {
        found.push(format!(
            "the daemon was started with --containerd-privilege {mode}, and the effective mode is {effective}"
        ));
    }
    let then = saved.containerd_privilege["effective_mode"].as_str().unwrap_or("none");
    if then != effective {
        found.push(format!("the effective mode was {then} when the daemon was started, and is {effective}"));
    }
    let helper = &privilege["helper"];
    if effective == "sudo-helper" && (helper["running"] != true || helper["responsive"] != true) {
        found.push(format!("the helper is needed: running {}, responsive {}", helper["running"], helper["responsive"]));
    }
    found
}
