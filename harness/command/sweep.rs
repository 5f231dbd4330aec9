//! `k1s-gates sweep`: what killed runs have left.

use std::error::Error;
use std::process::ExitCode;

use clap::Args;
use k1s_profile_gates::Failure;
use k1s_profile_gates::evidence::kept_project_hint;
use k1s_profile_gates::ledger::{self, Remains};
use k1s_profile_gates::run;
use serde_json::{Value, json};

#[derive(Args)]
#[command(after_help = "\
What a user asked to keep (K1S_GATES_KEEP=failed) is shown and never removed, unless its lane has ended: see `release`.")]
pub(crate) struct Sweep {
    /// Remove it, after a look whether it still is what the ledger says.
    #[arg(long)]
    execute: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Sweep {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (left, why) = if self.execute {
            let left = runtime.block_on(run::sweep());
            left.into_iter().unzip()
        } else {
            (runtime.block_on(ledger::remains()), Vec::new())
        };
        let left: Vec<Remains> = left.into_iter().filter(|one| one.kept.is_none()).collect();
        // Looked for after the sweep: what is kept then was not swept.
        let kept: Vec<Remains> =
            runtime.block_on(ledger::remains()).into_iter().filter(|one| one.kept.is_some()).collect();
        // Even its dry run has nerdctl make files anew in the folders of projects, of those that are gone too.
        let cleanup = if self.execute { Ok(None) } else { runtime.block_on(run::cleanup_dry_run()) };
        if self.json {
            let cleanup = cleanup.as_ref().ok();
            println!(
                "{}",
                serde_json::to_string_pretty(&json!({ "left": left, "kept": kept, "workerbee_cleanup": cleanup }))?
            );
        } else {
            print(&left);
            print_kept(&kept);
            suggest(cleanup);
        }
        for failure in &why {
            eprintln!("{failure}");
        }
        Ok(if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// `WorkerBee`'s own idea of what could go. It knows nothing of whose it is: nothing of it is executed here.
fn suggest(cleanup: Result<Option<Value>, Failure>) {
    match cleanup {
        Ok(None) => {}
        Ok(Some(dry_run)) => {
            let actions = dry_run["actions"].as_array().cloned().unwrap_or_default();
            println!("WorkerBee's own cleanup would do {} things (`workerbee cleanup --execute`):", actions.len());
            for action in actions {
                println!("  {action}");
            }
        }
        Err(failure) => eprintln!("{failure}"),
    }
}

/// Prints the kept projects: they are not leftovers, and go when they are released.
fn print_kept(remains: &[Remains]) {
    for one in remains {
        let (Some(kept), Some(owner)) = (&one.kept, one.owner) else { continue };
        let lane = kept.place();
        println!(
            "project {}, kept {lane} since {} s, for {} failed in a run of process {} ({}):",
            one.project,
            kept.age(),
            kept.gate,
            owner.pid,
            kept.run_dir.display()
        );
        println!("  {}", kept_project_hint(&one.project));
    }
}

fn print(remains: &[Remains]) {
    if remains.is_empty() {
        println!("killed runs left nothing behind");
    }
    for one in remains {
        let owner = one.owner.map_or_else(|| "unknown".to_owned(), |owner| owner.pid.to_string());
        println!("project {}, made by process {owner}, which is no more, {} s ago:", one.project, one.age);
        if one.left.is_empty() {
            println!("  nothing but its entry in the ledger");
        }
        for left in &one.left {
            println!("  {left}");
        }
    }
}
