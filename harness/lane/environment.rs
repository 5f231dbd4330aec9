//! The ground that a gate stands on: a containerd, the images that `WorkerBee` asks for, an environment.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::task::{AbortHandle, JoinHandle};

use super::intervention::Intervention;
use super::settings::{External, Mode};
use super::spec::Spec;
use crate::attest::containerd::Containerd;
use crate::failure::Failure;
use crate::plan::{Component, Profile};
use crate::stack::{Image, Role, Stack};
use crate::workerbee::cli::Cli;
use crate::workerbee::naming;

/// How long containerd may take until it answers.
const CONTAINERD_STARTUP: Duration = Duration::from_secs(30);

/// How long the import of one image may take: a second or two, on a busy machine ten.
const IMPORT: Duration = Duration::from_mins(3);

/// A prepared environment. In a lane it owns the lane's containerd.
pub(crate) struct Environment {
    /// containerd's socket.
    pub address: PathBuf,
    /// `WorkerBee`'s state root.
    pub state_root: PathBuf,
    /// Environment of `WorkerBee`, on top of the process's own.
    pub env: Vec<(String, String)>,
    stack: Option<Stack>,
    weighs_controller_0: bool,
    containerd_of_the_lane: Option<Child>,
}

impl Environment {
    /// Starts what a lane needs; in the external mode everything is there.
    pub(crate) async fn prepare(spec: &Spec) -> Result<Self, Failure> {
        match (&spec.settings.mode, &spec.stack) {
            (Mode::External(external), _) => Ok(Self::on_host(external)),
            (Mode::Embedded, Some(stack)) => Self::in_lane(spec, stack).await,
            (Mode::Embedded, None) => Err(Failure::new("a lane was started without a stack")
                .expected("the stack in the gate's specification")
                .seen("none")
                .to_be_reported()),
        }
    }

    /// The user's own: everything is there.
    pub(crate) fn on_host(external: &External) -> Self {
        Self {
            address: external.address.clone(),
            // WorkerBee resolves the path before it takes its hash.
            state_root: external.state_root.canonicalize().unwrap_or_else(|_| external.state_root.clone()),
            env: vec![("WORKERBEE_CONTAINERD_ADDRESS".into(), external.address.display().to_string())],
            stack: None,
            weighs_controller_0: false,
            containerd_of_the_lane: None,
        }
    }

