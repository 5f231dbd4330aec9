//! The choice of the file of a triage to read first.

use std::path::{Path, PathBuf};

use crate::attest::PROBES;
use crate::evidence::Triage;
use crate::failure::{Failure, Kind};

/// The beginnings of checks' names, each with the files that tell most, the best one first.
const ORDER: [(&str, &[&str]); 7] = [
    ("mcp-", &["mcp-daemon.log", "daemon.json", "mcp-status.json"]),
    ("runtime-", &["mcp-status.json"]),
    ("ingress-", &["ingress-status.json", "mcp-daemon.log"]),
    ("ca-", &["ingress-status.json", "mcp-daemon.log"]),
    ("containerd-", &["containerd.json", "containerd.log", "containerd-privilege.json"]),
    ("projects-", &["projects.json"]),
    ("cleanup::", &["containerd.json"]),
];
/// The same of any check.
const ANY: &[&str] = &["profile-status.json", "mcp-status.json", "containerd.json"];

/// The files that tell most when the check of that name is red.
fn best(check: &str) -> &'static [&'static str] {
    let of_its_probe = PROBES.iter().find_map(|probe| probe.triage(check)).filter(|files| !files.is_empty());
    let of_its_kind = || ORDER.iter().find(|(beginning, _)| check.starts_with(beginning)).map(|(_, files)| *files);
    of_its_probe.or_else(of_its_kind).unwrap_or(ANY)
}

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
    let told_most = || {
        // Without these nothing else can be right.
        let name = match failure.kind {
            Kind::Containerd => "containerd-",
            Kind::Daemon => "mcp-",
            _ => name,
        };
        best(name).iter().find_map(|wanted| files.iter().find(|file| file.file_name() == Path::new(wanted).file_name()))
    };
    named.or_else(told_most).map(|file| (*file).clone())
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
