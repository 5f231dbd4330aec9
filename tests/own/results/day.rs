//! A run of a day: gates that were run over and over, thousands of files.

use k1s_profile_gates::evidence::{Redactor, Store};
use k1s_profile_gates::plan::Transport;
use k1s_profile_gates::results::{self, Manifest, Memory, Standing, verify};
use k1s_profile_gates::summary::{GateState, Stage};

use crate::support::evidence_fixture::EvidenceFixture;
use crate::support::sealed::{RunDir, STARTUP};

/// Enough that what is done for each gate and each file is not noticed, and what is done for each gate of each file is.
const ITERATIONS: u32 = 150;

#[test]
fn a_run_of_a_day_is_sealed_step_by_step_and_verified() {
    let run = RunDir::new();
    let mut standing = Standing::default();
    for iteration in 1..=ITERATIONS {
        let mut fixture = EvidenceFixture::honest(STARTUP);
        fixture.record.key.iteration = iteration;
        let slug = STARTUP.slug();
        let folder = if iteration == 1 { slug } else { format!("{slug}.iteration-{iteration}") };
        fixture.leave_in(&run.path(), &folder);
        let (gate, transport, state) = (STARTUP.to_string(), Transport::Cli, Stage::Ended);
        standing.gates.push(GateState { gate, transport, iteration, attempt: 1, state, part: 1 });
    }
    let store = Store::open(&run.path(), Redactor::default()).unwrap();
    let mut memory = Memory::default();
    for over in [false, false, true] {
        standing.over = over;
        results::seal(&store, &standing, None, &mut memory).unwrap();
    }
    let manifest = Manifest::read(&run.path()).unwrap();
    assert!(manifest.files.len() > 10 * ITERATIONS as usize, "{}", manifest.files.len());
    let of_the_last =
        |name: &str| manifest.files.iter().find(|entry| entry.path.contains(&format!("-{ITERATIONS}{name}")));
    let last = of_the_last("-validate.json").or_else(|| of_the_last("/record.json")).unwrap();
    let iteration = format!("(iteration {ITERATIONS})");
    assert!(last.gate.is_some() && last.checks.iter().all(|check| check.contains(&iteration)), "{last:?}");
    assert!(!last.checks.is_empty());
    let found = verify(&run.path(), None).unwrap();
    assert!(found.is_sound() && found.is_complete(), "{found:?}");
}
