//! The names that `WorkerBee` derives from its state root and a project, and the room that they leave.

use std::path::Path;

use sha1::{Digest, Sha1};

use crate::plan::{Component, Profile};

/// A DNS label's limit (RFC 1035).
const LABEL_LIMIT: usize = 63;
/// The domain below which each project has its own.
const DOMAIN: &str = ".workerbee.localhost";
/// Beyond this length `WorkerBee` shortens a namespace and appends a hash: it then is no longer computed here.
const NAMESPACE_LIMIT: usize = 76;

/// First 12 hex digits of the SHA-1 of the state root's resolved path: in every name that `WorkerBee` makes.
pub fn state_hash(state_root: &Path) -> String {
    let digest = Sha1::digest(state_root.as_os_str().as_encoded_bytes());
    let mut hex = base16ct::lower::encode_string(&digest);
    hex.truncate(12);
    hex
}

/// The containerd namespace of a project, and the name of its network.
pub fn namespace(state_root: &Path, project: &str) -> String {
    format!("workerbee-{}-{project}", state_hash(state_root))
}

/// The containerd namespace of `WorkerBee` itself, where Caddy runs.
pub fn system_namespace(state_root: &Path) -> String {
    namespace(state_root, "system")
}

/// The container name of a component, which is its DNS label too.
pub fn container(state_root: &Path, project: &str, profile: Profile, component: Component) -> String {
    format!("{}-{profile}-{component}", namespace(state_root, project))
}

/// Whether a name that `WorkerBee` gave to a container, network, namespace or image may be one of a project's: it is no other
/// project's. Of its own, `WorkerBee` has Caddy and the system's namespace.
pub fn may_be_of(name: &str, project: &str) -> bool {
    let Some(rest) = name.strip_prefix("workerbee-") else { return true };
    let is_hash = |part: &str| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let rest = rest.split_once('-').filter(|(hash, _)| is_hash(hash)).map_or(rest, |(_, rest)| rest);
    let is_own = |end: &str| end.is_empty() || end.starts_with(['-', ':']);
    rest == "system" || rest.starts_with("caddy-") || rest.strip_prefix(project).is_some_and(is_own)
}

/// The project that a host or URL of `WorkerBee`'s domain belongs to. The dashboard of all projects is nobody's.
pub fn owner_of_host(place: &str) -> Option<&str> {
    let host = place.split_once("://").map_or(place, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or(host);
    let (_, owner) = host.strip_suffix(DOMAIN)?.rsplit_once('.')?;
    Some(owner)
}

/// What the keys of a profile start with in its etcd (`AE_ETCD_PREFIX`), without the slash that follows.
pub fn etcd_prefix(project: &str, profile: Profile) -> String {
    format!("k1s/workerbee/{project}/{profile}")
}

/// The longest project name that a profile works with.
///
/// A component's container name is its DNS label: one that is too long is unreachable ("label empty or too long"),
/// and `WorkerBee` says so only when its start has timed out.
pub fn project_budget(profile: Profile) -> usize {
    let fixed = "workerbee-".len() + 12 + 1;
    let namespace = NAMESPACE_LIMIT - fixed;
    profile
        .components()
        .into_iter()
        .filter(|component| component.reached_by_name())
        .map(|component| LABEL_LIMIT.saturating_sub(fixed + format!("-{profile}-{component}").len()))
        .fold(namespace, usize::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_workerbee() {
        // The first 12 digits of `printf /var/lib/workerbee | sha1sum`.
        assert_eq!(state_hash(Path::new("/var/lib/workerbee")), "e7ad747c8f29");
        assert_eq!(
            container(Path::new("/var/lib/workerbee"), "k1spv03", Profile::HaMin, Component::Controller(2)),
            "workerbee-e7ad747c8f29-k1spv03-k1s-ha-min-controller-2"
        );
    }

    #[test]
    fn the_single_etcd_profile_leaves_eight_characters() {
        assert_eq!(project_budget(Profile::SingleEtcdContainerd), 8);
        assert_eq!(project_budget(Profile::DevMinSqlite), 53);
    }
}
