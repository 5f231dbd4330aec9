//! The process of one gate, in its lane or on the host.

use std::io::Read as _;
use std::process::ExitCode;

use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::lane::{Environment, GATE_KEPT, Mode, Spec, Work};
use crate::{gates, plan};

/// Runs the gate, or the command, that the specification names.
pub(super) fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    // A statement of its own: with the lock of standard input held, nobody would see the end of the lifeline.
    let told = Spec::take_over(&mut std::io::stdin().lock());
    let result = told.and_then(|(redaction, spec)| {
        let runtime = runtime.map_err(|error| {
            Failure::new(format!("no runtime for the gate: {error}"))
                .expected("threads and an epoll instance")
                .seen(error.to_string())
                .remedy("see the limits of processes and open files: ulimit -u -n")
        })?;
        runtime.block_on(async {
            let work = async {
                match &spec.work {
                    Work::Gate(key) => Box::pin(gates::run(*key, &spec, redaction))
                        .await
                        .map(|kept| if kept { GATE_KEPT.into() } else { ExitCode::SUCCESS }),
                    Work::Command { line, projects } => command(&spec, line, projects).await,
                }
            };
            match spec.settings.mode {
                // A lane watches the lifeline itself and ends with all that is in it.
                Mode::Embedded => work.await,
                Mode::External(_) => {
                    // Whoever cleans up after a killed run waits for the end of this process.
                    let _lock = crate::ledger::lock(&spec.entry);
                    tokio::select! {
                    result = work => result,
                    // What is dropped here ends the call that it was waiting for.
                    _ = end_of_the_lifeline() => Err(Failure::new("the run ended before this gate did")
                        .expected("a supervisor until the gate's end")
                        .seen("the end of its lifeline")
                        .remedy("resume the run: make resume")),
                    }
                }
            }
        })
    });
    result.unwrap_or_else(|failure| {
        eprintln!("{failure}");
        ExitCode::FAILURE
    })
}

/// Whoever started this process holds the other end of its standard input.
fn end_of_the_lifeline() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    // A thread of its own, which the end of the process does not wait for.
    std::thread::spawn(move || {
        let mut nothing = [0; 64];
        while !matches!(std::io::stdin().read(&mut nothing), Ok(0) | Err(_)) {}
        let _ = sender.send(());
    });
    receiver
}

async fn command(spec: &Spec, line: &[String], projects: &[String]) -> Result<ExitCode, Failure> {
    let environment = Environment::prepare(spec).await?;
    environment.seed_system().done().await?;
    for project in projects {
        environment.seed_project(project, &plan::all_images()).done().await?;
    }
    let program = line.first().cloned().unwrap_or_else(|| "sh".to_owned());
    let status = tokio::process::Command::new(&program)
        .args(line.iter().skip(1))
        .envs(environment.env.iter().map(|(key, value)| (key, value)))
        .status()
        .await
        .map_err(|error| {
            Failure::new(format!("{program} could not be started: {error}"))
                .expected("a program")
                .seen(error.to_string())
                .remedy("see that it is on PATH")
        })?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
