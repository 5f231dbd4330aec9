//! A share of the gates, for one of several machines.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Gate;
use crate::config;
use crate::failure::Failure;

/// The variable that names the shard of this machine, such as `2/8`.
pub const SHARD_VARIABLE: &str = "K1S_GATES_SHARD";

/// One of `count` shares of the gates, from 1.
///
/// Gates are shared out, not trials: nextest's own partitions would put the trials of a gate on several machines, and each
/// of them would run the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    /// Its number, from 1.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

/// A value that names no shard.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no shard: write <number>/<count>, such as 2/8, from 1 to the count")]
pub struct UnknownShard(pub String);

impl Shard {
    /// The shard that the environment names; none when it names none.
    pub fn from_env() -> Result<Option<Self>, Failure> {
        let told = config::get()?.told(SHARD_VARIABLE)?;
        told.map(|told| told.parse("a number and a count, such as 2/8, from 1 to the count")).transpose()
    }

    /// Selects the gates of this shard; each gate belongs to exactly one of the `count`: the longest gates are dealt
    /// out first, each to the shard that has least to do.
    pub fn of(self, gates: &[Gate]) -> Vec<Gate> {
        let mut gates = gates.to_vec();
        gates.sort_by_key(|gate| std::cmp::Reverse(gate.seconds()));
        let mut shards: Vec<(u32, Vec<Gate>)> = vec![(0, Vec::new()); self.count];
        for gate in gates {
            if let Some((load, share)) = shards.iter_mut().min_by_key(|(load, _)| *load) {
                *load += gate.seconds();
                share.push(gate);
            }
        }
        shards.into_iter().nth(self.index - 1).map(|(_, share)| share).unwrap_or_default()
    }
}

impl FromStr for Shard {
    type Err = UnknownShard;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        let numbers = || {
            let (index, count) = value.split_once('/')?;
            Some(Self { index: index.parse().ok()?, count: count.parse().ok()? })
        };
        // More machines than there are gates have nothing to do; many more are a slip of the pen.
        let fits = |shard: &Self| (1..=shard.count).contains(&shard.index) && shard.count <= 1000;
        numbers().filter(fits).ok_or_else(|| UnknownShard(value.to_owned()))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Serialize for Shard {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Shard {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Shard {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Shard".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+/[0-9]+$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gate_belongs_to_one_shard() {
        for count in 1..12 {
            for gate in Gate::ALL {
                let holders =
                    (1..=count).filter(|index| Shard { index: *index, count }.of(&Gate::ALL).contains(&gate)).count();
                assert_eq!(holders, 1, "{gate} of {count} shards");
            }
        }
    }

    #[test]
    fn the_longest_gates_are_on_different_machines() {
        let shares = [1, 2].map(|index| Shard { index, count: 2 }.of(&Gate::ALL));
        let workloads = |share: &Vec<Gate>| share.iter().filter(|gate| matches!(gate, Gate::Workload(_))).count();
        assert_eq!(shares.each_ref().map(workloads), [1, 1]);
    }

    #[test]
    fn a_value_that_names_no_shard_is_refused() {
        for value in ["0/2", "3/2", "2", "a/b", "1/0", "-1/2", "1/2/3", "1/100000", " 1/2"] {
            assert!(value.parse::<Shard>().is_err(), "{value}");
        }
        assert_eq!("2/8".parse::<Shard>().map(|shard| shard.to_string()).ok().as_deref(), Some("2/8"));
    }
}
