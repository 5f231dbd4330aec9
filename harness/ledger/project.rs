//! A project on the user's own host: what a killed run leaves of it there, and its removal.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use crate::attest::containerd::Containerd;
use crate::evidence::{Redactor, Store};
use crate::failure::Failure;
use crate::workerbee::cli::Cli;
use crate::workerbee::naming;

/// How long the removal of one project may take.
const REMOVAL: Duration = Duration::from_secs(180);
/// How long the gate's process may take to end once its lifeline is cut.
const ENDING: Duration = Duration::from_secs(10);
/// The file in a project's folder that says whose it is. No clock says that: it may have been set meanwhile.
const MARK: &str = ".k1s-profile-gates";

/// A project that a gate is about to create on the user's own containerd.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Project {
    name: String,
    /// What its folder's mark says: random, and nobody else's.
    mark: String,
    /// How to call the `WorkerBee` that made it.
    bin: PathBuf,
    privilege: String,
    state_root: PathBuf,
    k1s_root: PathBuf,
    /// containerd's socket.
    address: PathBuf,
    run_dir: PathBuf,
}

impl Project {
    pub(super) fn new(cli: &Cli, address: &Path, run_dir: &Path) -> std::io::Result<Self> {
        let mut drawn = [0; 16];
        getrandom::fill(&mut drawn).map_err(std::io::Error::other)?;
        Ok(Self {
            name: cli.project.clone(),
            mark: base16ct::lower::encode_string(&drawn),
            bin: cli.bin.clone(),
            privilege: cli.privilege.clone(),
            state_root: cli.state_root.clone(),
            k1s_root: cli.k1s_root.clone(),
            address: address.to_owned(),
            run_dir: run_dir.to_owned(),
        })
    }

    fn folder(&self) -> PathBuf {
        self.state_root.join("projects").join(&self.name)
    }

    fn namespace(&self) -> String {
        naming::namespace(&self.state_root, &self.name)
    }

    /// What is there of it, in words.
    pub(super) async fn left(&self) -> Result<Vec<String>, Failure> {
        // WorkerBee makes the folder before any container, and the harness removes it after the namespace: without it
        // there is nothing, and nobody needs to be asked who may not answer.
        if !self.folder().exists() {
            return Ok(Vec::new());
        }
        let mut left = vec![format!("the folder {}", self.folder().display())];
        let containerd = Containerd::connect(&self.address).await?;
        if containerd.namespaces().await?.contains(&self.namespace()) {
            let held = containerd.contents(&self.namespace()).await?;
            left.push(format!(
                "the containerd namespace {} with {} containers and {} tasks",
                self.namespace(),
                held.containers.len(),
                held.tasks.len()
            ));
        }
        Ok(left)
    }

    /// Makes its folder, with the mark: `WorkerBee` takes it as it is, and its purge leaves both.
    pub(super) fn claim(&self) -> Result<(), Failure> {
        let folder = self.folder();
        let made = || {
            std::fs::create_dir_all(self.state_root.join("projects"))?;
            std::fs::create_dir(&folder)?;
            std::fs::write(folder.join(MARK), &self.mark)
        };
        made().map_err(|error: std::io::Error| {
            Failure::new(format!("the folder of the project `{}` could not be made", self.name))
                .expected(format!("a new folder {}", folder.display()))
                .seen(error.to_string())
                .remedy("see that WorkerBee's state root is yours and can be written to")
        })
    }

    /// Purges it, after making sure that it is what was written down.
    pub(super) async fn remove(&self, entry: &Path) -> Result<(), Failure> {
        // Held to the end: two that remove the same project would be in each other's way.
        let _lock = wait_for_the_gate(entry).await;
        if self.left().await?.is_empty() {
            return Ok(());
        }
        self.refuse_others().await?;
        let containerd = Containerd::connect(&self.address).await?;
        // A gate that found no daemon has made nothing else: then nobody needs to be asked who may not answer.
        if containerd.namespaces().await?.contains(&self.namespace()) || self.holds_more_than_the_mark() {
            self.empty(&containerd).await?;
        }
        containerd.remove_namespace(&self.namespace()).await?;
        self.refuse_mounts()?;
        remove_folder(&self.folder()).map_err(|error| self.stays(&error.to_string()))
    }

    /// Purges until no container is left.
    async fn empty(&self, containerd: &Containerd) -> Result<(), Failure> {
        let begin = Instant::now();
        loop {
            let said = self.purge().await;
            // A container that was being started when its starter was killed may come a moment late.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let held = containerd.contents(&self.namespace()).await?;
            if held.containers.is_empty() && held.tasks.is_empty() {
                return Ok(());
            }
            if begin.elapsed() > REMOVAL {
                return Err(self.stays(&said));
            }
        }
    }

