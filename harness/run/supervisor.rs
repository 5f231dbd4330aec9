//! The supervisor of a run: starts each gate that is asked for once, as many side by side as the machine carries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, Notify, OnceCell, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::alive::Alive;
use super::earlier::{self, Earlier};
use super::inputs::{INPUTS, Inputs};
use super::launch;
use super::part::Part;
use super::prepared::Prepared;
use super::protocol::{Answer, GateKey, Request};
use super::queue::Queue;
use super::settings::{Limits, Mode, Settings};
use super::spec::{SET_ASIDE, Spec, Work, gate_folder};
use super::summary::Summary;
use crate::evidence::{Evidence, REDACTIONS, RedactionKey, Redactor, Store, triage_folder};
use crate::failure::Failure;
use crate::ledger::Ledger;
use crate::plan::{Gate, Transport};
use crate::report;
use crate::results::{self, GateState, Signer, Standing, State};

struct Supervisor {
    settings: Settings,
    redaction: RedactionKey,
    store: Store,
    ledger: Ledger,
    /// Stack, or why there is none. Made once, by the first gate that needs it.
    ground: OnceCell<Result<Prepared, Failure>>,
    queue: Queue,
    gates: Mutex<BTreeMap<GateKey, watch::Receiver<Option<Answer>>>>,
    running: Mutex<JoinSet<()>>,
    summary: Mutex<Summary>,
    /// Something is to be published.
    news: Notify,
    /// The followers of the gates' output that still write.
    logs: watch::Sender<()>,
    states: Mutex<BTreeMap<GateKey, GateState>>,
    /// How many projects each gate has had.
    projects: std::sync::Mutex<BTreeMap<(Gate, Transport), u32>>,
    /// The number of this part of the run, from 1.
    part: usize,
    /// When the run was resumed, each time.
    resumed: Vec<String>,
    /// Set when it is written down what the run stands on.
    inputs: OnceCell<()>,
    /// The user's key, when the results are to be signed.
    signer: Option<Signer>,
}

/// How often to look whether a lane stays.
const LOOK: Duration = Duration::from_millis(250);

