//! The settings that a run reads from its environment. The runbook's variables keep their names and their meaning.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{self, Told};
use crate::failure::Failure;
use crate::plan::{self, Gate, GateKey, ProjectSetting, Shard, Transport, Transports};
use crate::tree::{self, Trees};
use crate::workerbee::naming;

/// A run's settings; written down once by the first trial, so that all processes of a run agree.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
pub struct Settings {
    /// `RUN_DIR`: where the evidence goes.
    pub run_dir: PathBuf,
    /// True when `RUN_DIR` is set: else the run makes a folder of its own.
    pub names_its_folder: bool,
    /// `WB_PROJECT_BASE`: what the projects' names start with.
    pub base: String,
    /// `WB_PROJECT`: the same for all gates but the two workloads.
    pub project: Option<String>,
    /// `WB_SINGLE_PROJECT`: the project of the workload gate of k1s-single-etcd-containerd.
    pub single_project: Option<String>,
    /// `WB_HA_PROJECT`: the project of the workload gate of k1s-ha-min.
    pub ha_project: Option<String>,
    /// The mode: whose containerd and `WorkerBee` are used.
    pub mode: Mode,
    /// The k1s under test and the `WorkerBee` that tests it, in either mode.
    pub trees: Trees,
    /// `K1S_GATES_TRANSPORT`: by which ways `WorkerBee` is asked.
    pub transports: Transports,
    /// The gates that the repository has chosen, in the runbook's order.
    pub chosen: Vec<Gate>,
    /// `K1S_GATES_LANES`: how many gates run side by side.
    pub lanes: usize,
    /// `K1S_GATES_SHARD`: the share of the gates that this machine has.
    pub shard: Option<Shard>,
    /// `K1S_GATES_SIGNING_KEY`: the file of the key that signs the run's results.
    pub signing_key_file: Option<PathBuf>,
    /// `K1S_GATES_KEEP=failed`: whether the project of a gate that failed stays.
    pub keep_failed: bool,
    /// `K1S_GATES_FAIL_FAST=off`: whether a call goes on that a component's death has made useless.
    pub fail_fast: bool,
    /// `K1S_GATES_FLAKY=fail`: true when a gate that is flaky makes the run fail.
    pub fails_flaky: bool,
    /// `K1S_GATES_K1S_DIGEST`: the digest that the k1s under test must have.
    pub k1s_digest: Option<String>,
    /// `K1S_GATES_PLAIN=1`: true when WorkerBee and k1s are left as they are, as far as a lane can.
    pub plain: bool,
    /// The time that each operation may take.
    pub limits: Limits,
}

/// The mode of a run: whose containerd and `WorkerBee` it uses.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The stack that the harness provides; each gate in a lane.
    Embedded,
    /// The user's own.
    External(External),
}

/// The user's own containerd and state root.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct External {
    /// `WORKERBEE_CONTAINERD_STATE_ROOT`.
    pub state_root: PathBuf,
    /// `WORKERBEE_CONTAINERD_ADDRESS`, containerd's socket.
    pub address: PathBuf,
    /// `WORKERBEE_MCP_HOST`, the address that `WorkerBee`'s daemon listens on.
    pub mcp_host: String,
    /// `WORKERBEE_MCP_PORT`, the port of `WorkerBee`'s daemon: each user's on a host needs another one.
    pub mcp_port: u16,
}

/// The address of the daemon in the runbook.
pub(crate) const MCP_HOST: &str = "127.0.0.1";
/// The port of the daemon in the runbook.
pub(crate) const MCP_PORT: u16 = 8765;

/// The prefix of the names of runs' folders, before their time, as in the runbook.
pub(crate) const RUN_DIR_PREFIX: &str = "workerbee-k1s-profile-validation-";

/// The folder of a run that names none: the runbook's, by the time.
pub(crate) fn default_run_dir() -> PathBuf {
    let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    std::env::temp_dir().join(format!("{RUN_DIR_PREFIX}{stamp}"))
}

/// The time that each operation may take; the runbook's limits, in seconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Limits {
    /// Any call that only asks.
    pub query: u64,
    /// `mcp restart --timeout`.
    pub restart: u64,
    /// `validate --scenario k1s-profile --timeout`.
    pub startup: u64,
    /// `validate --scenario profile-workload --timeout`.
    pub workload: u64,
    /// `profile stop`, with and without `--purge`.
    pub stop: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { query: 60, restart: 90, startup: 240, workload: 420, stop: 180 }
    }
}