    async fn purge(&self) -> String {
        let cli = Cli {
            bin: self.bin.clone(),
            state_root: self.state_root.clone(),
            project: self.name.clone(),
            k1s_root: self.k1s_root.clone(),
            privilege: self.privilege.clone(),
            env: vec![("WORKERBEE_CONTAINERD_ADDRESS".into(), self.address.display().to_string())],
            hermetic: false,
        };
        let k1s_root = self.k1s_root.display().to_string();
        let store = match Store::open(&self.run_dir, Redactor::default()) {
            Ok(store) => store,
            Err(error) => return error.to_string(),
        };
        let file = format!("sweep/{}-profile-purge.json", self.name);
        let call = cli.call(&store, &file, &["profile", "stop", "--k1s-root", &k1s_root, "--purge"], REMOVAL).await;
        call.problem.map_or_else(|| format!("exit {:?}, see {file}", call.exit), |problem| problem.to_string())
    }

    /// What bears the project's name but not its mark, or belongs to another project, is not ours.
    async fn refuse_others(&self) -> Result<(), Failure> {
        let refused = |seen: String| {
            Failure::new(format!("the project `{}` is not the one that was written down", self.name))
                .expected(format!("a folder with the entry's mark ({MARK}), and containers with the project's label"))
                .seen(seen)
                .remedy("look at it, and remove it by hand if it is yours: `workerbee profile stop --purge`")
        };
        let folder = self.folder();
        let is_marked = std::fs::read_to_string(folder.join(MARK)).is_ok_and(|mark| mark == self.mark);
        // Killed before it was marked: then nothing else was made either.
        let is_empty = || std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none());
        if !is_marked && !is_empty() {
            return Err(refused(format!("{} has no such mark", folder.display())));
        }
        let labels = Containerd::connect(&self.address).await?.labels(&self.namespace(), "workerbee.project").await?;
        match labels.into_iter().find(|label| label.as_deref() != Some(self.name.as_str())) {
            None => Ok(()),
            Some(other) => Err(refused(format!("a container with the label workerbee.project={other:?}"))),
        }
    }

    fn holds_more_than_the_mark(&self) -> bool {
        let entries = std::fs::read_dir(self.folder()).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| entry.file_name() != MARK)
    }

    /// What is mounted in the folder would be deleted with it.
    fn refuse_mounts(&self) -> Result<(), Failure> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let folder = self.folder().display().to_string();
        let inside =
            mounts.lines().filter_map(|line| line.split(' ').nth(1)).find(|target| target.starts_with(&folder));
        inside.map_or(Ok(()), |target| Err(self.stays(&format!("a mount on {target}"))))
    }

    fn stays(&self, seen: &str) -> Failure {
        Failure::new(format!("the project `{}` could not be removed", self.name))
            .expected(format!("no container in {} and no {}", self.namespace(), self.folder().display()))
            .seen(seen)
            .remedy("see that containerd and WorkerBee answer, then `k1s-gates sweep --execute`")
    }
}

/// Removes a project's folder. `WorkerBee`'s helper runs as root and leaves files of root's in it, whoever the user is.
pub(crate) fn remove_folder(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied && !geteuid().is_root() => {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "rm", "-rf", "--one-file-system", "--"]).arg(folder).stdin(Stdio::null());
            let output = sudo.output()?;
            let said = String::from_utf8_lossy(&output.stderr);
            if output.status.success() { Ok(()) } else { Err(std::io::Error::other(format!("{error}; {said}"))) }
        }
        removed => removed,
    }
}

/// The gate's process holds its entry locked: it may just be ending.
async fn wait_for_the_gate(entry: &Path) -> Option<File> {
    let file = File::open(entry).ok()?;
    let begin = Instant::now();
    while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() && begin.elapsed() < ENDING {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Some(file)
}

/// Taken by a gate's process for as long as it lives.
pub(crate) fn lock(entry: &Path) -> std::io::Result<File> {
    let file = File::open(entry)?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;

    fn project(state_root: &Path) -> Project {
        let [name, privilege] = ["demo", "direct"].map(str::to_owned);
        let [bin, k1s_root, address, run_dir] =
            ["workerbee", "k1s", "containerd.sock", "run"].map(|name| state_root.join(name));
        let mark = "2b".repeat(16);
        Project { name, mark, bin, privilege, state_root: state_root.to_owned(), k1s_root, address, run_dir }
    }

    /// Why it would not be removed.
    async fn refusal(project: &Project) -> String {
        project.refuse_others().await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_folder_without_the_mark_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let project = project(root.path());
        project.claim().unwrap();
        assert!(!project.holds_more_than_the_mark() && project.claim().is_err());
        let other = Project { mark: "2c".repeat(16), ..project.clone() };
        for write in ["another mark", ""] {
            // containerd is only asked about what is marked.
            assert!(refusal(&other).await.contains("has no such mark"));
            std::fs::write(project.folder().join(MARK), write).unwrap();
            std::fs::write(project.folder().join(".lock"), "").unwrap();
            assert!(refusal(&project).await.contains("has no such mark"));
        }
        assert!(project.folder().join(".lock").exists() && project.holds_more_than_the_mark());
    }
}