/// How long news may wait for more of them.
const NEWS: Duration = Duration::from_secs(1);
/// How long the last words of gates that were cut off may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves until the run's owner is gone.
pub(super) fn main(settings: &Path) -> ExitCode {
    let mut rest = std::env::args_os().skip(3);
    let (Some(socket), Some(owner)) = (rest.next(), rest.next()) else { return ExitCode::FAILURE };
    let socket = PathBuf::from(socket);
    let owner = owner.to_str().and_then(|owner| owner.parse().ok()).and_then(Pid::from_raw);
    let served = || -> std::io::Result<()> {
        let settings_read: Settings = serde_json::from_slice(&std::fs::read(settings)?)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let result = runtime.block_on(serve(settings_read, &socket, owner));
        // Children are killed when they are dropped; nothing else is worth waiting for.
        runtime.shutdown_timeout(Duration::from_secs(5));
        result
    };
    let result = served();
    super::key::remove(&socket);
    if let Err(error) = &result {
        // Nobody reads this process's standard error: the trial that started it looks here.
        let _ = std::fs::write(socket.with_extension("error"), error.to_string());
    }
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn serve(settings: Settings, socket: &Path, owner: Option<Pid>) -> std::io::Result<()> {
    let owner = owner.ok_or_else(|| std::io::Error::other("no owner"))?;
    let mut owner_ended = end_of(pidfd_open(owner, PidfdFlags::empty())?);
    let redaction = RedactionKey::random()?;
    let store = Store::open(&settings.run_dir, Redactor::keyed(redaction.clone())).map_err(std::io::Error::other)?;
    let listener = UnixListener::bind(socket)?;
    let ledger = Ledger::open()
        .map_err(|error| std::io::Error::other(format!("the ledger in the state folder cannot be kept: {error}")))?;
    let signer = settings.signing_key_file.as_deref().map(Signer::read).transpose().map_err(std::io::Error::other)?;
    let mut ended_by_signal = end_by_signal()?;
    let alive = Alive::hold(&settings.run_dir)?;
    // What cannot be removed stays in the ledger, for `k1s-gates sweep` to say.
    drop(crate::ledger::sweep().await);
    let examined = async {
        match &alive {
            Some(_) => examine(&settings, signer.as_ref()).await,
            None => Err(earlier::in_use(&settings.run_dir)),
        }
    };
    let examined = tokio::select! {
        examined = examined => examined,
        _ = &mut owner_ended => return Ok(()),
        _ = ended_by_signal.join_next() => return Ok(()),
    };
    let earlier = match examined {
        Ok(earlier) => earlier,
        Err(failure) => {
            tokio::select! {
                refused = refuse(&listener, failure) => refused?,
                _ = owner_ended => {}
                _ = ended_by_signal.join_next() => {}
            }
            return Ok(());
        }
    };
    if matches!(settings.mode, Mode::External(_)) {
        launch::reaper()?;
    }
    let lanes = match settings.mode {
        Mode::Embedded => settings.lanes,
        // One host, one set of ports: WorkerBee picks free ones by looking, and two starts pick the same.
        Mode::External(_) => 1,
    };
    let part = Part::of_this_process(owner.as_raw_nonzero().get(), &settings.base);
    let kept: BTreeMap<GateKey, PathBuf> = earlier.iter().flat_map(|(earlier, _)| earlier.kept()).collect();
    let summary = match &earlier {
        Some((earlier, _)) => earlier.summary.clone().resumed(&settings, lanes, part, &kept.keys().copied().collect()),
        None => Summary::new(&settings, lanes, part),
    };
    let known = summary.parts[1..].iter().map(|part| part.started.to_string()).collect();
    let answered = |(key, file): (&GateKey, &PathBuf)| {
        let record = Answer::Record { run_dir: settings.run_dir.clone(), file: settings.run_dir.join(file) };
        (*key, watch::channel(Some(record)).1)
    };
    let supervisor = Arc::new(Supervisor {
        gates: Mutex::new(kept.iter().map(answered).collect()),
        states: Mutex::new(summary.states().into_iter().filter(|(key, _)| kept.contains_key(key)).collect()),
        projects: std::sync::Mutex::new(
            settings.keys().map(|key| ((key.gate, key.transport), summary.runs_of(key.gate, key.transport))).collect(),
        ),
        inputs: OnceCell::new(),
        ground: OnceCell::new(),
        part: summary.part(),
        resumed: known,
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
    });
    supervisor.begin(earlier).await?;
    let published = Arc::clone(&supervisor);
    let news = tokio::spawn(async move { published.publish_news().await });
    let mut answers = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut owner_ended => break,
            _ = ended_by_signal.join_next() => break,
            Some(_) = answers.join_next() => {}
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                answers.spawn(Arc::clone(&supervisor).answer(stream));
            }
        }
    }
    supervisor.end(answers, news).await;
    Ok(())
}

/// What the run's folder holds, and what this run would stand on. Nothing is written.
async fn examine(settings: &Settings, signer: Option<&Signer>) -> Result<Option<(Earlier, Prepared)>, Failure> {
    let (run_dir, key) = (settings.run_dir.clone(), signer.map(Signer::public));
    let Some(earlier) = blocking(move || Earlier::look(&run_dir, key.as_ref())).await?? else { return Ok(None) };
    // Before the stack is looked for, which another mode may not need.
    earlier.refuse_changes(&settings.run_dir, &Inputs::of_settings(settings))?;
    let prepared = Prepared::by(settings, None).await?;
    let (of, on) = (settings.clone(), prepared.clone());
    let inputs = blocking(move || Inputs::of(&of, &on)).await?;
    earlier.refuse_changes(&settings.run_dir, &inputs)?;
    Ok(Some((earlier, prepared)))
}

/// Runs what reads many files beside the tasks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| Failure::new(format!("the run's folder could not be read: {error}")).remedy("report this"))
}

