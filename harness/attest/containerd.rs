//! containerd, asked directly.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use containerd_client::services::v1::containers_client::ContainersClient;
use containerd_client::services::v1::images_client::ImagesClient;
use containerd_client::services::v1::introspection_client::IntrospectionClient;
use containerd_client::services::v1::namespaces_client::NamespacesClient;
use containerd_client::services::v1::snapshots::snapshots_client::SnapshotsClient;
use containerd_client::services::v1::snapshots::{ListSnapshotsRequest, MountsRequest};
use containerd_client::services::v1::tasks_client::TasksClient;
use containerd_client::services::v1::version_client::VersionClient;
use containerd_client::services::v1::{
    self as v1, DeleteImageRequest, DeleteNamespaceRequest, ListContainersRequest, ListImagesRequest,
    ListNamespacesRequest, ListTasksRequest, PluginsRequest,
};
use containerd_client::tonic::transport::Channel;
use containerd_client::tonic::{Code, Request, Status};
use containerd_client::types::v1::Process;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind};

/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(20);

/// A connection to containerd.
#[derive(Debug, Clone)]
pub struct Containerd {
    channel: Channel,
    address: PathBuf,
}

/// A container, as containerd knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The name of the image that it was made from.
    #[serde(default)]
    pub image: String,
}

impl Container {
    /// The name that nerdctl knows it by.
    pub fn name(&self) -> Option<&str> {
        self.label("nerdctl/name")
    }

    /// The value of a label.
    pub fn label(&self, label: &str) -> Option<&str> {
        self.labels.get(label).map(String::as_str)
    }
}

/// A task of containerd's: the process that runs in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The id of the container.
    pub id: String,
    /// Its main process, in containerd's PID namespace.
    pub pid: u32,
    /// `RUNNING`, `PAUSED`, `STOPPED` and so on.
    pub status: String,
    /// Its exit status, once it has ended.
    pub exit_status: u32,
}

/// The containers and tasks of a namespace: all that runs or could run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Ids of containers.
    pub containers: Vec<String>,
    /// Ids of tasks, with their main process.
    pub tasks: Vec<String>,
}

/// A layer of a file system: of an image (committed), or of a container (active, view).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The snapshotter that keeps it, e.g. `overlayfs`.
    pub snapshotter: String,
    /// `committed`, `active`, `view` or `unknown`.
    pub kind: String,
    /// Its key: the id of a container, or the digest of a chain of layers.
    pub key: String,
}

impl std::fmt::Display for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.snapshotter, self.kind, self.key)
    }
}

impl Containerd {
    /// Connects to a socket.
    pub async fn connect(address: &Path) -> Result<Self, Failure> {
        let channel =
            containerd_client::connect(address).await.map_err(|error| unreachable(address, &error.to_string()))?;
        Ok(Self { channel, address: address.to_owned() })
    }

