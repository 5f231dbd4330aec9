//! The same on a user's own host, for which a lane stands: no kernel ends what a run has started there, so somebody
//! else removes it.

use std::process::Command;

use k1s_profile_gates::stack::Stack;
use libtest_mimic::Failed;

use crate::ladder::ladder;
use crate::stand_in::{SEEDS, script};

const SCRIPT: &str = include_str!("external.sh");
/// Kills supervisor, gate and trial at once; with `also` the reaper too.
pub(crate) fn killed(stack: &Stack, also: &str) -> Result<(), Failed> {
    let folder = tempfile::Builder::new().prefix("k1s-kill").tempdir_in("/tmp")?;
    script(folder.path(), SEEDS);
    let output = Command::new(env!("CARGO_BIN_EXE_k1s-gates"))
        .args(["lane", "--", "bash", "-c", SCRIPT, "external", also])
        .env("HERE", folder.path())
        .env("IMAGES", &stack.images)
        .env("LADDER", ladder())
        .env("SWEEP", env!("CARGO_BIN_EXE_k1s-gates"))
        .env_remove("NEXTEST_RUN_ID")
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{text}{errors}").into()) }
}
