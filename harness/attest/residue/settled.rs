//! The last look, taken until there is nothing more to see or what is left stays.

use std::time::{Duration, Instant};

use super::{Kind, Look, Owner, Sight, Thing, look};
use crate::failure::Failure;

/// How long what was stopped may take to be gone. `WorkerBee`'s daemon asks after the project at times, and a process of
/// its own is gone in a moment too.
const SETTLING: Duration = Duration::from_secs(5);
/// How long what passes by itself may take when nothing else is left. A veth goes with the network namespace of its
/// container, and the kernel keeps that while a connection of a server in it waits for a peer that went first: eight
/// retries, 100 s. And each nerdctl that `WorkerBee`'s daemon asks is another process, as slow as the machine is busy.
const PASSING: Duration = Duration::from_secs(120);
/// How often it is looked.
const PACE: Duration = Duration::from_millis(250);

/// All looks side by side; whichever could not be taken says why.
pub type Sights = [(Kind, Result<Sight, Failure>); Kind::ALL.len()];

/// Looks until nothing is left of what was alive, or what is left stays. What `goes` anyway is not waited for.
pub async fn settled(
    owner: &mut Owner,
    in_lane: bool,
    before: &Look,
    alive: &Look,
    goes: impl Fn(Kind, &Thing) -> bool,
) -> Sights {
    let begin = Instant::now();
    loop {
        let mut after = look(owner).await;
        for (kind, things) in &mut after {
            if let Ok(things) = things {
                things.retain(|thing| !goes(*kind, thing));
            }
        }
        let sights = Kind::ALL.map(|kind| (kind, Sight::new(kind, in_lane, [before, alive, &after])));
        let limit = if sights.iter().all(|(kind, sight)| only_passing(*kind, sight)) { PASSING } else { SETTLING };
        if sights.iter().all(|(kind, sight)| is_free(*kind, sight)) || begin.elapsed() > limit {
            return sights;
        }
        tokio::time::sleep(PACE).await;
    }
}

/// Whether it was seen that nothing of a kind is left.
pub fn is_free(kind: Kind, sight: &Result<Sight, Failure>) -> bool {
    sight.as_ref().is_ok_and(|sight| sight.left(kind).is_empty())
}

fn only_passing(kind: Kind, sight: &Result<Sight, Failure>) -> bool {
    let passes = |what: &str| match kind {
        Kind::Bridges => what.starts_with("veth "),
        Kind::Processes => what.contains(" nerdctl "),
        _ => false,
    };
    sight.as_ref().is_ok_and(|sight| sight.left(kind).iter().all(|thing| passes(&thing.what)))
}
