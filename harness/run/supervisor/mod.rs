//! The supervisor of a run: starts each gate that is asked for once, as many side by side as the machine carries.

mod process;
pub(super) mod serve;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Notify, OnceCell, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::captures;
use super::inputs::Inputs;
use super::previous::PreviousRun;
use super::protocol::Answer;
use super::queue::Queue;
use crate::evidence::layout::{GATES, INDEX, INPUTS, REDACTIONS, SET_ASIDE, gate_folder, triage_folder};
use crate::evidence::{Evidence, RedactionKey, Store, StoreError};
use crate::failure::Failure;
use crate::lane::{Mode, Prepared, Settings};
use crate::ledger::Ledger;
use crate::plan::{Gate, GateKey, Transport};
use crate::report;
use crate::results::{self, Standing};
use crate::signing::Signer;
use crate::summary::{GateState, GateSummary, Part, Stage, Summary};

struct Supervisor {
    settings: Settings,
    redaction: RedactionKey,
    store: Store,
    ledger: Ledger,
    /// Stack, or why there is none. Made once, by the first gate that needs it.
    prepared_once: OnceCell<Result<Prepared, Failure>>,
    queue: Queue,
    gates: Mutex<BTreeMap<GateKey, watch::Receiver<Option<Answer>>>>,
    running: Mutex<JoinSet<()>>,
    summary: Mutex<Summary>,
    /// Something is to be published.
    news: Notify,
    /// The followers of the gates' output that still write.
    logs: watch::Sender<()>,
    states: Mutex<BTreeMap<GateKey, GateState>>,
    /// What the seals have read of the run's folder.
    memory: Mutex<results::Memory>,
    /// The number of projects that each gate has had.
    projects: std::sync::Mutex<BTreeMap<(Gate, Transport), u32>>,
    /// The number of this part of the run, from 1.
    part: usize,
    /// The times at which the run was resumed.
    resumed: Vec<String>,
    /// Set when it is written down what the run stands on.
    inputs: OnceCell<()>,
    /// The user's key, when the results are to be signed.
    signer: Option<Signer>,
}

