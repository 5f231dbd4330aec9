//! The life of apps in k1s: how they become ready, change, fall sick, end and go.
//!
//! Four small apps of the harness's own, deployed at once and looked at side by side, in the images that the gate has
//! built. Each change makes k1s replace containers: these looks come after all that only look.

mod changes;
mod driver;
mod job;
mod ready;
mod sick;
mod sight;

pub use changes::{Changes, judge as judge_changes};
pub use job::{Job, judge as judge_job};
pub use ready::{Readying, judge_readiness, judge_removal};
pub use sick::{Sick, judge as judge_liveness};

use super::Subject;
use crate::failure::Failure;
use driver::Driver;

/// What was seen of them.
#[derive(Debug)]
pub struct Life {
    /// Of the one that becomes ready, and is deleted.
    pub readying: Readying,
    /// Of the one that is changed.
    pub changes: Changes,
    /// Of the one that is sick.
    pub sick: Sick,
    /// Of the job.
    pub job: Job,
}

/// Goes through all of it.
pub async fn observe(subject: &Subject) -> Result<Life, Failure> {
    let driver = Driver::of(subject).await?;
    let release = || subject.release();
    let (readying, changes, sick, job) = tokio::join!(
        Box::pin(ready::observe(&driver, release())),
        Box::pin(changes::observe(&driver, release())),
        Box::pin(sick::observe(&driver)),
        Box::pin(job::observe(&driver)),
    );
    // They had time to be restarted, or run again.
    let (sick, job) = tokio::join!(sick::again(sick, release()), job::again(job, subject, release()));
    Ok(Life { readying, changes, sick, job })
}
