//! The faults as a table, for the docs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::fault::{Fault, Kind};

/// The smallest number of them that there must be.
const LEAST: usize = 60;

/// There are enough of them, and the docs have the present ones.
pub(crate) fn check(faults: &[Fault]) -> Result<(), String> {
    let text = text(faults);
    println!("{}", by_kind(faults));
    if faults.len() < LEAST {
        return Err(format!("{} faults, fewer than {LEAST}", faults.len()));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        return std::fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()));
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    if kept == text {
        return Ok(());
    }
    Err(format!("{} is another table: write it anew with INSTA_UPDATE=always", file.display()))
}

fn text(faults: &[Fault]) -> String {
    let mut text = "# What breaks k1s, and which gate sees it\n\n\
        Written by `tests/faults` from its rows (`INSTA_UPDATE=always make faults ARGS=rows`). Each row is a mistake that a\n\
        developer of k1s may make, planted in a copy of the k1s root; its gate runs on the real stack, and exactly the\n\
        checks that the row names go red.\n\n\
        ## By kind\n\n"
        .to_owned();
    text.push_str(&by_kind(faults));
    text.push_str("\n## All of them\n\n| fault | mistake | gate | red |\n|---|---|---|---|\n");
    for fault in faults {
        let red = match (&fault.slips, &fault.out_of_reach) {
            (Some(_), _) => "slips through".to_owned(),
            (_, Some(_)) => "out of reach".to_owned(),
            _ if fault.to_be_run => "still to be run".to_owned(),
            _ => fault.red.keys().map(|check| format!("`{check}`")).collect::<Vec<_>>().join(" "),
        };
        let _ = writeln!(text, "| {} | {} | {} | {red} |", fault.name, cell(&fault.mistake), fault.gate());
    }
    let mut listed = |title: &str, why: fn(&Fault) -> Option<&String>| {
        let _ = write!(text, "\n## {title}\n\n| fault | why |\n|---|---|\n");
        for (fault, why) in faults.iter().filter_map(|fault| Some((fault, why(fault)?))) {
            let _ = writeln!(text, "| {} | {} |", fault.name, cell(why));
        }
    };
    listed("Slipping through", |fault| fault.slips.as_ref());
    listed("Out of reach", |fault| fault.out_of_reach.as_ref());
    text
}

fn by_kind(faults: &[Fault]) -> String {
    let mut kinds: BTreeMap<Kind, [usize; 4]> = BTreeMap::new();
    let mut total = [0; 4];
    for fault in faults {
        let column = match fault {
            Fault { out_of_reach: Some(_), .. } => 3,
            Fault { to_be_run: true, .. } => 2,
            Fault { slips: Some(_), .. } => 1,
            _ => 0,
        };
        kinds.entry(fault.kind).or_default()[column] += 1;
        total[column] += 1;
    }
    let mut text = "| kind | caught / in reach | still to be run | out of reach |\n|---|---|---|---|\n".to_owned();
    let names = kinds.iter().map(|(kind, counts)| (format!("{kind:?}").to_lowercase(), *counts));
    for (name, [caught, slipping, unrun, out]) in names.chain([("**all**".to_owned(), total)]) {
        let _ = writeln!(text, "| {name} | {caught} / {} | {unrun} | {out} |", caught + slipping + unrun);
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