impl Limits {
    /// The limit of a validation: `WorkerBee`'s own timeout counts each of several waits, so it may take that long
    /// several times over before it answers; beyond twice and a minute it hangs.
    pub fn validation(timeout: u64) -> Duration {
        Duration::from_secs(2 * timeout + 60)
    }
}

impl Settings {
    /// Settings from the environment. A value that cannot be meant is refused, not replaced.
    pub fn from_env() -> Result<Self, Failure> {
        refuse_unreadable_paths()?;
        refuse_unmountable_paths()?;
        let config = config::get()?;
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let run_dir = path("RUN_DIR").unwrap_or_else(default_run_dir);
        let seconds = |name: &str, default: u64| config.number(name).map(|n| n.unwrap_or(default));
        let project = |name: &str| config.told(name)?.map(|told| project_name(&told)).transpose();
        let defaults = Limits::default();
        let (chosen, shard) = (plan::chosen()?, Shard::from_env()?);
        // Read by the stack, which asks nobody whether a word is known.
        config.told("K1S_GATES_IMAGES")?;
        Ok(Self {
            names_its_folder: path("RUN_DIR").is_some(),
            run_dir: std::path::absolute(&run_dir).unwrap_or(run_dir),
            base: project("WB_PROJECT_BASE")?.map_or_else(default_base, Ok)?,
            project: project("WB_PROJECT")?,
            single_project: project("WB_SINGLE_PROJECT")?,
            ha_project: project("WB_HA_PROJECT")?,
            mode: path("WORKERBEE_CONTAINERD_STATE_ROOT").map(external).transpose()?.unwrap_or(Mode::Embedded),
            trees: trees()?,
            transports: Transports::from_env()?,
            chosen,
            lanes: config.number("K1S_GATES_LANES")?.unwrap_or_else(default_lanes),
            shard,
            signing_key_file: path("K1S_GATES_SIGNING_KEY").map(signing_key).transpose()?,
            keep_failed: config.told("K1S_GATES_KEEP")?.is_some(),
            fail_fast: config.told("K1S_GATES_FAIL_FAST")?.is_none_or(|told| told.text == "on"),
            fails_flaky: config.told("K1S_GATES_FLAKY")?.is_some_and(|told| told.text == "fail"),
            k1s_digest: config.told("K1S_GATES_K1S_DIGEST")?.map(|told| told.text.trim().to_ascii_lowercase()),
            plain: config.told("K1S_GATES_PLAIN")?.is_some_and(|told| told.text == "1"),
            limits: Limits {
                startup: seconds("K1S_GATES_STARTUP_TIMEOUT", defaults.startup)?,
                workload: seconds("K1S_GATES_WORKLOAD_TIMEOUT", defaults.workload)?,
                query: seconds("K1S_GATES_QUERY_TIMEOUT", defaults.query)?,
                restart: seconds("WORKERBEE_MCP_TIMEOUT", defaults.restart)?,
                ..defaults
            },
        })
    }

    /// The project of a gate's n-th run, from 1: retries, iterations and reruns get fresh ones. Later names are as short
    /// as the profile needs them, whatever the first one is.
    pub fn project(&self, gate: Gate, transport: Transport, nth: u32) -> String {
        let suffix = gate.suffix(transport);
        let (named, shared) = match gate.project_setting() {
            ProjectSetting::Single => (self.single_project.as_ref(), None),
            ProjectSetting::Ha => (self.ha_project.as_ref(), None),
            ProjectSetting::Shared => (None, self.project.as_ref()),
        };
        let stem = named.or(shared).unwrap_or(&self.base);
        // One name for both ways would be one project.
        let beside = (self.transports, transport) == (Transports::Both, Transport::Mcp);
        let tail = match (nth, named) {
            (..=1, Some(name)) if !beside => return name.clone(),
            (..=1, None) => return format!("{stem}{suffix}"),
            (..=1, _) => suffix.to_string(),
            _ => format!("{suffix}{}", base36(u64::from(nth))),
        };
        let budget = gate.profile().map_or(usize::MAX, naming::project_budget);
        let room = budget.saturating_sub(tail.len());
        // A slug ends in no dash, and what follows is none.
        format!("{}{tail}", stem.get(..room).unwrap_or(stem).trim_end_matches('-'))
    }

