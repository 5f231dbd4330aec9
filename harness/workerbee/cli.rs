//! The command line of `WorkerBee`: explicit global flags, a limit on every call, raw output kept.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

use crate::evidence::Store;
use crate::evidence::call::{Call, CallProblem, OUTPUT_LIMIT};
use crate::plan::Transport;

/// The calls of `WorkerBee`'s command line for one project.
#[derive(Debug, Clone)]
pub struct Cli {
    /// The `workerbee` executable.
    pub bin: PathBuf,
    /// `--state-root`.
    pub state_root: PathBuf,
    /// `--project`.
    pub project: String,
    /// `--cwd`, and `--k1s-root` of the commands that take one.
    pub k1s_root: PathBuf,
    /// `--containerd-privilege`.
    pub privilege: String,
    /// Environment on top of the harness's own.
    pub env: Vec<(String, String)>,
    /// True when that is all of its environment.
    pub hermetic: bool,
}

impl Cli {
    /// The whole command line, global flags as the runbook writes them.
    pub fn command_line(&self, args: &[&str]) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let mut line: Vec<String> = vec![path(&self.bin)];
        line.extend(["--runtime", "containerd", "--containerd-privilege", &self.privilege].map(String::from));
        line.extend(["--state-root".into(), path(&self.state_root), "--project".into(), self.project.clone()]);
        line.extend(["--cwd".into(), path(&self.k1s_root), "--json".into()]);
        line.extend(args.iter().map(ToString::to_string));
        line
    }

    /// Calls `WorkerBee` and keeps what it prints as `file` in the store, parsed or not.
    pub async fn call(&self, store: &Store, file: &str, args: &[&str], limit: Duration) -> Call {
        self.call_until(store, file, args, limit, std::future::pending()).await
    }

    /// The same, unless something comes first for which there is no use in waiting: the call is then ended, and says why.
    pub async fn call_until(
        &self,
        store: &Store,
        file: &str,
        args: &[&str],
        limit: Duration,
        end: impl Future<Output = String>,
    ) -> Call {
        let command = self.command_line(args);
        let mut call = Call::new(Transport::Cli, command.clone(), file);
        let started = Instant::now();
        let outcome = self.run(store, &command, limit, end, &mut call.exit).await;
        call.seconds = started.elapsed().as_secs_f64();
        call.problem = match outcome {
            Ok(output) => keep(store, &mut call, &output).err().or(output.problem),
            Err(problem) => Some(problem),
        };
        call
    }

    async fn run(
        &self,
        store: &Store,
        command: &[String],
        limit: Duration,
        end: impl Future<Output = String>,
        exit: &mut Option<i32>,
    ) -> Result<Output, CallProblem> {
        let not_started =
            |error: std::io::Error| CallProblem::NotStarted { bin: self.bin.clone(), error: error.to_string() };
        // Unnamed files rather than pipes: a daemon that inherits them keeps no reader waiting, and no output is too long.
        let mut stdout = tempfile::tempfile().map_err(not_started)?;
        let mut stderr = tempfile::tempfile().map_err(not_started)?;
        let mut process = Command::new(&self.bin);
        if self.hermetic {
            process.env_clear();
        }
        let mut child = process
            .args(&command[1..])
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(stdout.try_clone().map_err(not_started)?)
            .stderr(stderr.try_clone().map_err(not_started)?)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(not_started)?;
        let mut group = Group(child.id());
        let (limit_seconds, last) = (limit.as_secs(), String::new());
        let mut problem = tokio::select! {
            biased;
            status = child.wait() => {
                // What it leaves running on purpose, such as its daemon, stays.
                group.0 = None;
                *exit = status.map_err(not_started)?.code();
                None
            }
            why = end => Some(CallProblem::Ended { why, last }),
            () = tokio::time::sleep(limit) => Some(CallProblem::TimedOut { limit_seconds, last }),
        };
        if let Some(CallProblem::Ended { last, .. } | CallProblem::TimedOut { last, .. }) = &mut problem {
            drop(group);
            let _ = child.wait().await;
            *last = tail(store, &read(&mut stderr).unwrap_or_default());
        }
        let bytes = stdout.metadata().map_err(not_started)?.len();
        let stdout = read(&mut stdout).map_err(not_started)?;
        let stderr = read(&mut stderr).map_err(not_started)?;
        let problem = problem.or_else(|| judge(store, bytes, &stdout, &stderr));
        Ok(Output { stdout, stderr, problem })
    }
}

struct Output {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    problem: Option<CallProblem>,
}

fn judge(store: &Store, bytes: u64, stdout: &[u8], stderr: &[u8]) -> Option<CallProblem> {
    if bytes > OUTPUT_LIMIT {
        return Some(CallProblem::TooLong { bytes, limit: OUTPUT_LIMIT });
    }
    if stdout.iter().all(u8::is_ascii_whitespace) {
        return Some(CallProblem::Empty { stderr: tail(store, stderr) });
    }
    serde_json::from_slice::<serde_json::Value>(stdout).err().map(|error| CallProblem::NotJson {
        error: error.to_string(),
        start: String::from_utf8_lossy(&store.redact(stdout))
            .lines()
            .collect::<Vec<_>>()
            .join(" | ")
            .chars()
            .take(200)
            .collect(),
    })
}

fn keep(store: &Store, call: &mut Call, output: &Output) -> Result<(), CallProblem> {
    let not_kept = |error: crate::evidence::StoreError| CallProblem::NotKept { error: error.to_string() };
    store.write(&call.file, &output.stdout).map_err(not_kept)?;
    if !output.stderr.is_empty() {
        let file = call.file.with_extension("stderr");
        store.write(&file, &output.stderr).map_err(not_kept)?;
        call.stderr = Some(file);
    }
    Ok(())
}

/// A process and all that it started in its group: killed together when nobody waits for them any more.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

fn read(file: &mut File) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last lines. Secrets go before lines do: a key is no longer known as one by a part of it.
fn tail(store: &Store, bytes: &[u8]) -> String {
    let bytes = store.redact(bytes);
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
