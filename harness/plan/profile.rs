//! The profiles that the gates know, and what each is made of.

use std::fmt;

/// A profile of `WorkerBee` 0.1.7. Its fifth, k1s-edge-link, needs an external core and is no part of the gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// One controller, state in `SQLite`.
    DevMinSqlite,
    /// One controller, state in etcd, labs style.
    DevEtcdLabs,
    /// One controller, state in etcd, direct containerd.
    SingleEtcdContainerd,
    /// Three controllers over etcd and NATS.
    HaMin,
}

/// A part of a profile, by the role that `WorkerBee` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// The state store.
    Etcd,
    /// The message bus.
    Nats,
    /// The Kubernetes-like API.
    Apishim,
    /// A controller, by its number.
    Controller(u8),
}

impl Profile {
    /// All of them, in the runbook's order.
    pub const ALL: [Self; 4] = [Self::DevMinSqlite, Self::DevEtcdLabs, Self::SingleEtcdContainerd, Self::HaMin];

    /// The name that `WorkerBee` knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::DevMinSqlite => "k1s-dev-min-sqlite",
            Self::DevEtcdLabs => "k1s-dev-etcd-labs",
            Self::SingleEtcdContainerd => "k1s-single-etcd-containerd",
            Self::HaMin => "k1s-ha-min",
        }
    }

    /// What it is made of, in the order in which `WorkerBee` starts it.
    pub fn components(self) -> Vec<Component> {
        let mut components = match self {
            Self::DevMinSqlite => vec![],
            Self::DevEtcdLabs | Self::SingleEtcdContainerd => vec![Component::Etcd],
            Self::HaMin => vec![Component::Etcd, Component::Nats],
        };
        components.push(Component::Apishim);
        let controllers = if self == Self::HaMin { 3 } else { 1 };
        components.extend((0..controllers).map(Component::Controller));
        components
    }

    /// The images that its containers are started from, by the names of the embedded stack.
    pub fn images(self) -> Vec<&'static str> {
        let mut images = vec!["python-k1s"];
        if self.components().contains(&Component::Etcd) {
            images.push("etcd");
        }
        if self.components().contains(&Component::Nats) {
            images.push("nats");
        }
        images
    }
}

impl Component {
    /// The role in `WorkerBee`'s JSON.
    pub fn role(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Nats => "nats",
            Self::Apishim => "apishim",
            Self::Controller(_) => "controller",
        }
    }

    /// Whether another component reaches it by its container name, which must then be a valid DNS label.
    ///
    /// Controllers and the API shim get such an address too, but k1s starts and serves without ever using it.
    pub fn reached_by_name(self) -> bool {
        matches!(self, Self::Etcd | Self::Nats)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Controller(number) => write!(f, "controller-{number}"),
            other => f.write_str(other.role()),
        }
    }
}
