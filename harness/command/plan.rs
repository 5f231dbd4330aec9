//! `k1s-gates plan`: what a run would do.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use k1s_profile_gates::config::{self, Source};
use k1s_profile_gates::lane::{self, Limits, Settings};
use k1s_profile_gates::plan::{Gate, GateKey, Transport};
use k1s_profile_gates::stack::{self, Options};
use k1s_profile_gates::workerbee::naming;
use k1s_profile_gates::{Failure, checks_of_run};
use serde::Serialize;

use super::print;

#[derive(Args)]
#[command(after_help = "\
The environment and k1s-gates.toml count as they do for a run; each setting is shown with where its value comes from.

Examples:
  k1s-gates plan startup::k1s-ha-min
  k1s-gates plan --json | jq '.gates[].project'")]
pub(crate) struct Plan {
    /// Only trials whose name contains this.
    filter: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The plan of a run.
#[derive(Serialize)]
struct Planned {
    /// The k1s under test.
    k1s_root: String,
    settings: Settings,
    /// The source of each setting's value.
    from: Vec<Shown>,
    /// Of the stack; empty when it is not complete yet.
    versions: BTreeMap<String, String>,
    /// In the order in which they are started.
    gates: Vec<PlannedGate>,
}

/// A setting, and where its value comes from.
#[derive(Serialize)]
struct Shown {
    /// Its key in k1s-gates.toml, or else its variable.
    name: &'static str,
    value: String,
    source: Source,
}

#[derive(Serialize)]
struct PlannedGate {
    /// The prefix of the names of its trials.
    name: String,
    gate: Gate,
    /// The transport by which `WorkerBee` is asked.
    transport: Transport,
    project: String,
    /// The longest project name that works.
    longest: Option<usize>,
    /// Seconds that its validation gets; none where only questions are asked.
    limit: Option<u64>,
    checks: Vec<String>,
}

impl Plan {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let planned = self.planned()?;
        if planned.gates.is_empty() {
            return Err("no trial has a name that contains this; `k1s-gates plan` prints all of them".into());
        }
        if self.json {
            print::json(&planned)?;
        } else {
            print::text(&text(&planned));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn planned(&self) -> Result<Planned, Box<dyn Error>> {
        let settings = Settings::from_env()?;
        let versions = stack::find(&Options::from_env()).map(|stack| stack.versions).unwrap_or_default();
        let mut keys: Vec<GateKey> = settings.keys().collect();
        keys.sort_by_key(|key| (key.gate.priority(), *key));
        let planned = |key: GateKey| {
            let (gate, transport) = (key.gate, key.transport);
            let name = settings.transports.name(gate, transport);
            let wanted = |check: &String| {
                self.filter.as_ref().is_none_or(|filter| format!("{name}::{check}").contains(filter.as_str()))
            };
            let names = checks_of_run(gate, transport, settings.transports).into_iter().map(|check| check.name);
            let checks: Vec<String> = names.filter(wanted).collect();
            (!checks.is_empty()).then(|| PlannedGate {
                name,
                gate,
                transport,
                project: settings.project(gate, transport, 1),
                longest: gate.profile().map(naming::project_budget),
                limit: limit(gate, settings.limits),
                checks,
            })
        };
        let gates = keys.into_iter().filter_map(planned).collect();
        let from = from(&settings)?;
        Ok(Planned { k1s_root: lane::k1s_under_test(&settings)?, settings, from, versions, gates })
    }
}

/// Every setting of the file, and every variable that is set. A default is shown as what it comes to.
fn from(settings: &Settings) -> Result<Vec<Shown>, Failure> {
    let shown =
        config::get()?.all().into_iter().filter(|(row, told)| !row.key.is_empty() || told.source != Source::Default);
    let from = shown.map(|(row, told)| {
        let value = match (&told.source, row.key) {
            (Source::Default, "lanes") => settings.lanes.to_string(),
            (Source::Default, "project-base") => settings.base.clone(),
            _ => told.text,
        };
        Shown { name: if row.key.is_empty() { row.variable } else { row.key }, value, source: told.source }
    });
    Ok(from.collect())
}

fn limit(gate: Gate, limits: Limits) -> Option<u64> {
    match gate {
        Gate::Startup(_) => Some(limits.startup),
        Gate::Workload(_) => Some(limits.workload),
        _ => None,
    }
}

fn text(planned: &Planned) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut line = |line: String| {
        let _ = writeln!(text, "{line}");
    };
    line(format!("k1s under test: {}", planned.k1s_root));
    let checks: usize = planned.gates.iter().map(|gate| gate.checks.len()).sum();
    let settings = &planned.settings;
    let (gates, lanes) = (planned.gates.len(), settings.lanes);
    let many = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    line(format!("{}, {}, {lanes} side by side", many(gates, "gate"), many(checks, "check")));
    if let Some(shard) = settings.shard {
        line(format!("shard {shard} of the gates"));
    }
    line(format!("evidence in {}", settings.run_dir.display()));
    let versions: Vec<_> = planned.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    line(if versions.is_empty() { "the stack is prepared first".into() } else { versions.join(", ") });
    line("\nsettings".into());
    for Shown { name, value, source } in &planned.from {
        line(format!("  {:<48} {source}", format!("{name} = {value}")));
    }
    for gate in &planned.gates {
        let way = if gate.transport == Transport::Mcp { ", through MCP" } else { "" };
        let limit = gate.limit.map(|limit| format!(", {limit} s for its validation")).unwrap_or_default();
        let long = gate.longest.filter(|longest| gate.project.len() > *longest);
        let long = long.map(|longest| format!(", TOO LONG: {longest} characters work")).unwrap_or_default();
        line(format!("\n{}  project {}{long}{way}{limit}", gate.name, gate.project));
        gate.checks.iter().for_each(|check| line(format!("  {check}")));
    }
    text
}
