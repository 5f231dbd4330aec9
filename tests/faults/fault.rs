//! One fault: a file of `rows/<area>/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use k1s_profile_gates::plan::{Gate, Transport};
use serde::Deserialize;

use crate::support::outcome::{MAY, Outcome};

/// Below the k1s root: where its package is.
const PACKAGE: &str = "src/ae";

/// A fault, as its file describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// `<area>/<name>`: where its file is.
    #[serde(skip)]
    pub(crate) name: String,
    /// The mistake of a developer.
    pub(crate) mistake: String,
    /// The kind of thing that goes wrong because of it.
    pub(crate) kind: Kind,
    /// The gate that must catch it.
    gate: String,
    /// Below `src/ae`.
    file: PathBuf,
    /// A part of the file as it is, found exactly once.
    is: String,
    /// The same as it becomes.
    becomes: String,
    /// Words of which each must be in the first two lines that are told of the run.
    #[serde(default)]
    diagnosis: Vec<String>,
    /// The checks that go red, and words that the message of each has. One whose name begins with `?` may, and need not.
    #[serde(default)]
    pub(crate) red: BTreeMap<String, String>,
    /// True when what the row names is expected, and was not observed yet: its gate has still to be run.
    #[serde(default)]
    pub(crate) to_be_run: bool,
    /// The reason why nothing detects it yet, though something could: then all is green.
    pub(crate) slips: Option<String>,
    /// The reason why no gate can detect it: then all is green.
    pub(crate) out_of_reach: Option<String>,
}

/// The kind of thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Time,
    Leadership,
    Loop,
    Refusal,
    Readiness,
    Life,
    Confinement,
    Content,
    State,
    Services,
    Ingress,
    Secrets,
    Export,
    Startup,
    Streams,
}

/// All faults, in the order of their names.
pub(crate) fn all() -> Result<Vec<Fault>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/rows");
    let entries = walkdir::WalkDir::new(&folder).sort_by_file_name().into_iter();
    let files = entries.filter(|entry| entry.as_ref().map_or(true, |entry| entry.file_type().is_file()));
    files
        .map(|entry| {
            let file = entry.map_err(|error| error.to_string())?.into_path();
            read(&folder, &file).map_err(|error| format!("{}: {error}", file.display()))
        })
        .collect()
}

fn read(folder: &Path, file: &Path) -> Result<Fault, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let fault: Fault = toml::from_str(&text).map_err(|error| error.to_string())?;
    let name = file.strip_prefix(folder).unwrap_or(file).with_extension("");
    Ok(Fault { name: name.display().to_string(), ..fault })
}

impl Fault {
    /// The name of its trial, to filter by gate, area and name.
    pub(crate) fn trial(&self) -> String {
        format!("{}::{}", self.gate, self.name.replace('/', "::"))
    }

    /// Its gate; `defects` says when there is none of that name.
    pub(crate) fn gate(&self) -> Gate {
        self.known_gate().unwrap()
    }

    fn known_gate(&self) -> Option<Gate> {
        Gate::ALL.into_iter().find(|gate| gate.to_string() == self.gate)
    }

    /// Lists what is wrong with the row itself.
    pub(crate) fn defects(&self) -> Vec<String> {
        let name = &self.name;
        let Some(gate) = self.known_gate() else { return vec![format!("{name}: no gate `{}`", self.gate)] };
        let checks = k1s_profile_gates::checks_of(gate, Transport::Cli);
        let known: BTreeSet<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        let plain = |check: &str| check.strip_prefix(MAY).unwrap_or(check).to_owned();
        let unknown = self.red.keys().map(|check| plain(check)).filter(|check| !known.contains(check.as_str()));
        let mut defects: Vec<String> = unknown.map(|check| format!("{name}: {gate} has no check `{check}`")).collect();
        defects.extend(
            self.red
                .iter()
                .filter(|(_, says)| says.is_empty())
                .map(|(check, _)| format!("{name}: {check} says nothing")),
        );
        let said = [!self.red.is_empty(), self.slips.is_some(), self.out_of_reach.is_some()];
        if said.into_iter().filter(|said| *said).count() != 1 {
            defects.push(format!("{name}: names the checks that go red, or why it slips through or is out of reach"));
        }
        defects
    }

    /// The text of its file once it is planted. A fault that does not apply any more is an error: it would prove nothing.
    pub(crate) fn changed(&self, k1s_root: &Path) -> Result<String, String> {
        let file = self.place(k1s_root);
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("{} does not apply any more: {}: {error}", self.name, file.display()))?;
        match text.matches(&self.is).count() {
            1 => Ok(text.replacen(&self.is, &self.becomes, 1)),
            count => Err(format!(
                "{} does not apply any more: {} has {count} times, instead of once:\n{}",
                self.name,
                file.display(),
                self.is
            )),
        }
    }

    /// The file that it changes.
    pub(crate) fn place(&self, k1s_root: &Path) -> PathBuf {
        k1s_root.join(PACKAGE).join(&self.file)
    }

    /// The words that are missing in the two lines that a person sees first.
    pub(crate) fn untold(&self, outcome: &Outcome) -> Vec<String> {
        let summary = outcome.told.get("summary.txt").map(String::as_str).unwrap_or_default();
        let first = summary.lines().take(2).collect::<Vec<_>>().join("\n");
        println!("{}: {first}", self.name);
        let untold = self.diagnosis.iter().filter(|word| !first.contains(word.as_str()));
        untold.map(|word| format!("not told at once: `{word}`, but:\n{first}")).collect()
    }
}
