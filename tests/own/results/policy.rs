//! The statement of a run before a policy engine that others have written: AMPEL, with the policy of examples/policy.

use std::path::Path;
use std::process::{Command, Output};

use ed25519_dalek::SigningKey;
use k1s_profile_gates::plan::Gate;
use k1s_profile_gates::summary::Stage;
use rstest::rstest;
use sha2::{Digest as _, Sha256};

use super::verify::{keys, noticed, red};
use crate::support::evidence_fixture::EvidenceFixture;
use crate::support::run_dir::RunDir as Told;
use crate::support::sealed::{K1S, RunDir, STARTUP};

/// A k1s that no run has seen.
const ANOTHER: &str = "9999999999999999999999999999999999999999999999999999999999999999";
/// The seed of the key that the policy is to take.
const OURS: u8 = 7;

// Why the policy, and AMPEL itself, refuse a statement.
const RED: &str = "a check is red, or a gate did not come to its end";
const NO_GATE: &str = "a gate of the policy is not in the result";
const LEFT_OUT: &str = "a gate that was chosen for the run was not run";
const FLAKY: &str = "more gates were flaky than the policy allows";
const UNSIGNED: &str = "no attestations matched a recognized signer identity";
const NONE: &str = "required attestations missing";
const REASONS: [&str; 6] = [RED, NO_GATE, LEFT_OUT, FLAKY, UNSIGNED, NONE];

/// A run for which every gate was chosen, and of which these have left evidence.
fn run(gates: impl IntoIterator<Item = EvidenceFixture>) -> RunDir {
    let mut told = Told::new();
    told.gate(Gate::Inventory, "{}");
    let summary = std::fs::read_to_string(told.write().join("run.json")).unwrap();
    let run = gates.into_iter().fold(RunDir::new(), RunDir::with).on_k1s();
    run.write("run.json", &summary);
    run
}

fn all_but(left_out: &[Gate]) -> impl Iterator<Item = EvidenceFixture> {
    Gate::ALL.into_iter().filter(|gate| !left_out.contains(gate)).map(EvidenceFixture::honest)
}

fn whole() -> RunDir {
    run(all_but(&[]))
}

/// Asks AMPEL whether the k1s of this digest may be released.
fn asked(run: &RunDir, policy: &Path, digest: &str, further: &[&str]) -> Output {
    let (_, _, public) = keys(run, OURS);
    let raw = SigningKey::from_bytes(&[OURS; 32]).verifying_key().to_bytes();
    let signer = format!("key::ed25519::{}", base16ct::lower::encode_string(&Sha256::digest(raw)[..8]));
    let mut command = Command::new("ampel");
    command.args(["verify", &format!("sha256:{digest}"), "--format", "attestation", "-p"]).arg(policy);
    command.arg("-a").arg(run.path().join("result.intoto.json"));
    command.arg("--key").arg(public).args(["--signer", &signer]).args(further);
    command.output().expect("`ampel` is on PATH: `make policy` builds it, and runs this test")
}

fn of_the_examples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policy/k1s-gates.hjson"))
}

#[rstest]
#[case::all_gates(whole, Some(OURS), K1S, &[], &[])]
// None of the signed statements is about it.
#[case::another_k1s(whole, Some(OURS), ANOTHER, &[], &[UNSIGNED])]
#[case::not_signed(whole, None, K1S, &[], &[UNSIGNED])]
#[case::signed_by_another_key(whole, Some(8), K1S, &[], &[UNSIGNED])]
#[case::a_gate_that_was_not_run(|| run(all_but(&[STARTUP])), Some(OURS), K1S, &[], &[NO_GATE, LEFT_OUT])]
#[case::one_gate_alone(|| run([EvidenceFixture::honest(STARTUP)]), Some(OURS), K1S, &[], &[NO_GATE, LEFT_OUT])]
#[case::a_red_check(|| run(all_but(&[STARTUP])).with(red(STARTUP)), Some(OURS), K1S, &[], &[RED])]
#[case::cut_short(|| run(all_but(&[STARTUP])).at(STARTUP, 1, Stage::Running), Some(OURS), K1S, &[], &[RED, NO_GATE])]
#[case::flaky(|| run(all_but(&[STARTUP])).with(noticed()), Some(OURS), K1S, &[], &[FLAKY])]
#[case::flaky_as_allowed(
    || run(all_but(&[STARTUP])).with(noticed()),
    Some(OURS),
    K1S,
    &["-x", "flaky_gates:1"],
    &[]
)]
#[ignore = "needs AMPEL, which `make policy` builds before it runs this"]
fn a_policy_engine_of_others_takes_what_was_tested_whole_and_green_and_nothing_else(
    #[case] run: fn() -> RunDir,
    #[case] signed_by: Option<u8>,
    #[case] digest: &str,
    #[case] further: &[&str],
    #[case] refused_for: &[&str],
) {
    let run = run();
    let signer = signed_by.map(|seed| keys(&run, seed).0);
    let run = run.sealed(signer.as_ref(), true);
    let output = asked(&run, of_the_examples(), digest, further);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.success(), refused_for.is_empty(), "{said}");
    for words in REASONS {
        // A refusal for another reason would show nothing of this one.
        assert_eq!(said.contains(words), refused_for.contains(&words), "{words}: {said}");
    }
}

#[test]
#[ignore = "needs AMPEL, which `make policy` builds before it runs this"]
fn a_policy_for_another_predicate_is_refused_and_says_so() {
    let run = whole();
    let signer = keys(&run, OURS).0;
    let run = run.sealed(Some(&signer), true);
    let policy = std::fs::read_to_string(of_the_examples()).unwrap();
    let another = run.beside("policy.hjson");
    std::fs::write(&another, policy.replace("attestation/test-result/", "attestation/link/")).unwrap();
    let output = asked(&run, &another, K1S, &[]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).contains(NONE));
}
