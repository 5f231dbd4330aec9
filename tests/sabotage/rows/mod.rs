//! The rows: what is broken, at which gate, and which checks must say so, in which words.

use k1s_profile_gates::plan::{Gate, Transport};

/// Has a row's gate ask through MCP.
pub(crate) const THROUGH_MCP: (&str, &str) = ("K1S_GATES_TRANSPORT", "mcp");

/// One sabotage.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) gate: Gate,
    /// Functions of the wrapper's (`wrapper.sh`), run in the gate's lane.
    pub(crate) breaks: &'static str,
    /// Variables of the run.
    pub(crate) env: &'static [(&'static str, &'static str)],
    /// The checks that go red, and words that the message of each must have. All others stay green.
    pub(crate) red: &'static [(&'static str, &'static str)],
}

impl Row {
    /// By which way its gate asks.
    pub(crate) fn transport(&self) -> Transport {
        let through_mcp = self.env.contains(&THROUGH_MCP);
        if through_mcp { Transport::Mcp } else { Transport::Cli }
    }

    /// The name of its gate's folder.
    pub(crate) fn folder(&self) -> String {
        let slug = self.gate.slug();
        if self.transport() == Transport::Mcp { format!("{slug}.mcp") } else { slug }
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
    ($($name:ident at $gate:expr $(, with $env:expr)?, $breaks:literal => [$(($check:literal, $says:literal)),+ $(,)?];)+) => {
        pub(crate) const ROWS: &[crate::rows::Row] = &[$(crate::rows::Row {
            name: stringify!($name),
            gate: $gate,
            breaks: $breaks,
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