    /// Every gate of this machine's shard, over each transport that is asked for, when it is run for the first time.
    pub fn keys(&self) -> impl Iterator<Item = GateKey> + use<> {
        let each = self.transports.each();
        let keys = move |gate| each.iter().map(move |transport| GateKey::first(gate, *transport));
        plan::of_shard(&self.chosen, self.shard).into_iter().flat_map(keys)
    }
}

/// `WorkerBee` makes a slug of a project's name: another name than its own slug would be looked for in vain.
fn project_name(told: &Told) -> Result<String, Failure> {
    if is_slug(&told.text) {
        return Ok(told.text.clone());
    }
    Err(told.refused("lower-case letters, digits and inner dashes"))
}

fn is_slug(value: &str) -> bool {
    let plain = value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    plain && !value.starts_with('-') && !value.ends_with('-')
}

/// The user's own `WorkerBee`, by its state root.
fn external(state_root: PathBuf) -> Result<Mode, Failure> {
    let address = std::env::var_os("WORKERBEE_CONTAINERD_ADDRESS").filter(|value| !value.is_empty());
    let address = address.unwrap_or_else(|| "/run/containerd/containerd.sock".into());
    let mcp_port = match std::env::var("WORKERBEE_MCP_PORT").ok().filter(|port| !port.is_empty()) {
        None => MCP_PORT,
        Some(port) => match port.parse() {
            Ok(number) if number > 0 => number,
            _ => return Err(refused("WORKERBEE_MCP_PORT", &port, "a port, 1 to 65535")),
        },
    };
    let mcp_host = std::env::var("WORKERBEE_MCP_HOST").ok().filter(|host| !host.is_empty());
    let mcp_host = mcp_host.unwrap_or_else(|| MCP_HOST.to_owned());
    Ok(Mode::External(External { state_root, address: address.into(), mcp_host, mcp_port }))
}

/// The variables that name files and folders.
const PATHS: [&str; 9] = [
    "K1S_GATES_CACHE",
    "K1S_GATES_SIGNING_KEY",
    "K1S_ROOT",
    "RUN_DIR",
    "WORKERBEE_BIN",
    "WORKERBEE_CONTAINERD_ADDRESS",
    "WORKERBEE_CONTAINERD_STATE_ROOT",
    "WORKERBEE_K1S_ROOT",
    "WORKERBEE_ROOT",
];

/// A path that is no UTF-8 can stand in no JSON, neither in the harness's files nor in `WorkerBee`'s answers.
fn refuse_unreadable_paths() -> Result<(), Failure> {
    let unreadable = |name: &&str| std::env::var_os(name).is_some_and(|value| value.to_str().is_none());
    PATHS.iter().find(|name| unreadable(name)).map_or(Ok(()), |name| {
        let value = std::env::var_os(name).map(PathBuf::from).unwrap_or_default();
        Err(not_utf8(name, &value))
    })
}

/// Refuses paths that cannot be mounted into containers, or cannot stand in a PATH and in configurations: there these
/// characters end a path. Paths that follow from HOME alone are among them.
fn refuse_unmountable_paths() -> Result<(), Failure> {
    let cache = crate::stack::Options::from_env().cache;
    let ledger = crate::ledger::folder();
    for (name, path) in [("K1S_GATES_CACHE, or HOME", &cache), ("XDG_STATE_HOME, or HOME", &ledger)] {
        if path.to_str().is_none() {
            return Err(not_utf8(name, path));
        }
    }
    let k1s_root = std::env::var_os("K1S_ROOT").map(PathBuf::from).unwrap_or_default();
    for (name, path) in [("K1S_GATES_CACHE", &cache), ("K1S_ROOT", &k1s_root)] {
        if path.to_str().is_some_and(|text| text.contains([':', '"', '\\', '\n'])) {
            let expected = "a path without colons, quotation marks, backslashes and line breaks";
            return Err(refused(name, &path.display().to_string().escape_debug().to_string(), expected));
        }
    }
    Ok(())
}

