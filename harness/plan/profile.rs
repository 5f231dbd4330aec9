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

/// The properties of a profile.
struct Row {
    profile: Profile,
    name: &'static str,
    /// Its services besides k1s's own, in the order in which `WorkerBee` starts them.
    services: &'static [Component],
    controllers: u8,
    /// True when its controllers elect a leader.
    elects_leader: bool,
    /// True when k1s mirrors deployments, services and ingresses into its API.
    mirrors_resources: bool,
}

/// The one table of profiles, in the runbook's order: a new profile is a row here.
const ROWS: [Row; 4] = [
    Row {
        profile: Profile::DevMinSqlite,
        name: "k1s-dev-min-sqlite",
        services: &[],
        controllers: 1,
        elects_leader: false,
        mirrors_resources: false,
    },
    Row {
        profile: Profile::DevEtcdLabs,
        name: "k1s-dev-etcd-labs",
        services: &[Component::Etcd],
        controllers: 1,
        elects_leader: false,
        mirrors_resources: false,
    },
    Row {
        profile: Profile::SingleEtcdContainerd,
        name: "k1s-single-etcd-containerd",
        services: &[Component::Etcd],
        controllers: 1,
        elects_leader: false,
        mirrors_resources: false,
    },
    Row {
        profile: Profile::HaMin,
        name: "k1s-ha-min",
        services: &[Component::Etcd, Component::Nats],
        controllers: 3,
        elects_leader: true,
        mirrors_resources: true,
    },
];

impl Profile {
    /// All of them, in the runbook's order.
    pub const ALL: [Self; ROWS.len()] = {
        let mut all = [Self::DevMinSqlite; ROWS.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = ROWS[at].profile;
            at += 1;
        }
        all
    };

    /// Rows stand in the order of the variants, which a test holds.
    const fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The name that `WorkerBee` knows it by.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Is true when its controllers elect a leader.
    pub fn elects_leader(self) -> bool {
        self.row().elects_leader
    }

    /// Is true when k1s mirrors deployments, services and ingresses into its API.
    pub fn mirrors_resources(self) -> bool {
        self.row().mirrors_resources
    }

    /// Lists its components, in the order in which `WorkerBee` starts them.
    pub fn components(self) -> Vec<Component> {
        let row = self.row();
        let controllers = (0..row.controllers).map(Component::Controller);
        row.services.iter().copied().chain([Component::Apishim]).chain(controllers).collect()
    }

    /// The images that its containers are started from, by the names of the embedded stack.
    pub fn images(self) -> Vec<&'static str> {
        let services = self.row().services.iter().map(|service| service.role());
        ["python-k1s"].into_iter().chain(services).collect()
    }
}

/// The images of all profiles, each once.
pub fn all_images() -> Vec<&'static str> {
    let mut all = Vec::new();
    for image in Profile::ALL.into_iter().flat_map(Profile::images) {
        if !all.contains(&image) {
            all.push(image);
        }
    }
    all
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

    /// Is true when another component reaches it by its container name, which must then be a valid DNS label.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_finds_its_own_row() {
        for profile in Profile::ALL {
            assert_eq!(profile.row().profile, profile, "the rows are not in the order of the variants");
        }
    }
}
