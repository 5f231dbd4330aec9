//! From what the user has to what is still to be done.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use super::cache::{self, Cache, Held};
use super::error::StackError;
use super::machine::{self, Machine, Needs};
use super::registry::{Pinned, Registry};
use super::requirement::{self, Missing, Unmet};
use super::schedule::{self, Job};
use super::step::{self, Step};
use super::tool::{self, Memory};
use super::{Options, Progress, Stack, Todo, absolute, image, parts, seals, variable, version};
use crate::tree;

const PACKAGES: &str = "packages";
const INSTALL: &str = include_str!("recipes/packages.sh");
const NERDCTL_VARIABLE: &str = "WORKERBEE_NERDCTL_BIN";
/// The tools that the gates run by name: the user's when there is one, else the stack's.
const NERDCTL: &str = "nerdctl";
const SOPS: &str = "sops";
const NEXTEST: &str = "cargo-nextest";
/// No gate runs it, and only who asks for it has it.
const AMPEL: &str = "ampel";

/// The machine, the user's tools on it, and the cache.
#[derive(Debug)]
pub(super) struct Plan {
    cache: Cache,
    memory: Memory,
    /// The user's PATH, without the folders of the cache.
    folders: Vec<PathBuf>,
    k1s_root: Option<PathBuf>,
    workerbee: Option<PathBuf>,
    nerdctl: Option<PathBuf>,
    nextest: bool,
    ampel: bool,
    plain: bool,
    images: ImageSource,
}

/// Where the images come from.
#[derive(Debug)]
enum ImageSource {
    /// The stack builds them.
    Built,
    /// A registry has them.
    Registry(Pinned),
}

impl From<Option<Pinned>> for ImageSource {
    fn from(pinned: Option<Pinned>) -> Self {
        pinned.map_or(Self::Built, Self::Registry)
    }
}

impl Plan {
    /// Looks at what was asked for, and refuses what cannot be used.
    pub(super) fn new(options: &Options) -> Result<Self, StackError> {
        let cache = Cache::new(&options.cache);
        let plan = Self {
            memory: Memory::load(&cache.tools()),
            folders: tool::folders(&std::env::var_os("PATH").unwrap_or_default(), cache.folder()),
            k1s_root: options.k1s_root.as_deref().map(absolute),
            workerbee: options.workerbee_bin.as_deref().map(absolute),
            nerdctl: variable(NERDCTL_VARIABLE).map(|path| absolute(&path)),
            nextest: options.nextest,
            ampel: options.ampel,
            plain: options.plain,
            images: options.registry.as_ref().map(Registry::pinned).transpose()?.into(),
            cache,
        };
        super::refuse(plan.refused()).map(|()| plan)
    }

    fn refused(&self) -> Vec<Unmet> {
        let mut unmet: Vec<_> = self.k1s_root.iter().flat_map(|root| requirement::k1s_root(root)).collect();
        for (variable, program) in [("WORKERBEE_BIN", &self.workerbee), (NERDCTL_VARIABLE, &self.nerdctl)] {
            unmet.extend(program.as_deref().and_then(|path| requirement::program(variable, path)));
        }
        unmet
    }

    /// Asks the user's tools for versions that are not known yet.
    pub(super) fn learn(&mut self) {
        for tool in self.users_tools() {
            self.memory.learn(&tool, &["--version"]);
        }
        if self.needs_go()
            && let Some(go) = self.on_path("go")
        {
            self.memory.learn(&go, &["version"]);
        }
    }

    /// The user's tools that decide what is built, or whose versions are told.
    fn users_tools(&self) -> Vec<PathBuf> {
        let mut names = vec!["containerd", "runc", SOPS];
        if self.nerdctl.is_none() {
            names.push(NERDCTL);
        }
        if self.nextest {
            names.push(NEXTEST);
        }
        let set = [&self.workerbee, &self.nerdctl].into_iter().flatten().cloned();
        names.into_iter().filter_map(|name| self.on_path(name)).chain(set).collect()
    }