fn not_utf8(name: &str, value: &std::path::Path) -> Failure {
    Failure::new(format!("{name} names a path that is no UTF-8"))
        .expected("a path that JSON can hold: WorkerBee's answers and the evidence name it")
        .seen(tree::name_of(value))
        .remedy(format!("rename it, or set {name} to a symbolic link with a plain name"))
}

/// The trees in reach.
fn trees() -> Result<Trees, Failure> {
    let trees = Trees::from_env();
    for (name, choice) in [("K1S_ROOT", &trees.k1s), ("WORKERBEE_ROOT", &trees.workerbee)] {
        if let Some(path) = choice.path.as_deref().filter(|path| path.to_str().is_none()) {
            return Err(not_utf8(name, path));
        }
    }
    Ok(trees)
}

/// A key that cannot be used is told of before anything is run, not after.
fn signing_key(path: PathBuf) -> Result<PathBuf, Failure> {
    let path = std::path::absolute(&path).unwrap_or(path);
    let read = crate::signing::Signer::read(&path);
    read.map(|_| path.clone()).map_err(|error| {
        refused(
            "K1S_GATES_SIGNING_KEY",
            &path.display().to_string(),
            "a private Ed25519 key in PEM, as `openssl genpkey -algorithm ed25519` writes it",
        )
        .seen(error.to_string())
    })
}

fn refused(name: &str, value: &str, expected: &str) -> Failure {
    Failure::new(format!("{name}={value} cannot be used"))
        .expected(expected)
        .seen(value)
        .remedy(format!("correct {name}, or unset it"))
}

/// A base that leaves the suffix and the number of a retry within the eight characters of k1s-single-etcd-containerd; the
/// runbook's own default (eleven) does not fit there. Drawn, for two runs may begin in the same second on one host.
fn default_base() -> Result<String, Failure> {
    let mut drawn = [0; 8];
    getrandom::fill(&mut drawn).map_err(|error| {
        Failure::new("no name for the projects of this run could be drawn")
            .expected("random bytes of the system's")
            .seen(error.to_string())
            .remedy("set WB_PROJECT_BASE")
    })?;
    Ok(format!("g{:0>4}", base36(u64::from_le_bytes(drawn) % 36_u64.pow(4))))
}

/// A number in as few characters as a project's name allows.
fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    while number > 0 || digits.is_empty() {
        let digit = u8::try_from(number % 36).unwrap_or_default();
        digits.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
        number /= 36;
    }
    digits.into_iter().rev().collect()
}

/// One lane per core, as far as memory carries them: a workload gate keeps about 1 GB of images and containers.
fn default_lanes() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let available = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
            line.split_whitespace().nth(1)?.parse::<usize>().ok()
        })
        .map_or(cores, |kilobytes| kilobytes / 1_500_000);
    cores.min(available).max(1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("gxp7p", true)]
    #[case("my-app", true)]
    #[case("My_App", false)]
    #[case("-a", false)]
    fn a_project_is_its_own_slug(#[case] value: &str, #[case] fits: bool) {
        assert_eq!(is_slug(value), fits);
    }

    #[test]
    fn projects_fit_every_profile_however_often_a_gate_is_run() {
        let default = default_base().unwrap();
        assert_eq!(default.len(), 5);
        assert_ne!(default, default_base().unwrap());
        // The longest that a user may set, a dash where it is cut, and names of the user's own that differ at their ends.
        let own = |single: &str| (Some(single.to_owned()), Some(single.replace('1', "2")));
        for (base, (single_project, ha_project)) in
            [(default.as_str(), (None, None)), ("k1spv07", (None, None)), ("my-app", own("my-own-1"))]
        {
            let transports = Transports::Both;
            let settings = Settings {
                base: base.to_owned(),
                single_project,
                ha_project,
                transports,
                ..Settings::from_env().unwrap()
            };
            let mut names = std::collections::BTreeSet::new();
            for GateKey { gate, transport, .. } in settings.keys() {
                for nth in (1..=40).chain([100, 1295]) {
                    let project = settings.project(gate, transport, nth);
                    let budget = gate.profile().map_or(usize::MAX, naming::project_budget);
                    assert!(project.len() <= budget && is_slug(&project), "{project}");
                    assert!(names.insert(project.clone()), "{project} twice");
                }
            }
        }
    }
}
