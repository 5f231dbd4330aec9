//! The names by which a thing is recognized as a project's.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::workerbee::naming;

/// A project, known by its names.
#[derive(Debug, Clone)]
pub struct Owner {
    /// containerd's socket.
    pub address: PathBuf,
    /// The project's namespace, which is the name of its network too.
    pub namespace: String,
    /// The project's folder in `WorkerBee`'s state root.
    pub folder: PathBuf,
    /// The bridge of its network.
    pub bridge: String,
    ids: Vec<String>,
}

impl Owner {
    /// The project of a state root.
    pub fn new(address: &Path, state_root: &Path, project: &str) -> Self {
        let namespace = naming::namespace(state_root, project);
        // nerdctl's rule: `br-` and the start of the network's id, which is the SHA-256 of its name.
        let id = base16ct::lower::encode_string(&Sha256::digest(&namespace));
        Self {
            address: address.to_owned(),
            bridge: format!("br-{}", &id[..12]),
            namespace,
            folder: state_root.join("projects").join(project),
            ids: Vec::new(),
        }
    }

    /// Remembers the ids of containers: what carries one of them is the project's, also when they are gone.
    pub fn learn(&mut self, ids: &[String]) {
        for id in ids {
            if !self.ids.contains(id) {
                self.ids.push(id.clone());
            }
        }
    }

    /// Returns the reason why a text is about the project; none when it is not.
    pub fn tie(&self, text: &str) -> Option<String> {
        let folder = self.folder.to_string_lossy();
        if names(text, &self.namespace) {
            return Some(format!("names {}", self.namespace));
        }
        if names(text, &folder) {
            return Some(format!("names {folder}"));
        }
        if names(text, &self.bridge) {
            return Some(format!("names the bridge {}", self.bridge));
        }
        let id = self.ids.iter().find(|id| text.contains(id.as_str()))?;
        Some(format!("names the container {id}"))
    }
}

/// Is true when a name is in a text, and not only as the start of another project's. After a project's name and a dash,
/// `WorkerBee` and nerdctl write a container's name, the namespace once more, or an id.
fn names(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let mut rest = text[at + name.len()..].chars();
        let Some(next) = rest.next() else { return true };
        let part = rest.as_str().split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        match next {
            '-' => part == "k1s" || part == "workerbee" || (part.len() == 64 && is_hex(part)),
            '_' => false,
            other => !other.is_alphanumeric(),
        }
    })
}

/// Is true when a text consists of hex digits alone.
pub(super) fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("name: \"workerbee-e7ad747c8f29-demo\"", true)]
    #[case("/run/workerbee-e7ad747c8f29-demo/x", true)]
    #[case("workerbee-e7ad747c8f29-demo-k1s-ha-min-etcd", true)]
    #[case("workerbee-e7ad747c8f29-demo-workerbee-e7ad747c8f29-demo-24f6", true)]
    #[case("-i br-2ba0d54dc5b6 -j DROP", false)]
    #[case("workerbee-e7ad747c8f29-demo2", false)]
    #[case("workerbee-e7ad747c8f29-demo-two", false)]
    #[case("/var/lib/workerbee/projects/demo/profiles", true)]
    #[case("/var/lib/workerbee/projects/demolition", false)]
    #[case("tail workerbee-e7ad747c8f29-demo…", true)]
    #[case("workerbee-e7ad747c8f29-demoé", false)]
    fn a_text_names_the_project_and_not_its_neighbour(#[case] text: &str, #[case] named: bool) {
        let owner = Owner::new(Path::new("/x.sock"), Path::new("/var/lib/workerbee"), "demo");
        assert_eq!(owner.tie(text).is_some(), named);
    }

    #[test]
    fn the_bridge_is_that_of_nerdctl() {
        // Seen: the bridge of a real network of this name.
        let mut owner = Owner::new(Path::new("/x.sock"), Path::new("/run/k1s-gates/gy6cx/state"), "demo");
        assert_eq!(
            (owner.namespace.as_str(), owner.bridge.as_str()),
            ("workerbee-f0d0702dd19f-demo", "br-659b95ea0dab")
        );
        let id = "0511dd9538211b6619cf40a887a497af752d32cd24aefd42de0393e4c22a4649".to_owned();
        assert!(owner.tie(&id).is_none());
        owner.learn(std::slice::from_ref(&id));
        assert!(owner.tie(&id).is_some());
    }
}
