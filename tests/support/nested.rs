//! A run of nextest within this one, in a session and on a terminal of its own, all of whose files are in one folder.

// Not every test needs all of it.
#![allow(dead_code)]

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use k1s_profile_gates::plan::{Gate, Profile, Transport};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

/// The gate that is cut short: the quickest that has all that a profile has.
pub(crate) const GATE: Gate = Gate::Startup(Profile::DevMinSqlite);
/// How long a gate may take to reach the point.
const REACHED: Duration = Duration::from_mins(3);

/// The run.
pub(crate) struct Nested {
    folder: Rc<TempDir>,
    output: PathBuf,
    /// The name of its project.
    pub(crate) project: String,
    pub(crate) nextest: Child,
    pub(crate) terminal: Option<OwnedFd>,
}

impl Nested {
    /// Starts it with further arguments of nextest's and variables.
    pub(crate) fn start(arguments: &[&str], env: &[(&str, OsString)]) -> Self {
        // Not in TMPDIR, which may be deep: a socket's path has 107 bytes at most.
        let folder = tempfile::Builder::new().prefix("k1s-kill").tempdir_in("/tmp").unwrap();
        for name in ["runtime", "state", "tmp"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self::start_in(Rc::new(folder), arguments, env)
    }

    /// Starts another one with the same ledger and in the same folders, `RUN_DIR` among them.
    pub(crate) fn again(&self, arguments: &[&str], env: &[(&str, OsString)]) -> Self {
        Self::start_in(Rc::clone(&self.folder), arguments, env)
    }

    fn start_in(folder: Rc<TempDir>, arguments: &[&str], env: &[(&str, OsString)]) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let line = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let base = format!("k{:04x}", std::process::id() % 0x10000);
        let outputs = std::fs::read_dir(folder.path()).unwrap().count();
        let file = folder.path().join(format!("output-{outputs}"));
        let output = File::create(&file).unwrap();
        let mut command = Command::new("setsid");
        command.args(["--ctty", "cargo", "nextest", "run", "--test", "gates", "--no-input-handler"]).args(arguments);
        // Not what nextest tells its own trials: this is a run by itself.
        let own = |name: &OsString| name.to_string_lossy().starts_with("NEXTEST");
        for (name, _) in std::env::vars_os().filter(|(name, _)| own(name)) {
            command.env_remove(name);
        }
        let nextest = command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("RUN_DIR", folder.path().join("run"))
            .env("XDG_RUNTIME_DIR", folder.path().join("runtime"))
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .env("TMPDIR", folder.path().join("tmp"))
            .env("WB_PROJECT_BASE", &base)
            .env("INSTA_UPDATE", "no")
            .env_remove("WORKERBEE_CONTAINERD_STATE_ROOT")
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(line))
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self {
            folder,
            output: file,
            project: format!("{base}{}", GATE.suffix(Transport::Cli)),
            nextest,
            terminal: Some(terminal),
        }
    }

    /// The folder of all its files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Returns what nextest printed.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// Returns how nextest ended, once it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.nextest.try_wait().unwrap()
    }

    /// Waits until the gate is at something.
    pub(crate) fn reach(&mut self, phase: &str) -> Result<(), String> {
        let file = self.run_dir().join("gates").join(GATE.slug()).join("progress.json");
        let at = format!("\"doing\": \"{phase}\"");
        let begin = Instant::now();
        while !std::fs::read_to_string(&file).is_ok_and(|progress| progress.contains(&at)) {
            if self.ended().is_some() || begin.elapsed() > REACHED {
                return Err(format!("the gate never was at `{phase}`:\n{}", self.output()));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Waits for nextest's end.
    pub(crate) fn wait(&mut self) -> bool {
        self.nextest.wait().unwrap().success()
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        // A test that failed leaves nothing either: the supervisor ends with nextest, and the lanes with it.
        let _ = self.nextest.kill();
        let _ = self.nextest.wait();
    }
}