/// How long news may wait for more of them.
const NEWS: Duration = Duration::from_secs(1);
/// How much longer the harness waits before it publishes news than that took it the last time beyond [`NEWS`].
const SHARE: u32 = 50;
/// How long the last lines of gates that were cut off may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Supervisor {
    /// That of a new run, or of an previous one that is resumed.
    fn new(
        settings: Settings,
        store: Store,
        redaction: RedactionKey,
        ledger: Ledger,
        signer: Option<Signer>,
        previous: Option<&PreviousRun>,
        owner: i32,
    ) -> Self {
        let lanes = match settings.mode {
            Mode::Embedded => settings.lanes,
            // One host, one set of ports: WorkerBee picks free ones by looking, and two starts pick the same.
            Mode::External(_) => 1,
        };
        let part = Part::of_this_process(owner, &settings.base);
        let kept: BTreeMap<GateKey, PathBuf> = previous.iter().flat_map(|previous| previous.kept()).collect();
        let summary = match previous {
            Some(previous) => previous.summary.clone().resumed(&settings, lanes, part, &kept.keys().copied().collect()),
            None => Summary::new(&settings, lanes, part),
        };
        let answered = |(key, file): (&GateKey, &PathBuf)| {
            let record = Answer::Record { run_dir: settings.run_dir.clone(), file: settings.run_dir.join(file) };
            (*key, watch::channel(Some(record)).1)
        };
        let runs_of = |key: GateKey| ((key.gate, key.transport), summary.runs_of(key.gate, key.transport));
        Self {
            gates: Mutex::new(kept.iter().map(answered).collect()),
            states: Mutex::new(summary.states().into_iter().filter(|(key, _)| kept.contains_key(key)).collect()),
            memory: Mutex::default(),
            projects: std::sync::Mutex::new(settings.keys().map(runs_of).collect()),
            inputs: OnceCell::new(),
            prepared_once: OnceCell::new(),
            part: summary.part(),
            resumed: summary.parts[1..].iter().map(|part| part.started.to_string()).collect(),
            settings,
            redaction,
            store,
            ledger,
            queue: Queue::new(lanes),
            running: Mutex::default(),
            summary: Mutex::new(summary),
            news: Notify::new(),
            logs: watch::Sender::new(()),
            signer,
        }
    }

    /// Makes the folder ready: what it keeps is sealed before anything in it is moved, so that a resume that is cut short
    /// can be resumed itself.
    async fn begin(&self, previous: Option<(PreviousRun, Prepared)>) -> std::io::Result<()> {
        let run_dir = &self.settings.run_dir;
        // By now it holds nothing but a run, or nothing at all.
        self.store.folder().make_private()?;
        if let Some((previous, prepared)) = previous {
            self.store.remove_unfinished();
            self.store.remember(previous.redactions(run_dir));
            let _ = self.seal(None, false).await;
            let _ = self.publish(&*self.summary.lock().await);
            previous.set_aside(&self.store)?;
            let _ = self.prepared_once.set(Ok(prepared));
            if run_dir.join(INPUTS).exists() {
                let _ = self.inputs.set(());
            }
            // Gates that are still to come are in the seal too: the run is not complete without them.
            let waiting = self.summary.lock().await.states();
            let mut states = self.states.lock().await;
            for (key, state) in waiting {
                states.entry(key).or_insert(state);
            }
        }
        let _ = self.publish(&*self.summary.lock().await);
        self.store.folder().make_inside(Path::new(GATES))
    }

    /// Ends what still runs, and seals what there is.
    async fn end(&self, mut answers: JoinSet<()>, news: JoinHandle<()>) {
        // With the gates' tasks their processes are dropped, which kills them, and their lifelines, which ends the lanes.
        self.running.lock().await.shutdown().await;
        answers.shutdown().await;
        news.abort();
        {
            let mut summary = self.summary.lock().await;
            summary.over();
            let _ = self.publish(&summary);
        }
        self.ledger.close().await;
        // What a gate's process said at its end is written by then, unless something that it started holds its output open.
        let _ = tokio::time::timeout(LAST_WORDS, self.logs.closed()).await;
        self.store.remove_unfinished();
        let _ = self.seal(None, true).await;
    }

    /// Returns the parts that the run's gates need, or why there are none. Prepared once, by the first gate that needs
    /// them.
    async fn prepared(&self) -> Result<Prepared, Failure> {
        self.prepared_once.get_or_init(|| Prepared::by(&self.settings, Some(&self.store))).await.clone()
    }

    /// Writes down what the run stands on: as it is when the first gate begins, and before one has ended, which could not be
    /// resumed without.
    async fn note_inputs(&self) {
        let Ok(prepared) = self.prepared().await else { return };
        let write = async {
            let settings = self.settings.clone();
            if let Ok(inputs) = blocking(move || Inputs::of(&settings, &prepared)).await {
                // As with the summary: a folder that cannot be written to is told of by the gates.
                let _ = self.store.write_json(Path::new(INPUTS), &inputs);
            }
        };
        self.inputs.get_or_init(|| write).await;
    }

    /// The gate's answer to come; asked for the first time, the gate is started.
    async fn gate(self: &Arc<Self>, key: GateKey) -> watch::Receiver<Option<Answer>> {
        let mut gates = self.gates.lock().await;
        if let Some(running) = gates.get(&key) {
            return running.clone();
        }
        let (sender, receiver) = watch::channel(None);
        gates.insert(key, receiver.clone());
        let project = self.next_project(key);
        self.summary.lock().await.asked(key, project);
        self.news.notify_one();
        let _ = self.seal(Some((key, Stage::Waiting)), false).await;
        let supervisor = Arc::clone(self);
        self.running.lock().await.spawn(async move {
            let answer = supervisor.turn(key).await;
            sender.send_replace(Some(answer));
        });
        receiver
    }

    /// Waits for the gate's turn and runs it.
    async fn turn(&self, key: GateKey) -> Answer {
        let _turn = self.queue.turn(key).await;
        self.summary.lock().await.began(key);
        let begin = Instant::now();
        self.news.notify_one();
        let _ = self.seal(Some((key, Stage::Running)), false).await;
        let project = self.summary.lock().await.project(key).unwrap_or_else(|| self.next_project(key));
        if key.gate == Gate::Inventory {
            // It compares the k1s root with what is written down of it.
            self.note_inputs().await;
        }
        let (mut result, ()) = tokio::join!(self.run(key, project, None), self.note_inputs());
        if let Some(kept) = result.as_ref().ok().and_then(|file| self.set_conflict_aside(file)) {
            result = self.run(key, self.next_project(key), Some(kept)).await;
        }
        let published = {
            let mut summary = self.summary.lock().await;
            summary.ended(key, begin.elapsed(), result.as_deref());
            captures::take(&self.store, &gate_folder(key), &summary.project(key).unwrap_or_default());
            summary.gate(key).into_iter().for_each(|gate| self.lead_the_triage(gate));
            self.publish(&summary)
        };
        let state = if result.is_ok() { Stage::Ended } else { Stage::Failed };
        let sealed = self.seal(Some((key, state)), false).await;
        match (result, published.and(sealed)) {
            // What nobody has vouched for is no evidence: told now, while somebody waits for it.
            (Ok(_), Err(error)) => Answer::Failed(unrecorded(key, &error)),
            (Ok(file), Ok(())) => Answer::Record { run_dir: self.settings.run_dir.clone(), file },
            (Err(failure), _) => Answer::Failed(failure),
        }
    }

    /// Puts what broke the gate before all else that its triage tells to those who read it.
    fn lead_the_triage(&self, gate: &GateSummary) {
        let file = triage_folder(&gate.folder).join(INDEX).with_extension("txt");
        let Ok(index) = std::fs::read_to_string(self.settings.run_dir.join(&file)) else { return };
        if gate.diagnosis.causes.is_empty() {
            return;
        }
        if let Some(diagnosis) = self.store.redactor().value(&gate.diagnosis) {
            // As with the summary: a folder that cannot be written to is told of by the gates.
            let _ = self.store.write_clean(&file, format!("{diagnosis}\n{index}").as_bytes());
        }
    }

    /// Writes down what is known of the run. Its trials see the end of their gate only after that.
    fn publish(&self, summary: &Summary) -> Result<(), StoreError> {
        let written = summary.write(&self.store);
        // The page is made of evidence that is there, and can be made again.
        let _ = report::write(&self.store, &self.settings.run_dir);
        written
    }

    /// Publishes news that nobody waits for, a moment later: they come many at once.
    async fn publish_news(&self) {
        let mut pause = NEWS;
        loop {
            self.news.notified().await;
            tokio::time::sleep(pause).await;
            let begin = Instant::now();
            let _ = self.publish(&*self.summary.lock().await);
            let _ = self.seal(None, false).await;
            // The longer a run, the more there is to write.
            pause = NEWS.max(SHARE * begin.elapsed().saturating_sub(NEWS));
        }
    }

    /// Writes manifest and statement: after all files, each time that a gate has come further, so that a killed run has
    /// them too.
    async fn seal(&self, step: Option<(GateKey, Stage)>, over: bool) -> Result<(), StoreError> {
        let mut states = self.states.lock().await;
        states.extend(step.map(|(key, state)| {
            let name = self.settings.transports.name(key.gate, key.transport);
            (key, GateState::new(name, key, state, self.part))
        }));
        let standing = Standing {
            gates: states.values().cloned().collect(),
            k1s_root: self
                .prepared_once
                .get()
                .and_then(|found| found.as_ref().ok())
                .map(|prepared| prepared.k1s.clone()),
            resumed: self.resumed.clone(),
            over,
        };
        let redactions = self.store.redactions().with_gates(&self.settings.run_dir);
        self.store.write_json(Path::new(REDACTIONS), &redactions)?;
        results::seal(&self.store, &standing, self.signer.as_ref(), &mut *self.memory.lock().await)
    }

    /// A gate that ended in a conflict is run once more, in a fresh project: the runbook's advice. Both runs' evidence
    /// stays.
    fn set_conflict_aside(&self, file: &Path) -> Option<PathBuf> {
        Evidence::load(&self.settings.run_dir, file).ok()?.record.conflict?;
        let folder = file.parent()?.strip_prefix(&self.settings.run_dir).ok()?;
        // Not in place of an extension: that of a retry's folder is its attempt.
        let name = folder.file_name()?.to_str()?;
        let kept = folder.with_file_name(format!("{name}.{SET_ASIDE}"));
        self.store.folder().rename(folder, &kept).ok()?;
        let _ = self.store.folder().rename(&triage_folder(folder), &triage_folder(&kept));
        Some(self.settings.run_dir.join(kept))
    }

    /// The project of the gate's next run: each has one of its own.
    fn next_project(&self, key: GateKey) -> String {
        // Nothing in here can panic half-way.
        let mut projects = self.projects.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let nth = projects.entry((key.gate, key.transport)).or_default();
        *nth += 1;
        self.settings.project(key.gate, key.transport, *nth)
    }
}

/// A gate whose end could not be written down: a resume runs it anew.
fn unrecorded(key: GateKey, error: &StoreError) -> Failure {
    Failure::new(format!("the end of {} could not be recorded: {error}", key.gate))
        .expected("room in RUN_DIR, and the right to write there, until the run is over")
        .seen(error.to_string())
        .remedy("free some room, or see why the folder is read-only; then resume the run: make resume")
}

/// Runs what reads many files beside the tasks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| {
        Failure::new(format!("the run's folder could not be read: {error}"))
            .expected("an answer, whatever is in it")
            .seen(error.to_string())
            .to_be_reported()
    })
}
