//! Secrets: what `WorkerBee` keeps in clear is known before anything is written, and none of it is in the evidence.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::session::Session;
use crate::checks::{Check, observed};
use crate::evidence::layout::{files, triage_folder};
use crate::evidence::{Kind, Learned, Observation, Place};
use crate::failure::{Failure, Mismatch};

/// Where `WorkerBee` keeps secrets in clear, in a project's folder, and where in these files the rules must find some.
/// A file in which they find none is one that has changed, and whose secrets would go by unseen.
const SOURCES: [(&str, &[&str]); 3] = [
    ("profiles/k1s-profile.json", &["/admin_token", "/apishim_token", "/read_token"]),
    ("profiles/tokens.json", &["/admin_token", "/apishim_token", "/read_token"]),
    (IDENTITY, &[]),
];
const IDENTITY: &str = "secrets/age/keys.txt";

/// What the gate knows to be secret, and where it was looked for.
#[derive(Debug, Serialize, Deserialize)]
struct Observed {
    /// What was learned from `WorkerBee`'s files.
    known: Vec<Learned>,
    /// The evidence of this gate that was looked through.
    scanned: Vec<PathBuf>,
    /// Where something secret stands all the same.
    left: Vec<Left>,
    /// Whether the user has allowed `WorkerBee` to do without an age identity.
    plaintext: bool,
}

/// A secret in the evidence.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    file: PathBuf,
    place: Place,
}

/// Names the files that will hold secrets. They are there as soon as the profile starts, and gone with its purge.
pub(super) fn know(session: &Session<'_>) -> Result<(), Failure> {
    let project = session.project_folder()?;
    // The user's own WorkerBee sees the user's environment, and takes an identity from there.
    let named = ["WORKERBEE_SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_FILE"].into_iter().find_map(std::env::var_os);
    let named = named.filter(|_| session.shares_its_host()).map(PathBuf::from);
    for (file, _) in SOURCES {
        let path = named.clone().filter(|_| file == IDENTITY).unwrap_or_else(|| project.join(file));
        session.store.redactor().source(file, &path);
    }
    Ok(())
}

fn plaintext(session: &Session<'_>) -> bool {
    session.shares_its_host() && std::env::var_os("WORKERBEE_ALLOW_PLAINTEXT_SECRETS").is_some_and(|set| set == "1")
}

/// Looks for what is known in all that the gate has written.
pub(super) fn observe(session: &mut Session<'_>) -> Result<(), Failure> {
    if session.key.gate.profile().is_none() {
        return Ok(());
    }
    let redactor = session.store.redactor().clone();
    let root = session.store.root().to_owned();
    let folder = session.spec.folder();
    let triage = triage_folder(&folder);
    let own = |file: &PathBuf| file.starts_with(&folder) || file.starts_with(&triage) || session.record.owns(file);
    let scanned: Vec<PathBuf> = files(&root).into_iter().filter(own).collect();
    let left = |file: &PathBuf| {
        let bytes = crate::evidence::folder::read(&root, file).unwrap_or_default();
        redactor.scan_known(&bytes).into_iter().map(|place| Left { file: file.clone(), place }).collect::<Vec<_>>()
    };
    let left = scanned.iter().flat_map(left).collect();
    let plaintext = plaintext(session);
    session.observe("secrets", Ok(Observed { known: redactor.learned(), scanned, left, plaintext }))
}

/// `secrets::…`: what is red when a secret may have gone by unseen.
pub(super) fn checks() -> Vec<Check> {
    vec![
        observed(
            "secrets::known",
            "secrets",
            "the tokens of the profile in WorkerBee's record and the age identity of the project, each known as such",
            "WorkerBee keeps its secrets elsewhere now: name the place in harness/gates/secrets.rs",
            |seen: &Observed| {
                for (file, pointers) in SOURCES.into_iter().filter(|(file, _)| *file != IDENTITY || !seen.plaintext) {
                    missing(seen, file, pointers)?;
                }
                Ok(())
            },
        ),
        none_in_evidence(),
    ]
}

/// None is left, and whatever the record names as the gate's was looked through.
fn none_in_evidence() -> Check {
    let expected = "none of the known secrets in any file of the gate";
    let none = observed(
        "secrets::none-in-evidence",
        "secrets",
        expected,
        "give the run's folder to nobody; report the place, so that a rule covers it",
        |seen: &Observed| match (seen.scanned.len(), seen.left.first()) {
            (0, _) => Err("no file was scanned".into()),
            (_, None) => Ok(()),
            (_, Some(left)) => {
                let (file, place) = (left.file.display(), &left.place);
                Err(Mismatch::new(format!("a secret stands in {file} at {place}"), left))
            }
        },
    );
    Check::new("secrets::none-in-evidence", move |evidence| {
        none.judge(evidence)?;
        let (seen, file): (Observed, _) = evidence.observation(SECRETS)?;
        let record = &evidence.record;
        let calls = record.calls.values().flat_map(|call| std::iter::once(&call.file).chain(call.stderr.as_ref()));
        let looks = record.observations.iter().filter(|(name, _)| name.as_str() != SECRETS);
        let looks = looks.filter_map(|(_, look)| match look {
            Observation::Seen(file) => Some(file),
            Observation::Failed(_) => None,
        });
        let Some(missed) = calls.chain(looks).find(|file| !seen.scanned.contains(file)) else { return Ok(()) };
        Err(Failure::new(format!("{} was not looked through for secrets", missed.display()))
            .expected("every file of the gate's calls and looks among those that were looked through")
            .seen(format!("{} files, this one not among them", seen.scanned.len()))
            .evidence(file)
            .remedy("give the run's folder to nobody; report the file, so that it is looked through"))
    })
    .expecting(expected)
}

const SECRETS: &str = "secrets";

/// What the rules should have found in a file and did not.
fn missing(seen: &Observed, file: &str, pointers: &[&str]) -> Result<(), Mismatch> {
    let learned = seen.known.iter().find(|known| Path::new(&known.file) == Path::new(file));
    let Some(learned) = learned else { return Err(Mismatch::new(format!("{file} was not read"), &seen.known)) };
    let at = |pointer: &&&str| {
        let place = Place::Pointer((**pointer).to_owned());
        learned.secrets.iter().any(|secret| secret.place == place && secret.kind == Kind::Token)
    };
    if let Some(pointer) = pointers.iter().find(|pointer| !at(pointer)) {
        return Err(Mismatch::new(format!("{file} has no token at {pointer}"), learned));
    }
    if learned.secrets.is_empty() {
        return Err(Mismatch::new(format!("{file} was not there, or holds nothing that is secret"), learned));
    }
    Ok(())
}
