//! The rows: what is broken, at which gate, and which checks must say so, in which words.

use std::os::unix::fs::PermissionsExt as _;

use k1s_profile_gates::plan::{Gate, Transport};
use k1s_profile_gates::stack::{self, Options};

use crate::support::outcome::{self, Attempt, Outcome};

/// Stands before the real `WorkerBee`.
const WRAPPER: &str = include_str!("../wrapper.sh");

/// Has a row's gate ask through MCP.
pub(crate) const THROUGH_MCP: (&str, &str) = ("K1S_GATES_TRANSPORT", "mcp");

/// One sabotage.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) gate: Gate,
    /// Functions of the wrapper's (`wrapper.sh`), run in the gate's lane.
    pub(crate) breaks: &'static str,
    /// The party at fault for all that is red: whoever owns what the row breaks.
    pub(crate) fault: &'static str,
    /// Variables of the run.
    pub(crate) env: &'static [(&'static str, &'static str)],
    /// The checks that go red, and words that the message of each must have. All others stay green, but those that may go
    /// red too (`?` before their names), with the reason in place of words.
    pub(crate) red: &'static [(&'static str, &'static str)],
}

impl Row {
    /// Returns the transport over which its gate asks.
    fn transport(&self) -> Transport {
        let through_mcp = self.env.contains(&THROUGH_MCP);
        if through_mcp { Transport::Mcp } else { Transport::Cli }
    }

    /// Runs its gate with its wrapper in `WorkerBee`'s place, and says what is not as the row says.
    pub(crate) fn run(&self, number: usize) -> (Outcome, Vec<String>) {
        let stack = stack::ensure(&Options::from_env(), &mut |progress| eprintln!("stack: {progress}")).unwrap();
        let folder = tempfile::Builder::new().prefix("k1s-sabotage").tempdir().unwrap();
        let wrapper = folder.path().join("workerbee");
        let script = WRAPPER.replace("@REAL@", &stack.workerbee.display().to_string()).replace("@BREAKS@", self.breaks);
        std::fs::write(&wrapper, script).unwrap();
        std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut env: Vec<(&str, String)> = self.env.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        env.push(("WORKERBEE_BIN", wrapper.display().to_string()));
        let (gate, transport) = (self.gate, self.transport());
        let attempt = Attempt { gate, transport, base: outcome::base('b', number), env, red: self.red.to_vec() };
        let outcome = outcome::of(folder.path(), &attempt);
        let mut wrong = outcome.differs_from(&attempt);
        wrong.extend(outcome.not_the_fault_of(self.fault));
        (outcome, wrong)
    }

    pub(crate) fn turns_red(&self, check: &str) -> bool {
        self.red.iter().any(|(name, _)| *name == check)
    }
}

/// All rows.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    let tables =
        [preflight::ROWS, inventory::ROWS, startup::ROWS, workload::ROWS, cleanup::ROWS, environment::ROWS, mcp::ROWS];
    tables.into_iter().flatten()
}

/// A table of rows.
macro_rules! rows {
    ($($name:ident at $gate:expr, of $fault:literal $(, with $env:expr)?, $breaks:literal => [$(($check:literal, $says:literal)),+ $(,)?];)+) => {
        pub(crate) const ROWS: &[crate::rows::Row] = &[$(crate::rows::Row {
            name: stringify!($name),
            gate: $gate,
            breaks: $breaks,
            fault: $fault,
            env: rows!(@env $($env)?),
            red: &[$(($check, $says)),+],
        }),+];
    };
    (@env) => { &[] };
    (@env $env:expr) => { $env };
}

mod cleanup;
mod environment;
mod inventory;
mod mcp;
mod preflight;
mod startup;
mod workload;
