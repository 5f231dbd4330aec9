//! A user's own machine, for runs against a stand-in for `WorkerBee`.
// Not every test needs all of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::ladder::ladder;
use super::stand_in::script;

pub(crate) const ANSWER: &str = include_str!("../answers/profile-list.json");
/// Counts its calls, apart from the question for its version, and answers with a file.
pub(crate) const HONEST: &str = r#"
case "$*" in *--version*) echo 'workerbee 0.1.7'; exit;; esac
echo "$*" >> "$HERE/calls"
cat "$HERE/answer.json""#;

/// A user's own machine: a state root, a k1s, a `WorkerBee`, and folders that are nobody else's.
pub(crate) struct Machine {
    pub(crate) folder: TempDir,
    pub(crate) env: Vec<(&'static str, String)>,
}

impl Machine {
    pub(crate) fn new(workerbee: &str) -> Self {
        // Not in TMPDIR, which may be deep: a socket's path has 107 bytes at most.
        let folder = tempfile::Builder::new().prefix("k1s").tempdir_in("/tmp").unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["runtime", "state", "tmp", "root", "k1s/src/ae"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        for name in ["k1s/pyproject.toml", "k1s/requirements.txt"] {
            std::fs::write(at(name), "").unwrap();
        }
        std::fs::write(at("answer.json"), ANSWER).unwrap();
        let bin = script(folder.path(), &format!("HERE='{}'\n{workerbee}", folder.path().display()));
        let text = |path: PathBuf| path.display().to_string();
        let env = vec![
            ("PATH", std::env::var("PATH").unwrap()),
            ("HOME", text(at("tmp"))),
            ("XDG_RUNTIME_DIR", text(at("runtime"))),
            ("XDG_STATE_HOME", text(at("state"))),
            ("TMPDIR", text(at("tmp"))),
            ("RUN_DIR", text(at("run"))),
            ("K1S_ROOT", text(at("k1s"))),
            ("WORKERBEE_BIN", text(bin)),
            ("WORKERBEE_CONTAINERD_STATE_ROOT", text(at("root"))),
            ("K1S_GATES_QUERY_TIMEOUT", "2".into()),
        ];
        Self { folder, env }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sets a variable, where `@` stands for the machine's folder; without a value, unsets it.
    pub(crate) fn set(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.env.retain(|(known, _)| *known != name);
        let here = self.folder.path().display().to_string();
        self.env.extend(value.map(|value| (name, value.replace('@', &here))));
        self
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(ladder());
        // Without what nextest tells its own trials: this is a run by itself.
        command.args(arguments).env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Reads the run's summary in the end.
    pub(crate) fn summary(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.at("run/run.json")).unwrap()).unwrap()
    }

    pub(crate) fn calls(&self) -> usize {
        std::fs::read_to_string(self.at("calls")).map_or(0, |calls| calls.lines().count())
    }

    /// No process, no socket, no entry in the ledger.
    pub(crate) fn leaves_nothing(&self) {
        let left = || {
            let folders = ["runtime", "state", "tmp"].map(|folder| files(&self.at(folder)));
            let files = folders.into_iter().flatten().map(|file| file.display().to_string());
            self.processes().into_iter().chain(files).collect::<Vec<String>>()
        };
        let begin = std::time::Instant::now();
        while !left().is_empty() {
            assert!(begin.elapsed() < std::time::Duration::from_secs(10), "still left: {:?}", left());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Processes that have something of this machine on their command line.
    pub(crate) fn processes(&self) -> Vec<String> {
        let here = self.folder.path().display().to_string();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .filter(|line| line.contains(&here))
            .collect()
    }
}

impl Drop for Machine {
    /// A supervisor that is just ending would make its run's folder anew.
    fn drop(&mut self) {
        let begin = std::time::Instant::now();
        while !self.processes().is_empty() && begin.elapsed() < std::time::Duration::from_secs(10) {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

pub(crate) fn errors(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().filter(|line| line.starts_with("Error: ")).map(str::to_owned).collect()
}
