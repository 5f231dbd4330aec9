//! Logs: of the containers of the gate's project, of those that have exited too, and of what they stand on.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use super::super::session::Session;
use super::capture::given;
use crate::attest::containerd::Container;
use crate::attest::logs::{INSTALLING, ROTATED};
use crate::attest::{app, logs};
use crate::evidence::call::Call;
use crate::evidence::{Item, folder};
use crate::lane::Environment;
use crate::workerbee::mcp::Mcp;
use crate::workerbee::naming;
use crate::workerbee::request::Request;

/// The most that is kept of a log: its end.
const END: usize = 4 * 1024 * 1024;

/// Where `WorkerBee` has pip write to, in a container.
const INSTALL_LOG: &str = "tmp/k1s-pip-install.log";

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

/// Returns the reason why an answer holds no log; none when it does hold one.
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
    let file = |name: &str| folder.join("logs").join(format!("{name}.log"));
    for (name, log) in &logs {
        items.push(one(session, &file(name), &shows(name), log));
        let rotated = logs::rotated(log);
        if rotated.exists() {
            let shows = format!("what was rotated away of the log of the container {name}");
            items.push(one(session, &file(&format!("{name}{ROTATED}")), &shows, &rotated));
        }
    }
    items
}

fn one(session: &Session<'_>, file: &Path, shows: &str, log: &Path) -> Item {
    let end = end(log).map_err(|error| std::io::Error::other(format!("{}: {error}", log.display())));
    kept(session, file, shows, end)
}

fn kept(session: &Session<'_>, file: &Path, shows: &str, end: std::io::Result<(Vec<u8>, u64)>) -> Item {
    let mut item = Item { shows: shows.to_owned(), files: vec![file.to_owned()], found: Vec::new(), problem: None };
    match end {
        Ok((bytes, 0)) if bytes.is_empty() => item.problem = Some("it is empty".to_owned()),
        Ok((bytes, left_out)) => {
            // Secrets go before the beginning does: a key is no longer known as one by a part of it.
            let clean = session.store.redact(&bytes);
            if left_out > 0 || clean.len() > END {
                let all = left_out + bytes.len() as u64;
                item.problem = Some(format!("the last {} of {all} bytes are kept", clean.len().min(END)));
            }
            if let Err(error) = session.store.write(file, &clean[clean.len().saturating_sub(END)..]) {
                item.problem = Some(error.to_string());
            }
        }
        Err(error) => item.problem = Some(error.to_string()),
    }
    given(session, item)
}

/// The end of a log, of which no more is read than twice what is kept, and how many bytes are before that.
fn end(log: &Path) -> std::io::Result<(Vec<u8>, u64)> {
    end_of(File::open(log)?)
}

fn end_of(mut file: File) -> std::io::Result<(Vec<u8>, u64)> {
    let left_out = file.metadata()?.len().saturating_sub(2 * END as u64);
    file.seek(SeekFrom::Start(left_out))?;
    let mut bytes = Vec::new();
    file.take(2 * END as u64).read_to_end(&mut bytes)?;
    Ok((bytes, left_out))
}

/// What pip said while the requirements of a component were installed, of components that have ended: it is in a file of
/// their containers.
pub(super) async fn of_installing(session: &Session<'_>, folder: &Path) -> Vec<Item> {
    let Some(profile) = session.key.gate.profile() else { return Vec::new() };
    let Ok(environment) = session.environment() else { return Vec::new() };
    let namespace = naming::namespace(&environment.state_root, &session.spec.project);
    let Ok(client) = session.containerd().await else { return Vec::new() };
    let (Ok(tasks), Ok(containers)) = (client.tasks(&namespace).await, client.containers(&namespace).await) else {
        return Vec::new();
    };
    let has_ended = |id: &str| tasks.iter().any(|task| task.id == id && task.status == "STOPPED");
    let mut items = Vec::new();
    for component in profile.components() {
        let name = naming::container(&environment.state_root, &session.spec.project, profile, component);
        let of = |one: &&Container| one.name() == Some(name.as_str()) && has_ended(&one.id);
        let Some(container) = containers.iter().find(of) else { continue };
        let Ok(Some(written)) = client.written_by(&container.id, &namespace).await else { continue };
        // Whatever the container has put there: no link leads out of it.
        let Ok(log) = folder::open(&written, &written.join(INSTALL_LOG)) else { continue };
        let file = folder.join("logs").join(format!("{component}{INSTALLING}.log"));
        items.push(kept(session, &file, &format!("what pip said in {component}"), end_of(log)));
    }
    items
}

/// Captures what the kernel killed for want of memory; none when it killed nothing.
pub(super) fn of_the_kernel(session: &Session<'_>, folder: &Path) -> Option<Item> {
    let killed = super::kernel::killed(session.age());
    if killed.is_empty() {
        return None;
    }
    let (shows, files) = ("what the kernel killed for want of memory".to_owned(), vec![folder.join("kernel.log")]);
    let text = killed.join("\n") + "\n";
    let problem = session.store.write(files.first()?, text.as_bytes()).err().map(|error| error.to_string());
    let item = Item { shows, files, found: killed.iter().take(5).cloned().collect(), problem };
    Some(given(session, item))
}
