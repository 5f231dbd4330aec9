//! Parity: what `WorkerBee` says on its command line against what it says through MCP, of the same gate.

mod compare;
mod fields;
mod known;

pub use known::{KNOWN, Known, table};

use std::collections::BTreeSet;
use std::path::Path;

use crate::checks::{Check, Judges};
use crate::evidence::{Evidence, Observation, Reading};
use crate::failure::Failure;
use crate::gates;
use crate::plan::{Gate, Transport};
use fields::{Field, Source};

/// What their names start with.
const PARITY: &str = "parity::";
/// Calls that are made where they are needed: one way may have needed what the other did not.
const WHERE_NEEDED: [&str; 1] = ["mcp-restart"];

/// `parity::<field>`: judged on what the command line said, beside what MCP said.
pub(crate) fn checks(gate: Gate) -> Vec<Check> {
    let of = |field: Field| {
        let expected = format!("the same {} both ways", field.by.words());
        Check::new(format!("{PARITY}{}", field.name), move |cli| {
            let mcp = cli.counterpart()?;
            let judged = compare::judge(&field, cli, &mcp);
            cli.note_all(&mcp.readings());
            judged
        })
        .expecting(expected)
        .judging(Judges::BothWays)
    };
    let coverage = Check::new(format!("{PARITY}coverage"), coverage)
        .expecting("a list of fields that holds all that the checks read, and nothing else")
        .judging(Judges::BothWays);
    fields::of(gate).into_iter().map(of).chain([coverage]).collect()
}

/// What the checks of both ways read is what is compared: a check that reads something new needs a field.
fn coverage(cli: &Evidence) -> Result<(), Failure> {
    let mcp = cli.counterpart()?;
    let gate = cli.record.key.gate;
    let fields = fields::of(gate);
    let (mut missing, mut unread) = (BTreeSet::new(), BTreeSet::new());
    for evidence in [cli, &mcp] {
        let mut read: BTreeSet<Source> = BTreeSet::new();
        for reading in readings(gate, evidence) {
            let Some((source, pointer)) = source(evidence, &reading) else {
                missing.insert(reading.file.display().to_string());
                continue;
            };
            let covers = |field: &Field| field.source == source && pointer.starts_with(field.pointer);
            if matches!(&source, Source::Call(label) if WHERE_NEEDED.contains(&label.as_ref())) {
                continue;
            }
            if !fields.iter().any(covers) {
                missing.insert(format!("{source}{pointer}"));
            }
            read.insert(source);
        }
        unread
            .extend(fields.iter().map(|field| &field.source).filter(|one| !read.contains(one)).map(Source::to_string));
    }
    let list = |of: BTreeSet<String>| of.into_iter().collect::<Vec<_>>().join(", ");
    let seen = match (missing.is_empty(), unread.is_empty()) {
        (true, true) => return Ok(()),
        (false, _) => format!("read, and not compared: {}", list(missing)),
        (true, false) => format!("compared, and not read by any check: {}", list(unread)),
    };
    Err(Failure::new("what is compared is not what the checks read")
        .expected("each part that a check reads among the fields, and no field that none reads")
        .seen(seen)
        .evidence(&cli.file)
        .remedy("see why the gate lacks it; of a new check, name what it reads in harness/parity/fields.rs"))
}

/// What the checks that both ways have in common read of one.
fn readings(gate: Gate, evidence: &Evidence) -> Vec<Reading> {
    let kept = evidence.readings();
    let checks = gates::checks(gate, Transport::Cli).into_iter().filter(|check| !check.is_snapshot());
    let read = checks
        .flat_map(|check| {
            let _ = check.judge(evidence);
            evidence.readings()
        })
        .collect();
    evidence.note_all(&kept);
    read
}

/// Whose file it is, and the part of the answer in it.
fn source(evidence: &Evidence, reading: &Reading) -> Option<(Source, String)> {
    let record = &evidence.record;
    let is = |file: &Path| evidence.moved(file) == reading.file;
    if let Some((label, call)) = record.calls.iter().find(|(_, call)| is(&call.file)) {
        let part = reading.pointer.strip_prefix(&call.base).unwrap_or_default();
        return Some((Source::Call(label.clone().into()), part.to_owned()));
    }
    let seen = record.observations.iter().find(|(_, seen)| matches!(seen, Observation::Seen(file) if is(file)));
    seen.map(|(name, _)| (Source::Observation(name.clone().into()), reading.pointer.clone()))
}
