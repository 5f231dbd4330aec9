//! `k1s-gates merge`: the shards of a run joined into one.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use k1s_profile_gates::evidence::REPORT;
use k1s_profile_gates::signing::Signer;
use k1s_profile_gates::summary::State;
use k1s_profile_gates::{report, results};

use super::{hosts, print};

#[derive(Args)]
#[command(after_help = "\
Each machine runs its share of the gates with K1S_GATES_SHARD=<number>/<count>. The merged folder holds all evidence, one \
run.json, report.html, junit.xml, manifest and statement; each shard's own are under shards/<number>/. The order in which \
the shards are given does not matter.

Exit status: 0 merged and passed; 1 merged, and a check is red or a shard was cut short; 3 not merged: a shard is missing, \
doubled, changed, or stands on other inputs.

Example: k1s-gates merge --into merged shard-1 shard-2 shard-3")]
pub(crate) struct Merge {
    /// The folders of the shards, each shard's `RUN_DIR`.
    #[arg(required = true)]
    shards: Vec<PathBuf>,
    /// The folder of the merged run: a new one, or an empty one.
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
    /// The file of the private key (Ed25519, PEM) that signs the merged result.
    #[arg(long, value_name = "FILE", env = "K1S_GATES_SIGNING_KEY")]
    key: Option<PathBuf>,
}

impl Merge {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let into = std::path::absolute(&self.into)?;
        let key = self.key.as_ref().filter(|file| !file.as_os_str().is_empty());
        let signer = key.map(|file| Signer::read(file)).transpose()?;
        let merged = results::merge(&self.shards, &into, signer.as_ref())?;
        report::write(&merged.store, &into)?;
        let junit = into.join("junit.xml");
        std::fs::write(&junit, results::junit(&into)?).map_err(|error| format!("{}: {error}", junit.display()))?;
        hosts::tell(&merged.summary);
        let verdict = merged.summary.verdict();
        eprintln!("{}: {}", report::word(verdict), into.join(REPORT).display());
        Ok(if verdict == State::Passed { ExitCode::SUCCESS } else { print::NOT_GOOD.into() })
    }
}
