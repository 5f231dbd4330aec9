//! Tests of the results over a whole run: manifest, statement, JUnit and bundle of runs that are whole, red, or cut
//! short.
// A test that cannot be set up must stop.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "results/bundle.rs"]
mod bundle;
#[path = "results/ci.rs"]
mod ci;
#[allow(dead_code, reason = "evidence is tampered with in another target")]
#[path = "support/evidence_fixture.rs"]
mod evidence_fixture;
#[path = "results/junit.rs"]
mod junit;
#[path = "results/merge.rs"]
mod merge;
#[path = "support/sealed.rs"]
mod sealed;
#[path = "results/split.rs"]
mod split;
#[path = "results/verify.rs"]
mod verify;
