//! The requests that `WorkerBee` takes over both transports, in the words of each: the one table of them.

use serde_json::{Map, Value, json};

use crate::plan::Profile;

/// A question or an order to `WorkerBee`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// The profiles that it offers.
    ProfileList,
    /// The projects that it knows.
    Projects,
    /// Its ingress and CA.
    IngressStatus,
    /// A dry run of the cleanup: it lists what a cleanup would remove.
    CleanupDryRun,
    /// Starts a profile and checks it, within seconds that `WorkerBee` counts.
    Validate(Profile, u64),
    /// The same, and with a workload on it.
    ValidateWorkload(Profile, u64),
    /// The profile's containers.
    ProfileStatus,
    /// Ends the profile.
    ProfileStop,
    /// Ends it and removes its state.
    ProfilePurge,
    /// The log of an application that runs on the profile. Without its name: with one, `WorkerBee` starts a profile that
    /// does not run, to have something to answer about.
    Logs(&'a str),
    /// Begins the session of an agent.
    SessionStart,
    /// The status of the profile's workload by its API; without the profile's name, for the same reason.
    WorkloadStatus,
    /// Asks a URL by way of the ingress.
    IngressProbe(&'a str),
}

/// A tool of the MCP server, with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// Its arguments.
    pub arguments: Map<String, Value>,
}

impl Request<'_> {
    /// Its words on the command line, behind the global flags; none of what only agents can ask.
    pub fn arguments(self, k1s_root: &str) -> Option<Vec<String>> {
        let validate = |scenario: &'static str, profile: Profile, timeout: u64| {
            let words = ["validate", "--scenario", scenario, "--profile", profile.name(), "--k1s-root", k1s_root];
            words.into_iter().map(str::to_owned).chain(["--timeout".to_owned(), timeout.to_string()]).collect()
        };
        let line: Vec<&str> = match self {
            Self::ProfileList => vec!["profile", "list"],
            Self::Projects => vec!["projects"],
            Self::IngressStatus => vec!["ingress", "status"],
            Self::CleanupDryRun => vec!["cleanup"],
            Self::Validate(profile, timeout) => return Some(validate("k1s-profile", profile, timeout)),
            Self::ValidateWorkload(profile, timeout) => return Some(validate("profile-workload", profile, timeout)),
            Self::ProfileStatus => vec!["profile", "status", "--k1s-root", k1s_root],
            Self::ProfileStop => vec!["profile", "stop", "--k1s-root", k1s_root],
            Self::ProfilePurge => vec!["profile", "stop", "--k1s-root", k1s_root, "--purge"],
            Self::Logs(app) => vec!["logs", app, "--target", "profile"],
            Self::SessionStart | Self::WorkloadStatus | Self::IngressProbe(_) => return None,
        };
        Some(line.into_iter().map(str::to_owned).collect())
    }

    /// The tool that it is to agents.
    pub fn tool(self, project: &str, k1s_root: &str) -> Tool {
        let validate = |profile: Profile, timeout: u64| json!({"project": project, "profile": profile.name(), "k1s_root": k1s_root, "timeout": timeout});
        let (name, arguments) = match self {
            Self::ProfileList => ("workerbee_v1_profile_list", json!({})),
            Self::Projects => ("workerbee_v1_projects", json!({})),
            Self::IngressStatus => ("workerbee_v1_ingress_status", json!({})),
            Self::CleanupDryRun => ("workerbee_v1_cleanup", json!({"execute": false})),
            Self::Validate(profile, timeout) => ("workerbee_v1_profile_validate", validate(profile, timeout)),
            Self::ValidateWorkload(profile, timeout) => {
                ("workerbee_v1_profile_workload_validate", validate(profile, timeout))
            }
            Self::ProfileStatus => ("workerbee_v1_profile_status", json!({"project": project, "k1s_root": k1s_root})),
            Self::ProfileStop | Self::ProfilePurge => (
                "workerbee_v1_profile_stop",
                json!({"project": project, "k1s_root": k1s_root, "purge": self == Self::ProfilePurge}),
            ),
            Self::Logs(app) => ("workerbee_v1_logs", json!({"project": project, "target": "profile", "app": app})),
            Self::SessionStart => ("workerbee_v1_session_start", json!({"cwd": k1s_root, "project": project})),
            Self::WorkloadStatus => ("workerbee_v1_profile_workload_status", json!({"project": project})),
            Self::IngressProbe(url) => {
                ("workerbee_v1_ingress_probe", json!({"project": project, "url": url, "expected_status": 200}))
            }
        };
        let Value::Object(arguments) = arguments else { return Tool { name, arguments: Map::new() } };
        Tool { name, arguments }
    }

    /// Every request, with any arguments: for what must be so of each tool.
    pub const EACH: [Request<'static>; 13] = [
        Request::SessionStart,
        Request::IngressStatus,
        Request::ProfileList,
        Request::Projects,
        Request::CleanupDryRun,
        Request::Validate(Profile::DevMinSqlite, 1),
        Request::ValidateWorkload(Profile::SingleEtcdContainerd, 1),
        Request::WorkloadStatus,
        Request::Logs("db"),
        Request::IngressProbe("https://api"),
        Request::ProfileStatus,
        Request::ProfileStop,
        Request::ProfilePurge,
    ];
}
