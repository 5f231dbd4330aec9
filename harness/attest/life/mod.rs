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

pub use changes::{Changes, PROBE as CHANGES};
pub use job::{Job, PROBE as JOB};
pub use ready::{PROBE as READY, Readying};
pub use sick::{PROBE as SICK, Sick};

use super::{Scene, Subject};
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

/// A part of all of it, which is gone through once.
async fn part<T>(scene: &Scene, of: fn(&Life) -> T) -> Result<T, Failure> {
    let life = scene.life.get_or_init(|| Box::pin(observe(&scene.subject))).await;
    life.as_ref().map(of).map_err(Clone::clone)
}

/// Goes through all of it.
async fn observe(subject: &Subject) -> Result<Life, Failure> {
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
