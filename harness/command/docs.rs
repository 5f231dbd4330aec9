//! The commands in the docs, read as a shell would and parsed as they stand: one that is no longer so is an error of the docs.

use std::path::{Path, PathBuf};

use clap::Parser as _;

use super::Cli;

/// A line of a block of code, with where it stands.
struct Line {
    place: String,
    text: String,
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let pages = files(root.to_owned()).chain(files(root.join("docs"))).chain(files(root.join("docs/design")));
    pages.filter(|file| file.extension().is_some_and(|kind| kind == "md")).collect()
}

/// The lines of code of all pages: of blocks, and what stands between backticks.
fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap_or_default();
        let mut inside = false;
        for (number, line) in text.lines().enumerate() {
            let place = format!("{}:{}", page.display(), number + 1);
            if line.trim_start().starts_with("```") {
                inside = !inside;
            } else if inside {
                lines.push(Line { place, text: line.to_owned() });
            } else {
                let spans = line.split('`').skip(1).step_by(2);
                lines.extend(spans.map(|span| Line { place: place.clone(), text: span.to_owned() }));
            }
        }
    }
    lines
}

/// The words behind a program's name, up to where a shell would end the command.
fn words(line: &str, program: &str) -> Option<Vec<String>> {
    let words = shlex::split(line.trim().trim_start_matches("$ "))?;
    let at = words.iter().position(|word| word == program)?;
    // Before it stand variables, or cargo, which takes a `--` for itself; what may be left out stands in brackets.
    let rest = words[at + 1..].iter().skip_while(|word| *word == "--");
    let ends = |word: &&String| ["|", "&&", "||", ";", ">", "#"].contains(&word.as_str());
    let plain = |word: &String| word.trim_end_matches(';').replace(['[', ']'], "");
    Some(rest.take_while(|word| !ends(word)).map(plain).filter(|word| !word.is_empty()).collect())
}

#[test]
fn every_command_of_the_docs_is_one() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for Line { place, text } in lines() {
        let Some(words) = words(&text, "k1s-gates").filter(|words| !words.is_empty()) else { continue };
        // In prose several subcommands are named at once, and a placeholder stands for any.
        if words[0].ends_with([',', '…', ':']) || words[0].starts_with(['<', '{', '(']) {
            continue;
        }
        seen += 1;
        let line = std::iter::once("k1s-gates").chain(words.iter().map(String::as_str));
        if let Err(error) = Cli::try_parse_from(line)
            && error.use_stderr()
            && !(words.len() == 1 && error.kind() == clap::error::ErrorKind::MissingRequiredArgument)
        {
            wrong.push(format!("{place}: {text}\n{error}"));
        }
    }
    assert!(seen > 25, "only {seen} commands were found");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_target_of_make_in_the_docs_is_one() {
    let makefile = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Makefile")).unwrap_or_default();
    let is_target = |name: &str| makefile.lines().any(|line| line.starts_with(&format!("{name}:")));
    let mut seen = 0;
    let mut wrong = Vec::new();
    for Line { place, text } in lines() {
        let Some(words) = words(&text, "make") else { continue };
        let is_name = |word: &&String| !word.contains('=') && !word.starts_with('-');
        for name in words.iter().take(1).filter(is_name).map(|word| word.trim_end_matches([',', '.'])) {
            seen += 1;
            if !is_target(name) {
                wrong.push(format!("{place}: there is no target `{name}`: {text}"));
            }
        }
    }
    assert!(seen > 20, "only {seen} targets were found");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
