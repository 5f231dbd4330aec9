//! A gate's process: started in a lane or on the host, followed, and ended in time.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::{LAST_WORDS, Supervisor};
use crate::evidence::layout::{self, gate_folder};
use crate::evidence::{StoreError, folder};
use crate::failure::Failure;
use crate::lane::{self, Limits, Mode, Spec, Work};
use crate::plan::GateKey;
use crate::run::log;

/// The interval at which it is checked whether a lane stays.
const INTERVAL: Duration = Duration::from_millis(250);

impl Supervisor {
    /// Runs a gate once, in a project of its own. Returns the file of its record.
    pub(super) async fn run(
        &self,
        key: GateKey,
        project: String,
        rerun_of: Option<PathBuf>,
    ) -> Result<PathBuf, Failure> {
        let prepared = self.prepared().await?;
        {
            let mut summary = self.summary.lock().await;
            summary.environment.clone_from(&prepared.environment);
            summary.k1s_root = Some(prepared.k1s.clone());
        }
        let mut spec = Spec {
            work: Work::Gate(key),
            part: self.part,
            project,
            rerun_of,
            entry: PathBuf::new(),
            settings: self.settings.clone(),
            workerbee: prepared.workerbee,
            k1s_root: prepared.k1s_root,
            k1s: Some(prepared.k1s),
            stack: prepared.stack,
            versions: prepared.versions,
        };
        let folder = gate_folder(key);
        let log = folder.join(layout::GATE_LOG);
        let entry = spec.write_down(&self.ledger)?;
        self.store.write_json(&folder.join(layout::SPEC), &spec).map_err(|error| unwritable(&error))?;
        let ended = self.process(&spec, &log).await;
        let log = self.settings.run_dir.join(log);
        // What stays is in the ledger, and is tried again when the run ends.
        let _ = crate::ledger::settle(&entry).await;
        let record = self.settings.run_dir.join(&folder).join(layout::RECORD);
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
    async fn process(&self, spec: &Spec, log: &Path) -> Result<(ExitStatus, String), Failure> {
        let unstarted = |error: std::io::Error| {
            Failure::new(format!("the process of a gate could not be started: {error}"))
                .expected("a process of this executable, in a lane or on the host")
                .seen(error.to_string())
                .remedy("see that util-linux (unshare) is installed")
        };
        let mut command = match self.settings.mode {
            Mode::Embedded => lane::in_lane()?,
            Mode::External(_) => lane::on_host()?,
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
        let logged = log::follow(output, self.store.clone(), log.to_owned(), self.logs.subscribe());
        let mut lifeline = child.stdin.take();
        if let Some(lifeline) = &mut lifeline {
            let lines = spec.hand_over(&self.redaction).map_err(unstarted)?;
            // A process that has ended already says itself why.
            let _ = lifeline.write_all(&lines).await;
        }
        let limit = whole_limit(spec.settings.limits);
        let stays = self.settings.run_dir.join(spec.folder()).join(layout::KEPT);
        let ended = async {
            loop {
                match tokio::time::timeout(INTERVAL, child.wait()).await {
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
                _ => log::last_words(&folder::read(&self.settings.run_dir, log).unwrap_or_default()),
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

fn unwritable(error: &StoreError) -> Failure {
    Failure::new(error.to_string())
        .expected("a RUN_DIR that can be written to")
        .seen(error.to_string())
        .remedy("free some room, or set RUN_DIR to another folder")
}
