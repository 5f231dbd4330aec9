//! A gate at work: what it has at hand, and the record that it fills.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::clock::Clock;
use crate::attest::containerd::Containerd;
use crate::attest::exit_watch::ExitWatch;
use crate::evidence::call::Call;
use crate::evidence::{
    Observation, Phase, Progress, Record, RedactionKey, Redactor, Store, StoreError, Triage, layout,
};
use crate::failure::{Failure, Kind};
use crate::lane::{Environment, Limits, MCP_HOST, MCP_PORT, Mode, Spec, StartToken, interventions};
use crate::plan::{GateKey, Transport};
use crate::workerbee::cli::Cli;
use crate::workerbee::mcp::Mcp;
use crate::workerbee::naming;

/// One gate while it runs.
pub(super) struct Session<'a> {
    pub(super) key: GateKey,
    pub(super) spec: &'a Spec,
    pub(super) record: Record,
    pub(super) store: Store,
    /// True when the project is this gate's own: false until it was observed not to exist yet.
    pub(super) owns_project: bool,
    /// The triage, once something went wrong.
    pub(super) triage: Option<Triage>,
    pub(super) environment: Option<Environment>,
    pub(super) mcp: Option<Mcp>,
    /// Follows the ends of the profile's components until the gate stops them.
    pub(super) exits: Option<ExitWatch>,
    /// The failure that made it useless to go on, when the gate went on to its end all the same.
    pub(super) cut: Option<Failure>,
    begin: Instant,
    clock: Clock,
}

impl<'a> Session<'a> {
    pub(super) fn open(key: GateKey, spec: &'a Spec, redaction: RedactionKey) -> Result<Self, Failure> {
        let store = Store::open(&spec.settings.run_dir, Redactor::keyed(redaction))
            .map_err(|error| unwritable(&error))?
            .logging_redactions(spec.folder().join(layout::REDACTIONS));
        let record = Record {
            key,
            transports: spec.settings.transports,
            part: spec.part,
            project: spec.project.clone(),
            started: jiff::Timestamp::now().to_string(),
            seconds: 0.0,
            calls: BTreeMap::new(),
            observations: BTreeMap::new(),
            phases: Vec::new(),
            probes: Vec::new(),
            conflict: None,
            rerun_of: spec.rerun_of.clone(),
            noticed: Vec::new(),
            project_kept: false,
            user: rustix::process::geteuid().as_raw(),
            failure: None,
            k1s_root: spec.k1s.clone(),
            versions: spec.versions.clone(),
            interventions: interventions(&spec.settings, spec.stack.as_ref()).into_iter().collect(),
        };
        Ok(Self {
            key,
            spec,
            record,
            store,
            owns_project: false,
            triage: None,
            environment: None,
            mcp: None,
            exits: None,
            cut: None,
            begin: Instant::now(),
            clock: Clock::start(),
        })
    }

    /// Writes the record: with it the gate is complete, whatever became of it.
    pub(super) fn close(mut self, failure: Option<Failure>) -> Result<(), Failure> {
        self.look_at_the_clock("its end");
        self.record.failure = failure;
        self.record.seconds = self.begin.elapsed().as_secs_f64();
        if let Some(environment) = self.environment.take().filter(|_| self.record.project_kept) {
            environment.stay();
        }
        let file = self.spec.folder().join(layout::RECORD);
        self.store.write_json(&file, &self.record).map_err(|error| unwritable(&error))?;
        let _ = std::fs::remove_file(self.store.root().join(self.progress_file()));
        Ok(())
    }

    /// For how long it has been at work.
    pub(super) fn age(&self) -> Duration {
        self.begin.elapsed()
    }

    fn progress_file(&self) -> PathBuf {
        self.spec.folder().join(layout::PROGRESS)
    }

    /// Says what the gate is doing now, to those who watch the run and to whom it leaves no record.
    pub(super) fn doing(&self, what: &str) {
        let progress = Progress {
            project: self.record.project.clone(),
            started: self.record.started.clone(),
            doing: what.to_owned(),
            since: self.begin.elapsed().as_secs_f64(),
            phases: self.record.phases.clone(),
        };
        // No evidence: a gate that cannot write says so with its first file that is.
        let _ = self.store.write_json(&self.progress_file(), &progress);
    }