/// Tells each trial why there is no run. Nothing of the run's folder is touched.
async fn refuse(listener: &UnixListener, failure: Failure) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let failure = failure.clone();
        tokio::spawn(async move {
            let (reader, mut writer) = stream.into_split();
            let mut line = String::new();
            // What is asked makes no difference.
            if BufReader::new(reader).read_line(&mut line).await.is_ok() {
                reply(&mut writer, &Answer::Failed(failure)).await;
            }
        });
    }
}

async fn reply(writer: &mut tokio::net::unix::OwnedWriteHalf, answer: &Answer) {
    if let Ok(mut bytes) = serde_json::to_vec(answer) {
        bytes.push(b'\n');
        let _ = writer.write_all(&bytes).await;
    }
}

/// Signals that ask for an end: it is put in order, whichever it is.
fn end_by_signal() -> std::io::Result<JoinSet<()>> {
    let mut signals = JoinSet::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let mut asked = signal(kind)?;
        signals.spawn(async move { asked.recv().await.unwrap_or_default() });
    }
    Ok(signals)
}

/// The end of a process. A pidfd becomes readable then: no polling, and no other process by a reused number.
fn end_of(process: OwnedFd) -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        wait_for_end_of(&process);
        let _ = sender.send(());
    });
    receiver
}

pub(super) fn wait_for_end_of(process: &OwnedFd) {
    while poll(&mut [PollFd::new(process, PollFlags::IN)], None) == Err(Errno::INTR) {}
}

impl Supervisor {
    async fn answer(self: Arc<Self>, stream: UnixStream) {
        let (reader, mut writer) = stream.into_split();
        let mut line = String::new();
        if BufReader::new(reader).read_line(&mut line).await.is_err() {
            return;
        }
        let answer = match serde_json::from_str(&line) {
            Ok(Request::Gate(key)) => match self.gate(key).await.wait_for(Option::is_some).await {
                Ok(answer) => answer.clone(),
                Err(_) => None,
            },
            Ok(Request::Verdict(key, verdict)) => {
                if self.summary.lock().await.told(key, *verdict) {
                    self.news.notify_one();
                }
                Some(Answer::Noted)
            }
            Err(_) => return,
        };
        if let Some(answer) = answer {
            reply(&mut writer, &answer).await;
        }
    }

    /// Makes the folder ready: what it keeps is sealed before anything in it is moved, so that a resume that is cut short
    /// can be resumed itself.
    async fn begin(&self, earlier: Option<(Earlier, Prepared)>) -> std::io::Result<()> {
        let run_dir = &self.settings.run_dir;
        if let Some((earlier, prepared)) = earlier {
            self.store.remove_unfinished();
            self.store.remember(earlier.redactions(run_dir));
            self.seal(None, false).await;
            self.publish(&*self.summary.lock().await);
            earlier.set_aside(run_dir)?;
            let _ = self.ground.set(Ok(prepared));
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
        self.publish(&*self.summary.lock().await);
        std::fs::create_dir_all(run_dir.join("gates"))
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
            self.publish(&summary);
        }
        self.ledger.close().await;
        // What a gate's process said at its end is written by then, unless something that it started holds its output open.
        let _ = tokio::time::timeout(LAST_WORDS, self.logs.closed()).await;
        self.store.remove_unfinished();
        self.seal(None, true).await;
    }

