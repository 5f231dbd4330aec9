//! A run's folder as a run leaves it, made through the library's own types.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k1s_profile_gates::Failure;
use k1s_profile_gates::evidence::call::Call;
use k1s_profile_gates::evidence::{Observation, Phase, Progress, Reading, Record};
use k1s_profile_gates::lane::Mode;
use k1s_profile_gates::plan::{Gate, GateKey, Transport, Transports};
use k1s_profile_gates::summary::{GateSummary, Outcome, Summary, Verdict};
use tempfile::TempDir;

const STARTED: &str = "2026-01-01T00:00:00Z";

/// A run's folder and what its `run.json` will say.
pub(crate) struct RunDir {
    folder: TempDir,
    pub(crate) summary: Summary,
}

impl RunDir {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let summary = Summary {
            harness: env!("CARGO_PKG_VERSION").into(),
            run_dir: folder.path().to_owned(),
            started: STARTED.parse().unwrap(),
            ended: Some(later(100)),
            project_base: "demo".into(),
            mode: Mode::Embedded,
            transports: Transports::Cli,
            lanes: 2,
            fails_flaky: false,
            k1s_root: None,
            shard: None,
            chosen: None,
            versions: BTreeMap::from([("WorkerBee".into(), "0.1.7".into())]),
            interventions: BTreeMap::from([("images".into(), "are imported".into())]),
            environment: BTreeMap::from([("kernel".into(), "Linux 6.1".into())]),
            parts: Vec::new(),
            gates: BTreeMap::new(),
        };
        Self { folder, summary }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let file = self.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }

    /// A gate that has ended, with one answer (`<slug>.json`) and one sight, and one check that has read the answer.
    pub(crate) fn gate(&mut self, gate: Gate, answer: impl AsRef<[u8]>) -> &mut GateSummary {
        let answer_file = PathBuf::from(format!("{}.json", gate.slug()));
        let folder = PathBuf::from("gates").join(gate.slug());
        let sight = folder.join("seen/names.json");
        let call = Call {
            transport: Transport::Cli,
            command: vec!["workerbee".into(), "validate".into()],
            file: answer_file.clone(),
            base: String::new(),
            stderr: None,
            exit: Some(0),
            seconds: 3.0,
            problem: None,
        };
        let record = Record {
            key: GateKey::first(gate, Transport::Cli),
            transports: Transports::Cli,
            part: 1,
            project: "demo".into(),
            started: later(1).to_string(),
            seconds: 10.0,
            calls: BTreeMap::from([("validate".to_owned(), call)]),
            observations: BTreeMap::from([("names".to_owned(), Observation::Seen(sight.clone()))]),
            probes: Vec::new(),
            phases: vec![
                Phase { name: "environment".into(), at: 0.0, seconds: 1.0 },
                Phase { name: "validate".into(), at: 2.0, seconds: 8.0 },
            ],
            conflict: None,
            k1s_root: None,
            rerun_of: None,
            noticed: Vec::new(),
            project_kept: false,
            user: 0,
            failure: None,
            versions: self.summary.versions.clone(),
            interventions: self.summary.interventions.clone(),
        };
        self.file(&answer_file.display().to_string(), answer);
        self.file(&sight.display().to_string(), r#"{"names": ["a"]}"#);
        self.file(&folder.join("record.json").display().to_string(), serde_json::to_vec(&record).unwrap());
        let summary = GateSummary {
            key: GateKey::first(gate, Transport::Cli),
            part: 1,
            folder,
            project: "demo".into(),
            runs: 1,
            asked: later(0),
            began: Some(later(1)),
            ended: Some(later(11)),
            seconds: 10.0,
            checks: vec![Verdict {
                check: "ok".into(),
                expected: "\"ok\": true".into(),
                outcome: Outcome::Passed,
                fault: None,
                read: vec![Reading { file: answer_file, pointer: String::new() }],
            }],
            failure: None,
            diagnosis: k1s_profile_gates::diagnosis::Diagnosis::default(),
            flaky: None,
            again: None,
            project_kept: false,
            bill: None,
        };
        self.summary.gates.entry(gate.to_string()).or_insert(summary)
    }

    /// A gate that has not ended: waiting, or at something.
    pub(crate) fn open(&mut self, gate: Gate, doing: Option<&str>) -> &mut GateSummary {
        self.gate(gate, "{}");
        let folder = PathBuf::from("gates").join(gate.slug());
        std::fs::remove_file(self.path().join(&folder).join("record.json")).unwrap();
        if let Some(doing) = doing {
            let progress = Progress {
                project: "demo".into(),
                started: later(1).to_string(),
                doing: doing.into(),
                since: 4.0,
                phases: Vec::new(),
            };
            self.file(&folder.join("progress.json").display().to_string(), serde_json::to_vec(&progress).unwrap());
        }
        let summary = self.summary.gates.get_mut(&gate.to_string()).unwrap();
        summary.ended = None;
        summary.checks.clear();
        if doing.is_none() {
            summary.began = None;
        }
        summary
    }

    /// Writes `run.json` and returns the folder.
    pub(crate) fn write(&self) -> &Path {
        self.file("run.json", serde_json::to_vec(&self.summary).unwrap());
        self.path()
    }
}

/// A check that failed, on evidence of the run.
pub(crate) fn red(check: &str, what: &str, evidence: impl AsRef<Path>) -> Verdict {
    let failure = Failure::new(what).expected("green").seen("red").remedy("look again").evidence(evidence);
    Verdict {
        check: check.into(),
        expected: String::new(),
        outcome: Outcome::Failed(failure),
        fault: None,
        read: Vec::new(),
    }
}

pub(crate) fn later(seconds: i64) -> jiff::Timestamp {
    STARTED.parse::<jiff::Timestamp>().unwrap() + jiff::SignedDuration::from_secs(seconds)
}
