//! The plan: which gates there are, which profile each starts, and what its project is called.

mod chosen;
mod key;
mod profile;
mod shard;
mod transport;
mod version;

pub use chosen::{chosen, of_shard, profiles};
pub use key::GateKey;
pub(crate) use key::{ATTEMPT, ITERATION};
pub use profile::{Component, Profile, all_images};
pub use shard::{SHARD_VARIABLE, Shard, UnknownShard};
pub use transport::{Transport, Transports, UnknownTransport};
pub use version::WorkerBeeVersion;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One expensive operation against a `WorkerBee` project of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gate {
    /// The runbook's preflight: MCP daemon, ingress, privilege, names.
    Preflight,
    /// `workerbee profile list`.
    Inventory,
    /// `workerbee validate --scenario k1s-profile`.
    Startup(Profile),
    /// `workerbee validate --scenario profile-workload`.
    Workload(Profile),
}

/// The one of the run's settings that names the project of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProjectSetting {
    /// `WB_PROJECT`, the same for all such gates, or else the project base.
    Shared,
    /// `WB_SINGLE_PROJECT`, or else the project base.
    Single,
    /// `WB_HA_PROJECT`, or else the project base.
    Ha,
}

/// The properties of a gate, besides what it does and what is checked of it (`gates/`).
struct Row {
    gate: Gate,
    /// The letters of its project: of the command line, and of MCP.
    letters: (char, char),
    /// Its place when several wait: the smallest first.
    priority: u8,
    project: ProjectSetting,
    /// About how long it takes on two processors: only for sharing out.
    seconds: u32,
}

const fn row(gate: Gate, letters: (char, char), priority: u8, project: ProjectSetting, seconds: u32) -> Row {
    Row { gate, letters, priority, project, seconds }
}

/// The one table of gates, in the runbook's order: a new gate is a row here.
const ROWS: [Row; 8] = [
    row(Gate::Preflight, ('p', 'f'), 4, ProjectSetting::Shared, 7),
    row(Gate::Inventory, ('i', 'l'), 4, ProjectSetting::Shared, 7),
    row(Gate::Startup(Profile::DevMinSqlite), ('q', 'd'), 3, ProjectSetting::Shared, 18),
    row(Gate::Startup(Profile::DevEtcdLabs), ('e', 'b'), 3, ProjectSetting::Shared, 18),
    row(Gate::Startup(Profile::SingleEtcdContainerd), ('c', 'g'), 3, ProjectSetting::Shared, 18),
    row(Gate::Startup(Profile::HaMin), ('m', 'k'), 2, ProjectSetting::Shared, 28),
    row(Gate::Workload(Profile::SingleEtcdContainerd), ('s', 'x'), 1, ProjectSetting::Single, 140),
    row(Gate::Workload(Profile::HaMin), ('h', 'w'), 0, ProjectSetting::Ha, 140),
];

impl Gate {
    /// Every gate of the runbook, in the runbook's order.
    pub const ALL: [Self; ROWS.len()] = {
        let mut all = [Self::Preflight; ROWS.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = ROWS[at].gate;
            at += 1;
        }
        all
    };

    /// None of a gate that a profile could have and the runbook does not.
    fn row(self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.gate == self)
    }

    /// Returns the setting that names its project.
    pub(crate) fn project_setting(self) -> ProjectSetting {
        self.row().map_or(ProjectSetting::Shared, |row| row.project)
    }

    /// Is true when it applies to a profile whose controllers elect a leader: then its profile should start on a
    /// machine that does nothing else.
    pub fn suffers_from_company(self) -> bool {
        self.deploys_apps() && self.elects_leader()
    }

    /// Is true when it starts a profile.
    pub fn starts_profile(self) -> bool {
        self.profile().is_some()
    }

    /// Is true when it deploys applications.
    pub fn deploys_apps(self) -> bool {
        matches!(self, Self::Workload(_))
    }

    /// Is true when it starts a profile whose controllers elect a leader.
    pub fn elects_leader(self) -> bool {
        self.profile().is_some_and(Profile::elects_leader)
    }

    /// Is true when it starts a profile that keeps its state in etcd.
    pub fn keeps_state_in_etcd(self) -> bool {
        self.profile().is_some_and(|profile| profile.components().contains(&Component::Etcd))
    }

    /// The profile that the gate starts, if it starts one.
    pub fn profile(self) -> Option<Profile> {
        match self {
            Self::Preflight | Self::Inventory => None,
            Self::Startup(profile) | Self::Workload(profile) => Some(profile),
        }
    }

    /// The letter that makes the gate's project out of the project base: another one for each way to ask, so that both
    /// can be there at once. `s` and `h` are the runbook's own; `r` is that of reruns.
    pub fn suffix(self, transport: Transport) -> char {
        let (cli, mcp) = self.row().map_or(('o', 'o'), |row| row.letters);
        if transport == Transport::Cli { cli } else { mcp }
    }

    /// The gate's place when several wait: the longest first, and of all the one whose start suffers from company.
    ///
    /// `WorkerBee` applies to controller 0 of k1s-ha-min, whichever controller holds the lease; on a loaded machine
    /// another one may win it and the apply ends in a 409. Started first, the gate starts on an idle machine.
    pub fn priority(self) -> u8 {
        self.row().map_or(u8::MAX, |row| row.priority)
    }

    /// About how long it takes on two processors, in seconds.
    fn seconds(self) -> u32 {
        self.row().map_or(0, |row| row.seconds)
    }

    /// The gate's name as part of a file name.
    pub fn slug(self) -> String {
        self.to_string().replace("::", "-")
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preflight => f.write_str("preflight"),
            Self::Inventory => f.write_str("inventory"),
            Self::Startup(profile) => write!(f, "startup::{profile}"),
            Self::Workload(profile) => write!(f, "workload::{profile}"),
        }
    }
}

/// A name that is no gate's.
#[derive(Debug, thiserror::Error)]
#[error("there is no gate `{0}`")]
pub struct UnknownGate(String);

impl FromStr for Gate {
    type Err = UnknownGate;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|gate| gate.to_string() == name).ok_or_else(|| UnknownGate(name.to_owned()))
    }
}

impl Serialize for Gate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl schemars::JsonSchema for Gate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Gate".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "enum": Self::ALL.map(|gate| gate.to_string()) })
    }
}

impl<'de> Deserialize<'de> for Gate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
