//! The matrix as a table: which rows turn each check red.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use k1s_profile_gates::plan::{Gate, Transport, Transports};

use crate::fault::{self, Fault};
use crate::{rows, tampered, unbroken};

/// A check, wherever it is one, by kind of gate.
type Line = (&'static str, String);

/// The rows that turn a check red.
#[derive(Default)]
struct Rows {
    real: BTreeSet<String>,
    tampered: BTreeSet<String>,
}

/// Every check has a row, and one that none breaks on the real stack has the reason for it; the table in the docs is the
/// present one.
pub(crate) fn check() -> Result<(), String> {
    let faults: Vec<Fault> = fault::all()?.into_iter().filter(|fault| !fault.to_be_run).collect();
    let mut lines: BTreeMap<Line, Rows> = BTreeMap::new();
    for gate in Gate::ALL {
        let is_of_the_kind = |other: Gate| kind(other) == kind(gate);
        for check in checks(gate) {
            let real = rows::all().filter(|row| is_of_the_kind(row.gate) && row.turns_red(&check.name));
            // What may turn red, and need not, was not seen each time.
            let planted =
                faults.iter().filter(|fault| is_of_the_kind(fault.gate()) && fault.red.contains_key(&check.name));
            let told = tampered::all().filter(|row| row.gates.contains(&gate) && row.red().contains(&check.name));
            let line = lines.entry((kind(gate), check.name.clone())).or_default();
            line.real.extend(
                real.map(|row| row.name.to_owned()).chain(planted.map(|fault| format!("faults/{}", fault.name))),
            );
            line.tampered.extend(told.map(|row| row.name.to_owned()));
        }
    }
    let text = table(&lines);
    println!("{text}");
    let mut wrong: Vec<String> = lines
        .iter()
        .filter(|(_, rows)| rows.real.is_empty() && rows.tampered.is_empty())
        .map(|((kind, check), _)| format!("no row turns {kind}::{check} red"))
        .collect();
    let unbroken: Vec<&Line> = lines.keys().filter(|line| real(line, &lines).is_none()).collect();
    wrong.extend(unbroken.iter().filter(|(_, check)| unbroken::reason(check).is_none()).map(|(kind, check)| {
        format!("no row breaks {kind}::{check} on the real stack, and tests/sabotage/unbroken.rs does not say why")
    }));
    let checks: Vec<&str> = unbroken.iter().map(|(_, check)| check.as_str()).collect();
    let outlived = unbroken::outlived(&checks);
    wrong.extend(outlived.iter().map(|beginning| format!("the reason for `{beginning}` is for no check any more")));
    wrong.extend(up_to_date(&text).err());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// The rows that break what a check sees; or that there are some in a gate of another kind.
fn real(line: &Line, lines: &BTreeMap<Line, Rows>) -> Option<String> {
    let (kind, check) = line;
    let rows = lines.get(line).filter(|rows| !rows.real.is_empty());
    let elsewhere = lines.iter().find(|((other, name), rows)| other != kind && name == check && !rows.real.is_empty());
    let elsewhere = || elsewhere.map(|((other, _), _)| format!("the same check as in {other}, where it is broken"));
    rows.map(|rows| quoted(&rows.real)).or_else(elsewhere)
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

fn table(lines: &BTreeMap<Line, Rows>) -> String {
    let really = lines.values().filter(|rows| !rows.real.is_empty()).count();
    let by_others = lines.iter().filter(|(line, rows)| rows.real.is_empty() && real(line, lines).is_some()).count();
    let mut text = format!(
        "# Every check can fail\n\n\
         Written by `tests/sabotage` (`INSTA_UPDATE=always cargo test --test sabotage coverage`).\n\
         Broken for real: rows that run on the real stack, those that plant a fault in k1s among them (`faults/…`). Tampered:\n\
         evidence that is honest but for one thing. Counted by kind of gate, as the checks of a kind are the same.\n\n\
         Of {} checks {really} are broken on the real stack, {by_others} are the same as one of those in a gate of another\n\
         kind, and of {} the table says why no row breaks them there.\n\n\
         | check | broken for real | tampered |\n|---|---|---|\n",
        lines.len(),
        lines.len() - really - by_others,
    );
    for (line, rows) in lines {
        let (kind, check) = line;
        let reason = || unbroken::reason(check).map(|reason| format!("none: {reason}"));
        let real = real(line, lines).or_else(reason).unwrap_or_default();
        let _ = writeln!(text, "| {kind}::{check} | {real} | {} |", quoted(&rows.tampered));
    }
    text
}

fn quoted(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ")
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
