//! The lies, by kind of gate.
//!
//! The rows are not rstest's, because two other tests read them too: one for the messages, one for the checks that no
//! row turns red.

use k1s_profile_gates::plan::{Gate, Profile, Transports};

use crate::story::Story;

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

/// One lie: at which gates it is told, and which checks must be red then, and no others.
pub(crate) struct Lie {
    pub(crate) name: &'static str,
    /// By which ways it is told: of both, the command line lies.
    pub(crate) way: Transports,
    pub(crate) gates: &'static [Gate],
    pub(crate) tell: fn(&mut Story),
    pub(crate) red: &'static [&'static str],
}

/// All tables: one per kind of gate.
pub(crate) const TABLES: [&[Lie]; 12] = [
    preflight::LIES,
    inventory::LIES,
    startup::LIES,
    workload::LIES,
    finish::LIES,
    residue::LIES,
    inside::LIES,
    outside::LIES,
    behaviour::LIES,
    secrets::LIES,
    agent::LIES,
    parity::LIES,
];

/// All lies.
pub(crate) fn all() -> impl Iterator<Item = &'static Lie> {
    TABLES.into_iter().flatten()
}

/// A table, and a test for each of its rows.
macro_rules! lies {
    ($($name:ident at $gates:expr, $tell:expr => [$($red:literal),+ $(,)?];)+) => {
        lies! { by k1s_profile_gates::plan::Transports::Cli; $($name at $gates, $tell => [$($red),+];)+ }
    };
    (by $way:expr; $($name:ident at $gates:expr, $tell:expr => [$($red:literal),+ $(,)?];)+) => {
        pub(crate) const LIES: &[crate::lies::Lie] =
            &[$(crate::lies::Lie {
                name: stringify!($name),
                way: $way,
                gates: $gates,
                tell: $tell,
                red: &[$($red),+],
            }),+];
        $(
            #[test]
            fn $name() {
                crate::caught(LIES.iter().find(|lie| lie.name == stringify!($name)).unwrap());
            }
        )+
    };
}

pub(crate) mod agent;
pub(crate) mod behaviour;
pub(crate) mod finish;
pub(crate) mod inside;
pub(crate) mod inventory;
pub(crate) mod outside;
pub(crate) mod parity;
pub(crate) mod preflight;
pub(crate) mod residue;
pub(crate) mod secrets;
pub(crate) mod startup;
pub(crate) mod workload;
