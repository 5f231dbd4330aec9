//! The supervisor as a process: it serves trials until the run's owner is gone.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, getrlimit, pidfd_open, setrlimit};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::{Supervisor, blocking};
use crate::evidence::{RedactionKey, Redactor, Store};
use crate::failure::Failure;
use crate::lane::{Mode, Prepared, Settings};
use crate::ledger::Ledger;
use crate::run::alive::Alive;
use crate::run::ends::{end_by_signal, end_of};
use crate::run::inputs::Inputs;
use crate::run::previous::{self, PreviousRun};
use crate::run::protocol::{Answer, LINE, Request};
use crate::run::{key, launch};
use crate::signing::Signer;

/// How long to wait for room for another trial.
const ROOM: Duration = Duration::from_millis(100);

/// Serves until the run's owner is gone.
pub(in crate::run) fn main(settings: &Path) -> ExitCode {
    let mut rest = std::env::args_os().skip(3);
    let (Some(socket), Some(owner)) = (rest.next(), rest.next()) else { return ExitCode::FAILURE };
    let socket = PathBuf::from(socket);
    let owner = owner.to_str().and_then(|owner| owner.parse().ok()).and_then(Pid::from_raw);
    allow_files();
    let served = || -> std::io::Result<()> {
        let settings_read: Settings = serde_json::from_slice(&std::fs::read(settings)?)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let result = runtime.block_on(serve(settings_read, &socket, owner));
        // Children are killed when they are dropped; nothing else is worth waiting for.
        runtime.shutdown_timeout(Duration::from_secs(5));
        result
    };
    let result = served();
    if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::AlreadyExists) {
        // Another supervisor of the same run is at work: the socket is its.
        return ExitCode::SUCCESS;
    }
    key::remove(&socket);
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
    let listener = listen(socket)?;
    let ledger = Ledger::open()
        .map_err(|error| std::io::Error::other(format!("the ledger in the state folder cannot be kept: {error}")))?;
    let signer = settings.signing_key_file.as_deref().map(Signer::read).transpose().map_err(std::io::Error::other)?;
    let mut ended_by_signal = end_by_signal()?;
    let alive = Alive::hold(&settings.run_dir)?;
    let examined = async {
        // What cannot be removed stays in the ledger, for `k1s-gates sweep` to say.
        drop(crate::run::sweep().await);
        match &alive {
            Some(_) => examine(&settings, signer.as_ref()).await,
            None => Err(previous::in_use(&settings.run_dir)),
        }
    };
    let examined = tokio::select! {
        examined = examined => examined,
        _ = &mut owner_ended => return Ok(()),
        _ = ended_by_signal.join_next() => return Ok(()),
    };
    let previous = match examined {
        Ok(previous) => previous,
        Err(failure) => {
            tokio::select! {
                () = refuse(&listener, failure) => {}
                _ = owner_ended => {}
                _ = ended_by_signal.join_next() => {}
            }
            return Ok(());
        }
    };
    if matches!(settings.mode, Mode::External(_)) {
        launch::reaper()?;
    }
    let owner = owner.as_raw_nonzero().get();
    let supervisor = Arc::new(Supervisor::new(
        settings,
        store,
        redaction,
        ledger,
        signer,
        previous.as_ref().map(|(previous, _)| previous),
        owner,
    ));
    supervisor.begin(previous).await?;
    let published = Arc::clone(&supervisor);
    let news = tokio::spawn(async move { published.publish_news().await });
    let mut answers = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut owner_ended => break,
            _ = ended_by_signal.join_next() => break,
            Some(_) = answers.join_next() => {}
            stream = accept(&listener) => {
                answers.spawn(Arc::clone(&supervisor).answer(stream));
            }
        }
    }
    supervisor.end(answers, news).await;
    Ok(())
}

/// The socket of a supervisor that was killed is still there: nobody answers at it.
fn listen(socket: &Path) -> std::io::Result<UnixListener> {
    match UnixListener::bind(socket) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            if std::os::unix::net::UnixStream::connect(socket).is_ok() {
                return Err(std::io::Error::new(ErrorKind::AlreadyExists, "another supervisor of this run is at work"));
            }
            std::fs::remove_file(socket)?;
            UnixListener::bind(socket)
        }
        bound => bound,
    }
}

/// The next trial that asks. Where there is no room for it, among open files most likely, it is served when there is.
async fn accept(listener: &UnixListener) -> UnixStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => tokio::time::sleep(ROOM).await,
        }
    }
}

/// As many files as this process may have: each trial that waits takes one.
fn allow_files() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Reads the previous run in the run's folder, and prepares what this run would need. Nothing is written.
async fn examine(settings: &Settings, signer: Option<&Signer>) -> Result<Option<(PreviousRun, Prepared)>, Failure> {
    let (run_dir, key) = (settings.run_dir.clone(), signer.map(Signer::public));
    let Some(previous) = blocking(move || PreviousRun::read(&run_dir, key.as_ref())).await?? else { return Ok(None) };
    // Before the stack is looked for, which another mode may not need.
    previous.refuse_changes(&settings.run_dir, &Inputs::of_settings(settings))?;
    let prepared = Prepared::by(settings, None).await?;
    let (of, on) = (settings.clone(), prepared.clone());
    let inputs = blocking(move || Inputs::of(&of, &on)).await?;
    previous.refuse_changes(&settings.run_dir, &inputs)?;
    Ok(Some((previous, prepared)))
}

/// Tells each trial why there is no run. Nothing of the run's folder is touched.
async fn refuse(listener: &UnixListener, failure: Failure) {
    loop {
        let stream = accept(listener).await;
        let failure = failure.clone();
        tokio::spawn(async move {
            let (reader, mut writer) = stream.into_split();
            let mut line = String::new();
            // What is asked makes no difference.
            if BufReader::new(reader.take(LINE)).read_line(&mut line).await.is_ok() {
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

impl Supervisor {
    async fn answer(self: Arc<Self>, stream: UnixStream) {
        let (reader, mut writer) = stream.into_split();
        let mut line = String::new();
        if BufReader::new(reader.take(LINE)).read_line(&mut line).await.is_err() {
            return;
        }
        let answer = match serde_json::from_str(&line) {
            Ok(Request::Gate(key)) => match self.gate(key).await.wait_for(Option::is_some).await {
                Ok(answer) => answer.clone(),
                Err(_) => None,
            },
            Ok(Request::Verdict(key, verdict)) => {
                if self.summary.lock().await.note_verdict(key, *verdict) {
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
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_of_a_killed_supervisor_is_taken_over_and_that_of_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("run.sock");
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        assert!(socket.exists());
        let living = listen(&socket).unwrap();
        assert_eq!(listen(&socket).unwrap_err().kind(), ErrorKind::AlreadyExists);
        let trial = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        drop(accept(&living).await);
        drop(trial);
    }
}
