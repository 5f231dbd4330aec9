//! The gates that a repository has chosen to run, of all that there are.

use super::{Gate, Profile, Shard};
use crate::config::{self, Told};
use crate::failure::Failure;

/// A kind of gates that a setting chooses from, by their profiles.
struct Kind {
    /// The setting's variable.
    variable: &'static str,
    /// The gate of a profile.
    gate: fn(Profile) -> Gate,
}

const STARTUPS: Kind = Kind { variable: "K1S_GATES_PROFILES", gate: Gate::Startup };
const WORKLOADS: Kind = Kind { variable: "K1S_GATES_WORKLOADS", gate: Gate::Workload };

/// The gates that are chosen: preflight and inventory always, the others by their profiles. All when nothing is set.
pub fn chosen() -> Result<Vec<Gate>, Failure> {
    let mut gates = Gate::ALL.to_vec();
    for kind in [STARTUPS, WORKLOADS] {
        let Some(told) = config::get()?.told(kind.variable)? else { continue };
        let named = kind.named(&told)?;
        gates.retain(|gate| !kind.has(*gate) || named.contains(gate));
    }
    Ok(gates)
}

/// Those of some gates that this machine has: all of them, when no other machine shares them.
pub fn of_shard(gates: &[Gate], shard: Option<Shard>) -> Vec<Gate> {
    shard.map_or_else(|| gates.to_vec(), |shard| shard.of(gates))
}

/// The names of the profiles that a setting can choose from: of `startup` or of `workload`.
pub fn profiles(kind: &str) -> Vec<String> {
    let kind = if kind == "workload" { WORKLOADS } else { STARTUPS };
    kind.gates().into_iter().map(|(name, _)| name).collect()
}

impl Kind {
    fn has(&self, gate: Gate) -> bool {
        gate.profile().is_some_and(|profile| (self.gate)(profile) == gate)
    }

    fn gates(&self) -> Vec<(String, Gate)> {
        let of_kind = Gate::ALL.into_iter().filter(|gate| self.has(*gate));
        of_kind.filter_map(|gate| Some((gate.profile()?.to_string(), gate))).collect()
    }

    fn named(&self, told: &Told) -> Result<Vec<Gate>, Failure> {
        let gates = self.gates();
        let names = || gates.iter().map(|(name, _)| name.as_str());
        let gate = |name: &str| {
            let found = gates.iter().find(|(known, _)| known == name).map(|(_, gate)| *gate);
            found.ok_or_else(|| {
                let meant = config::nearest(name, names()).map(|meant| format!("; did you mean `{meant}`?"));
                let expected = format!("some of {}, or none of them", names().collect::<Vec<_>>().join(", "));
                told.refused(&expected).seen(format!("`{name}`{}", meant.unwrap_or_default()))
            })
        };
        told.items().map(gate).collect()
    }
}
