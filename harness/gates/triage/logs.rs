//! Logs: of the containers of the gate's project, of those that have exited too, and of what they stand on.

use std::path::Path;
use std::time::Duration;

use super::super::session::Session;
use super::capture::given;
use crate::attest::{app, logs};
use crate::evidence::call::Call;
use crate::evidence::{Item, folder};
use crate::lane::Environment;
use crate::workerbee::mcp::Mcp;
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
    let logs = logs::files(&environment.state_root, &session.spec.project, session.key.gate.profile());
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
