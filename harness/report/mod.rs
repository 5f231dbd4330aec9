//! The report: one page in which a person sees what passed, why, and how sure that is.
//!
//! `RUN_DIR/report.html` needs nothing but itself: no network, no script to be read, no font. Everything in it comes
//! from files of the run's folder, which hold no secrets, and is escaped.

mod bill;
mod checks;
mod environment;
mod excerpt;
mod head;
mod layout;
mod markdown;
mod profiles;
mod run;
mod timeline;
mod triage;

pub(crate) use excerpt::visible;
pub use head::word;
pub(crate) use layout::page as document;
pub use markdown::{Group, causes, markdown};
pub use run::{GateReport, RunReport};

use std::path::{Path, PathBuf};

use maud::html;

use crate::evidence::{REPORT, Store, StoreError};
use crate::summary::NoRun;

/// A report that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There is nothing to report.
    #[error(transparent)]
    NoRun(#[from] NoRun),
    /// The page could not be written.
    #[error(transparent)]
    Unwritten(#[from] StoreError),
}

/// Writes the page of a run anew, atomically.
pub fn write(store: &Store, run_dir: &Path) -> Result<PathBuf, ReportError> {
    let page = page(&RunReport::load(run_dir)?);
    // Each text in it went through `visible`.
    Ok(store.write_clean(Path::new(REPORT), page.as_bytes())?)
}

/// The page of a run.
pub fn page(run: &RunReport) -> String {
    let room = excerpt::Room::default();
    let title = format!("{}: k1s profile gates", head::word(run.summary.verdict()));
    let body = html! {
        (head::render(run))
        main id="content" {
            (triage::render(run, &room))
            (timeline::render(run))
            (bill::render(run))
            (checks::render(run, &room))
            (profiles::render(run))
            (environment::render(run))
        }
    };
    layout::page(&title, &body)
}
