//! `k1s-gates verify`: whether a run's folder is as the run left it.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use k1s_profile_gates::results::{self, Seal, Verification};
use k1s_profile_gates::run;
use k1s_profile_gates::signing::PublicKey;

/// A file has changed, is missing or was added; or the signature is not that of the key.
const UNSOUND: u8 = 1;
/// The exit status when all listed files are unchanged, but the run was cut short, and some files are not listed.
const INCOMPLETE: u8 = 4;

#[derive(Args)]
#[command(after_help = "\
Exit status: 0 all is as the run left it, 1 it is not (or not signed by the key), 3 nothing can be said, \
4 the run was cut short: what is listed is as it was, but not all of it is listed.

The verdicts of the run are no part of this: the signed result of a red run verifies.

Example: k1s-gates verify /tmp/run --key ci.pub.pem")]
pub(crate) struct Verify {
    /// The run's folder, its `RUN_DIR`.
    run_dir: PathBuf,
    /// The public key (Ed25519, PEM) that must have signed the result.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Print what was found as JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let key = self.key.as_deref().map(PublicKey::read).transpose()?;
        run::wait_until_sealed(&self.run_dir);
        let found = results::verify(&self.run_dir, key.as_ref())?;
        let text = if self.json { serde_json::to_string_pretty(&found)? + "\n" } else { text(&found) };
        // A closed pipe is nothing to tell anybody about.
        let _ = io::stdout().write_all(text.as_bytes());
        Ok(match &found {
            unsound if !unsound.is_sound() => UNSOUND.into(),
            incomplete if !incomplete.is_complete() => INCOMPLETE.into(),
            _ => ExitCode::SUCCESS,
        })
    }
}

fn text(found: &Verification) -> String {
    let all = found.asked + found.not_run.len();
    let part = if found.not_run.is_empty() { "all" } else { "a part" };
    let mut lines = vec![
        format!("result: {}", found.result.as_deref().unwrap_or("unknown")),
        format!("covers: {part} of the gates that were chosen, {} of {all}", found.asked),
    ];
    lines.extend(found.tested.iter().map(|one| format!("tested: {} sha256:{}", one.name, one.digest.sha256)));
    lines.push(match &found.signature {
        Seal::Good { keyid } => format!("signature: good, by {keyid}"),
        Seal::Unchecked { keyid } => format!("signature: not checked, said to be by {keyid}; check it with --key"),
        Seal::Bad { keyid } => format!("signature: BAD, said to be by {keyid}"),
        Seal::Unsigned => "signature: none: anybody may have written this".to_owned(),
    });
    lines.push(format!("unchanged: {} files", found.unchanged));
    lines.extend(found.resumed.iter().map(|at| format!("resumed: {at}")));
    lines.extend(found.kept.iter().map(|(gate, part)| format!("kept from part {part}: {gate}")));
    let mut list =
        |what: &str, files: &BTreeSet<String>| lines.extend(files.iter().map(|file| format!("{what}: {file}")));
    list("CHANGED", &found.changed);
    list("MISSING", &found.missing);
    list("ADDED", &found.added);
    list("not covered (the run was cut short, or is not over)", &found.uncovered);
    list("had not ended", &found.unfinished);
    list("not run", &found.not_run);
    list("not covered (made from the evidence)", &found.views);
    lines.extend(found.broken.iter().map(|broken| format!("BROKEN: {broken}")));
    lines.join("\n") + "\n"
}
