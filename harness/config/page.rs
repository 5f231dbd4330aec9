//! The table of settings as people read it: a page of the docs, and a file to begin with.

use std::fmt::Write as _;

use super::FILE;
use super::table::{SETTINGS, Setting, Takes};

/// The page of the docs.
pub fn page() -> String {
    let mut text = format!(
        "# Settings\n\n\
         Written by `tests/own/settings.rs` (`INSTA_UPDATE=always cargo test --test own settings::`) from the table in\n\
         `harness/config/table.rs`.\n\n\
         A variable of the environment counts before the file `{FILE}`, and the file before the default; an empty variable\n\
         counts as not set. The file is the nearest one from the test target's manifest, or else from the working directory,\n\
         up to the root of the repository. `k1s-gates plan` shows where each value comes from. Editors complete and check\n\
         the file by its [schema](settings.schema.json).\n\n\
         | key of the file | variable | default | example | meaning |\n|---|---|---|---|---|\n"
    );
    let code = |words: &str| if words.is_empty() { String::new() } else { format!("`{words}`") };
    for row in &SETTINGS {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            code(row.key),
            code(row.variable),
            row.default.replace('<', "\\<"),
            code(row.example),
            row.meaning
        );
    }
    for row in &SETTINGS {
        let Takes::Tables(members) = row.takes else { continue };
        let _ = writeln!(text, "\n## `[[{}]]`\n\n{}\n\n```toml\n{}\n```\n", row.key, capital(row.meaning), row.example);
        text.push_str("| member | default | meaning |\n|---|---|---|\n");
        for member in members {
            let default = if member.default.is_empty() { "must be given" } else { member.default };
            let _ = writeln!(text, "| `{}` | {default} | {} |", member.key, member.meaning);
        }
    }
    text
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default() + "."
}

/// A file in which every key stands, each as a comment with its example.
pub fn template(schema: &str) -> String {
    let mut text = format!(
        "#:schema {schema}\n\
         # Settings of the validation gates. A variable of the environment counts before this file.\n\
         # `k1s-gates plan` shows where each value comes from.\n"
    );
    let mut table = "";
    for row in SETTINGS.iter().filter(|row| !row.key.is_empty()) {
        let (within, key) = row.key.split_once('.').unwrap_or(("", row.key));
        if within != table && !within.is_empty() {
            let _ = write!(text, "\n[{within}]\n");
            table = within;
        }
        text.push_str(&commented(row, key));
    }
    text
}

fn commented(row: &Setting, key: &str) -> String {
    let about = format!("\n# {}. Default: {}.\n", capital(row.meaning).trim_end_matches('.'), row.default);
    match row.takes {
        Takes::Tables(_) => row.example.lines().fold(about, |text, line| text + "#" + line + "\n"),
        _ => format!("{about}#{key} = {}\n", row.example),
    }
}
