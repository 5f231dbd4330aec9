//! A project on the user's own host: what a killed run leaves of it there, and its removal.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use procfs::process::Process;
use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::calls;
use crate::attest::containerd::Containerd;
use crate::attest::residue::{self, Kind, Observations, Owner, Thing};
use crate::evidence::{Redactor, Store};
use crate::failure::Failure;
use crate::process::done_within;
use crate::workerbee::cli::Cli;
use crate::workerbee::naming;

/// How long the removal of one project may take.
const REMOVAL: Duration = Duration::from_mins(3);
/// How long the gate's process may take to end once its lifeline is cut.
const ENDING: Duration = Duration::from_secs(10);
/// The file in a project's folder that says whose it is. No clock says that: it may have been set meanwhile.
const MARK: &str = ".k1s-profile-gates";

/// The file with `WorkerBee`'s answer to the purge, beside the entry.
const PURGE: &str = "profile-purge.json";

/// A project that a gate is about to create on the user's own containerd.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Project {
    name: String,
    /// The text of its folder's mark: random, and nobody else's.
    mark: String,
    /// The `WorkerBee` that made it.
    bin: PathBuf,
    privilege: String,
    state_root: PathBuf,
    k1s_root: PathBuf,
    /// containerd's socket.
    address: PathBuf,
}

