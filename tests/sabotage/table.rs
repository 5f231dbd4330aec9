//! The matrix as a table: which rows turn each check red.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use k1s_profile_gates::plan::{Gate, Transport, Transports};

use crate::{rows, tampered};

/// One line of the table: a check, wherever it is one, by kind of gate.
type Line = (String, String);

/// Every check has a row; the table in the docs is the present one.
pub(crate) fn check() -> Result<(), String> {
    let mut lines: BTreeMap<Line, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    let mut blind = Vec::new();
    for gate in Gate::ALL {
        for check in checks(gate) {
            let line = lines.entry((kind(gate).to_owned(), check.name.clone())).or_default();
            let real = rows::all().filter(|row| kind(row.gate) == kind(gate) && row.turns_red(&check.name));
            line.0.extend(real.map(|row| row.name));
            let told = tampered::all().filter(|row| row.gates.contains(&gate) && row.red().contains(&check.name));
            line.1.extend(told.map(|row| row.name));
            if line.0.is_empty() && line.1.is_empty() {
                blind.push(format!("{gate}::{}", check.name));
            }
        }
    }
    let text = table(&lines);
    println!("{text}");
    if !blind.is_empty() {
        return Err(format!("no row turns these checks red: {}", blind.join(", ")));
    }
    up_to_date(&text)
}

/// All that is checked of a gate, both ways.
fn checks(gate: Gate) -> Vec<k1s_profile_gates::Check> {
    let mut checks = k1s_profile_gates::checks_of_run(gate, Transport::Cli, Transports::Both);
    let agents = k1s_profile_gates::checks_of(gate, Transport::Mcp);
    checks.extend(agents.into_iter().filter(|check| check.name.starts_with("agent::")));
    checks
}

fn kind(gate: Gate) -> &'static str {
    match gate {
        Gate::Preflight => "preflight",
        Gate::Inventory => "inventory",
        Gate::Startup(_) => "startup",
        Gate::Workload(_) => "workload",
    }
}

fn table(lines: &BTreeMap<Line, (BTreeSet<&str>, BTreeSet<&str>)>) -> String {
    let covered = lines.values().filter(|(real, told)| !real.is_empty() || !told.is_empty()).count();
    let really = lines.values().filter(|(real, _)| !real.is_empty()).count();
    let mut text = format!(
        "# Every check can fail\n\n\
         Written by `tests/sabotage` (`INSTA_UPDATE=always cargo test --test sabotage coverage`).\n\
         Broken for real: rows that run on the real stack. Tampered: evidence that is honest but for one thing. Counted by kind of\n\
         gate, as the checks of a kind are the same.\n\n\
         {covered} of {} checks are covered, {really} of them on the real stack.\n\n\
         | check | broken for real | tampered |\n|---|---|---|\n",
        lines.len()
    );
    let cell = |names: &BTreeSet<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ");
    for ((kind, check), (real, told)) in lines {
        let _ = writeln!(text, "| {kind}::{check} | {} | {} |", cell(real), cell(told));
    }
    text
}

fn up_to_date(text: &str) -> Result<(), String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sabotage.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        return std::fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()));
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    if kept == text {
        return Ok(());
    }
    Err(format!("{} is another table: write it anew with INSTA_UPDATE=always", file.display()))
}
