//! The images of the stack: what each is for, what it is called, and what WorkerBee is told about it.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// The use of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The base of `WorkerBee`'s own applications.
    PythonApp,
    /// k1s's controllers and API shim.
    PythonK1s,
    /// The state store.
    Etcd,
    /// The message bus.
    Nats,
    /// The ingress.
    Caddy,
}

/// The files that the recipe must have made.
pub(super) const OUTPUTS: [&str; 9] =
    ["python-app.tar", "python-k1s.tar", "etcd.tar", "nats.tar", "caddy.tar", "storage", IDS, "said", "wheels.sums"];
/// A line per image: role, id, name.
const IDS: &str = "ids";

impl Role {
    /// All uses.
    pub const ALL: [Self; 5] = [Self::PythonApp, Self::PythonK1s, Self::Etcd, Self::Nats, Self::Caddy];

    /// The name of its archive, without `.tar`.
    pub fn name(self) -> &'static str {
        match self {
            Self::PythonApp => "python-app",
            Self::PythonK1s => "python-k1s",
            Self::Etcd => "etcd",
            Self::Nats => "nats",
            Self::Caddy => "caddy",
        }
    }

    /// Its name when the stack has built it, after what is in it.
    ///
    /// `WorkerBee` cannot be told another base for its applications, whose Containerfiles say `FROM python:3.11-alpine`.
    /// podman is told where a repository `python` is; the tag stays, and is not what is there.
    pub(super) fn built(self) -> &'static str {
        match self {
            Self::PythonApp => "localhost/k1s-gates/debian-python-instead-of:3.11-alpine",
            Self::PythonK1s => "localhost/k1s-gates/debian-python:3.11",
            Self::Etcd => "localhost/k1s-gates/etcd:v3.5.14",
            Self::Nats => "localhost/k1s-gates/nats-server:2.10.18",
            Self::Caddy => "localhost/k1s-gates/caddy:2.8.4",
        }
    }

    /// Its name when a registry has it. That of k1s has k1s's requirements besides, and so a name of its own.
    pub(super) fn fetched(self) -> &'static str {
        match self {
            Self::PythonK1s => "localhost/k1s-gates/python-with-requirements:3.12-slim",
            other => other.original(),
        }
    }

    /// The image that `WorkerBee` uses when it is told nothing.
    pub(super) fn original(self) -> &'static str {
        match self {
            Self::PythonApp => "docker.io/library/python:3.11-alpine",
            Self::PythonK1s => "docker.io/library/python:3.12-slim",
            Self::Etcd => "quay.io/coreos/etcd:v3.5.14",
            Self::Nats => "docker.io/library/nats:2.10.18-alpine",
            Self::Caddy => "docker.io/library/caddy:2.8",
        }
    }

    /// The variable by which `WorkerBee` is told another one.
    pub fn variable(self) -> Option<&'static str> {
        match self {
            Self::PythonApp => None,
            Self::PythonK1s => Some("WORKERBEE_K1S_PROFILE_PYTHON_IMAGE"),
            Self::Etcd => Some("WORKERBEE_K1S_PROFILE_ETCD_IMAGE"),
            Self::Nats => Some("WORKERBEE_K1S_PROFILE_NATS_IMAGE"),
            Self::Caddy => Some("WORKERBEE_CADDY_IMAGE"),
        }
    }

    pub(super) fn variable_of_the_recipe(self) -> &'static str {
        match self {
            Self::PythonApp => "NAME_APP",
            Self::PythonK1s => "NAME_K1S",
            Self::Etcd => "NAME_ETCD",
            Self::Nats => "NAME_NATS",
            Self::Caddy => "NAME_CADDY",
        }
    }

    /// The variable by which the recipe is told the name of the image in a registry.
    pub(super) fn variable_of_the_registry(self) -> &'static str {
        match self {
            Self::PythonApp => "REF_APP",
            Self::PythonK1s => "REF_K1S",
            Self::Etcd => "REF_ETCD",
            Self::Nats => "REF_NATS",
            Self::Caddy => "REF_CADDY",
        }
    }

    /// The software whose version the recipe has asked for.
    pub fn software(self) -> &'static str {
        match self {
            Self::PythonApp => "app-python",
            Self::PythonK1s => "python",
            Self::Etcd => "etcd",
            Self::Nats => "nats",
            Self::Caddy => "caddy",
        }
    }
}

/// An image of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its use.
    pub role: Role,
    /// Its name.
    pub name: String,
    /// The digest of its configuration, which holds those of its layers.
    pub id: String,
    /// The version that the program in it told when the image was made.
    pub version: String,
    /// The image that `WorkerBee` would use by itself, when this is another one.
    pub instead_of: Option<String>,
}

impl Image {
    /// The repository of its name, without the tag.
    pub fn repository(&self) -> &str {
        self.name.rsplit_once(':').map_or(&self.name, |(repository, _)| repository)
    }
}

/// The images in a folder of the stack's, with the versions that are known of them.
pub(super) fn read(folder: &Path, version: &dyn Fn(&str) -> Option<String>) -> Option<Vec<Image>> {
    let text = std::fs::read_to_string(folder.join(IDS)).ok()?;
    let image = |role: Role| {
        let mut words = text.lines().find_map(|line| line.strip_prefix(role.name())?.strip_prefix(' '))?.split(' ');
        let (id, name) = (words.next()?.to_owned(), words.next()?.to_owned());
        let original = role.original();
        let instead_of = (name != original).then(|| original.to_owned());
        Some(Image { role, name, id, version: version(role.software())?, instead_of })
    };
    Role::ALL.into_iter().map(image).collect()
}
