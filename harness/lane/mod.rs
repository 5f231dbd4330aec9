//! A lane: the sandbox in which a gate has containerd, `WorkerBee`'s daemon and the network to itself; and what a gate
//! stands on where there is no sandbox, on the user's own host.

mod entry;
mod environment;
mod head_start;
mod intervention;
mod launch;
mod machine;
mod meter;
mod mounts;
mod needed;
mod prepared;
mod sandbox;
mod settings;
mod spec;
mod token;

pub(crate) use environment::Environment;
pub(crate) use intervention::done as interventions;
pub(crate) use launch::{GATE, LANE, PROBE, can_hold, in_lane, needs_its_terminal, on_host};
pub(crate) use needed::of_a_run as folders_of_a_run;
pub(crate) use prepared::Prepared;
pub use prepared::k1s_under_test;
pub use sandbox::run_command;
pub(crate) use sandbox::{GATE_KEPT, main, probe};
pub use settings::{External, Limits, Mode, Settings};
pub(crate) use settings::{MCP_HOST, MCP_PORT, RUN_DIR_PREFIX, default_run_dir};
pub(crate) use spec::{Spec, Work, is_ours};
pub(crate) use token::StartToken;
