//! The supervisor of a run: starts each gate that is asked for once, as many side by side as the machine carries.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, Notify, OnceCell, oneshot, watch};
use tokio::task::JoinSet;

use super::alive::Alive;
use super::protocol::{Answer, GateKey, Request};
use super::queue::Queue;
use super::settings::{Limits, Mode, Settings};
use super::spec::{SET_ASIDE, Spec, Work, gate_folder};
use super::summary::Summary;
use super::{environment, launch};
use crate::evidence::{Evidence, REDACTIONS, RedactionKey, Redactor, Store, triage_folder};
use crate::failure::Failure;
use crate::ledger::Ledger;
use crate::report;
use crate::results::{self, GateState, Signer, State};
use crate::stack::{self, Stack, StackError};

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
    states: Mutex<BTreeMap<GateKey, State>>,
    /// The user's key, when the results are to be signed.
    signer: Option<Signer>,
}

/// How long news may wait for more of them.
const NEWS: Duration = Duration::from_secs(1);

/// What every gate of the run stands on.
#[derive(Clone)]
struct Prepared {
    stack: Option<Stack>,
    workerbee: PathBuf,
    k1s_root: PathBuf,
    versions: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
}

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
    std::fs::create_dir_all(settings.run_dir.join("gates"))?;
    let _alive = Alive::hold(&settings.run_dir)?;
    let listener = UnixListener::bind(socket)?;
    let ledger = Ledger::open()
        .map_err(|error| std::io::Error::other(format!("the ledger in the state folder cannot be kept: {error}")))?;
    // What cannot be removed stays in the ledger, for `k1s-gates sweep` to say.
    drop(crate::ledger::sweep().await);
    if matches!(settings.mode, Mode::External(_)) {
        launch::reaper()?;
    }
    let lanes = match settings.mode {
        Mode::Embedded => settings.lanes,
        // One host, one set of ports: WorkerBee picks free ones by looking, and two starts pick the same.
        Mode::External(_) => 1,
    };
    let summary = Summary::new(&settings, lanes);
    let signer = settings.signing_key_file.as_deref().map(Signer::read).transpose().map_err(std::io::Error::other)?;
    let supervisor = Arc::new(Supervisor {
        settings,
        redaction,
        store,
        ledger,
        ground: OnceCell::new(),
        queue: Queue::new(lanes),
        gates: Mutex::default(),
        running: Mutex::default(),
        summary: Mutex::new(summary),
        news: Notify::new(),
        states: Mutex::default(),
        signer,
    });
    let published = Arc::clone(&supervisor);
    let news = tokio::spawn(async move { published.publish_news().await });
    let mut ended_by_signal = end_by_signal()?;
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
    // With the gates' tasks their processes are dropped, which kills them, and their lifelines, which ends the lanes.
    supervisor.running.lock().await.shutdown().await;
    answers.shutdown().await;
    news.abort();
    {
        let mut summary = supervisor.summary.lock().await;
        summary.ended = Some(jiff::Timestamp::now());
        supervisor.publish(&summary);
    }
    supervisor.ledger.close().await;
    supervisor.store.remove_unfinished();
    supervisor.seal(None, true).await;
    Ok(())
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
        if let Some(mut bytes) = answer.and_then(|answer| serde_json::to_vec(&answer).ok()) {
            bytes.push(b'\n');
            let _ = writer.write_all(&bytes).await;
        }
    }

    /// The gate's answer to come; asked for the first time, the gate is started.
    async fn gate(self: &Arc<Self>, key: GateKey) -> watch::Receiver<Option<Answer>> {
        let mut gates = self.gates.lock().await;
        if let Some(running) = gates.get(&key) {
            return running.clone();
        }
        let (sender, receiver) = watch::channel(None);
        gates.insert(key, receiver.clone());
        self.summary.lock().await.asked(key, self.settings.project(key));
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
        self.news.notify_one();
        self.seal(Some((key, State::Running)), false).await;
        let mut result = self.run(key, None).await;
        if let Some(kept) = result.as_ref().ok().and_then(|file| self.set_conflict_aside(file)) {
            result = self.run(key, Some(kept)).await;
        }
        {
            let mut summary = self.summary.lock().await;
            summary.ended(key, result.as_deref());
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
        states.extend(step);
        let states: Vec<GateState> = states
            .iter()
            .map(|(key, state)| GateState {
                gate: self.settings.transports.name(key.gate, key.transport),
                transport: key.transport,
                attempt: key.attempt,
                state: *state,
            })
            .collect();
        let redactions = self.store.redactions().with_gates(&self.settings.run_dir);
        // As with the summary: a folder that cannot be written to is told of by the gates.
        let _ = self.store.write_json(Path::new(REDACTIONS), &redactions);
        let _ = results::seal(&self.store, &states, over, self.signer.as_ref());
    }

    /// A gate that ended in a 409 is run once more, in a fresh project: the runbook's advice. Both runs' evidence stays.
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

    async fn run(&self, key: GateKey, rerun_of: Option<PathBuf>) -> Result<PathBuf, Failure> {
        let prepared = self.ground.get_or_init(|| self.prepare()).await.clone()?;
        self.summary.lock().await.environment.clone_from(&prepared.environment);
        let project = self.settings.project(key);
        let mut spec = Spec {
            work: Work::Gate(key),
            project: if rerun_of.is_some() { format!("{project}r") } else { project },
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
        let logged = super::log::follow(output, self.store.clone(), log.to_owned());
        let mut lifeline = child.stdin.take();
        if let Some(lifeline) = &mut lifeline {
            // A process that has ended already says itself why.
            let _ = lifeline.write_all(self.redaction.line().as_bytes()).await;
        }
        let limit = whole_limit(spec.settings.limits);
        if let Ok(status) = tokio::time::timeout(limit, child.wait()).await {
            // What the process started may hold the pipe open; what itself wrote is there in a moment.
            let words = match tokio::time::timeout(Duration::from_secs(1), logged).await {
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

    /// The embedded stack, or the user's own parts, checked before any gate starts.
    async fn prepare(&self) -> Result<Prepared, Failure> {
        let (settings, store) = (self.settings.clone(), self.store.clone());
        let prepared = tokio::task::spawn_blocking(move || match &settings.mode {
            Mode::Embedded => embedded(&settings, &store),
            Mode::External(external) => external_ground(&settings, external),
        });
        prepared.await.unwrap_or_else(|error| Err(Failure::new(format!("preparing the stack ended early: {error}"))))
    }
}

fn embedded(settings: &Settings, store: &Store) -> Result<Prepared, Failure> {
    let options = stack::Options {
        k1s_root: settings.k1s_root.clone(),
        workerbee_bin: settings.workerbee_bin.clone(),
        nextest: false,
        ..stack::Options::from_env()
    };
    let mut lines = String::new();
    let log = Path::new("stack.log");
    let stack = match stack::find(&options) {
        Some(stack) => stack,
        None => stack::ensure(&options, &mut |progress| {
            let _ = writeln!(lines, "{progress}");
            // The log is a help to who waits, not evidence.
            let _ = store.write(log, lines.as_bytes());
        })
        .map_err(|error| {
            Failure::new(format!("the stack is not complete: {}", error.to_string().lines().next().unwrap_or_default()))
                .expected("WorkerBee, containerd and all that the gates need")
                .seen(error.to_string())
                .evidence(store.root().join(log))
                .remedy("run `make stack`, which shows what is missing and installs it")
        })?,
    };
    Ok(Prepared {
        workerbee: stack.workerbee.clone(),
        k1s_root: stack.k1s_root.clone(),
        versions: stack.versions.clone(),
        environment: environment::of(&stack.workerbee, &stack.k1s_root),
        stack: Some(stack),
    })
}

fn external_ground(settings: &Settings, external: &super::settings::External) -> Result<Prepared, Failure> {
    let named = |path: &Option<PathBuf>, name: &str| {
        path.clone().ok_or_else(|| {
            Failure::new(format!("{name} is not set"))
                .expected(format!("{name} beside WORKERBEE_CONTAINERD_STATE_ROOT, which selects your own WorkerBee"))
                .seen("no value")
                .remedy(format!("export {name}=…, or unset WORKERBEE_CONTAINERD_STATE_ROOT to use the embedded stack"))
        })
    };
    let workerbee = named(&settings.workerbee_bin, "WORKERBEE_BIN")?;
    let k1s_root = named(&settings.k1s_root, "K1S_ROOT")?;
    stack::check_workerbee(&workerbee).and_then(|()| stack::check_k1s_root(&k1s_root)).map_err(|error| {
        let what = match &error {
            StackError::Unmet(unmet) => unmet.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            other => other.to_string(),
        };
        Failure::new(what)
            .expected("your own WorkerBee and k1s, beside WORKERBEE_CONTAINERD_STATE_ROOT")
            .seen(format!("WORKERBEE_BIN={}, K1S_ROOT={}", workerbee.display(), k1s_root.display()))
            .remedy("correct the variable, or unset WORKERBEE_CONTAINERD_STATE_ROOT to use the embedded stack")
    })?;
    if !external.state_root.is_dir() {
        return Err(Failure::new(format!(
            "WORKERBEE_CONTAINERD_STATE_ROOT {} is no folder",
            external.state_root.display()
        ))
        .expected("WorkerBee's state root")
        .seen("nothing, or a file, of that name")
        .remedy("make the folder, or name the one that your WorkerBee uses"));
    }
    let versions = stack::users_versions(&workerbee, &k1s_root, Duration::from_secs(settings.limits.query));
    let environment = environment::of(&workerbee, &k1s_root);
    Ok(Prepared { stack: None, workerbee, k1s_root, versions, environment })
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
