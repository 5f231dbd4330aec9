//! The order in which the probes of a gate are observed: stage by stage, and in a stage beside one another, as far as
//! none waits for another.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::watch;

use super::PROBES;
use super::probe::{After, AnyProbe, Moment, Observed};
use super::scene::Scene;
use crate::failure::Failure;
use crate::plan::Gate;

type Any = &'static dyn AnyProbe;

/// The moments that are one stage each: the next one begins when all of it has been observed.
pub(crate) const STAGES: [&[Moment]; 3] = [&[Moment::Alive], &[Moment::Look, Moment::Change], &[Moment::Last]];

/// An observation that was made, or why it could not be.
pub(crate) struct Made {
    pub(crate) probe: Any,
    pub(crate) seen: Result<Observed, Failure>,
    pub(crate) begin: Instant,
    pub(crate) took: Duration,
}

/// Observes what a gate has in a stage. What cannot be observed does not keep the others from it.
pub(crate) async fn observe(scene: &Scene, stage: &[Moment]) -> Vec<Made> {
    let probes = of_stage(scene.gate, stage);
    let waiting = probes.iter().filter_map(|probe| {
        let observed = probe.observe(scene)?;
        Some((probe.name(), awaited(*probe, &probes), async move {
            let begin = Instant::now();
            let seen = observed.await;
            Made { probe: *probe, seen, begin, took: begin.elapsed() }
        }))
    });
    in_order(waiting.collect()).await
}

fn of_stage(gate: Gate, stage: &[Moment]) -> Vec<Any> {
    PROBES.iter().copied().filter(|probe| probe.is_of(gate) && stage.contains(&probe.moment())).collect()
}

/// The names of those that a probe waits for, of the probes of its stage.
fn awaited(probe: Any, stage: &[Any]) -> BTreeSet<&'static str> {
    let is_awaited = |other: &Any| match probe.after() {
        After::Nobody => false,
        After::These(names) => names.contains(&other.name()),
        After::AllThatLook => other.moment() == Moment::Look,
    };
    stage.iter().filter(|other| is_awaited(other)).map(|other| other.name()).collect()
}

/// Waits for all at the same time, for each as soon as those that it names are over. Returns what came of them as they stand.
async fn in_order<T>(all: Vec<(&'static str, BTreeSet<&'static str>, impl Future<Output = T>)>) -> Vec<T> {
    let (over, _) = watch::channel(BTreeSet::new());
    let over = &over;
    join_all(all.into_iter().map(|(name, awaited, one)| async move {
        // The channel lives as long as this.
        let _ = over.subscribe().wait_for(|over| awaited.is_subset(over)).await;
        let made = one.await;
        over.send_modify(|over| {
            over.insert(name);
        });
        made
    }))
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    #[test]
    fn each_probe_has_a_name_of_its_own_and_is_of_some_gate() {
        let names: BTreeSet<&str> = PROBES.iter().map(|probe| probe.name()).collect();
        assert_eq!(names.len(), PROBES.len());
        for probe in PROBES {
            let of: Vec<Gate> = Gate::ALL.into_iter().filter(|gate| probe.is_of(*gate)).collect();
            assert!(!of.is_empty(), "{} is of no gate", probe.name());
            assert!(of.iter().all(|gate| gate.profile().is_some()), "{} is of a gate without a profile", probe.name());
        }
    }

    #[test]
    fn each_check_is_of_one_probe() {
        for gate in Gate::ALL {
            let all: Vec<String> = PROBES.iter().flat_map(|probe| probe.checks(gate)).map(|check| check.name).collect();
            let names: BTreeSet<&String> = all.iter().collect();
            assert_eq!(names.len(), all.len(), "{gate}: {all:?}");
        }
    }

    #[test]
    fn who_is_waited_for_is_there_and_waits_for_nobody_who_waits_for_it() {
        for probe in PROBES {
            let After::These(names) = probe.after() else { continue };
            let missing: Vec<&&str> =
                names.iter().filter(|name| !PROBES.iter().any(|other| other.name() == **name)).collect();
            assert!(missing.is_empty(), "{} waits for {missing:?}", probe.name());
        }
        for (gate, stage) in Gate::ALL.into_iter().flat_map(|gate| STAGES.map(|stage| (gate, stage))) {
            let mut left = of_stage(gate, stage);
            while !left.is_empty() {
                let blocked: Vec<Any> = left.iter().copied().filter(|one| !awaited(*one, &left).is_empty()).collect();
                let names = || blocked.iter().map(|one| one.name()).collect::<Vec<_>>();
                assert!(blocked.len() < left.len(), "{gate}: these wait for one another: {:?}", names());
                left = blocked;
            }
        }
    }

    #[test]
    fn who_changes_what_is_deployed_waits_for_those_who_would_see_it() {
        for gate in Gate::ALL.into_iter().filter(|gate| gate.deploys_apps()) {
            let stage = of_stage(gate, STAGES[1]);
            let awaited = |name: &str| {
                let probe = stage.iter().find(|probe| probe.name() == name);
                probe.map(|probe| super::awaited(*probe, &stage)).unwrap_or_default()
            };
            // It would find one app too many; and each app that is deployed ends the connections through the ingress.
            assert!(awaited("websocket-echo").is_superset(&["resources", "websocket"].into()), "{gate}");
            for life in ["app-ready", "app-changes", "app-sick", "app-job"] {
                let all = ["resources", "websocket", "app", "images", "exports", "controllers", "answers", "rbac"];
                assert!(awaited(life).is_superset(&all.into()), "{gate}");
                assert!(!awaited(life).contains("websocket-echo"), "{gate}: {life} waits for minutes");
            }
            // Each of them counts the versions of all objects.
            assert!(awaited("objects").contains("refusals") && awaited("rbac").contains("objects"), "{gate}");
        }
    }

    #[tokio::test]
    async fn each_begins_when_those_that_it_names_are_over() {
        let log = Mutex::new(Vec::new());
        let note = |what: String| log.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        let one = |name: &'static str, after: &[&'static str], turns: usize| {
            let note = &note;
            (name, after.iter().copied().collect(), async move {
                note(format!("{name} begins"));
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
                note(format!("{name} ends"));
                name
            })
        };
        let made = in_order(vec![one("last", &["long", "short"], 0), one("long", &[], 5), one("short", &[], 1)]).await;
        assert_eq!(made, ["last", "long", "short"]);
        let log = log.into_inner().unwrap_or_else(PoisonError::into_inner);
        let order = ["long begins", "short begins", "short ends", "long ends", "last begins", "last ends"];
        assert_eq!(log, order);
    }
}
