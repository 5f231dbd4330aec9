//! `k1s-gates judge`: today's checks over the evidence of a run.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use k1s_profile_gates::Failure;
use k1s_profile_gates::results::{self, JudgeError, Judged, Judgement, NotJudged, Now, Seal, Then, Trend, VerifyError};
use k1s_profile_gates::run;
use k1s_profile_gates::signing::PublicKey;

use super::print;
use super::recorded::Recorded;

/// The evidence is there and cannot be judged, or not all that was green can be.
const CANNOT_BE_JUDGED: u8 = 2;

#[derive(Args)]
#[command(after_help = "\
The folder is verified first, as `verify` does. What the run said of itself is shown and never taken for a verdict. \
Shapes (`snapshot`) and a consumer's own checks are judged by their trials alone, and not here.

Exit status: 0 all that was green is green; 1 something that was green would be red now, a new check of a green gate \
among it; 2 the evidence cannot be judged: it is of another form, was changed, or does not hold what a check that was \
green reads now; 3 there is no run to be read.

Examples:
  k1s-gates judge /tmp/run
  k1s-gates judge run.tar.zst --key ci.pub.pem
  k1s-gates judge --json /tmp/run | jq '.checks[] | select(.worse)'")]
pub(crate) struct Judge {
    /// The run's folder, wherever it is now, or a bundle of it.
    run_dir: PathBuf,
    /// The public key (Ed25519, PEM) that must have signed the result.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Print what was found as JSON.
    #[arg(long)]
    json: bool,
}

impl Judge {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let key = self.key.as_deref().map(PublicKey::read).transpose()?;
        let run = Recorded::open(&self.run_dir)?;
        run::wait_until_sealed(&run.dir);
        let judgement = match results::judge(&run.dir, key.as_ref()) {
            Ok(judgement) => judgement,
            Err(error @ JudgeError::Unverified(VerifyError::NoManifest { .. })) => return Err(error.into()),
            Err(error) => {
                eprintln!("k1s-gates: {error}");
                return Ok(CANNOT_BE_JUDGED.into());
            }
        };
        if self.json {
            print::json(&judgement)?;
        } else {
            print::text(&text(&judgement));
        }
        Ok(match judgement.trend() {
            Trend::Held => ExitCode::SUCCESS,
            Trend::Worse => print::NOT_GOOD.into(),
            Trend::Unknown => CANNOT_BE_JUDGED.into(),
        })
    }
}

fn text(judgement: &Judgement) -> String {
    let program = judgement.program_then.as_ref().map(|sha256| format!(", program sha256:{sha256}"));
    let then = judgement.harness_then.as_deref().unwrap_or("a version that does not say its name");
    let mut text = format!(
        "then: judged by {then}{}\nnow:  judged by k1s-profile-gates {}\nevidence: as the run left it; {}\n\n{:<10}  {:<10}  check\n",
        program.unwrap_or_default(),
        judgement.harness_now,
        seal(&judgement.signature),
        "then",
        "now"
    );
    for one in &judgement.checks {
        let (now, told) = now(&one.now);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<10}  {now:<10}  {}", then_in_words(one.then), one.check);
        let differs = !matches!((one.then, &one.now), (Then::Failed, Now::Failed(_)));
        if let Some(told) = told.filter(|_| differs) {
            let _ = writeln!(text, "    {}", told.replace('\n', "\n    "));
        }
    }
    for gate in &judgement.without_evidence {
        let _ = writeln!(text, "no evidence: {gate}");
    }
    let count = |which: &dyn Fn(&Judged) -> bool| judgement.checks.iter().filter(|one| which(one)).count();
    let passes = |one: &Judged| one.now == Now::Passed;
    let unjudged = |one: &Judged| matches!(one.now, Now::NotJudged(_));
    let _ = writeln!(
        text,
        "\n{} checks: {} green now, {} red now, {} not judged; {} worse, {} better, {} new",
        judgement.checks.len(),
        count(&passes),
        count(&|one| !passes(one) && !unjudged(one)),
        count(&unjudged),
        count(&|one| one.worse),
        count(&|one| one.then == Then::Failed && passes(one)),
        count(&|one| one.then == Then::NotJudged && !unjudged(one)),
    );
    text
}

fn seal(signature: &Seal) -> String {
    match signature {
        Seal::Good { keyid } => format!("signed by {keyid}"),
        Seal::Unchecked { keyid } => format!("said to be signed by {keyid}; check it with --key"),
        Seal::Bad { keyid } => format!("not signed by the key {keyid} that it names"),
        Seal::Unsigned => "not signed: anybody may have written it".to_owned(),
    }
}

fn then_in_words(then: Then) -> &'static str {
    match then {
        Then::Passed => "green",
        Then::Failed => "red",
        Then::NotJudged => "not judged",
    }
}

/// The verdict of now, and why it is none or not a good one.
fn now(now: &Now) -> (&'static str, Option<String>) {
    match now {
        Now::Passed => ("green", None),
        Now::Failed(failure) => ("red", Some(failure.to_string())),
        Now::NotJudged(why) => ("not judged", Some(why_not(why))),
    }
}

fn why_not(why: &NotJudged) -> String {
    match why {
        NotJudged::NoSuchCheck => "this version has no such check, or it is a consumer's own".to_owned(),
        NotJudged::ByItsTrialOnly => "only its trial knows whose snapshots are meant".to_owned(),
        NotJudged::NotInEvidence(Failure { what, seen, .. }) => {
            format!("the evidence does not hold it: {what}; {seen}")
        }
    }
}
