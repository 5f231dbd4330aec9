//! The choice of the file of a triage to read first.

use std::path::{Path, PathBuf};

use crate::evidence::Triage;
use crate::failure::{Failure, Kind};

/// The beginnings of checks' names, each with the files that tell most, the best one first.
const ORDER: [(&str, &[&str]); 11] = [
    ("mcp-", &["mcp-daemon.log", "daemon.json", "mcp-status.json"]),
    ("runtime-", &["mcp-status.json"]),
    ("ingress-", &["ingress-status.json", "mcp-daemon.log"]),
    ("ca-", &["ingress-status.json", "mcp-daemon.log"]),
    ("containerd-", &["containerd.json", "containerd.log", "containerd-privilege.json"]),
    ("attest::routes", &["ingress-status.json", "profile-status.json"]),
    ("attest::host-processes", &["daemon.json"]),
    ("attest::containers", &["containerd.json"]),
    ("projects-", &["projects.json"]),
    ("cleanup::", &["containerd.json"]),
    ("", &["profile-status.json", "mcp-status.json", "containerd.json"]),
];

/// The log of a container that the failure names; otherwise what is told of most by that kind of check.
pub(super) fn of(triage: &Triage, check: Option<&str>, failure: &Failure) -> Option<PathBuf> {
    let name = check.unwrap_or_default();
    // What is left after the end was seen after the end.
    if name.starts_with("cleanup::") && triage.taken.starts_with("before") {
        return None;
    }
    let files: Vec<&PathBuf> = triage.items.iter().flat_map(|item| &item.files).collect();
    // A profile's name may have a component's in it.
    let profile = triage.gate.rsplit("::").next().unwrap_or_default();
    let said = failure.what.replace(profile, "");
    let named = files.iter().find(|file| {
        let component = file.file_stem().and_then(|stem| stem.to_str());
        let is_log = file.parent().is_some_and(|folder| folder.ends_with("logs"));
        is_log && component.is_some_and(|name| said.contains(name))
    });
    let best = || {
        // Without these nothing else can be right.
        let name = match failure.kind {
            Kind::Containerd => "containerd-",
            Kind::Daemon => "mcp-",
            _ => name,
        };
        let (_, wanted) = ORDER.iter().find(|(beginning, _)| name.starts_with(beginning))?;
        wanted.iter().find_map(|wanted| files.iter().find(|file| file.file_name() == Path::new(wanted).file_name()))
    };
    named.or_else(best).map(|file| (*file).clone())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::evidence::Item;

    #[rstest]
    #[case("attest::containers", Failure::new("controller-0 is STOPPED"), Some("logs/controller-0.log"))]
    #[case(
        "attest::containers",
        Failure::new("wb-k1s-single-etcd-containerd-controller-0 is STOPPED"),
        Some("logs/controller-0.log")
    )]
    #[case("ok", Failure::new("k1s-single-etcd-containerd did not come up"), Some("profile-status.json"))]
    #[case("attest::containers", Failure::new("no answer").of(Kind::Containerd), Some("containerd.log"))]
    #[case("", Failure::new("not ready").of(Kind::Daemon), Some("mcp-daemon.log"))]
    #[case("mcp-daemon-after", Failure::new("it no longer ran"), Some("mcp-daemon.log"))]
    #[case("attest::routes", Failure::new("controller-0 answers 401"), Some("logs/controller-0.log"))]
    #[case("cleanup::processes", Failure::new("left after the purge: etcd"), None)]
    fn the_first_file(#[case] check: &str, #[case] failure: Failure, #[case] first: Option<&str>) {
        let files =
            ["profile-status.json", "mcp-daemon.log", "containerd.log", "logs/controller-0.log", "logs/etcd.log"];
        let item = |file: &&str| Item {
            shows: String::new(),
            files: vec![Path::new("triage/gate").join(file)],
            found: Vec::new(),
            problem: None,
        };
        let triage = Triage {
            gate: "startup::k1s-single-etcd-containerd".to_owned(),
            project: "demo".to_owned(),
            taken: "before anything was stopped".to_owned(),
            red: Vec::new(),
            items: files.iter().map(item).collect(),
        };
        let first = first.map(|file| Path::new("triage/gate").join(file));
        assert_eq!(of(&triage, Some(check), &failure), first);
    }
}
