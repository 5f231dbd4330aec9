//! The component that a text speaks of.

use std::sync::LazyLock;

use regex::Regex;

use crate::plan::{Component, Profile};

static CONTAINER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"workerbee-[0-9a-f]{12}-[a-z0-9-]*?k1s-(?:dev-min-sqlite|dev-etcd-labs|single-etcd-containerd|ha-min)-(controller-\d+|apishim|etcd|nats)\b").ok()
});
static URL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"127\.0\.0\.1:(\d{4,5})\b").ok());

/// `WorkerBee`'s ports on the host: the first of them, and the component.
const PORTS: [(u16, u16, &str); 3] = [(19608, 19708, "controller"), (18645, 18745, "apishim"), (12379, 12479, "etcd")];

/// Words that only one component can be meant with.
const WORDS: [(&str, &str); 5] = [
    ("controller health", "controller-0"),
    ("apishim health", "apishim"),
    ("API shim", "apishim"),
    ("the ingress", "ingress"),
    ("Caddy", "ingress"),
];

/// Names of containers, shortened to their components.
pub(crate) fn shortened(text: &str) -> String {
    match &*CONTAINER {
        Some(pattern) => pattern.replace_all(text, "$1").into_owned(),
        None => text.to_owned(),
    }
}

/// The component of a profile that a text names first; a name that is part of the profile's does not count.
pub(super) fn component(text: &str, profile: Option<Profile>) -> Option<String> {
    let text = shortened(text);
    let text = profile.map_or(text.clone(), |profile| text.replace(profile.name(), ""));
    let components: Vec<String> =
        profile.map(Profile::components).unwrap_or_default().iter().map(Component::to_string).collect();
    let by_name = components.iter().filter_map(|name| Some((word(&text, name)?, name.clone())));
    let by_words = WORDS.into_iter().filter_map(|(words, name)| Some((text.find(words)?, name.to_owned())));
    let ports = URL.as_ref().map(|url| url.captures_iter(&text).collect::<Vec<_>>()).unwrap_or_default();
    let by_port = ports.iter().filter_map(|found| {
        let (port, at) = (found[1].parse::<u16>().ok()?, found.get(0)?.start());
        let (first, _, role) = PORTS.into_iter().find(|(first, last, _)| (*first..=*last).contains(&port))?;
        let of_role: Vec<&String> = components.iter().filter(|name| name.starts_with(role)).collect();
        let name = if of_role.len() > 1 { of_role.get(usize::from(port - first))? } else { of_role.first()? };
        Some((at, (*name).clone()))
    });
    by_name.chain(by_words).chain(by_port).min_by_key(|(at, _)| *at).map(|(_, name)| name)
}

/// Finds the place where a name stands as a word of its own.
pub(super) fn word(text: &str, name: &str) -> Option<usize> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.' || c == '/';
    text.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("controller-0 is STOPPED", Some("controller-0"))]
    #[case("workerbee-0123456789ab-demo-k1s-ha-min-controller-2 has no task", Some("controller-2"))]
    #[case("controller health failed: http://127.0.0.1:19608/health did not become healthy", Some("controller-0"))]
    #[case("500 for url: http://127.0.0.1:19610/apply", Some("controller-2"))]
    #[case("http://127.0.0.1:18645/healthz", Some("apishim"))]
    #[case("etcd does not answer", Some("etcd"))]
    #[case("the profile k1s-ha-min did not come up", None)]
    #[case("state under another etcd-prefix", None)]
    #[case("the look at `leader` failed", None)]
    fn a_component_is_named(#[case] text: &str, #[case] name: Option<&str>) {
        assert_eq!(component(text, Some(Profile::HaMin)).as_deref(), name);
    }

    #[test]
    fn a_profiles_name_is_no_component() {
        let profile = Some(Profile::SingleEtcdContainerd);
        assert_eq!(component("k1s-single-etcd-containerd did not come up", profile), None);
        let name = "workerbee-0123456789ab-demo-k1s-single-etcd-containerd-controller-0 is STOPPED";
        assert_eq!(component(name, profile).as_deref(), Some("controller-0"));
        assert_eq!(shortened(name), "controller-0 is STOPPED");
    }
}
