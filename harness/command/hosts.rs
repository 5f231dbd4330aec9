//! What the CI that a command runs in shows of a run: GitHub's page of a job, and its annotations.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use k1s_profile_gates::report::{Group, causes, markdown};
use k1s_profile_gates::summary::{State, Summary};

/// The most that GitHub takes of a step's page.
const PAGE: usize = 1024 * 1024;
/// The most annotations of a kind that GitHub shows of a step.
const ANNOTATIONS: usize = 10;

/// Tells GitHub of a run, when this is one of its jobs. A page that cannot be written keeps nothing else from going on.
pub(crate) fn tell(summary: &Summary) {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(file) = variable("GITHUB_STEP_SUMMARY").map(PathBuf::from)
        && let Err(error) = append(&file, summary)
    {
        eprintln!("k1s-gates: GITHUB_STEP_SUMMARY {}: {error}", file.display());
    }
    if variable("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        let mut out = std::io::stdout().lock();
        for line in annotations(summary) {
            let _ = writeln!(out, "{line}");
        }
    }
}

fn append(file: &Path, summary: &Summary) -> std::io::Result<()> {
    let taken = std::fs::metadata(file).map_or(0, |about| usize::try_from(about.len()).unwrap_or(PAGE));
    let text = markdown(summary, PAGE.saturating_sub(taken));
    std::fs::OpenOptions::new().append(true).create(true).open(file)?.write_all(text.as_bytes())
}

/// One line for each cause; the last one is for all that there is no line for.
fn annotations(summary: &Summary) -> Vec<String> {
    let groups = causes(summary);
    let whole = if groups.len() > ANNOTATIONS { ANNOTATIONS - 1 } else { groups.len() };
    let mut lines: Vec<String> = groups[..whole].iter().map(annotation).collect();
    if let Some(more) = Some(groups.len() - whole).filter(|more| *more > 0) {
        lines.push(error("k1s gates", &format!("and {more} more causes: see the report")));
    }
    if lines.is_empty() && !matches!(summary.verdict(), State::Passed) {
        lines.push(error("k1s gates", "the run did not pass: see summary.txt and the report"));
    }
    lines
}

fn annotation(group: &Group) -> String {
    let Group { headline, fault, gates, checks } = group;
    error(&gates.join(", "), &format!("{headline}\nfault of {fault}; red checks: {checks}"))
}

/// GitHub's command; what would end a part of it is written in another form.
fn error(title: &str, message: &str) -> String {
    let message = message.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let title = title.replace('%', "%25").replace(['\r', '\n'], " ").replace(':', "%3A").replace(',', "%2C");
    format!("::error title={title}::{message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_is_written_otherwise() {
        assert_eq!(error("a::b, c", "50 %\nnext"), "::error title=a%3A%3Ab%2C c::50 %25%0Anext");
    }
}
