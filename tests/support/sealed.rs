//! A run's folder as gates and supervisor leave it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use k1s_profile_gates::evidence::{Redactor, Store};
use k1s_profile_gates::plan::{Gate, Profile, Transport};
use k1s_profile_gates::results::{self, Standing};
use k1s_profile_gates::signing::Signer;
use k1s_profile_gates::summary::{GateState, Stage};
use k1s_profile_gates::tree::{Identity, Origin};
use tempfile::TempDir;

use super::evidence_fixture::EvidenceFixture;

pub(crate) const STARTUP: Gate = Gate::Startup(Profile::HaMin);
/// The digest of a k1s.
pub(crate) const K1S: &str = "1212121212121212121212121212121212121212121212121212121212121212";
pub(crate) const WORKLOAD: Gate = Gate::Workload(Profile::HaMin);

/// A run's folder, in one of its own.
pub(crate) struct RunDir {
    folder: TempDir,
    states: Vec<GateState>,
    k1s: Option<Identity>,
}

impl RunDir {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("run")).unwrap();
        let run = Self { folder, states: Vec::new(), k1s: None };
        run.write("run.json", "{}\n");
        run.write("summary.txt", "started\n");
        run
    }

    /// A run of two gates that both ended well, sealed.
    pub(crate) fn honest() -> Self {
        Self::new()
            .with(EvidenceFixture::honest(Gate::Inventory))
            .with(EvidenceFixture::honest(STARTUP))
            .sealed(None, true)
    }

    /// Names the k1s that was tested.
    pub(crate) fn on_k1s(mut self) -> Self {
        self.k1s = Some(Identity {
            path: "/k1s".into(),
            origin: Origin::Released,
            commit: None,
            dirty: None,
            digest: K1S.to_owned(),
            files: 1,
            unused: Vec::new(),
        });
        self
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// A file beside the run's folder.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, file: &str, content: &str) {
        std::fs::write(self.path().join(file), content).unwrap();
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path().join(file)).unwrap()
    }

    /// A gate that ended.
    pub(crate) fn with(self, fixture: EvidenceFixture) -> Self {
        let folder = fixture.gate.slug();
        self.with_in(fixture, &folder)
    }

    pub(crate) fn with_in(self, fixture: EvidenceFixture, folder: &str) -> Self {
        let gate = fixture.gate;
        let attempt = fixture.record.key.attempt;
        fixture.leave_in(&self.path(), folder);
        if folder.ends_with(".conflict") { self } else { self.at(gate, attempt, Stage::Ended) }
    }

    /// A gate that came so far.
    pub(crate) fn at(mut self, gate: Gate, attempt: u32, state: Stage) -> Self {
        let gate_state =
            GateState { gate: gate.to_string(), transport: Transport::Cli, iteration: 1, attempt, state, part: 1 };
        self.states.push(gate_state);
        if state == Stage::Running {
            let folder = Path::new("gates").join(gate.slug());
            std::fs::create_dir_all(self.path().join(&folder)).unwrap();
            self.write(&folder.join("spec.json").display().to_string(), "{}");
        }
        self
    }

    pub(crate) fn sealed(self, signer: Option<&Signer>, over: bool) -> Self {
        let store = Store::open(&self.path(), Redactor::default()).unwrap();
        let standing = Standing { gates: self.states.clone(), k1s_root: self.k1s.clone(), resumed: Vec::new(), over };
        results::seal(&store, &standing, signer, &mut results::Memory::default()).unwrap();
        self
    }

    /// Calls the command on this folder.
    pub(crate) fn command(&self, subcommand: &str, arguments: &[&str]) -> Output {
        self.command_on(subcommand, &self.path(), arguments)
    }

    /// The same on something that was made of it.
    pub(crate) fn command_on(&self, subcommand: &str, of: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_k1s-gates"));
        command.current_dir(self.folder.path()).arg(subcommand).arg(of).args(arguments).output().unwrap()
    }
}
