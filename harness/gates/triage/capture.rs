//! The captures of a triage, each with a limit of its own: together they end within a minute.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

use super::super::daemon::words;
use super::super::session::Session;
use super::{daemon, logs, resources};
use crate::attest::containerd::Containerd;
use crate::evidence::Item;
use crate::failure::Failure;
use crate::lane::Environment;
use crate::plan::Gate;
use crate::workerbee::naming;

/// The most that one question may take, to `WorkerBee` or to containerd.
const LIMIT: Duration = Duration::from_secs(20);
/// The question of which mode containerd is reached in.
const PRIVILEGE: &str = "containerd-privilege.json";

/// Takes all looks: the questions to `WorkerBee` side by side, then the rest.
pub(super) async fn all(session: &Session<'_>, folder: &Path) -> Vec<Item> {
    let Ok(environment) = session.environment() else { return Vec::new() };
    let k1s_root = session.spec.k1s_root.display().to_string();
    let (host, port) = session.mcp_address();
    let mut questions: Vec<(&str, &str, Vec<&str>)> = vec![
        ("mcp-status.json", "what WorkerBee says of its MCP daemon", words("status", (&host, &port))),
        ("ingress-status.json", "what WorkerBee says of its ingress and CA", vec!["ingress", "status"]),
        (PRIVILEGE, "how containerd is reached: directly, or by the helper", vec!["containerd-privilege", "status"]),
        ("projects.json", "the projects that WorkerBee knows", vec!["projects"]),
    ];
    if session.key.gate.profile().is_some() {
        let args = vec!["profile", "status", "--k1s-root", &k1s_root];
        questions.push(("profile-status.json", "what WorkerBee says of the profile", args));
    }
    let cli = environment.cli(session.spec);
    let limit = LIMIT.min(Duration::from_secs(session.limits().query));
    let asked = questions.into_iter().map(|(file, shows, args)| {
        let (cli, path) = (cli.clone(), folder.join(file));
        async move {
            let call = cli.call(&session.store, &path.to_string_lossy(), &args, limit).await;
            let problem = call.problem.map(|problem| problem.to_string());
            let refused = call.exit.filter(|exit| *exit != 0).map(|exit| format!("it ended with exit status {exit}"));
            let files = [Some(call.file), call.stderr].into_iter().flatten().collect();
            given(session, Item { shows: shows.to_owned(), files, found: Vec::new(), problem: problem.or(refused) })
        }
    });
    let mut items = join_all(asked).await;
    let privilege = session.store.root().join(folder).join(PRIVILEGE);
    items.push(seen(
        session,
        folder,
        "daemon.json",
        daemon::SHOWS,
        Ok(daemon::observe(&environment.state_root, &privilege)),
    ));
    let view = in_time(containerd(session, environment)).await;
    items.push(seen(session, folder, "containerd.json", "the containers, tasks and images that containerd has", view));
    let resources = in_time(resources::observe(session, environment)).await;
    items.push(seen(session, folder, "resources.json", resources::SHOWS, resources));
    items.extend(logs::keep(session, environment, folder));
    items.extend(tokio::time::timeout(LIMIT, logs::of_installing(session, folder)).await.unwrap_or_default());
    items.extend(logs::of_the_kernel(session, folder));
    if let Gate::Workload(_) = session.key.gate {
        items.extend(logs::of_workload(session, folder, limit).await);
    }
    items
}

/// An observation, with what is striking in it.
pub(super) type Observed<T> = (T, Vec<String>);

async fn in_time<T>(look: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = || Failure::new(format!("no answer within {} s", LIMIT.as_secs()));
    tokio::time::timeout(LIMIT, look).await.unwrap_or_else(|_| Err(late()))
}

fn seen(
    session: &Session<'_>,
    folder: &Path,
    file: &str,
    shows: &str,
    observed: Result<Observed<impl Serialize>, Failure>,
) -> Item {
    let file = folder.join(file);
    let mut item = Item { shows: shows.to_owned(), files: vec![file.clone()], found: Vec::new(), problem: None };
    let kept = observed.map_err(|failure| failure.what).and_then(|(observed, found)| {
        item.found = found;
        session.store.write_json(&file, &observed).map_err(|error| error.to_string())
    });
    item.problem = kept.err();
    given(session, item)
}

/// An item with the files that are there: one that is empty shows nothing.
pub(super) fn given(session: &Session<'_>, mut item: Item) -> Item {
    let root = session.store.root();
    item.files.retain(|file| {
        let size = std::fs::metadata(root.join(file)).map(|file| file.len());
        if size.as_ref().is_ok_and(|size| *size == 0) {
            let _ = std::fs::remove_file(root.join(file));
        }
        size.is_ok_and(|size| size > 0)
    });
    if item.files.is_empty() && item.problem.is_none() {
        item.problem = Some("there was nothing to see".to_owned());
    }
    item
}

/// A namespace, as containerd has it.
#[derive(Debug, Serialize)]
struct Namespace {
    name: String,
    containers: Vec<Container>,
    images: Vec<String>,
    snapshots: usize,
}

/// A container and what runs in it.
#[derive(Debug, Serialize)]
struct Container {
    id: String,
    name: Option<String>,
    /// `RUNNING`, `STOPPED` and so on; none when it has no task.
    task: Option<String>,
    pid: Option<u32>,
    exit_status: Option<u32>,
}

/// The gate's own namespace and that of the ingress; of the others, the names.
async fn containerd(session: &Session<'_>, environment: &Environment) -> Result<Observed<serde_json::Value>, Failure> {
    let containerd = session.containerd().await?;
    let all = containerd.namespaces().await?;
    let own = [
        naming::namespace(&environment.state_root, &session.spec.project),
        naming::system_namespace(&environment.state_root),
    ];
    let (mut namespaces, mut found) = (Vec::new(), Vec::new());
    for name in own {
        if all.contains(&name) {
            namespaces.push(namespace(&containerd, name, &mut found).await?);
        } else {
            found.push(format!("there is no namespace {name}"));
        }
    }
    Ok((serde_json::json!({ "all": all, "namespaces": namespaces }), found))
}

async fn namespace(client: &Containerd, name: String, found: &mut Vec<String>) -> Result<Namespace, Failure> {
    let tasks = client.tasks(&name).await?;
    let container = |one: crate::attest::containerd::Container| {
        let task = tasks.iter().find(|task| task.id == one.id);
        Container {
            name: one.name().map(str::to_owned),
            id: one.id,
            task: task.map(|task| task.status.clone()),
            pid: task.map(|task| task.pid),
            exit_status: task.filter(|task| task.status == "STOPPED").map(|task| task.exit_status),
        }
    };
    let containers: Vec<Container> = client.containers(&name).await?.into_iter().map(container).collect();
    for one in containers.iter().filter(|one| one.task.as_deref() != Some("RUNNING")) {
        let exit = one.exit_status.map(|status| format!(", exit status {status}")).unwrap_or_default();
        let name = one.name.as_ref().unwrap_or(&one.id);
        found.push(format!("{name} is {}{exit}", one.task.as_deref().unwrap_or("without a task")));
    }
    let (images, snapshots) = (client.images(&name).await?, client.snapshots(&name).await?.len());
    Ok(Namespace { name, containers, images, snapshots })
}