    /// A project name that leaves a component without a DNS label fails only after minutes: refused at once.
    pub(super) fn refuse_unfit_names(&self) -> Result<(), Failure> {
        let Some(profile) = self.key.gate.profile() else { return Ok(()) };
        let (project, budget) = (&self.spec.project, naming::project_budget(profile));
        if project.len() <= budget {
            return Ok(());
        }
        Err(Failure::new(format!("the project name `{project}` is too long for {profile}"))
            .of(Kind::Host)
            .expected(format!(
                "at most {budget} characters: a component's container name is its DNS label, of 63 at most"
            ))
            .seen(format!("{} characters", project.len()))
            .remedy("set WB_PROJECT_BASE (WB_PROJECT, WB_SINGLE_PROJECT) to a shorter name, or leave it unset"))
    }

    pub(super) async fn prepare_environment(&mut self) -> Result<(), Failure> {
        let begin = Instant::now();
        self.doing("environment");
        let environment = Environment::prepare(self.spec).await;
        self.environment = Some(environment.map_err(|failure| self.take_over(failure))?);
        self.phase("environment", begin);
        Ok(())
    }

    /// Copies the evidence of a failed environment out of the lane, with which it would go.
    fn take_over(&self, mut failure: Failure) -> Failure {
        if let Some(bytes) = failure.evidence.as_ref().and_then(|file| std::fs::read(file).ok()) {
            let kept = self.store.write(&self.spec.folder().join(layout::ENVIRONMENT_LOG), &bytes);
            failure.evidence = kept.ok().or(failure.evidence);
        }
        failure
    }

    pub(super) fn environment(&self) -> Result<&Environment, Failure> {
        self.environment.as_ref().ok_or_else(|| {
            Failure::new("internal error: the environment was not prepared")
                .expected("a containerd and a WorkerBee")
                .seen("neither was prepared")
                .to_be_reported()
        })
    }

    pub(super) fn cli(&self) -> Result<Cli, Failure> {
        Ok(self.environment()?.cli(self.spec))
    }

    pub(super) fn limits(&self) -> Limits {
        self.spec.settings.limits
    }

    pub(super) async fn containerd(&self) -> Result<Containerd, Failure> {
        Containerd::connect(&self.environment()?.address).await
    }

    pub(super) fn answer(&self, call: &Call) -> Option<Value> {
        call.answer_in(self.store.root())
    }

    pub(super) fn keep_call(&mut self, label: &str, call: Call, begin: Instant) -> Value {
        let answer = if call.problem.is_none() { self.answer(&call) } else { None };
        self.record.calls.insert(label.to_owned(), call);
        self.phase(label, begin);
        answer.unwrap_or_default()
    }

    /// Calls `WorkerBee`'s command line, whichever way the gate asks: for what has to do with its daemon.
    pub(super) async fn call(
        &mut self,
        label: &str,
        file: &str,
        args: &[&str],
        limit: Duration,
    ) -> Result<Value, Failure> {
        let cli = self.cli()?;
        Ok(self.call_by(&cli, label, file, args, limit).await)
    }

    pub(super) async fn call_by(
        &mut self,
        cli: &Cli,
        label: &str,
        file: &str,
        args: &[&str],
        limit: Duration,
    ) -> Value {
        let begin = Instant::now();
        self.doing(label);
        let file = self.file(file);
        let call = cli.call_until(&self.store, &file, args, limit, self.end_of(label)).await;
        self.keep_call(label, call, begin)
    }

    /// A call that only asks.
    pub(super) async fn query(&mut self, label: &str, file: &str, args: &[&str]) -> Result<Value, Failure> {
        let limit = Duration::from_secs(self.limits().query);
        self.call(label, file, args, limit).await
    }

    /// The name of a file of this gate's own where the runbook, which runs once through, has one for all.
    pub(super) fn own(&self, file: &str) -> String {
        format!("{}-{file}", self.spec.project)
    }

    /// A retry's files, and those of another iteration, lie beside the first ones; MCP's beside those of the command line.
    pub(super) fn file(&self, name: &str) -> String {
        let way = (self.key.transport == Transport::Mcp).then(|| "mcp".to_owned());
        let folders: PathBuf = way.into_iter().chain(self.key.times()).collect();
        folders.join(name).display().to_string()
    }

