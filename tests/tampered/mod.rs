//! Tampered evidence, by kind of gate: honest evidence with one thing changed.
//!
//! The rows are not rstest's, because two other tests read them too: one for the messages, one for the checks that no
//! row turns red.

use k1s_profile_gates::plan::{Gate, Profile, Transports};

use crate::support::evidence_fixture::EvidenceFixture;

pub(crate) const STARTUPS: &[Gate] = &[
    Gate::Startup(Profile::DevMinSqlite),
    Gate::Startup(Profile::DevEtcdLabs),
    Gate::Startup(Profile::SingleEtcdContainerd),
    Gate::Startup(Profile::HaMin),
];
pub(crate) const WORKLOADS: &[Gate] = &[Gate::Workload(Profile::SingleEtcdContainerd), Gate::Workload(Profile::HaMin)];
/// Every gate that starts a profile, and stops it in the end.
pub(crate) const PROFILES: &[Gate] = &[
    Gate::Startup(Profile::DevMinSqlite),
    Gate::Startup(Profile::DevEtcdLabs),
    Gate::Startup(Profile::SingleEtcdContainerd),
    Gate::Startup(Profile::HaMin),
    Gate::Workload(Profile::SingleEtcdContainerd),
    Gate::Workload(Profile::HaMin),
];

/// An answer of `WorkerBee`'s that has an error in place of a result.
pub(crate) const SOPS_REQUIRED: &str = include_str!("../answers/validate-sops-required.json");
pub(crate) const CONFLICT: &str = include_str!("../answers/workload-409-not-leader.json");

/// One row: at which gates it is told, and which checks must be red then, and no others.
pub(crate) struct Tampered {
    pub(crate) name: &'static str,
    /// Over which transports it is tried: with both, the evidence of the command line is the tampered one.
    pub(crate) way: Transports,
    pub(crate) gates: &'static [Gate],
    pub(crate) tamper: fn(&mut EvidenceFixture),
    pub(crate) listed: &'static [&'static str],
    /// The checks of that list that another one names.
    pub(crate) more: fn() -> Vec<String>,
}

impl Tampered {
    /// The checks that must be red.
    pub(crate) fn red(&self) -> Vec<String> {
        self.listed.iter().map(ToString::to_string).chain((self.more)()).collect()
    }
}

/// All tables: one per kind of gate.
pub(crate) const TABLES: [&[Tampered]; 13] = [
    preflight::TAMPERED,
    inventory::TAMPERED,
    startup::TAMPERED,
    workload::TAMPERED,
    finish::TAMPERED,
    residue::TAMPERED,
    inside::TAMPERED,
    outside::TAMPERED,
    behaviour::TAMPERED,
    life::TAMPERED,
    secrets::TAMPERED,
    agent::TAMPERED,
    parity::TAMPERED,
];

/// All rows.
pub(crate) fn all() -> impl Iterator<Item = &'static Tampered> {
    TABLES.into_iter().flatten()
}

/// A table, and a test for each of its rows.
macro_rules! tampered {
    (@more) => { Vec::new };
    (@more $more:path) => { $more };
    ($($name:ident at $gates:expr, $tamper:expr => [$($red:literal),+ $(,)?];)+) => {
        tampered! { by k1s_profile_gates::plan::Transports::Cli; $($name at $gates, $tamper => [$($red),+];)+ }
    };
    (by $way:expr; $($name:ident at $gates:expr, $tamper:expr => [$($red:literal),+ $(,)?] $(and $more:path)?;)+) => {
        pub(crate) const TAMPERED: &[crate::tampered::Tampered] =
            &[$(crate::tampered::Tampered {
                name: stringify!($name),
                way: $way,
                gates: $gates,
                tamper: $tamper,
                listed: &[$($red),+],
                more: tampered!(@more $($more)?),
            }),+];
        $(
            #[test]
            fn $name() {
                crate::checks::caught(TAMPERED.iter().find(|row| row.name == stringify!($name)).unwrap());
            }
        )+
    };
}

pub(crate) mod agent;
pub(crate) mod behaviour;
pub(crate) mod finish;
pub(crate) mod inside;
pub(crate) mod inventory;
pub(crate) mod life;
pub(crate) mod outside;
pub(crate) mod parity;
pub(crate) mod preflight;
pub(crate) mod residue;
pub(crate) mod secrets;
pub(crate) mod startup;
pub(crate) mod workload;