impl Project {
    pub(super) fn new(cli: &Cli, address: &Path) -> std::io::Result<Self> {
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
        })
    }

    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    fn folder(&self) -> PathBuf {
        self.state_root.join("projects").join(&self.name)
    }

    fn namespace(&self) -> String {
        naming::namespace(&self.state_root, &self.name)
    }

    /// Lists what is there of it, in words.
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
            let mut mark = File::create_new(folder.join(MARK))?;
            mark.write_all(self.mark.as_bytes())?;
            mark.sync_all()?;
            File::open(&folder)?.sync_all()
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
        let _lock = self.wait_for_the_gate(entry).await?;
        if self.left().await?.is_empty() {
            return Ok(());
        }
        self.refuse_others().await?;
        calls::end(&self.name, &self.mark);
        let containerd = Containerd::connect(&self.address).await?;
        let mut owner = Owner::new(&self.address, &self.state_root, &self.name);
        let alive = residue::scan(&mut owner).await;
        // A gate that found no daemon has made nothing else: then nobody needs to be asked who may not answer.
        if containerd.namespaces().await?.contains(&self.namespace()) || self.holds_more_than_the_mark() {
            self.empty(&containerd, entry).await?;
        }
        let goes = |kind: Kind, thing: &Thing| self.goes_with_the_folder(kind, thing);
        let observations = residue::settled(&mut owner, false, &residue::nothing(), &alive, goes).await;
        self.refuse_residue(&observations)?;
        containerd.remove_namespace(&self.namespace()).await?;
        self.refuse_mounts()?;
        remove_folder(&self.folder()).map_err(|error| self.stays(&error.to_string()))
    }

    /// Purges until no container is left.
    async fn empty(&self, containerd: &Containerd, entry: &Path) -> Result<(), Failure> {
        let begin = Instant::now();
        loop {
            let (said, file) = self.purge(entry).await;
            // Through MCP the daemon goes on with what its dead gate has asked for, and makes more containers.
            let is_at_work = said.contains("STATE_LOCKED");
            // A container that was being started when its starter was killed may come a moment late.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let held = containerd.contents(&self.namespace()).await?;
            if held.containers.is_empty() && held.tasks.is_empty() && !is_at_work {
                return Ok(());
            }
            if begin.elapsed() > REMOVAL {
                return Err(self.stays(&said).evidence(file));
            }
        }
    }

    /// Returns what became of it, and the file of what `WorkerBee` said. It lies beside the entry and goes with it: the
    /// run's folder is sealed.
    async fn purge(&self, entry: &Path) -> (String, PathBuf) {
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
        let store = match Store::open(&purges_of(entry), Redactor::default()) {
            Ok(store) => store,
            Err(error) => return (error.to_string(), purges_of(entry)),
        };
        let call = cli.call(&store, PURGE, &["profile", "stop", "--k1s-root", &k1s_root, "--purge"], REMOVAL).await;
        let error = call.answer_in(store.root()).and_then(|answer| answer.get("error").map(Value::to_string));
        let said = call.problem.map(|problem| problem.to_string()).or(error);
        (said.unwrap_or_else(|| format!("exit {:?}", call.exit)), store.root().join(PURGE))
    }

    /// Refuses a project whose folder does not have the mark, or whose containers belong to another project.
    async fn refuse_others(&self) -> Result<(), Failure> {
        let refused = |seen: String| {
            Failure::new(format!("the project `{}` is not the one that was written down", self.name))
                .expected(format!("a folder with the entry's mark ({MARK}), and containers with the project's label"))
                .seen(seen)
                .remedy("inspect it, and remove it by hand if it is yours: `workerbee profile stop --purge`")
        };
        let folder = self.folder();
        let is_marked = std::fs::read_to_string(folder.join(MARK)).is_ok_and(|mark| mark == self.mark);
        // Killed before it was marked: then nothing else was made either.
        let is_of_the_mark = |entry: &std::fs::DirEntry| {
            entry.file_name() == MARK && entry.metadata().is_ok_and(|about| about.len() == 0)
        };
        let is_bare =
            || std::fs::read_dir(&folder).is_ok_and(|entries| entries.flatten().all(|entry| is_of_the_mark(&entry)));
        if !is_marked && !is_bare() {
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

    /// Refuses to give up the entry while the purge has left something outside of the folder: without the entry, that
    /// would be nobody's.
    fn refuse_residue(&self, observations: &Observations) -> Result<(), Failure> {
        // What cannot be looked at, without root, says nothing.
        let seen = observations
            .iter()
            .filter_map(|(kind, observation)| Some((*kind, observation.as_ref().ok()?.leftover(*kind))));
        let mut left = seen.flat_map(|(kind, things)| things.into_iter().map(move |thing| (kind, thing)));
        let Some((kind, thing)) = left.next() else { return Ok(()) };
        let remedy = format!("{}; then `k1s-gates sweep --execute`", kind.remedy());
        Err(self.stays(&format!("left after the purge: {thing}")).remedy(remedy))
    }

    fn goes_with_the_folder(&self, kind: Kind, thing: &Thing) -> bool {
        let path = Path::new(&thing.what);
        match kind {
            Kind::StateFolder => path.starts_with(Path::new("projects").join(&self.name)),
            Kind::Networks => path.starts_with(self.folder()),
            _ => false,
        }
    }

    /// Refuses to delete a folder in which something is mounted: that would be deleted with it.
    fn refuse_mounts(&self) -> Result<(), Failure> {
        let unread = |error: procfs::ProcError| self.stays(&format!("/proc/self/mountinfo cannot be read: {error}"));
        let mounts = Process::myself().and_then(|own| own.mountinfo()).map_err(unread)?;
        let inside = mounts.into_iter().find(|mount| mount.mount_point.starts_with(self.folder()));
        inside.map_or(Ok(()), |mount| Err(self.stays(&format!("a mount on {}", mount.mount_point.display()))))
    }

    /// The gate's process holds its entry locked, and so does whoever removes the project: it may just be ending.
    async fn wait_for_the_gate(&self, entry: &Path) -> Result<Option<File>, Failure> {
        let Ok(file) = File::open(entry) else { return Ok(None) };
        let begin = tokio::time::Instant::now();
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            if begin.elapsed() > ENDING {
                let failure = self.stays("its entry is locked: its gate has not ended, or somebody else removes it");
                return Err(failure.evidence(entry).remedy("wait for it (`lsof` on the entry), then sweep once more"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Some(file))
    }

    fn stays(&self, seen: &str) -> Failure {
        Failure::new(format!("the project `{}` could not be removed", self.name))
            .expected(format!("no container in {} and no {}", self.namespace(), self.folder().display()))
            .seen(seen)
            .remedy("see that containerd and WorkerBee answer, then `k1s-gates sweep --execute`")
    }
}

/// Returns the folder that keeps `WorkerBee`'s answers to the purge of an entry's project.
pub(super) fn purges_of(entry: &Path) -> PathBuf {
    entry.with_extension("purge")
}

/// Removes a project's folder. `WorkerBee`'s helper runs as root and leaves files of root's in it, whoever the user is.
pub(crate) fn remove_folder(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied && !geteuid().is_root() => {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "rm", "-rf", "--one-file-system", "--"]).arg(folder);
            done_within(&mut sudo, REMOVAL).map_err(|said| std::io::Error::other(format!("{error}; {said}")))
        }
        removed => removed,
    }
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
        let [bin, k1s_root, address] = ["workerbee", "k1s", "containerd.sock"].map(|name| state_root.join(name));
        let mark = "2b".repeat(16);
        Project { name, mark, bin, privilege, state_root: state_root.to_owned(), k1s_root, address }
    }

    /// Returns the reason why it would not be removed.
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

    #[tokio::test]
    async fn a_folder_whose_mark_was_never_written_is_taken_for_the_gates() {
        let root = tempfile::tempdir().unwrap();
        let project = project(root.path());
        project.claim().unwrap();
        std::fs::write(project.folder().join(MARK), "").unwrap();
        assert!(refusal(&project).await.contains("containerd"), "then containerd is asked, which is not there");
    }

    #[tokio::test(start_paused = true)]
    async fn a_project_in_the_hands_of_its_gate_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let project = project(root.path());
        let entry = root.path().join("1-demo.json");
        std::fs::write(&entry, "").unwrap();
        let held = lock(&entry).unwrap();
        project.claim().unwrap();
        assert!(project.remove(&entry).await.unwrap_err().to_string().contains("locked"));
        drop(held);
        assert!(project.wait_for_the_gate(&entry).await.unwrap().is_some());
        assert!(project.folder().exists());
    }
}
