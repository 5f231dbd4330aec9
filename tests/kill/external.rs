//! The same on a user's own host, for which a lane stands: no kernel ends what a run has started there, so somebody
//! else removes it.

use std::process::Command;

use k1s_profile_gates::stack::Stack;
use libtest_mimic::Failed;

use crate::support::ladder::ladder;
use crate::support::stand_in::{SEEDS, script};

const SCRIPT: &str = include_str!("external.sh");

/// The way in which a run is ended: supervisor, gate and trial at once.
pub(crate) struct End {
    /// The signal.
    pub(crate) signal: &'static str,
    /// The phase of the gate at which that happens.
    pub(crate) phase: &'static str,
    /// The transport over which it asks.
    pub(crate) transport: &'static str,
    /// `reaper`, when that is killed too.
    pub(crate) also: &'static str,
}

/// Ends a run so, and looks for what is left.
pub(crate) fn ended(stack: &Stack, end: &End) -> Result<(), Failed> {
    let folder = tempfile::Builder::new().prefix("k1s-kill").tempdir_in("/tmp")?;
    // Through MCP nobody calls `validate` on the command line: the images come with the last call before it.
    let by_mcp = SEEDS.replace("*' validate '*)", "*' mcp status '*)").replace(
        "  namespace=",
        "  [ -e \"$WORKERBEE_CONTAINERD_STATE_ROOT/projects/$project/.k1s-profile-gates\" ] || exec \"$REAL\" \"$@\"\n  namespace=",
    );
    script(folder.path(), if end.transport == "mcp" { &by_mcp } else { SEEDS });
    let output = Command::new(env!("CARGO_BIN_EXE_k1s-gates"))
        .args(["lane", "--", "bash", "-c", SCRIPT, "external", end.signal, end.phase, end.transport, end.also])
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