    fn on_path(&self, name: &str) -> Option<PathBuf> {
        let found = tool::find(name, &self.folders);
        let elsewhere = if name == NEXTEST { cargo_folder() } else { tool::SYSTEM_FOLDERS.map(PathBuf::from).to_vec() };
        found.or_else(|| tool::find(name, &elsewhere))
    }

    /// The user's tool of that name, if it is there and runs.
    fn working(&self, name: &str) -> Option<PathBuf> {
        self.on_path(name).filter(|tool| self.memory.version(tool).is_some())
    }

    fn builds_nerdctl(&self) -> bool {
        self.nerdctl.is_none() && self.working(NERDCTL).is_none()
    }

    fn builds_sops(&self) -> bool {
        self.working(SOPS).is_none()
    }

    fn builds_nextest(&self) -> bool {
        self.nextest && self.working(NEXTEST).is_none()
    }

    fn is_open(&self, step: &Step) -> bool {
        step.complete(&self.cache).is_none()
    }

    fn needs_go(&self) -> bool {
        self.go_programs().iter().any(|step| self.is_open(step))
    }

    /// The user's Go, if it is recent enough.
    fn users_go(&self) -> Option<PathBuf> {
        let least = if self.ampel { parts::MIN_GO_OF_AMPEL } else { parts::MIN_GO };
        self.on_path("go").filter(|go| self.memory.version(go).is_some_and(|found| version::at_least(found, least)))
    }

    fn go_programs(&self) -> Vec<Step> {
        let mut programs = match self.images {
            ImageSource::Built => {
                vec![parts::etcd(&self.cache), parts::caddy(&self.cache), parts::nats(&self.cache)]
            }
            ImageSource::Registry(_) => Vec::new(),
        };
        if self.builds_nerdctl() {
            programs.push(parts::nerdctl(&self.cache, self.plain));
        }
        if self.builds_sops() {
            programs.push(parts::sops(&self.cache));
        }
        if self.ampel {
            programs.push(parts::ampel(&self.cache));
        }
        programs
    }

    /// The steps that come before the images. Those on which others wait are first.
    fn steps(&self) -> Vec<Step> {
        let mut steps = vec![parts::workerbee()];
        if self.needs_go() && self.users_go().is_none() {
            steps.insert(0, parts::go());
        }
        if self.k1s_root.is_none() {
            steps.push(parts::k1s(&self.cache));
        }
        steps.extend(self.go_programs());
        steps
    }

    fn root(&self) -> PathBuf {
        self.k1s_root.clone().unwrap_or_else(|| parts::k1s(&self.cache).folder(&self.cache))
    }

    /// The step of the images, once the k1s root is there: it is keyed by the requirements in it.
    fn images(&self) -> std::io::Result<Step> {
        let released = self.k1s_root.is_none();
        match &self.images {
            ImageSource::Built => parts::images(&self.cache, &self.root(), released),
            ImageSource::Registry(pinned) => parts::fetched_images(&self.cache, &self.root(), released, pinned),
        }
    }

    /// Lists the steps that are still to be done, in order.
    pub(super) fn missing(&self) -> Vec<Todo> {
        let mut todo = Vec::new();
        let packages = requirement::packages(&requirement::missing_tools(&self.folders));
        if !packages.is_empty() {
            todo.push(Todo { step: PACKAGES.into(), what: install(&packages), anew: false });
        }
        let mut open = |step: &Step| {
            if self.is_open(step) {
                todo.push(step.todo(&self.cache));
            }
        };
        self.steps().iter().for_each(&mut open);
        if let Ok(images) = self.images() {
            open(&images);
        } else {
            // Its key is not known before.
            let what = "the base images, once the k1s root is there".into();
            todo.push(Todo { step: "images".into(), what, anew: false });
        }
        if self.builds_nextest() && self.is_open(&parts::nextest()) {
            todo.push(parts::nextest().todo(&self.cache));
        }
        todo
    }

