//! Logs: of the containers of the gate's project, of those that have exited too, and of what they stand on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use walkdir::WalkDir;

use super::super::session::Session;
use super::capture::given;
use crate::attest::app;
use crate::evidence::call::Call;
use crate::evidence::{Item, folder};
use crate::lane::Environment;
use crate::workerbee::mcp::Mcp;
use crate::workerbee::naming;
use crate::workerbee::request::Request;

/// The most that is kept of a log: its end.
const END: usize = 4 * 1024 * 1024;

/// The logs of the applications, as an agent asks for them, whichever way the gate itself asks.
pub(super) async fn of_workload(session: &Session<'_>, folder: &Path, limit: Duration) -> Vec<Item> {
    let shows = |app: &str| format!("what WorkerBee gives agents as the log of {app}");
    let url = session.mcp_url();
    let mcp = match Mcp::connect(&url).await {
        Ok(mcp) => mcp,
        Err(problem) => {
            let problem = Some(problem.to_string());
            return vec![Item { shows: shows("a workload"), files: Vec::new(), found: Vec::new(), problem }];
        }
    };
    let mut items = Vec::new();
    for app in app::NAMES {
        let tool = Request::Logs(app).tool(&session.spec.project, "");
        let file = folder.join("logs").join(format!("{app}.json"));
        let call = mcp.call(&session.store, &file.to_string_lossy(), &tool, limit).await;
        let problem = call.problem.as_ref().map(ToString::to_string).or_else(|| refused(session, &call));
        let files = vec![call.file];
        items.push(given(session, Item { shows: shows(app), files, found: Vec::new(), problem }));
    }
    items
}

/// Why an answer holds no log.
fn refused(session: &Session<'_>, call: &Call) -> Option<String> {
    let bytes = folder::read(session.store.root(), &call.file).ok()?;
    let ending = call.ending(&serde_json::from_slice(&bytes).ok()?);
    (!ending.well).then_some(ending.seen)
}

/// Keeps all logs.
pub(super) fn keep(session: &Session<'_>, environment: &Environment, folder: &Path) -> Vec<Item> {
    let of_daemon = environment.state_root.join("global/mcp-daemon.log");
    let mut items = vec![one(session, &folder.join("mcp-daemon.log"), "the log of WorkerBee's MCP daemon", &of_daemon)];
    // On the user's own host, containerd's log is not the harness's to find.
    if !session.shares_its_host() {
        let log = environment.address.with_file_name("containerd.log");
        items.push(one(session, &folder.join("containerd.log"), "the log of the lane's containerd", &log));
    }
    if session.key.gate.profile().is_none() {
        return items;
    }
    let logs = of_containers(session, environment);
    if logs.is_empty() {
        let problem = Some("WorkerBee has no container's log of this project".to_owned());
        items.push(Item { shows: "container logs".to_owned(), files: Vec::new(), found: Vec::new(), problem });
    }
    let shows = |name: &str| format!("the log of the container {name}");
    items.extend(
        logs.iter()
            .map(|(name, log)| one(session, &folder.join("logs").join(format!("{name}.log")), &shows(name), log)),
    );
    items
}

fn one(session: &Session<'_>, file: &Path, shows: &str, log: &Path) -> Item {
    let mut item = Item { shows: shows.to_owned(), files: vec![file.to_owned()], found: Vec::new(), problem: None };
    match std::fs::read(log) {
        Ok(bytes) if bytes.is_empty() => item.problem = Some("it is empty".to_owned()),
        Ok(bytes) => {
            // Secrets go before the beginning does: a key is no longer known as one by a part of it.
            let clean = session.store.redact(&bytes);
            if clean.len() > END {
                item.problem = Some(format!("the last {END} of {} bytes are kept", clean.len()));
            }
            if let Err(error) = session.store.write(file, &clean[clean.len().saturating_sub(END)..]) {
                item.problem = Some(error.to_string());
            }
        }
        Err(error) => item.problem = Some(format!("{}: {error}", log.display())),
    }
    given(session, item)
}

/// The logs that nerdctl keeps, by component where it is one. Its files rather than containerd are asked for the names:
/// they are there when containerd is not.
fn of_containers(session: &Session<'_>, environment: &Environment) -> BTreeMap<String, PathBuf> {
    let data = environment.state_root.join("projects").join(&session.spec.project).join("containerd-data");
    let files: Vec<PathBuf> = WalkDir::new(data)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect();
    let text = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // names/<namespace>/<name> holds an id.
    let written = files.iter().filter(|file| file.iter().rev().nth(2).is_some_and(|folder| folder == "names"));
    let names: BTreeMap<String, String> =
        written.filter_map(|file| Some((std::fs::read_to_string(file).ok()?.trim().to_owned(), text(file)))).collect();
    let component = |container: &str| {
        let profile = session.key.gate.profile()?;
        let of = |component| naming::container(&environment.state_root, &session.spec.project, profile, component);
        profile.components().into_iter().find(|one| of(*one) == container).map(|one| one.to_string())
    };
    let logs = files.iter().filter_map(|file| Some((text(file).strip_suffix("-json.log")?.to_owned(), file)));
    logs.map(|(id, file)| {
        let name = names.get(&id).map(|name| component(name).unwrap_or_else(|| name.clone()));
        (name.unwrap_or_else(|| id.chars().take(12).collect()), file.clone())
    })
    .collect()
}
