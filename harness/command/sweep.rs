//! `k1s-gates sweep`: what killed runs have left.

use std::process::ExitCode;

use k1s_profile_gates::run;

pub(crate) fn run() -> ExitCode {
    let left = run::sweep();
    for project in &left {
        eprintln!("sweep: something of the project {project} is still in use: end its processes, then sweep again");
    }
    if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
