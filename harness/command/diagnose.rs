//! `k1s-gates diagnose`: what broke each gate, from its evidence alone.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use k1s_profile_gates::Evidence;
use k1s_profile_gates::diagnosis::{self, Diagnosis, Red};
use k1s_profile_gates::summary::Summary;

use super::print;
use super::recorded::Recorded;

#[derive(Args)]
#[command(after_help = "\
Exit status: 0 nothing is red; 1 something is; 5 something is, for the machine, the stack or the harness alone.

Examples:
  k1s-gates diagnose /tmp/run
  k1s-gates diagnose run.tar.zst
  k1s-gates diagnose --json /tmp/run | jq '.[].causes[0] | {what, why, fault}'")]
pub(crate) struct Diagnose {
    /// The run's folder, wherever it is now, or a bundle of it.
    run_dir: PathBuf,
    /// Print the causes as JSON, by gate.
    #[arg(long)]
    json: bool,
}

impl Diagnose {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let run = Recorded::open(&self.run_dir)?;
        let gates = of(&run.dir)?;
        if self.json {
            print::json(&gates.iter().cloned().collect::<std::collections::BTreeMap<_, _>>())?;
        } else {
            let told = |(gate, diagnosis): &(String, Diagnosis)| format!("{gate}\n{diagnosis}");
            print::text(&gates.iter().map(told).collect::<Vec<_>>().join("\n"));
        }
        if gates.is_empty() {
            if !self.json {
                print::text("nothing is red\n");
            }
            return Ok(ExitCode::SUCCESS);
        }
        let fault = |(_, diagnosis): &(String, Diagnosis)| {
            diagnosis.fault().is_some_and(diagnosis::Fault::is_of_the_environment)
        };
        Ok(print::not_good(gates.iter().all(fault)))
    }
}

/// The gates that are red, derived anew.
fn of(run_dir: &Path) -> Result<Vec<(String, Diagnosis)>, Box<dyn Error>> {
    let summary = Summary::load(run_dir)?;
    let mut red = Vec::new();
    for (name, gate) in summary.in_order() {
        let record = run_dir.join(&gate.folder).join("record.json");
        let diagnosis = match Evidence::load(run_dir, &record) {
            Ok(evidence) => {
                let mut own = diagnosis::red(&evidence);
                // What only trials can judge they have told.
                let told =
                    gate.failures().filter(|(check, _)| !own.iter().any(|one| one.check.as_deref() == Some(check)));
                let told: Vec<Red> = told
                    .map(|(check, failure)| Red { check: Some(check.to_owned()), failure: failure.clone() })
                    .collect();
                own.extend(told);
                diagnosis::of(&evidence, &own)
            }
            Err(_) => {
                gate.failure.as_ref().map(|failure| diagnosis::of_no_record(failure, run_dir)).unwrap_or_default()
            }
        };
        if !diagnosis.causes.is_empty() {
            red.push((name.to_owned(), diagnosis));
        }
    }
    Ok(red)
}
