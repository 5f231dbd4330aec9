//! What the test targets share.
#![allow(dead_code, reason = "no target needs all of it")]

pub(crate) mod asked;
pub(crate) mod browser;
pub(crate) mod cgroups;
pub(crate) mod evidence_fixture;
pub(crate) mod forms;
pub(crate) mod ladder;
pub(crate) mod machine;
pub(crate) mod nested;
pub(crate) mod outcome;
pub(crate) mod run_dir;
pub(crate) mod sealed;
pub(crate) mod stand_in;
