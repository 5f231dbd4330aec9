//! The last look, taken until there is nothing more to see or what is left stays.

use std::time::{Duration, Instant};

use super::{Kind, Observation, Owner, Scan, Thing, scan};
use crate::failure::Failure;

/// How long stopped processes may take to disappear. `WorkerBee`'s daemon asks for the project at times, by processes
/// that end in a moment, too.
const SETTLING: Duration = Duration::from_secs(5);
/// How long residue that disappears by itself may take when nothing else is left. A veth goes with the network
/// namespace of its container, and the kernel keeps that while a connection of a server in it waits for a peer that
/// went first: eight retries, 100 s. And each nerdctl that `WorkerBee`'s daemon starts is another process, as slow as
/// the machine is busy.
const PASSING: Duration = Duration::from_mins(2);
/// The interval between two observations.
const PACE: Duration = Duration::from_millis(250);

/// All looks side by side; whichever could not be taken says why.
pub type Observations = [(Kind, Result<Observation, Failure>); Kind::ALL.len()];

/// Looks until nothing is left of what was alive, or what is left stays. What `goes` anyway is not waited for.
pub async fn settled(
    owner: &mut Owner,
    in_lane: bool,
    before: &Scan,
    alive: &Scan,
    goes: impl Fn(Kind, &Thing) -> bool,
) -> Observations {
    let begin = Instant::now();
    loop {
        let mut after = scan(owner).await;
        for (kind, things) in &mut after {
            if let Ok(things) = things {
                things.retain(|thing| !goes(*kind, thing));
            }
        }
        let observations = Kind::ALL.map(|kind| (kind, Observation::new(kind, in_lane, [before, alive, &after])));
        let limit = if observations.iter().all(|(kind, observation)| only_passing(*kind, observation)) {
            PASSING
        } else {
            SETTLING
        };
        if observations.iter().all(|(kind, observation)| is_free(*kind, observation)) || begin.elapsed() > limit {
            return observations;
        }
        tokio::time::sleep(PACE).await;
    }
}

/// Is true when an observation was made and shows no residue of its kind.
pub fn is_free(kind: Kind, observation: &Result<Observation, Failure>) -> bool {
    observation.as_ref().is_ok_and(|observation| observation.leftover(kind).is_empty())
}

fn only_passing(kind: Kind, observation: &Result<Observation, Failure>) -> bool {
    let passes = |what: &str| match kind {
        Kind::Bridges => what.starts_with("veth "),
        Kind::Processes => what.contains(" nerdctl "),
        _ => false,
    };
    observation.as_ref().is_ok_and(|observation| observation.leftover(kind).iter().all(|thing| passes(&thing.what)))
}