    async fn in_lane(spec: &Spec, stack: &Stack) -> Result<Self, Failure> {
        let root = spec.lane_root();
        let unmade = |error: std::io::Error| {
            Failure::new(format!("the lane's environment could not be prepared: {error}"))
                .expected(format!("a folder {}", root.display()))
                .seen(error.to_string())
                .remedy("see the gate's log")
        };
        for folder in ["state", "home", "tmp", "podman", "podman-run"] {
            std::fs::create_dir_all(root.join(folder)).map_err(unmade)?;
        }
        let storage = root.join("storage.conf");
        std::fs::write(&storage, podman_storage(&root, &stack.images)).map_err(unmade)?;
        let registries = root.join("registries.conf");
        std::fs::write(&registries, podman_registries(stack)).map_err(unmade)?;
        let address = root.join("containerd.sock");
        let configuration = root.join("containerd.toml");
        std::fs::write(&configuration, containerd_configuration(&root, &address)).map_err(unmade)?;

        let text = |path: &Path| path.display().to_string();
        let mut path: Vec<String> = stack.path.iter().map(|folder| text(folder)).collect();
        path.extend(["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(String::from));
        let mut env = vec![
            ("PATH".to_owned(), path.join(":")),
            ("HOME".into(), text(&root.join("home"))),
            ("TMPDIR".into(), text(&root.join("tmp"))),
            ("LANG".into(), "C.UTF-8".into()),
            ("CONTAINERD_ADDRESS".into(), text(&address)),
            ("CONTAINERS_STORAGE_CONF".into(), text(&storage)),
            ("WORKERBEE_CONTAINERD_ADDRESS".into(), text(&address)),
            ("WORKERBEE_NERDCTL_BIN".into(), text(&stack.nerdctl)),
            ("WORKERBEE_BIN".into(), text(&spec.workerbee)),
            ("WORKERBEE_CONTAINERD_STATE_ROOT".into(), text(&root.join("state"))),
            ("K1S_ROOT".into(), text(&spec.k1s_root)),
            ("CONTAINERS_REGISTRIES_CONF".into(), text(&registries)),
        ];
        let python = python(&root, &spec.workerbee).map_err(unmade)?;
        env.extend(python.map(|python| ("WORKERBEE_PYTHON".to_owned(), text(&python))));
        let late = Intervention::LateCollection.is_done(&spec.settings);
        env.extend(late.then(|| ("GOGC".to_owned(), "400".to_owned())));
        let told = |image: &Image| Some((image.role.variable()?.to_owned(), image.name.clone()));
        let others = stack.image_list.iter().filter(|image| image.instead_of.is_some());
        env.extend(others.filter_map(told));
        let log = std::fs::File::create(root.join("containerd.log")).map_err(unmade)?;
        let containerd = Command::new("containerd")
            .arg("--config")
            .arg(&configuration)
            .env_clear()
            .envs(env.clone())
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(unmade)?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(unmade)?;
        Containerd::wait_for(&address, CONTAINERD_STARTUP)
            .await
            .map_err(|failure| failure.evidence(root.join("containerd.log")))?;
        Ok(Self {
            address,
            state_root: root.join("state"),
            env,
            stack: Some(stack.clone()),
            weighs_controller_0: Intervention::ControllerWeight.is_done(&spec.settings),
            containerd_of_the_lane: Some(containerd),
        })
    }

    /// Leaves the lane's containerd alone, which otherwise ends with this value.
    pub(crate) fn stay(self) {
        std::mem::forget(self.containerd_of_the_lane);
    }

    /// The command line of `WorkerBee` for a project on this environment. It deploys and exports with the k1s that is
    /// installed beside it, unless it is told otherwise: the k1s under test would be tested in its containers alone.
    pub(crate) fn cli(&self, spec: &Spec) -> Cli {
        let k1s_root = ("WORKERBEE_K1S_ROOT".to_owned(), spec.k1s_root.display().to_string());
        Cli {
            bin: spec.workerbee.clone(),
            state_root: self.state_root.clone(),
            project: spec.project.clone(),
            k1s_root: spec.k1s_root.clone(),
            privilege: "sudo-helper".to_owned(),
            env: self.env.iter().cloned().chain([k1s_root]).collect(),
            // A lane's WorkerBee sees nothing of the user's configuration; the user's own WorkerBee all of it.
            hermetic: self.stack.is_some(),
        }
    }

    /// Puts Caddy's image where `WorkerBee` itself will look for it. Elsewhere than in a lane it fetches its own.
    pub(crate) fn seed_system(&self) -> Seeding {
        self.seed(naming::system_namespace(&self.state_root), &["caddy"])
    }

    /// Puts images where a project will look for them: each project is a namespace of containerd's.
    pub(crate) fn seed_project(&self, project: &str, images: &[&'static str]) -> Seeding {
        self.seed(naming::namespace(&self.state_root, project), images)
    }

    fn seed(&self, namespace: String, images: &[&'static str]) -> Seeding {
        let folder = self.stack.as_ref().map(|stack| stack.images.clone());
        let (address, images) = (self.address.clone(), images.to_vec());
        Seeding(tokio::spawn(async move {
            let Some(folder) = folder else { return Ok(()) };
            for image in images {
                import(&address, &namespace, &folder.join(format!("{image}.tar"))).await?;
            }
            Ok(())
        }))
    }

    /// In a lane, lets controller 0 win the lease of k1s-ha-min. The user's own host is left as it is.
    pub(crate) fn head_start(&self, project: &str, profile: Profile) -> Option<AbortHandle> {
        self.weighs_controller_0.then_some(()).filter(|()| profile.elects_leader())?;
        let address = self.address.clone();
        let namespace = naming::namespace(&self.state_root, project);
        let container = naming::container(&self.state_root, project, profile, Component::Controller(0));
        let task = async move { super::head_start::give(&address, &namespace, &container).await };
        Some(tokio::spawn(task).abort_handle())
    }
}

/// Images on their way into containerd, while something else is done.
#[must_use = "what needs the images has to wait for them"]
pub(crate) struct Seeding(JoinHandle<Result<(), Failure>>);

impl Seeding {
    /// Waits until they are there.
    pub(crate) async fn done(self) -> Result<(), Failure> {
        self.0.await.unwrap_or_else(|error| {
            Err(Failure::new(format!("the import of the images ended early: {error}"))
                .expected("images in containerd, or why there are none")
                .seen(error.to_string())
                .to_be_reported())
        })
    }
}

/// Unpacked when the first container is started from it, and not at all when none is.
async fn import(address: &Path, namespace: &str, archive: &Path) -> Result<(), Failure> {
    let output = Command::new("ctr")
        .arg("--address")
        .arg(address)
        .args(["--namespace", namespace, "images", "import", "--no-unpack"])
        .arg(archive)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let seen = match tokio::time::timeout(IMPORT, output).await {
        Ok(Ok(output)) if output.status.success() => return Ok(()),
        Ok(Ok(output)) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no end of `ctr images import` within {} s", IMPORT.as_secs()),
    };
    Err(Failure::new(format!("the image {} could not be imported", archive.display()))
        .expected(format!("its content in the namespace {namespace}"))
        .seen(seen)
        .remedy("run `make clean-cache` and `make stack`, which builds the images anew"))
}

/// Makes the Python by which `WorkerBee` runs k1s's own commands: `WorkerBee`'s. It would take that of a `.venv` in the k1s
/// root, which nobody has looked at, and it resolves links, by which a virtual environment's Python loses its environment.
/// None when there is no Python beside the program: a script that calls another `WorkerBee` does not say where that is.
fn python(root: &Path, workerbee: &Path) -> std::io::Result<Option<PathBuf>> {
    use std::os::unix::fs::PermissionsExt as _;
    // Only the program is resolved: a link to it may stand in a folder of programs.
    let python = workerbee.canonicalize()?.with_file_name("python");
    if !python.is_file() {
        return Ok(None);
    }
    let file = root.join("python");
    let path = python.display().to_string().replace('\'', "'\\''");
    std::fs::write(&file, format!("#!/bin/sh\nexec '{path}' \"$@\"\n"))?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
    Ok(Some(file))
}

/// Everything of containerd under the lane's root, and no plugin that it does not need.
fn containerd_configuration(root: &Path, address: &Path) -> String {
    let root = root.join("containerd");
    format!(
        r#"version = 2
root = "{root}/root"
state = "{root}/state"
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
[grpc]
address = "{address}"
"#,
        root = root.display(),
        address = address.display(),
    )
}

/// podman's own storage on the lane, over the stack's, which it only reads.
fn podman_storage(root: &Path, images: &Path) -> String {
    format!(
        r#"[storage]
driver = "overlay"
graphroot = "{root}/podman"
runroot = "{root}/podman-run"
[storage.options]
additionalimagestores = ["{images}/storage"]
"#,
        root = root.display(),
        images = images.display(),
    )
}

/// The configuration by which podman finds the base of WorkerBee's applications, which their Containerfiles call
/// `python`.
fn podman_registries(stack: &Stack) -> String {
    let base = stack.image(Role::PythonApp).map_or("docker.io/library/python", |image| image.repository());
    format!("[aliases]\n\"python\" = \"{base}\"\n")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;

    #[test]
    fn the_python_is_that_of_the_program_wherever_a_link_to_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["it's/bin", "links", "scripts"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        for file in ["it's/bin/workerbee", "scripts/workerbee"] {
            std::fs::write(at(file), "").unwrap();
        }
        std::os::unix::fs::symlink("/bin/echo", at("it's/bin/python")).unwrap();
        std::os::unix::fs::symlink(at("it's/bin/workerbee"), at("links/workerbee")).unwrap();
        for program in ["it's/bin/workerbee", "links/workerbee"] {
            let python = python(folder.path(), &at(program)).unwrap().unwrap();
            let said = std::process::Command::new(python).arg("a b").output().unwrap().stdout;
            assert_eq!(String::from_utf8_lossy(&said), "a b\n", "{program}");
        }
        // A script that calls another one.
        assert_eq!(python(folder.path(), &at("scripts/workerbee")).unwrap(), None);
    }
}
