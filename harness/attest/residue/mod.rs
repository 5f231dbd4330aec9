//! The residue of a project: the machine, observed before the project, while its profile is alive, and after its purge.
//!
//! The second look proves that the third can see something: what shows nothing of a kind while a profile is alive
//! would show nothing of what is left either.

mod command;
mod files;
mod firewall;
mod links;
mod mounts;
mod observation;
mod owner;
mod ports;
mod processes;
mod settle;

pub use observation::Observation;
pub use owner::Owner;
pub use settle::{Observations, is_free, settled};

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::containerd::{Containerd, Contents, Snapshot};
use crate::failure::Failure;

/// One kind of what a project makes; one check each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Containers and tasks.
    Containers,
    /// Snapshots of containers; those of images go with the images.
    Snapshots,
    /// CNI's configuration of networks, and its addresses and results.
    Networks,
    /// Bridges and veths.
    Bridges,
    /// Rules and chains of iptables, for IPv4 and IPv6.
    Firewall,
    /// Mounts.
    Mounts,
    /// Listening sockets, and ports that the firewall forwards.
    Ports,
    /// Processes: of containers, their shims and loggers, holders of ports.
    Processes,
    /// Files in the project's folder, and nerdctl's and runc's of the project.
    StateFolder,
}

impl Kind {
    /// All of them, in the order of their checks.
    pub const ALL: [Self; 9] = [
        Self::Containers,
        Self::Snapshots,
        Self::Networks,
        Self::Bridges,
        Self::Firewall,
        Self::Mounts,
        Self::Ports,
        Self::Processes,
        Self::StateFolder,
    ];

    /// The name of its check.
    pub fn check(self) -> String {
        format!("cleanup::{}", &self.observation()["residue-".len()..])
    }

    /// The name under which what was seen is kept.
    pub fn observation(self) -> &'static str {
        match self {
            Self::Containers => "residue-containers",
            Self::Snapshots => "residue-snapshots",
            Self::Networks => "residue-networks",
            Self::Bridges => "residue-bridges",
            Self::Firewall => "residue-firewall",
            Self::Mounts => "residue-mounts",
            Self::Ports => "residue-ports",
            Self::Processes => "residue-processes",
            Self::StateFolder => "residue-state-folder",
        }
    }

    /// Describes what its check expects.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Containers => "containers and tasks while the profile is alive, none after its purge",
            Self::Snapshots => "snapshots of containers while the profile is alive, none after its purge",
            Self::Networks => "the network's CNI files while the profile is alive, none after its purge",
            Self::Bridges => "the network's bridge and veths while the profile is alive, none after its purge",
            Self::Firewall => "firewall rules of the network while the profile is alive, none after its purge",
            Self::Mounts => "mounts of the containers while the profile is alive, none after its purge",
            Self::Ports => "published ports while the profile is alive, none after its purge",
            Self::Processes => "processes of the containers while the profile is alive, none after its purge",
            Self::StateFolder => "the profile's files while it is alive, none after its purge",
        }
    }

    /// Returns the advice for things that are left, or that were not observed.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Containers => {
                "remove what is left with `nerdctl --namespace <it> rm -f <id>`; if none was seen, see how the profile started"
            }
            Self::Snapshots => {
                "remove what is left with `ctr --namespace <it> snapshots rm <key>`; if none was seen, see how the profile started"
            }
            Self::Networks => {
                "WorkerBee ignores that a network could not be removed: see what uses it, then delete its files; if none was seen, see how the profile started"
            }
            Self::Bridges => {
                "WorkerBee ignores that a network could not be removed: see what uses it, then `ip link delete <it>`; if none was seen, see how the profile started"
            }
            Self::Firewall => {
                "remove a rule with `iptables -t <table> -D` and the rest of it; if none was seen, see which iptables nerdctl uses"
            }
            Self::Mounts => {
                "see what holds a mount with `fuser -m <it>`, then `umount <it>`; if none was seen, see whether containerd mounts in another namespace"
            }
            Self::Ports => {
                "see who listens with `ss -ltnp`; a forwarded port is a rule of the firewall's; if none was seen, see how the profile started"
            }
            Self::Processes => {
                "see what it is with `ps -f -p <pid>` before you end it; if none was seen, see how the profile started"
            }
            Self::StateFolder => {
                "read what is left before you delete it, in WorkerBee's state root; if none was seen, see how the profile started"
            }
        }
    }

    /// Is true when all things of this kind in a lane are the lane's own. Those of other kinds it shares with the host,
    /// or with `WorkerBee`, which keeps running.
    fn is_the_lanes_own(self) -> bool {
        matches!(self, Self::Bridges | Self::Firewall | Self::Mounts | Self::Ports)
    }
}

/// One thing on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// Its description, the same in each observation.
    pub what: String,
    /// The reason why it is the project's; none when nothing makes it so.
    pub tie: Option<String>,
}

impl Thing {
    fn new(what: impl Into<String>, tie: Option<String>) -> Self {
        Self { what: what.into(), tie }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Everything that one look saw, or why it could not look.
pub type Scan = BTreeMap<Kind, Result<Vec<Thing>, Failure>>;

/// A look that saw nothing of any kind: before a project was made, where nobody looked then.
pub fn nothing() -> Scan {
    Kind::ALL.into_iter().map(|kind| (kind, Ok(Vec::new()))).collect()
}

/// Looks at everything. What is learned of the project on the way (ids of containers) makes the next look see more.
pub async fn scan(owner: &mut Owner) -> Scan {
    let namespace = owner.namespace.clone();
    let containerd = Containerd::connect(&owner.address).await;
    let contents = match &containerd {
        Ok(containerd) => containerd.contents(&namespace).await,
        Err(failure) => Err(failure.clone()),
    };
    if let Ok(contents) = &contents {
        owner.learn(&contents.containers);
    }
    let snapshots = match &containerd {
        Ok(containerd) => containerd.snapshots(&namespace).await,
        Err(failure) => Err(failure.clone()),
    };
    let tie = |things: Vec<String>| {
        things.into_iter().map(|thing| Thing::new(thing, Some(format!("in the namespace {namespace}")))).collect()
    };
    let firewall = firewall::scan(owner);
    let processes = processes::scan(owner);
    let ports = ports::scan(firewall.as_deref(), processes.as_ref());
    Scan::from([
        (Kind::Containers, contents.map(|contents| tie(all(contents)))),
        (Kind::Snapshots, snapshots.map(|snapshots| tie(snapshots.iter().map(Snapshot::to_string).collect()))),
        (Kind::Networks, files::networks(owner)),
        (Kind::Bridges, links::scan(owner)),
        (Kind::Firewall, firewall),
        (Kind::Mounts, mounts::scan(owner)),
        (Kind::Ports, ports),
        (Kind::Processes, processes.map(processes::things)),
        (Kind::StateFolder, files::state(owner)),
    ])
}

fn all(contents: Contents) -> Vec<String> {
    let containers = contents.containers.into_iter().map(|id| format!("container {id}"));
    containers.chain(contents.tasks.into_iter().map(|task| format!("task {task}"))).collect()
}