    pub(super) fn phase(&mut self, name: &str, begin: Instant) {
        let at = begin.duration_since(self.begin).as_secs_f64();
        self.record.phases.push(Phase { name: name.to_owned(), at, seconds: begin.elapsed().as_secs_f64() });
        self.look_at_the_clock(name);
    }

    /// Notes how long a probe took, beside others.
    pub(super) fn took(&mut self, probe: &str, begin: Instant, took: Duration) {
        let at = begin.duration_since(self.begin).as_secs_f64();
        self.record.probes.push(Phase { name: probe.to_owned(), at, seconds: took.as_secs_f64() });
    }

    fn look_at_the_clock(&mut self, during: &str) {
        if let Some(set) = self.clock.was_set() {
            self.record.noticed.push(format!("{set} during `{during}`"));
        }
    }

    /// Keeps what the harness saw when it looked at `name`, or why it could not look: its check says so.
    pub(super) fn observe(&mut self, name: &str, seen: Result<impl serde::Serialize, Failure>) -> Result<(), Failure> {
        self.keep_observation(name, seen, |store, file, seen| store.write_json(file, &seen))
    }

    /// The same of one that is JSON already.
    pub(super) fn observe_json(&mut self, name: &str, seen: Result<Vec<u8>, Failure>) -> Result<(), Failure> {
        self.keep_observation(name, seen, |store, file, seen| store.write(file, &seen))
    }

    fn keep_observation<T>(
        &mut self,
        name: &str,
        seen: Result<T, Failure>,
        write: impl FnOnce(&Store, &Path, T) -> Result<PathBuf, StoreError>,
    ) -> Result<(), Failure> {
        let observation = match seen {
            Ok(seen) => {
                let file = self.spec.folder().join(layout::OBSERVATIONS).join(format!("{name}.json"));
                write(&self.store, &file, seen).map_err(|error| unwritable(&error))?;
                Observation::Seen(file)
            }
            Err(failure) => Observation::Failed(failure),
        };
        self.record.observations.insert(name.to_owned(), observation);
        Ok(())
    }

    /// Records a finding as evidence of its own.
    pub(super) fn keep(&self, file: &str, value: &impl serde::Serialize) -> Result<(), Failure> {
        self.store.write_json(Path::new(&self.file(file)), value).map(drop).map_err(|error| unwritable(&error))
    }

    /// The token under which profiles start one at a time: of the run in lanes, of the host otherwise.
    pub(super) async fn start_token(&mut self) -> Result<StartToken, Failure> {
        let begin = Instant::now();
        self.doing("waiting for the start token");
        let (of, token) = match &self.spec.settings.mode {
            Mode::Embedded => {
                let folder = self.spec.settings.run_dir.join(layout::GATES);
                (folder.display().to_string(), StartToken::of_folder(&folder).await)
            }
            Mode::External(_) => ("this host".to_owned(), StartToken::of_host().await),
        };
        let token = token.map_err(|error| {
            Failure::new(format!("the start token of {of} cannot be taken"))
                .expected("a folder that can be locked, or on your own host a socket with an abstract name")
                .seen(error.to_string())
                .remedy("see that the folder is there and may be read, and that sockets may be made")
        })?;
        self.phase("waited for the start token", begin);
        Ok(token)
    }

    /// Is true when other gates use the same ports.
    pub(super) fn shares_its_host(&self) -> bool {
        matches!(self.spec.settings.mode, Mode::External(_))
    }

    /// Host and port of `WorkerBee`'s daemon: the runbook's in a lane, which has its own.
    pub(super) fn mcp_address(&self) -> (String, String) {
        match &self.spec.settings.mode {
            Mode::Embedded => (MCP_HOST.to_owned(), MCP_PORT.to_string()),
            Mode::External(external) => (external.mcp_host.clone(), external.mcp_port.to_string()),
        }
    }

    /// The project's folder in the state root.
    pub(super) fn project_folder(&self) -> Result<PathBuf, Failure> {
        Ok(self.environment()?.state_root.join("projects").join(&self.spec.project))
    }
}

fn unwritable(error: &StoreError) -> Failure {
    Failure::new(format!("evidence cannot be kept: {error}"))
        .of(Kind::Host)
        .expected("a RUN_DIR that can be written to")
        .seen(error.to_string())
        .remedy("free some room, or set RUN_DIR to another folder")
}