    /// Writes down what the run stands on. With a gate that has ended and without it no run could be resumed.
    async fn note_inputs(&self, prepared: &Prepared) {
        let write = async {
            let (settings, prepared) = (self.settings.clone(), prepared.clone());
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
        self.seal(Some((key, State::Waiting)), false).await;
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
        self.seal(Some((key, State::Running)), false).await;
        let project = self.summary.lock().await.project(key).unwrap_or_else(|| self.next_project(key));
        let mut result = self.run(key, project, None).await;
        if let Some(kept) = result.as_ref().ok().and_then(|file| self.set_conflict_aside(file)) {
            result = self.run(key, self.next_project(key), Some(kept)).await;
        }
        if let Some(Ok(prepared)) = self.ground.get() {
            self.note_inputs(prepared).await;
        }
        {
            let mut summary = self.summary.lock().await;
            summary.ended(key, begin.elapsed(), result.as_deref());
            self.publish(&summary);
        }
        let state = if result.is_ok() { State::Ended } else { State::Failed };
        self.seal(Some((key, state)), false).await;
        match result {
            Ok(file) => Answer::Record { run_dir: self.settings.run_dir.clone(), file },
            Err(failure) => Answer::Failed(failure),
        }
    }

    /// Writes down what is known of the run. Its trials see the end of their gate only after that.
    fn publish(&self, summary: &Summary) {
        summary.write(&self.store);
        // The page is made of evidence that is there; what cannot be written the gates say.
        let _ = report::write(&self.store, &self.settings.run_dir);
    }

    /// Publishes news that nobody waits for, a moment later: they come many at once.
    async fn publish_news(&self) {
        loop {
            self.news.notified().await;
            tokio::time::sleep(NEWS).await;
            self.publish(&*self.summary.lock().await);
            self.seal(None, false).await;
        }
    }

    /// What is said of all files: after them, each time that a gate has come further, so that a killed run has it too.
    async fn seal(&self, step: Option<(GateKey, State)>, over: bool) {
        let mut states = self.states.lock().await;
        states.extend(step.map(|(key, state)| {
            let name = self.settings.transports.name(key.gate, key.transport);
            (key, GateState::new(name, key, state, self.part))
        }));
        let standing = Standing { gates: states.values().cloned().collect(), resumed: self.resumed.clone(), over };
        let redactions = self.store.redactions().with_gates(&self.settings.run_dir);
        // As with the summary: a folder that cannot be written to is told of by the gates.
        let _ = self.store.write_json(Path::new(REDACTIONS), &redactions);
        let _ = results::seal(&self.store, &standing, self.signer.as_ref());
    }

    /// A gate that ended in a conflict is run once more, in a fresh project: the runbook's advice. Both runs' evidence
    /// stays.
    fn set_conflict_aside(&self, file: &Path) -> Option<PathBuf> {
        Evidence::load(&self.settings.run_dir, file).ok()?.record.conflict?;
        let folder = file.parent()?;
        // Not in place of an extension: that of a retry's folder is its attempt.
        let name = folder.file_name()?.to_str()?;
        let kept = folder.with_file_name(format!("{name}.{SET_ASIDE}"));
        std::fs::rename(folder, &kept).ok()?;
        let triage = |folder: &Path| self.settings.run_dir.join(triage_folder(folder));
        let _ = std::fs::rename(triage(folder), triage(&kept));
        Some(kept)
    }

    /// The project of the gate's next run: each has one of its own.
    fn next_project(&self, key: GateKey) -> String {
        // Nothing in here can panic half-way.
        let mut projects = self.projects.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let nth = projects.entry((key.gate, key.transport)).or_default();
        *nth += 1;
        self.settings.project(key.gate, key.transport, *nth)
    }

    async fn run(&self, key: GateKey, project: String, rerun_of: Option<PathBuf>) -> Result<PathBuf, Failure> {
        let prepared = self.ground.get_or_init(|| Prepared::by(&self.settings, Some(&self.store))).await.clone()?;
        self.summary.lock().await.environment.clone_from(&prepared.environment);
        let mut spec = Spec {
            work: Work::Gate(key),
            part: self.part,
            project,
            rerun_of,
            entry: PathBuf::new(),
            settings: self.settings.clone(),
            workerbee: prepared.workerbee,
            k1s_root: prepared.k1s_root,
            stack: prepared.stack,
            versions: prepared.versions,
        };
        let folder = gate_folder(key);
        let log = folder.join("gate.log");
        let entry = spec.write_down(&self.ledger)?;
        let file = self.store.write_json(&folder.join("spec.json"), &spec).map_err(|error| unwritable(&error))?;
        let ended = self.process(&spec, &file, &log).await;
        let log = self.settings.run_dir.join(log);
        // What stays is in the ledger, and is tried again when the run ends.
        let _ = crate::ledger::settle(&entry).await;
        let record = self.settings.run_dir.join(&folder).join("record.json");
        match ended {
            // A record says more than the exit status of the process that wrote it.
            _ if record.is_file() => Ok(record),
            Ok((status, words)) => Err(Failure::new(format!("the process of {} ended without a record", key.gate))
                .expected("a record of the gate")
                .seen(format!("{status}; its last words: {words}"))
                .evidence(log)
                .remedy("what its last words advise; then run again")),
            Err(failure) => Err(failure),
        }
    }

    /// Runs the gate's process. Returns how it ended, and its last words.
    async fn process(
        &self,
        spec: &Spec,
        file: &Path,
        log: &Path,
    ) -> Result<(std::process::ExitStatus, String), Failure> {
        let unstarted = |error: std::io::Error| {
            Failure::new(format!("the process of a gate could not be started: {error}"))
                .seen(error.to_string())
                .remedy("see that util-linux (unshare) is installed")
        };
        let mut command = match self.settings.mode {
            Mode::Embedded => launch::in_lane(file)?,
            Mode::External(_) => launch::on_host(file)?,
        };
        let (output, writer) = std::io::pipe().map_err(unstarted)?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(writer.try_clone().map_err(unstarted)?)
            .stderr(writer)
            // On the host the gate's process ends itself with its lifeline, and takes WorkerBee with it; killed, it
            // could not. A lane ends as a whole.
            .kill_on_drop(matches!(self.settings.mode, Mode::Embedded))
            .spawn()
            .map_err(unstarted)?;
        // With it goes this process's own end of the pipe, which would keep the log open.
        drop(command);
        let logged = super::log::follow(output, self.store.clone(), log.to_owned(), self.logs.subscribe());
        let mut lifeline = child.stdin.take();
        if let Some(lifeline) = &mut lifeline {
            // A process that has ended already says itself why.
            let _ = lifeline.write_all(self.redaction.line().as_bytes()).await;
        }
        let limit = whole_limit(spec.settings.limits);
        let stays = self.settings.run_dir.join(spec.folder()).join(super::lane::KEPT_FILE);
        let ended = async {
            loop {
                match tokio::time::timeout(LOOK, child.wait()).await {
                    Ok(status) => return status.map(Some),
                    Err(_) if stays.exists() => return Ok(None),
                    Err(_) => {}
                }
            }
        };
        if let Ok(status) = tokio::time::timeout(limit, ended).await {
            let status = status.map(|ended| {
                // A lane that stays is no child of this process any more: nothing here may end it.
                ended.unwrap_or_else(|| {
                    std::mem::forget(child);
                    ExitStatus::default()
                })
            });
            // What the process started may hold the pipe open; what itself wrote is there in a moment.
            let words = match tokio::time::timeout(LAST_WORDS, logged).await {
                Ok(Ok(words)) => words,
                _ => super::log::last_words(&std::fs::read(self.settings.run_dir.join(log)).unwrap_or_default()),
            };
            return status.map(|status| (status, words)).map_err(unstarted);
        }
        drop(lifeline);
        if tokio::time::timeout(Duration::from_secs(5), child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
        Err(Failure::new(format!("a gate took more than {} s", limit.as_secs()))
            .expected("an end within the sum of the limits of its operations")
            .seen("its process was ended")
            .remedy("see the phases that it had finished in its folder"))
    }
}

fn whole_limit(limits: Limits) -> Duration {
    Limits::validation(limits.workload.max(limits.startup))
        + Duration::from_secs(limits.restart + 60 + 10 * limits.query + 2 * limits.stop + 300)
}

fn unwritable(error: &crate::evidence::StoreError) -> Failure {
    Failure::new(error.to_string())
        .expected("a RUN_DIR that can be written to")
        .seen(error.to_string())
        .remedy("free some room, or set RUN_DIR to another folder")
}