    /// Waits until containerd answers.
    pub async fn wait_for(address: &Path, limit: Duration) -> Result<Self, Failure> {
        let begin = Instant::now();
        loop {
            let last = match Self::connect(address).await {
                Ok(containerd) => match VersionClient::new(containerd.channel.clone()).version(()).await {
                    Ok(_) => return Ok(containerd),
                    Err(status) => unreachable(address, status.message()),
                },
                Err(failure) => failure,
            };
            if begin.elapsed() > limit {
                return Err(last.expected(format!("an answer within {} s", limit.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The names of all namespaces.
    pub async fn namespaces(&self) -> Result<Vec<String>, Failure> {
        let mut client = NamespacesClient::new(self.channel.clone());
        let answer =
            client.list(timed(ListNamespacesRequest::default())).await.map_err(|status| self.refused(&status))?;
        Ok(answer.into_inner().namespaces.into_iter().map(|namespace| namespace.name).collect())
    }

    /// The containers and tasks of a namespace.
    pub async fn contents(&self, namespace: &str) -> Result<Contents, Failure> {
        let containers = self.containers(namespace).await?;
        let tasks = self.tasks(namespace).await?;
        Ok(Contents {
            containers: containers.into_iter().map(|container| container.id).collect(),
            tasks: tasks.into_iter().map(|task| format!("{} (pid {})", task.id, task.pid)).collect(),
        })
    }

    /// The snapshots of a namespace, of all snapshotters that work.
    pub async fn snapshots(&self, namespace: &str) -> Result<Vec<Snapshot>, Failure> {
        let request = PluginsRequest { filters: vec!["type==io.containerd.snapshotter.v1".to_owned()] };
        let plugins = IntrospectionClient::new(self.channel.clone())
            .plugins(timed(request))
            .await
            .map_err(|status| self.refused(&status))?;
        let mut client = SnapshotsClient::new(self.channel.clone());
        let mut snapshots = Vec::new();
        for plugin in plugins.into_inner().plugins.into_iter().filter(|plugin| plugin.init_err.is_none()) {
            let request = ListSnapshotsRequest { snapshotter: plugin.id.clone(), ..Default::default() };
            let listed =
                client.list(in_namespace(request, namespace)?).await.map_err(|status| self.refused(&status))?;
            let mut stream = listed.into_inner();
            while let Some(page) = stream.message().await.map_err(|status| self.refused(&status))? {
                snapshots.extend(page.info.into_iter().map(|info| Snapshot {
                    snapshotter: plugin.id.clone(),
                    kind: info.kind().as_str_name().to_lowercase(),
                    key: info.name,
                }));
            }
        }
        Ok(snapshots)
    }

    /// The value of a label of each container in a namespace.
    pub async fn labels(&self, namespace: &str, label: &str) -> Result<Vec<Option<String>>, Failure> {
        let containers = self.containers(namespace).await?;
        Ok(containers.into_iter().map(|one| one.label(label).map(ToOwned::to_owned)).collect())
    }

    /// The containers of a namespace.
    pub async fn containers(&self, namespace: &str) -> Result<Vec<Container>, Failure> {
        let mut client = ContainersClient::new(self.channel.clone());
        let request = in_namespace(ListContainersRequest::default(), namespace)?;
        let listed = client.list(request).await.map_err(|status| self.refused(&status))?.into_inner().containers;
        let container =
            |one: v1::Container| Container { id: one.id, labels: one.labels.into_iter().collect(), image: one.image };
        Ok(listed.into_iter().map(container).collect())
    }

    /// The folder that holds what a container has written of its own; none of a snapshotter that is no overlay.
    pub async fn written_by(&self, container: &str, namespace: &str) -> Result<Option<PathBuf>, Failure> {
        let mut client = SnapshotsClient::new(self.channel.clone());
        let request = MountsRequest { snapshotter: "overlayfs".to_owned(), key: container.to_owned() };
        let request = in_namespace(request, namespace)?;
        let mounts = client.mounts(request).await.map_err(|status| self.refused(&status))?.into_inner().mounts;
        let mut options = mounts.iter().flat_map(|mount| &mount.options);
        Ok(options.find_map(|option| option.strip_prefix("upperdir=")).map(PathBuf::from))
    }

    /// The tasks of a namespace.
    pub async fn tasks(&self, namespace: &str) -> Result<Vec<Task>, Failure> {
        let mut client = TasksClient::new(self.channel.clone());
        let request = in_namespace(ListTasksRequest::default(), namespace)?;
        let listed = client.list(request).await.map_err(|status| self.refused(&status))?.into_inner().tasks;
        let task = |one: Process| Task {
            status: one.status().as_str_name().to_owned(),
            id: one.id,
            pid: one.pid,
            exit_status: one.exit_status,
        };
        Ok(listed.into_iter().map(task).collect())
    }

    /// The names of the images of a namespace.
    pub async fn images(&self, namespace: &str) -> Result<Vec<String>, Failure> {
        let mut client = ImagesClient::new(self.channel.clone());
        let request = in_namespace(ListImagesRequest::default(), namespace)?;
        let listed = client.list(request).await.map_err(|status| self.refused(&status))?.into_inner().images;
        Ok(listed.into_iter().map(|image| image.name).collect())
    }

    /// The id of the container that nerdctl knows by `name`.
    pub async fn id_of(&self, namespace: &str, name: &str) -> Result<Option<String>, Failure> {
        let containers = self.containers(namespace).await?;
        Ok(containers.into_iter().find(|container| container.name() == Some(name)).map(|container| container.id))
    }

    /// Removes a namespace that holds no container any more, with its images. One that is not there is removed.
    pub async fn remove_namespace(&self, namespace: &str) -> Result<(), Failure> {
        let mut images = ImagesClient::new(self.channel.clone());
        for name in self.images(namespace).await? {
            // Synchronous: what the image alone held is collected before the answer.
            let request = DeleteImageRequest { name, sync: true, ..Default::default() };
            images.delete(in_namespace(request, namespace)?).await.map_err(|status| self.refused(&status))?;
        }
        let begin = Instant::now();
        let mut client = NamespacesClient::new(self.channel.clone());
        loop {
            let request = DeleteNamespaceRequest { name: namespace.to_owned() };
            match client.delete(timed(request)).await {
                Ok(_) => return Ok(()),
                // Killed before anything was made in it.
                Err(status) if status.code() == Code::NotFound => return Ok(()),
                // Snapshots and blobs go a moment after what held them.
                Err(_) if begin.elapsed() < QUESTION => tokio::time::sleep(Duration::from_millis(200)).await,
                Err(status) => return Err(self.refused(&status)),
            }
        }
    }

    /// The connection, for those who ask what only they want to know.
    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// It answers no more.
    pub(super) fn silent(&self, seen: &str) -> Failure {
        unreachable(&self.address, seen)
    }

    pub(super) fn refused(&self, status: &Status) -> Failure {
        unreachable(&self.address, status.message())
    }
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(QUESTION);
    request
}

pub(super) fn in_namespace<T>(message: T, namespace: &str) -> Result<Request<T>, Failure> {
    let mut request = timed(message);
    let value = namespace.parse().map_err(|_| {
        Failure::new(format!("`{namespace}` is no namespace"))
            .expected("ASCII letters, digits and dashes")
            .seen(format!("{namespace:?}"))
            .remedy("see WB_PROJECT_BASE, which the project's name begins with")
    })?;
    request.metadata_mut().insert("containerd-namespace", value);
    Ok(request)
}

fn unreachable(address: &Path, seen: &str) -> Failure {
    Failure::new(format!("containerd does not answer as it should: {seen}"))
        .of(Kind::Containerd)
        .expected(format!("containerd on {}", address.display()))
        .seen(seen)
        .remedy(
            "see that containerd runs and that its socket may be read; WORKERBEE_CONTAINERD_ADDRESS names another one",
        )
}
