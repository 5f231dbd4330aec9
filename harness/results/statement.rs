//! The statement: an in-toto test result of what was tested, over every evidence file.
//!
//! Formats: in-toto Statement v1, predicate `test-result` v0.1 (github.com/in-toto/attestation, `spec`).

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::folder::GateResult;
use super::manifest::Manifest;
use super::owners::Owners;
use super::tested::{resource, subjects};
use crate::diagnosis::Fault;
use crate::evidence::layout::SPEC;
use crate::evidence::{MANIFEST, Record};
use crate::signing::{Envelope, Signer};
use crate::summary::{Outcome, Stage};

const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://in-toto.io/attestation/test-result/v0.1";
/// DSSE's type of a payload that is an in-toto statement.
pub(super) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// An in-toto statement with a test result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Statement {
    /// `https://in-toto.io/Statement/v1`.
    #[serde(rename = "_type")]
    pub kind: String,
    /// What was tested: the k1s, `WorkerBee`'s distributions, the images. Of a run of which none of them is known, its
    /// manifest.
    pub subject: Vec<Resource>,
    /// `https://in-toto.io/attestation/test-result/v0.1`.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// The result.
    pub predicate: TestResult,
}

/// A file, or something that was tested, by name and digest (in-toto's resource descriptor).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resource {
    /// Its path in the run's folder; `k1s-root`; a distribution with its version; or an image.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
    /// Of the k1s under test: its folder, how it was chosen, whether it differs from the commit. Of a gate's
    /// specification: the versions of what the gate ran on (`version.etcd`), and what the harness did in its lane
    /// (`intervention.images`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Digest {
    /// In lower-case hexadecimal digits.
    pub sha256: String,
    /// The commit of the k1s under test, when git tracks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<String>,
}

/// in-toto's test result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    /// `FAILED` when any check is red, any gate has not ended, or there are no checks, and when a gate is flaky in a run
    /// that forgives none (`K1S_GATES_FLAKY=fail`); `WARNED` when all are green and a gate had to be run twice, or noticed
    /// something; `PASSED` otherwise.
    pub result: String,
    /// The manifest, which has the digest of every file of evidence, and the specification of each gate.
    pub configuration: Vec<Resource>,
    /// Checks that are green.
    pub passed_tests: Vec<String>,
    /// Checks that are green in a gate that was run twice.
    pub warned_tests: Vec<String>,
    /// Gates that were chosen for the run and not run: the result says nothing of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_run: Vec<String>,
    /// Checks that are red. A gate that did not end is named by itself.
    pub failed_tests: Vec<String>,
    /// Whose fault each red check is, as far as the evidence says: `k1s`, `WorkerBee`, `stack`, `host` or `harness`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub faults: BTreeMap<String, Fault>,
}

impl Statement {
    /// The statement over a manifest and what it lists.
    pub(super) fn over(manifest: &Manifest, sha256: &str, gates: &[GateResult]) -> Self {
        let owners = Owners::of(gates);
        let specifications = manifest.files.iter().filter(|entry| Path::new(&entry.path).ends_with(SPEC));
        let specified = specifications.map(|entry| ran_on(resource(&entry.path, &entry.sha256), &owners));
        let configuration = std::iter::once(resource(MANIFEST, sha256)).chain(specified).collect();
        Self {
            kind: STATEMENT_TYPE.to_owned(),
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: TestResult {
                configuration,
                not_run: manifest.not_run.clone(),
                ..result(gates, manifest.fails_flaky)
            },
            subject: subjects(manifest, sha256),
        }
    }

    /// The statement in an envelope, signed when there is a key.
    pub(super) fn enveloped(&self, signer: Option<&Signer>) -> Envelope {
        let payload = serde_json::to_vec(self).unwrap_or_default();
        Envelope::new(PAYLOAD_TYPE, &payload, signer)
    }

    /// Is true when it is of the kind that this harness writes.
    pub(super) fn is_known(&self) -> bool {
        self.kind == STATEMENT_TYPE && self.predicate_type == PREDICATE_TYPE
    }
}

/// The specification of a gate, with what the gate says that it ran on.
fn ran_on(mut specification: Resource, owners: &Owners<'_>) -> Resource {
    let gate = owners.owner(Path::new(&specification.name));
    let Some(evidence) = gate.and_then(|gate| gate.evidence.as_ref()) else { return specification };
    let of = |kind: &'static str| move |(name, what): (&String, &String)| (format!("{kind}.{name}"), what.clone());
    let record = &evidence.record;
    specification.annotations.extend(record.versions.iter().map(of("version")));
    specification.annotations.extend(record.interventions.iter().map(of("intervention")));
    specification
}

/// The gates whose verdicts count: none that was set aside, and of several attempts at one gate the last.
pub(super) fn counted(gates: &[GateResult]) -> impl Iterator<Item = &GateResult> {
    let replaced = |gate: &GateResult| gates.iter().any(|other| other.key.replaces(gate.key));
    gates.iter().filter(move |gate| !gate.set_aside && !replaced(gate))
}

fn result(gates: &[GateResult], fails_flaky: bool) -> TestResult {
    let (mut passed, mut warned, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    let mut faults = BTreeMap::new();
    for gate in counted(gates) {
        if gate.state != Stage::Ended {
            failed.push(gate.key.name(&gate.gate_name()));
            continue;
        }
        let told = |record: &Record| record.rerun_of.is_some() || !record.noticed.is_empty();
        let flaky = gate.key.attempt > 1 || gate.evidence.as_ref().is_some_and(|evidence| told(&evidence.record));
        let diagnosis = gate.diagnosis();
        for verdict in &gate.verdicts {
            let name = gate.trial(&verdict.check);
            match verdict.outcome {
                Outcome::Passed if flaky => warned.push(name),
                Outcome::Passed => passed.push(name),
                Outcome::Failed(_) => {
                    let cause = diagnosis.cause_of(Some(&verdict.check));
                    faults.extend(cause.map(|cause| (name.clone(), cause.fault)));
                    failed.push(name);
                }
                Outcome::Unjudged => {}
            }
        }
    }
    let result = match (failed.is_empty(), warned.is_empty(), passed.is_empty()) {
        (true, true, false) => "PASSED",
        (true, false, _) if !fails_flaky => "WARNED",
        _ => "FAILED",
    };
    TestResult {
        result: result.to_owned(),
        configuration: Vec::new(),
        passed_tests: passed,
        warned_tests: warned,
        failed_tests: failed,
        not_run: Vec::new(),
        faults,
    }
}
