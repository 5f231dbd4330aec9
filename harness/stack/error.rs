//! The errors of preparing the stack, each with what to do about it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::pip;
use super::registry::Refused;
use super::requirement::Unmet;
use crate::trust::Untrusted;

/// The reason why there is no stack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// Found before anything was built: what is asked of the machine and not there, all of it.
    #[error("{}", list(.0))]
    Unmet(Vec<Unmet>),
    /// The recipe of a step failed.
    #[error(
        "the step `{step}` of the stack failed ({status}); the end of its log:\n{}\nWhole log: less {}\nOnce the cause is gone, go on with: k1s-gates stack",
        indented(.tail), log.display()
    )]
    StepFailed {
        /// Name of the step.
        step: String,
        /// The exit status of its recipe, in words.
        status: String,
        /// Everything that it printed.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// pip could not install what k1s requires.
    #[error(
        "k1s's requirements cannot be installed: {reason}\n  fault:    {fault}\n  expected: packages that the package index \
         has for the images' Python\n  seen:     the end of pip's output:\n{}\n  evidence: {}\n  remedy:   {}",
        indented(.tail), log.display(), pip::remedy(fault)
    )]
    Requirements {
        /// pip's reason.
        reason: String,
        /// The party at fault: `k1s` for what it requires, `host` where pip reached no package index.
        fault: &'static str,
        /// Everything that the step printed.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// The file with the digests of the images cannot be read.
    #[error(
        "{} cannot be read: {source}\nK1S_GATES_IMAGE_PINS names a file with a line per image, its name and its digest",
        file.display()
    )]
    Pins {
        /// The file.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A registry does not have an image as it is pinned.
    #[error("{refused}\n  evidence: {}\n  remedy:   {}", log.display(), refused.remedy())]
    Image {
        /// The image, what was expected, and what was seen.
        refused: Refused,
        /// Everything that the step printed.
        log: PathBuf,
    },
    /// The recipe of a step succeeded without having made what it is for.
    #[error(
        "the step `{step}` of the stack succeeded but did not produce {}, or that does not run; its log: less {}\nBuild it anew with: k1s-gates stack",
        output.display(), log.display()
    )]
    OutputMissing {
        /// Name of the step.
        step: String,
        /// The output that it should have made.
        output: PathBuf,
        /// Everything that it printed.
        log: PathBuf,
    },
    /// Packages were installed, and a tool is still not there.
    #[error("after installing {packages} there is still no {}; the log: less {}", tools.join(", "), log.display())]
    StillMissing {
        /// The packages that were installed.
        packages: String,
        /// The tools that are missing nevertheless.
        tools: Vec<String>,
        /// The output of apt-get.
        log: PathBuf,
    },
    /// Something is mounted in a folder that is to be removed; removing it would reach into what is mounted.
    #[error("an interrupted run left {} mounted; undo it, then the same again: sudo umount {}", .0.display(), .0.display())]
    Mounted(PathBuf),
    /// Every step succeeded, and yet something is missing: the user's tools changed meanwhile.
    #[error("the stack is still without {}; something changed while it was prepared. Go on with: k1s-gates stack", .0.join(", "))]
    Unfinished(Vec<String>),
    /// The folder that was named as the cache is somebody's own.
    #[error(
        "{} is no cache of the stack and not empty ({}); nothing in it is touched. Name a folder that is empty or not there yet: export K1S_GATES_CACHE=<folder>",
        folder.display(), named(others)
    )]
    NotACache {
        /// The folder.
        folder: PathBuf,
        /// The files in it that the stack did not make.
        others: Vec<String>,
    },
    /// A part that was built is not as it was then.
    #[error(
        "{} is not what the stack has built: its digest is another one\nNothing of it is executed. Remove its folder and build it anew: rm -r {} && k1s-gates stack",
        path.display(), path.parent().unwrap_or(path).display()
    )]
    Changed {
        /// The file or folder.
        path: PathBuf,
    },
    /// Others than the user and root can change what root executes.
    #[error(
        "{seen}; {remedy}\nLanes execute as root what is in the stack's cache. One of your own: export K1S_GATES_CACHE=<folder>"
    )]
    OfOthers {
        /// The file or folder, and why it cannot be trusted.
        seen: String,
        /// The advice on what to do about it.
        remedy: String,
    },
    /// The cache could not be read or written.
    #[error(
        "could not {doing} {}: {source}\nThe stack's cache must be a folder that you can write, with 3 GB free; name another: export K1S_GATES_CACHE=<folder>",
        path.display()
    )]
    Io {
        /// The operation.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

impl StackError {
    /// Names what was tried on which path, for `map_err`.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| match Untrusted::of(&source) {
            Some(refused) => Self::OfOthers { seen: refused.seen(), remedy: refused.remedy.clone() },
            None => Self::Io { doing, path, source },
        }
    }
}

/// The first of some names, and how many more there are.
fn named(names: &[String]) -> String {
    let first: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
    let more = names.len().saturating_sub(first.len());
    first.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

fn list(unmet: &[Unmet]) -> String {
    // Who shows only the first line shows a single reason whole.
    if let [one] = unmet {
        return format!("{one}\n  remedy: {}", one.remedy());
    }
    let start = format!("{} things are missing before the stack can be used:", unmet.len());
    unmet.iter().fold(start, |mut text, one| {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n- {one}\n  remedy: {}", one.remedy());
        text
    })
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
}
