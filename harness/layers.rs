//! The order of the library's folders, held by a test: each imports only those before it, so that none is in a circle.

use std::path::{Path, PathBuf};

/// From the bottom to the top; those in one row do not import each other. ARCHITECTURE.md shows the same order.
const LAYERS: [&[&str]; 20] = [
    &["failure", "process"],
    &["trust"],
    &["config"],
    &["plan", "signing", "tree"],
    &["stack"],
    &["evidence"],
    &["workerbee"],
    &["checks"],
    &["attest"],
    &["ledger"],
    &["lane"],
    &["gates"],
    &["parity"],
    &["suite"],
    &["diagnosis"],
    &["summary"],
    &["results", "report"],
    &["run"],
    &["trials", "compare", "doctor"],
    &["command"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The modules of the crate's root that a line of code names, by `crate::` or by enough `super::`.
fn imports(line: &str, depth: usize) -> Vec<&str> {
    let up = "super::".repeat(depth);
    let roots = line.match_indices("crate::").map(|(at, found)| at + found.len());
    let climbs = line.match_indices(&up).map(|(at, found)| at + found.len());
    // Within a file's own modules the same words lead less far.
    let climbs = climbs.flat_map(|at| names(&line[at..])).filter(|name| layer(name).is_some());
    roots.flat_map(|at| names(&line[at..])).chain(climbs).collect()
}

/// The first names of a path, of which a group has several.
fn names(path: &str) -> Vec<&str> {
    let name =
        |text| -> &str { str::split(text, |c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default() };
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut open = 0;
    let items = group.split(|c| {
        open += i32::from(c == '{') - i32::from(c == '}');
        (c == ',' && open == 0) || open < 0
    });
    items.map(|item| name(item.trim())).take_while(|name| !name.is_empty()).collect()
}

/// Lists what is wrong with the imports of a file's text, each with its line.
fn climbing(file: &str, text: &str) -> Vec<String> {
    let parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    let depth = parts.len() - usize::from(parts.last() == Some(&"mod"));
    let Some(own) = layer(parts[0]) else { return vec![format!("{file}: `{}` is in no layer", parts[0])] };
    let mut wrong = Vec::new();
    for (number, line) in logical_lines(text) {
        for name in imports(&line, depth).into_iter().filter(|name| *name != parts[0] && !name.is_empty()) {
            match layer(name) {
                Some(other) if other < own => {}
                Some(_) => {
                    wrong.push(format!("{file}:{number}: `{}` imports `{name}`, which stands above it", parts[0]));
                }
                None => wrong.push(format!("{file}:{number}: `{name}` of the crate's root is no folder of it")),
            }
        }
    }
    wrong
}

/// The lines of code, an import of several lines as one, each with its number. Comments and texts are none.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (at, line) in text.lines().enumerate() {
        let code = line.trim().split("//").next().unwrap_or_default();
        match lines.last_mut().filter(|_| open) {
            Some((_, whole)) => whole.push_str(code),
            None => lines.push((at + 1, code.to_owned())),
        }
        open = lines.last().is_some_and(|(_, whole)| whole.contains("use ") && !whole.contains(';'));
    }
    lines
}

#[test]
fn no_import_climbs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for entry in walkdir::WalkDir::new(&root).into_iter().flatten() {
        let file: PathBuf = entry.path().strip_prefix(&root).unwrap_or(entry.path()).to_owned();
        let name = file.display().to_string();
        if entry.path().extension().is_none_or(|kind| kind != "rs") || name == "lib.rs" || name == "layers.rs" {
            continue;
        }
        seen += 1;
        wrong.extend(climbing(&name, &std::fs::read_to_string(entry.path()).unwrap_or_default()));
    }
    assert!(seen > 100, "only {seen} files were read");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn an_import_that_climbs_is_found() {
    let found = |file, text| climbing(file, text);
    for (text, line) in [
        ("use crate::gates;", 1),
        ("\nuse crate::{evidence::Store, gates::checks};", 2),
        ("use crate::{\n    evidence::{Store, layout},\n    gates,\n};", 1),
        ("let all = crate::gates::checks();", 1),
        ("use super::super::gates;", 1),
    ] {
        let wrong = format!("attest/tls.rs:{line}: `attest` imports `gates`, which stands above it");
        assert_eq!(found("attest/tls.rs", text), [wrong], "{text}");
    }
    for text in ["use crate::evidence::{Store, layout};", "use super::gates;", "// see crate::gates", "use super::*;"] {
        assert!(found("attest/tls.rs", text).is_empty(), "{text}");
    }
    assert_eq!(found("plan/key.rs", "use crate::signing::Signer;").len(), 1, "two of one row");
    assert_eq!(found("plan/key.rs", "use crate::Failure;").len(), 1, "what the crate's root exports is for others");
    assert_eq!(found("newcomer.rs", "").len(), 1);
}
