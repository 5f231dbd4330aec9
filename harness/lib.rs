//! Validation gates for k1s profiles: the `WorkerBee` runbook as an integration-test harness.

pub mod stack;