    /// Refuses the parts that are there and that others than the user and root may change.
    pub(super) fn check_owners(&self) -> Result<(), StackError> {
        let nextest = self.builds_nextest().then(parts::nextest);
        let parts = self.steps().into_iter().chain(self.images().ok()).chain(nextest);
        parts.filter(|part| !self.is_open(part)).try_for_each(|part| seals::examine(&part.folder(&self.cache)))
    }

    /// The stack, when nothing is missing.
    pub(super) fn stack(&self) -> Option<Stack> {
        let tools_are_known = self.users_tools().iter().all(|tool| self.memory.knows(tool));
        if !tools_are_known || !requirement::missing_tools(&self.folders).is_empty() {
            return None;
        }
        let (mut versions, mut seals) = (BTreeMap::new(), BTreeMap::new());
        // The folder of a complete step; its versions and seals go with it.
        let mut built = |step: &Step| {
            let (provenance, folder) = (step.complete(&self.cache)?, step.folder(&self.cache));
            versions.extend(provenance.versions);
            seals.extend(provenance.digests.into_iter().map(|(path, digest)| (folder.join(path), digest)));
            Some(folder)
        };
        let environment = built(&parts::workerbee())?;
        if self.k1s_root.is_none() {
            built(&parts::k1s(&self.cache))?;
        }
        let images = built(&self.images().ok()?)?;
        let mut path = Vec::new();
        let mut nerdctl = self.nerdctl.clone().or_else(|| self.working(NERDCTL));
        for program in self.go_programs() {
            let folder = built(&program)?.join("bin");
            match program.name {
                NERDCTL => nerdctl = Some(folder.join(NERDCTL)),
                SOPS | AMPEL => {}
                // What is in the images is none of the tools.
                _ => continue,
            }
            path.push(folder);
        }
        if self.builds_nextest() {
            path.push(built(&parts::nextest())?.join("bin"));
        }
        // runc and iptables are there, where a user's PATH may not look.
        let sbin = PathBuf::from(tool::SYSTEM_FOLDERS[0]);
        if !self.folders.contains(&sbin) {
            path.push(sbin);
        }
        let workerbee = self.workerbee.clone().unwrap_or_else(|| environment.join("bin/workerbee"));
        self.add_versions(&mut versions);
        let image_list = image::read(&images, &|of| versions.get(of).cloned())?;
        Some(Stack { workerbee, k1s_root: self.root(), nerdctl: nerdctl?, images, image_list, path, versions, seals })
    }

    /// The versions of what the user brought.
    fn add_versions(&self, versions: &mut BTreeMap<String, String>) {
        let mut tools = ["containerd", "runc"].map(|name| (name, self.on_path(name))).to_vec();
        tools.push((SOPS, self.working(SOPS)));
        tools.push(("WorkerBee", self.workerbee.clone()));
        tools.push((NERDCTL, self.nerdctl.clone().or_else(|| self.working(NERDCTL))));
        for (name, tool) in tools.into_iter().filter_map(|(name, tool)| Some((name, tool?))) {
            // A tool that was named is used, whatever it says of itself.
            let version = self.memory.version(&tool).unwrap_or("unknown");
            versions.insert(name.to_owned(), version.to_owned());
        }
        if let Some(root) = &self.k1s_root {
            versions.insert("k1s".to_owned(), project_version(root).unwrap_or_else(|| "unknown".to_owned()));
        }
    }

    /// Looks whether the machine has what is asked of it; changes nothing.
    pub(super) fn examine(&self) -> Result<(), StackError> {
        Machine::examine(self.needs(), &self.folders).map(drop)
    }

