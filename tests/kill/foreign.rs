//! Somebody else's containers and projects on the same host, which no run may touch.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use k1s_profile_gates::stack::Stack;
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::support::cgroups;
use crate::support::stand_in::eventually;

const CONTAINER: &str = "workerbee-000000000000-foreign-app";

/// A containerd with a running container, and a project's folder.
pub(crate) struct Foreign {
    folder: TempDir,
    /// Named after this process: what a test that was killed has left is in nobody's way.
    namespace: String,
    containerd: Child,
}

impl Foreign {
    pub(crate) fn start(stack: &Stack) -> Self {
        let folder = tempfile::Builder::new().prefix("foreign").tempdir_in("/tmp").unwrap();
        let at = |name: &str| folder.path().join(name);
        let project = at("state/projects/foreign/profiles");
        std::fs::create_dir_all(&project).unwrap();
        std::fs::write(project.join("k1s-profile.json"), r#"{"profile": "k1s-dev-min-sqlite"}"#).unwrap();
        let configuration = format!(
            "version = 2\nroot = \"{root}\"\nstate = \"{state}\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = \"{address}\"\n",
            root = at("root").display(),
            state = at("run").display(),
            address = at("containerd.sock").display(),
        );
        std::fs::write(at("containerd.toml"), configuration).unwrap();
        let log = std::fs::File::create(at("containerd.log")).unwrap();
        let containerd = Command::new("containerd")
            .arg("--config")
            .arg(at("containerd.toml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let namespace = format!("workerbee-000000000000-foreign{}", std::process::id());
        let foreign = Self { folder, namespace, containerd };
        eventually("the foreign containerd answers", || foreign.try_ctr(&["version"]).is_ok());
        let archive = stack.images.join("etcd.tar").display().to_string();
        foreign.ctr(&["images", "import", &archive]);
        let image = foreign.ctr(&["images", "ls", "--quiet"]);
        foreign.ctr(&["run", "--detach", image.trim(), CONTAINER, "sleep", "100000"]);
        foreign
    }

    /// All that can be seen of it: equal to the byte before and after a run.
    pub(crate) fn view(&self) -> String {
        let mut view = String::new();
        for question in [
            &["namespaces", "ls"][..],
            &["images", "ls"],
            &["containers", "info", CONTAINER],
            &["tasks", "ls"],
            &["snapshots", "ls"],
            &["snapshots", "info", CONTAINER],
        ] {
            let _ = writeln!(view, "{}", self.ctr(question));
        }
        let tasks = self.ctr(&["tasks", "ls"]);
        let pid = tasks.lines().nth(1).and_then(|line| line.split_whitespace().nth(1)).expect("a running container");
        let process = procfs::process::Process::new(pid.parse().unwrap()).unwrap();
        let _ = writeln!(view, "{pid} since {}", process.stat().unwrap().starttime);
        for entry in WalkDir::new(self.folder.path().join("state")).sort_by_file_name() {
            let entry = entry.unwrap();
            let about = entry.metadata().unwrap();
            let bytes = if about.is_file() { std::fs::read(entry.path()).unwrap() } else { Vec::new() };
            let (mode, changed) = (about.mode(), (about.ctime(), about.ctime_nsec()));
            let _ = writeln!(view, "{} {mode:o} {changed:?} {bytes:?}", entry.path().display());
        }
        view
    }

    fn ctr(&self, arguments: &[&str]) -> String {
        self.try_ctr(arguments).unwrap_or_else(|error| panic!("ctr {arguments:?}: {error}"))
    }

    fn try_ctr(&self, arguments: &[&str]) -> Result<String, String> {
        let address = self.folder.path().join("containerd.sock");
        let mut command = Command::new("ctr");
        command
            .arg("--address")
            .arg(address)
            .args(["--namespace", &self.namespace])
            .args(arguments)
            .stdin(Stdio::null());
        let output = command.output().map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.try_ctr(&["tasks", "delete", "--force", CONTAINER]);
        let _ = self.try_ctr(&["containers", "delete", CONTAINER]);
        let _ = self.containerd.kill();
        let _ = self.containerd.wait();
        cgroups::remove(&self.namespace);
        // Empty by now; what is not empty is not removed.
        let _ = std::fs::remove_dir(Path::new("/run/containerd/runc").join(&self.namespace));
    }
}
