//! The checks of a gate in a run.

use crate::checks::Check;
use crate::plan::{Gate, Transport, Transports};
use crate::{gates, parity};

/// Everything that is checked of a gate in a run: one that asks both ways compares them too, beside what the command line
/// said.
pub(crate) fn checks_of_run(gate: Gate, transport: Transport, transports: Transports) -> Vec<Check> {
    let mut checks = gates::checks(gate, transport);
    if (transport, transports) == (Transport::Cli, Transports::Both) {
        checks.extend(parity::checks(gate));
    }
    checks
}