    /// Builds what is missing.
    pub(super) fn carry_out(mut self, progress: &mut dyn FnMut(Progress)) -> Result<Stack, StackError> {
        self.learn();
        if let Some(stack) = self.stack() {
            self.memory.save(&self.cache.tools())?;
            return Ok(stack);
        }
        let machine = Machine::examine(self.needs(), &self.folders)?;
        let held = self.cache.hold(&mut |lock| {
            progress(Progress::Waiting { lock: lock.to_path_buf() });
        })?;
        self.install(&machine, &held, progress)?;

        let mut common: Vec<(&'static str, OsString)> = Vec::new();
        let place = |name, path: Option<PathBuf>| path.map(|path| (name, path.into_os_string()));
        common.extend(place("PYTHON", self.python(&machine)?));
        common.extend(place("CARGO", machine.cargo.clone()));
        common.extend(place("GO", self.users_go().or_else(|| Some(parts::go().folder(&self.cache).join("bin/go")))));

        let build = |step: &Step, tell: &mut dyn FnMut(Progress)| {
            step.ensure(&self.cache, &held, machine.privilege, &common, tell)
        };
        self.cache.own(&held, parts::SHARED)?;
        schedule::carry_out(self.jobs(), at_once(), &build, progress)?;
        cache::remove(&parts::shared(&self.cache), machine.privilege)?;
        // The packages have brought tools that nobody has asked yet.
        self.learn();
        self.memory.save(&self.cache.tools())?;
        self.stack().ok_or_else(|| StackError::Unfinished(self.missing().into_iter().map(|todo| todo.step).collect()))
    }

    /// All that is to be built. The longest last: what fails fails early.
    fn jobs(&self) -> Vec<Job<'_>> {
        let known =
            |step: Step| Job { name: step.name, after: step.after.clone(), step: Box::new(move || Ok(step.clone())) };
        let mut jobs: Vec<Job<'_>> = self.steps().into_iter().map(known).collect();
        let images = || self.images().map_err(StackError::io("read requirements.txt in", &self.root()));
        let after = jobs.iter().map(|job| job.name).collect();
        jobs.push(Job { name: "images", after, step: Box::new(images) });
        jobs.extend(self.builds_nextest().then(parts::nextest).map(known));
        jobs
    }

    fn needs_python(&self) -> bool {
        let makes_environment = |step: &Step| ["go", "workerbee"].contains(&step.name);
        self.steps().iter().any(|step| makes_environment(step) && self.is_open(step))
    }

    /// The Python that was found, or else the one that the packages have brought meanwhile.
    fn python(&self, machine: &Machine) -> Result<Option<PathBuf>, StackError> {
        if !self.needs_python() {
            return Ok(None);
        }
        let python = machine.python.clone().or_else(|| machine::python(&self.folders));
        let none = || Unmet::Python { names: machine::python_names() };
        Ok(Some(python.ok_or_else(|| StackError::Unmet(vec![none()]))?))
    }

    fn needs(&self) -> Needs {
        Needs {
            tools: requirement::missing_tools(&self.folders),
            python: self.needs_python(),
            cargo: self.builds_nextest() && self.is_open(&parts::nextest()),
            images: self.images().map_or(true, |images| self.is_open(&images)),
        }
    }

    fn install(
        &mut self,
        machine: &Machine,
        held: &Held,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), StackError> {
        // Another run may have installed them while this one waited.
        let there =
            requirement::missing_tools(&self.folders).is_empty() && !machine.packages.contains(&"python3-venv".into());
        if machine.packages.is_empty() || there {
            return Ok(());
        }
        progress(Progress::Started { step: PACKAGES.into(), what: install(&machine.packages) });
        let clock = Instant::now();
        let log = self.cache.log(PACKAGES);
        let names = [("PACKAGES", machine.packages.join(" ").into())];
        self.cache.own(held, PACKAGES)?;
        let folder = self.cache.folder().join(PACKAGES);
        fs::create_dir_all(&folder).map_err(StackError::io("create", &folder))?;
        step::run_recipe(PACKAGES, INSTALL, &names, &folder, Some(machine.privilege), Stdio::null(), &log)?;
        let missing: Vec<Missing> = requirement::missing_tools(&self.folders);
        if !missing.is_empty() {
            let tools = missing.into_iter().map(|(tool, _)| tool).collect();
            return Err(StackError::StillMissing { packages: machine.packages.join(", "), tools, log });
        }
        progress(Progress::Done { step: PACKAGES.into(), seconds: clock.elapsed().as_secs_f64() });
        Ok(())
    }
}

