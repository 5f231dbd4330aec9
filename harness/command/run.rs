//! `k1s-gates run`: the gates under nextest, on the stack, with progress and a verdict.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use k1s_profile_gates::plan::{Shard, Transports, chosen, of_shard};
use k1s_profile_gates::run::claim_run_dir;
use k1s_profile_gates::stack::{self, Options};
use k1s_profile_gates::summary::{State, Summary};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::{hosts, print, watch};

/// How long the last lines of a run may take to be printed after nextest has ended.
const LAST_LINES: Duration = Duration::from_secs(10);
/// Files that a waiting trial holds open in nextest are three; over both transports there are some 650 trials.
const FILES: u64 = 4096;
/// Threads for all trials of both transports: the longest gates, which go first, would else be asked for last.
const THREADS_FOR_BOTH: &str = "768";

/// Variables that cargo sets for the program that it runs.
const OF_A_PACKAGE: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

#[derive(Args)]
#[command(after_help = "\
Runs `cargo nextest run` in the current repository. RUN_DIR, K1S_ROOT and the other variables are those of the gates.

Exit status: that of nextest; when nextest ends with 0, 1 if the run's own verdict is not that it passed.

Examples:
  k1s-gates run
  k1s-gates run -- -E 'test(startup::k1s-ha-min)'
  k1s-gates run --profile ci -- --no-fail-fast")]
pub(crate) struct Run {
    /// nextest's profile.
    #[arg(long, default_value = "gates")]
    profile: String,
    /// The test target that holds the gates.
    #[arg(long, default_value = "gates")]
    test: String,
    /// Further arguments of nextest.
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

impl Run {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let run_dir = match std::env::var_os("RUN_DIR").filter(|value| !value.is_empty()) {
            Some(named) => std::path::absolute(named)?,
            None => claim_run_dir()?,
        };
        if let Some(shard) = Shard::from_env()?
            && of_shard(&chosen()?, Some(shard)).is_empty()
        {
            eprintln!("shard {shard} has no gate: there are more machines than gates, and nothing is run here");
            return Ok(ExitCode::SUCCESS);
        }
        let command = self.command(&run_dir)?;
        let progress = std::io::stderr().is_terminal().then(|| {
            let run_dir = run_dir.clone();
            std::thread::spawn(move || watch::lines(&run_dir))
        });
        let begun = jiff::Timestamp::now();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let status = runtime.block_on(until_it_ends(command))?;
        match progress {
            // A run that was refused has nothing to be told.
            Some(thread) => wait(&thread),
            None if run_dir.join("run.json").exists() => watch::end(&run_dir)?,
            None => {}
        }
        Ok(exit_status(status, &run_dir, begun))
    }

    fn command(&self, run_dir: &Path) -> Result<Command, Box<dyn Error>> {
        let both = Transports::from_env()? == Transports::Both;
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // Started by `cargo run`, this process has variables of its own package: build scripts would see others than when
        // nextest is started by hand, and run again.
        for (name, _) in std::env::vars_os().filter(|(name, _)| OF_A_PACKAGE.iter().any(|of| starts_with(name, of))) {
            command.env_remove(name);
        }
        command.args(["nextest", "run", "--profile", &self.profile, "--test", &self.test]);
        if both {
            raise_file_limit();
            command.args(["--test-threads", THREADS_FOR_BOTH]);
        }
        command.args(&self.arguments).env("RUN_DIR", run_dir).env("PATH", path()?);
        if std::io::stderr().is_terminal() {
            // Each gate says in lines of its own where it is; nextest's bar would only say that all trials wait.
            command.env("NEXTEST_SHOW_PROGRESS", "none");
        }
        Ok(command)
    }
}

/// The stack's tools before the user's own, cargo-nextest among them. Builds what is not there yet.
fn path() -> Result<OsString, Box<dyn Error>> {
    let stack =
        stack::ensure(&Options { nextest: true, ..Options::from_env() }, &mut |step| eprintln!("stack: {step}"))?;
    // cargo executes nextest, and root may be who runs it.
    stack.check_tools()?;
    let (prefix, own) = (stack.path_prefix(), std::env::var_os("PATH").unwrap_or_default());
    let folders = std::env::split_paths(&prefix).chain(std::env::split_paths(&own));
    // An empty prefix is no folder: PATH would have the working directory in it.
    Ok(std::env::join_paths(folders.filter(|folder| !folder.as_os_str().is_empty()))?)
}

/// Runs nextest to its end. A terminal interrupts both; a signal to this process alone is passed on.
async fn until_it_ends(mut command: Command) -> Result<std::process::ExitStatus, Box<dyn Error>> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    let mut nextest = command.spawn().map_err(|error| format!("cargo cannot be started: {error}; is it on PATH?"))?;
    let pid = nextest.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    let pass_on = |signal| pid.map(|pid| kill_process(pid, signal));
    loop {
        tokio::select! {
            status = nextest.wait() => return Ok(status?),
            _ = interrupted.recv() => {}
            _ = terminated.recv() => { pass_on(Signal::TERM); }
            _ = hung_up.recv() => { pass_on(Signal::HUP); }
        }
    }
}

fn wait(thread: &std::thread::JoinHandle<()>) {
    let begin = Instant::now();
    while !thread.is_finished() && begin.elapsed() < LAST_LINES {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// nextest judges the trials that were asked for, the run all checks of their gates: both must be good.
fn exit_status(nextest: std::process::ExitStatus, run_dir: &Path, begun: jiff::Timestamp) -> ExitCode {
    let status = nextest.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(print::NOT_GOOD);
    // A run that asked for no gate has written nothing, and one that was refused nothing of its own.
    let is_of_this_run = |summary: &Summary| summary.parts.last().is_some_and(|part| part.started >= begun);
    let Some(summary) = Summary::load(run_dir).ok().filter(is_of_this_run) else { return status.into() };
    hosts::tell(&summary);
    if status != 0 {
        return if summary.is_of_the_environment() { print::not_good(true) } else { status.into() };
    }
    if summary.verdict() == State::Passed {
        return ExitCode::SUCCESS;
    }
    if summary.fails_flaky {
        summary.flaky().iter().for_each(|flaky| eprintln!("k1s-gates: flaky (K1S_GATES_FLAKY=fail): {flaky}"));
    }
    eprintln!(
        "k1s-gates: every trial that nextest ran is green, but the run is not: see {}",
        run_dir.join("summary.txt").display()
    );
    print::NOT_GOOD.into()
}

fn starts_with(name: &OsStr, beginning: &str) -> bool {
    name.as_encoded_bytes().starts_with(beginning.as_bytes())
}

fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(FILES, |maximum| maximum.min(FILES));
    if current.is_some_and(|current| current < wanted) {
        // With fewer files nextest itself says what it lacks.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}
