//! Steps side by side: each begins as soon as those that it needs have ended.

use std::collections::BTreeSet;
use std::sync::mpsc;

use super::Progress;
use super::error::StackError;
use super::step::Step;

/// A step that may not be known before others have ended.
pub(super) struct Job<'a> {
    pub(super) name: &'static str,
    /// Those that come first, as far as they are wanted at all.
    pub(super) after: Vec<&'static str>,
    pub(super) step: Box<dyn Fn() -> Result<Step, StackError> + Sync + Send + 'a>,
}

/// Builds a step, and tells of it.
pub(super) type Build<'a> = dyn Fn(&Step, &mut dyn FnMut(Progress)) -> Result<(), StackError> + Sync + 'a;

enum Said {
    Progress(Progress),
    Ended(&'static str, Result<(), StackError>),
}

/// Carries them out, some at once, in their order where that does not matter. Once one has failed no other begins.
pub(super) fn carry_out(
    mut waiting: Vec<Job<'_>>,
    at_once: usize,
    build: &Build<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), StackError> {
    let mut open: BTreeSet<&'static str> = waiting.iter().map(|job| job.name).collect();
    let (say, said) = mpsc::channel();
    std::thread::scope(|scope| {
        let (mut running, mut failed) = (0_usize, None);
        loop {
            while failed.is_none() && running < at_once {
                let ready = |job: &Job<'_>| !job.after.iter().any(|name| open.contains(name));
                let Some(next) = waiting.iter().position(ready) else { break };
                let (job, say) = (waiting.remove(next), say.clone());
                running += 1;
                scope.spawn(move || {
                    // Who listens is gone only when the scope has ended.
                    let mut tell = |progress| drop(say.send(Said::Progress(progress)));
                    let ended = (job.step)().and_then(|step| build(&step, &mut tell));
                    let _ = say.send(Said::Ended(job.name, ended));
                });
            }
            if running == 0 {
                break;
            }
            match said.recv() {
                Ok(Said::Progress(one)) => progress(one),
                Ok(Said::Ended(name, ended)) => {
                    running -= 1;
                    open.remove(name);
                    failed = failed.or(ended.err());
                }
                Err(_) => break,
            }
        }
        failed.map_or(Ok(()), Err)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, Mutex};

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn job(name: &'static str, after: &[&'static str]) -> Job<'static> {
        let step = move || Ok(Step { name, ..Step::default() });
        Job { name, after: after.to_vec(), step: Box::new(step) }
    }

    #[test]
    fn what_needs_nothing_runs_side_by_side_and_what_needs_others_after_them() -> Outcome {
        let (both, order) = (Barrier::new(2), Mutex::new(Vec::new()));
        let build = |step: &Step, _: &mut dyn FnMut(Progress)| {
            if step.name != "images" {
                // Neither gets on without the other.
                both.wait();
            }
            if let Ok(mut order) = order.lock() {
                order.push(step.name);
            }
            Ok(())
        };
        // What is not wanted is not waited for.
        let jobs = vec![job("images", &["etcd", "caddy", "go"]), job("etcd", &["go"]), job("caddy", &[])];
        carry_out(jobs, 2, &build, &mut |_| ())?;
        let order = order.into_inner().map_err(|_| "poisoned")?;
        assert_eq!((order.len(), order.last()), (3, Some(&"images")));
        Ok(())
    }

    #[test]
    fn after_a_failure_none_begins() {
        let begun = Mutex::new(Vec::new());
        let build = |step: &Step, _: &mut dyn FnMut(Progress)| {
            if let Ok(mut begun) = begun.lock() {
                begun.push(step.name);
            }
            Err(StackError::Unfinished(vec![step.name.to_owned()]))
        };
        let failed = carry_out(vec![job("a", &[]), job("b", &["a"]), job("c", &[])], 1, &build, &mut |_| ());
        assert!(matches!(failed, Err(StackError::Unfinished(names)) if names == ["a"]));
        assert_eq!(begun.into_inner().unwrap_or_default(), ["a"]);
    }
}