/// The number of steps at once: most of each is one process that waits for the network or for another.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2))
}

fn install(packages: &[String]) -> String {
    format!("Debian packages: {}", packages.join(" "))
}

/// Returns the folder in which cargo searches for its subcommands besides PATH.
fn cargo_folder() -> Vec<PathBuf> {
    let home = variable("CARGO_HOME").or_else(|| Some(variable("HOME")?.join(".cargo")));
    home.into_iter().map(|home| home.join("bin")).collect()
}

/// The version that a project's pyproject.toml states.
pub(super) fn project_version(root: &Path) -> Option<String> {
    let text = tree::k1s_file(root, "pyproject.toml").ok()?;
    let project = text.lines().skip_while(|line| line.trim() != "[project]").skip(1);
    project.take_while(|line| !line.starts_with('[')).find_map(|line| {
        let (name, value) = line.split_once('=')?;
        let value = value.split('#').next()?.trim().trim_matches(['"', '\'']);
        (name.trim() == "version").then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn options(cache: &Path) -> Options {
        Options {
            cache: cache.join("cache"),
            k1s_root: None,
            workerbee_bin: None,
            nextest: false,
            ampel: false,
            plain: false,
            registry: None,
        }
    }

    #[rstest]
    #[case("[project]\nname = \"k1s\"\nversion = \"0.1.7\"\n", Some("0.1.7"))]
    #[case("[tool.x]\nversion = \"9\"\n[project]\nversion='0.2' # next\n", Some("0.2"))]
    #[case("[project]\ndynamic = [\"version\"]\n[tool.x]\nversion = \"9\"\n", None)]
    fn the_version_of_a_checkout_is_read(#[case] text: &str, #[case] version: Option<&str>) -> Outcome {
        let root = tempfile::tempdir()?;
        fs::write(root.path().join("pyproject.toml"), text)?;
        assert_eq!(project_version(root.path()).as_deref(), version);
        Ok(())
    }

    #[test]
    fn a_wrong_root_and_a_wrong_program_are_refused_together() -> Outcome {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("pyproject.toml"), "")?;
        let options = Options {
            k1s_root: Some(folder.path().into()),
            workerbee_bin: Some(folder.path().join("workerbee")),
            ..options(folder.path())
        };
        let Err(StackError::Unmet(unmet)) = Plan::new(&options).map(|_| ()) else {
            return Err("not refused".into());
        };
        let lacks = |lacks| Unmet::K1sRoot { path: folder.path().into(), lacks };
        assert!(unmet.contains(&lacks("folder src/ae")) && unmet.contains(&lacks("requirements.txt")), "{unmet:?}");
        assert!(unmet.iter().any(|one| matches!(one, Unmet::Program { variable: "WORKERBEE_BIN", .. })), "{unmet:?}");
        assert!(!folder.path().join("cache").exists(), "nothing is made before");
        Ok(())
    }

    #[test]
    fn an_empty_cache_has_no_stack_and_stays_empty() -> Outcome {
        let folder = tempfile::tempdir()?;
        let options = options(folder.path());
        assert!(super::super::find(&options).is_none());
        let steps: Vec<_> = super::super::missing(&options)?.into_iter().map(|todo| todo.step).collect();
        let built: Vec<&str> = steps.iter().map(String::as_str).filter(|step| *step != PACKAGES).collect();
        let without_users = ["go", "workerbee", "k1s", "etcd", "caddy", "nats-server", "nerdctl", "sops", "images"];
        assert!(built.iter().all(|step| without_users.contains(step)), "{steps:?}");
        assert!(
            ["workerbee", "k1s", "etcd", "caddy", "nats-server"].iter().all(|step| built.contains(step)),
            "{steps:?}"
        );
        assert_eq!(built.last(), Some(&"images"));
        assert!(!options.cache.exists());
        Ok(())
    }
}
