//! One step of the stack: a recipe, what goes into it, and the folder that it fills.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::cache::{self, Cache, Held};
use super::error::StackError;
use super::pip;
use super::privilege::Privilege;
use super::{Progress, Todo};
use super::{digest, environment, registry, seals, tool, version};

/// Runs a recipe as root for a user.
const AS_ROOT: &str = include_str!("recipes/as-root.sh");
pub(super) const PROVENANCE: &str = "provenance.json";
const TAIL: usize = 20;

/// A recipe and what goes into it.
#[derive(Debug, Default, Clone)]
pub(super) struct Step {
    /// Names the folder and the log.
    pub(super) name: &'static str,
    /// The description that the user reads.
    pub(super) what: String,
    /// A shell script. It is told its folder as OUT.
    pub(super) recipe: &'static str,
    /// Variables of the recipe that decide what comes out.
    pub(super) inputs: Vec<(&'static str, String)>,
    /// Files that the recipe finds in its folder; they decide what comes out, too.
    pub(super) files: Vec<(&'static str, String)>,
    /// Variables of the recipe that only say where something is.
    pub(super) places: Vec<(&'static str, OsString)>,
    /// The files and folders that must be in the folder in the end.
    pub(super) outputs: Vec<&'static str>,
    /// Versions that are known beforehand.
    pub(super) versions: Vec<(&'static str, String)>,
    /// Programs in the folder that are asked for theirs.
    pub(super) probes: Vec<Probe>,
    /// A folder in which the recipe has left what other programs said of theirs, one file for each.
    pub(super) said: Option<&'static str>,
    /// The files and folders that are kept by their digests; when none is named, the outputs.
    pub(super) sealed: Vec<&'static str>,
    /// Other steps that come first.
    pub(super) after: Vec<&'static str>,
    /// True when the recipe must run as root.
    pub(super) as_root: bool,
}

/// A program that tells its version.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    /// The software whose version it tells.
    pub(super) of: &'static str,
    /// The program, in the step's folder.
    pub(super) program: &'static str,
    /// The arguments with which it is asked.
    pub(super) arguments: &'static [&'static str],
    /// The version that it must tell, when that is known beforehand.
    pub(super) expected: Option<String>,
}

/// The provenance of a step: where, when and from what it was made. It is written last: a folder without it is not
/// complete.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Provenance {
    name: String,
    inputs: String,
    started: jiff::Timestamp,
    seconds: f64,
    /// The versions of what it brings, as the programs themselves told them.
    pub(super) versions: BTreeMap<String, String>,
    /// Digests of what it brings, by the paths in its folder.
    #[serde(default)]
    pub(super) digests: BTreeMap<String, String>,
    host: BTreeMap<String, String>,
}

impl Step {
    /// SHA-256 over everything that decides what comes out.
    pub(super) fn key(&self) -> String {
        let mut hash = Sha256::new();
        let inputs = self.inputs.iter().chain(&self.files).flat_map(|(name, value)| [*name, value.as_str()]);
        for part in [self.name, self.recipe].into_iter().chain(inputs) {
            // With its length: two parts cannot be taken for one.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        base16ct::lower::encode_string(&hash.finalize())
    }

    /// The folder that it fills.
    pub(super) fn folder(&self, cache: &Cache) -> PathBuf {
        cache.folder().join(format!("{}-{}", self.name, &self.key()[..12]))
    }

    /// Its provenance, when it is complete. What an earlier version has built without keeping its digests is not: root
    /// would execute it uncompared.
    pub(super) fn complete(&self, cache: &Cache) -> Option<Provenance> {
        self.provenance(cache).filter(|provenance| self.is_sealed(provenance))
    }

    /// The same as something that is still to be done.
    pub(super) fn todo(&self, cache: &Cache) -> Todo {
        let anew = self.provenance(cache).is_some_and(|provenance| !self.is_sealed(&provenance));
        Todo { step: self.name.into(), what: self.what.clone(), anew }
    }

    fn provenance(&self, cache: &Cache) -> Option<Provenance> {
        let folder = self.folder(cache);
        let provenance = serde_json::from_slice(&fs::read(folder.join(PROVENANCE)).ok()?).ok()?;
        // Following links: the Python of a virtual environment is the user's and may be gone.
        self.outputs.iter().all(|output| folder.join(output).exists()).then_some(provenance)
    }

    fn is_sealed(&self, provenance: &Provenance) -> bool {
        self.sealed().iter().all(|path| provenance.digests.contains_key(*path))
    }

    /// The paths whose digests are kept.
    fn sealed(&self) -> &[&'static str] {
        if self.sealed.is_empty() { &self.outputs } else { &self.sealed }
    }

    /// Builds it, unless it is complete.
    pub(super) fn ensure(
        &self,
        cache: &Cache,
        held: &Held,
        privilege: Privilege,
        common: &[(&'static str, OsString)],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), StackError> {
        let folder = self.folder(cache);
        if let Some(provenance) = self.complete(cache) {
            // Recipes of other parts execute it, some as root.
            return provenance.digests.iter().try_for_each(|(path, digest)| seals::check(&folder.join(path), digest));
        }
        let todo = self.todo(cache);
        progress(Progress::Started { step: todo.to_string(), what: todo.what });
        let (started, clock) = (jiff::Timestamp::now(), Instant::now());
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        cache.own(held, &name)?;
        cache::remove(&folder, privilege)?;
        fs::create_dir_all(&folder).map_err(StackError::io("create", &folder))?;
        for (name, text) in &self.files {
            write(&folder.join(name), text)?;
        }
        self.run(cache, &folder, held, privilege, common)?;

        let hollow =
            |output| StackError::OutputMissing { step: self.name.to_owned(), output, log: cache.log(self.name) };
        if let Some(output) = self.outputs.iter().map(|output| folder.join(output)).find(|output| !output.exists()) {
            return Err(hollow(output));
        }
        let versions = self.told_versions(&folder).map_err(hollow)?;
        let digests = self.sealed().iter().map(|path| {
            let digest = digest::of(&folder.join(path)).map_err(StackError::io("read", &folder.join(path)))?;
            Ok(((*path).to_owned(), digest))
        });
        let digests = digests.collect::<Result<_, StackError>>()?;
        let seconds = clock.elapsed().as_secs_f64();
        let provenance = Provenance {
            name: self.name.to_owned(),
            inputs: self.key(),
            started,
            seconds,
            versions,
            digests,
            host: host(),
        };
        cache::write_json(&folder.join(PROVENANCE), &provenance)?;
        progress(Progress::Done { step: self.name.to_owned(), seconds });
        Ok(())
    }

    /// The versions of what is there now, or the program that does not tell its own, or another one than it should.
    fn told_versions(&self, folder: &Path) -> Result<BTreeMap<String, String>, PathBuf> {
        let mut versions: BTreeMap<_, _> =
            self.versions.iter().map(|(of, version)| ((*of).to_owned(), version.clone())).collect();
        for Probe { of, program, arguments, expected } in &self.probes {
            let program = folder.join(program);
            let said = tool::ask(&program, arguments);
            let told = said.filter(|said| expected.as_ref().is_none_or(|expected| expected == said)).ok_or(program)?;
            versions.insert((*of).to_owned(), told);
        }
        let said = self.said.map(|said| folder.join(said));
        for file in said.iter().flat_map(fs::read_dir).flatten().flatten() {
            let text = fs::read_to_string(file.path()).unwrap_or_default();
            let told = version::in_text(&text).ok_or_else(|| file.path())?;
            versions.insert(file.file_name().to_string_lossy().into_owned(), told);
        }
        Ok(versions)
    }

    fn run(
        &self,
        cache: &Cache,
        folder: &Path,
        held: &Held,
        privilege: Privilege,
        common: &[(&'static str, OsString)],
    ) -> Result<(), StackError> {
        let out = ("OUT", folder.as_os_str().to_owned());
        let inputs = self.inputs.iter().map(|(name, value)| (*name, OsString::from(value)));
        let mut variables: Vec<_> = std::iter::once(out).chain(inputs).chain(self.places.iter().cloned()).collect();
        variables.extend(common.iter().cloned());
        run_recipe(
            self.name,
            self.recipe,
            &variables,
            folder,
            self.as_root.then_some(privilege),
            held.stdin(),
            &cache.log(self.name),
        )
    }
}

/// The folder of the part that a path in the cache belongs to.
pub(super) fn folder_of(path: &Path) -> Option<&Path> {
    path.ancestors().find(|folder| folder.join(PROVENANCE).is_file())
}

/// Runs a recipe; what it prints goes to the log. With a privilege it runs as root.
pub(super) fn run_recipe(
    step: &str,
    recipe: &str,
    variables: &[(&'static str, OsString)],
    folder: &Path,
    root: Option<Privilege>,
    stdin: Stdio,
    log: &Path,
) -> Result<(), StackError> {
    let output = File::create(log).map_err(StackError::io("write", log))?;
    let errors = output.try_clone().map_err(StackError::io("write", log))?;
    let script = folder.join("recipe.sh");
    write(&script, recipe)?;
    let mut command;
    let environment = folder.join("recipe.env");
    if root == Some(Privilege::Sudo) {
        let wrapper = folder.join("as-root.sh");
        write(&wrapper, AS_ROOT)?;
        exported(&environment, variables)?;
        command = Command::new("sudo");
        command.args(["-n", "sh"]).arg(wrapper).arg(&script).arg(&environment);
    } else {
        command = Command::new("sh");
        command.arg(&script).env_clear().envs(environment::kept());
        command.envs(variables.iter().map(|(name, value)| (name, value)));
    }
    let status = command
        .current_dir(folder)
        .env("PATH", environment::path())
        .stdin(stdin)
        .stdout(output)
        .stderr(errors)
        .status()
        .map_err(StackError::io("run", &script))?;
    // It may hold a proxy's password.
    let _ = fs::remove_file(&environment);
    if status.success() {
        return Ok(());
    }
    let (log, tail) = (log.to_path_buf(), tail(log));
    if let Some(refused) = registry::refused(&tail) {
        return Err(StackError::Image { refused, log });
    }
    Err(match pip::refused(&tail) {
        Some((reason, fault)) => StackError::Requirements { reason, fault, log, tail },
        None => StackError::StepFailed { step: step.to_owned(), status: status.to_string(), log, tail },
    })
}

/// The recipe's variables for a shell that sudo has stripped of the environment.
fn exported(path: &Path, variables: &[(&'static str, OsString)]) -> Result<(), StackError> {
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), value.clone()));
    let mut text = Vec::new();
    for (name, value) in environment::kept().into_iter().chain(variables) {
        text.extend(assignment(&name, &value));
    }
    // Left over from an interrupted run, it could have another mode.
    let _ = fs::remove_file(path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(&text))
        .map_err(StackError::io("write", path))
}

fn assignment(name: &OsStr, value: &OsStr) -> Vec<u8> {
    let mut line = b"export ".to_vec();
    line.extend(name.as_encoded_bytes());
    line.extend(b"='");
    for byte in value.as_encoded_bytes() {
        match byte {
            b'\'' => line.extend(br"'\''"),
            byte => line.push(*byte),
        }
    }
    line.extend(b"'\n");
    line
}

fn write(path: &Path, text: &str) -> Result<(), StackError> {
    fs::write(path, text).map_err(StackError::io("write", path))
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let Ok(file) = File::open(log) else {
        return String::new();
    };
    let lines: Vec<String> = BufReader::new(file)
        .split(b'\n')
        .map_while(Result::ok)
        .map(|line| String::from_utf8_lossy(&line).into())
        .collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

/// Describes the machine, for readers of the provenance.
fn host() -> BTreeMap<String, String> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let release = read("/etc/os-release");
    let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown");
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    BTreeMap::from([
        ("system".into(), system.trim_matches('"').to_owned()),
        ("kernel".into(), read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("architecture".into(), std::env::consts::ARCH.to_owned()),
        ("cpus".into(), cpus.to_string()),
    ])
}

#[cfg(test)]
mod tests {
    use rstest::{fixture, rstest};

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    struct Scene {
        cache: Cache,
        held: Held,
        folder: tempfile::TempDir,
    }

    impl Scene {
        fn ensure(&self, step: &Step) -> Result<Vec<Progress>, StackError> {
            let mut told = Vec::new();
            let count = ("COUNT", self.folder.path().join("count").into_os_string());
            step.ensure(&self.cache, &self.held, Privilege::Root, &[count], &mut |progress| told.push(progress))?;
            Ok(told)
        }

        fn runs(&self) -> usize {
            fs::read_to_string(self.folder.path().join("count")).unwrap_or_default().lines().count()
        }
    }

    #[fixture]
    fn scene() -> Result<Scene, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let cache = Cache::new(&folder.path().join("cache"));
        let held = cache.hold(&mut |_| ())?;
        Ok(Scene { cache, held, folder })
    }

    fn counting() -> Step {
        Step {
            name: "counting",
            recipe: "echo run >> \"$COUNT\"; cat input > \"$OUT/made\"",
            inputs: vec![("VERSION", "1".into())],
            files: vec![("input", "text".into())],
            outputs: vec!["made"],
            versions: vec![("counting", "1".into())],
            ..Step::default()
        }
    }

    #[rstest]
    fn the_second_call_runs_nothing(scene: Result<Scene, Box<dyn std::error::Error>>) -> Outcome {
        let scene = scene?;
        let told = scene.ensure(&counting())?;
        assert!(matches!(&told[..], [Progress::Started { step, .. }, Progress::Done { .. }] if step == "counting"));
        assert!(scene.ensure(&counting())?.is_empty());
        assert_eq!(scene.runs(), 1);
        let provenance = counting().complete(&scene.cache).ok_or("not complete")?;
        assert_eq!(provenance.versions.get("counting").map(String::as_str), Some("1"));
        Ok(())
    }

    #[rstest]
    #[case::interrupted(PROVENANCE)]
    #[case::output_gone("made")]
    fn an_incomplete_folder_is_built_anew(
        scene: Result<Scene, Box<dyn std::error::Error>>,
        #[case] lost: &str,
    ) -> Outcome {
        let scene = scene?;
        scene.ensure(&counting())?;
        let folder = counting().folder(&scene.cache);
        fs::remove_file(folder.join(lost))?;
        fs::write(folder.join("leftover"), "")?;
        assert!(counting().complete(&scene.cache).is_none());
        scene.ensure(&counting())?;
        assert_eq!(scene.runs(), 2);
        assert!(!folder.join("leftover").exists(), "the leftovers are removed");
        Ok(())
    }

    #[rstest]
    fn a_part_without_a_digest_is_built_anew(scene: Result<Scene, Box<dyn std::error::Error>>) -> Outcome {
        let scene = scene?;
        scene.ensure(&counting())?;
        let provenance = counting().folder(&scene.cache).join(PROVENANCE);
        let mut kept: serde_json::Value = serde_json::from_slice(&fs::read(&provenance)?)?;
        for digests in [serde_json::json!(null), serde_json::json!({"other": "0"})] {
            // As earlier versions wrote it.
            match digests {
                serde_json::Value::Null => drop(kept.as_object_mut().ok_or("no object")?.remove("digests")),
                others => kept["digests"] = others,
            }
            fs::write(&provenance, kept.to_string())?;
            assert!(counting().complete(&scene.cache).is_none());
            let told = scene.ensure(&counting())?;
            assert!(matches!(&told[0], Progress::Started { step, .. } if step.contains("no digest")), "{told:?}");
            assert!(counting().complete(&scene.cache).is_some() && !counting().todo(&scene.cache).anew);
        }
        assert_eq!(scene.runs(), 3);
        Ok(())
    }

    #[rstest]
    fn a_part_that_was_changed_is_no_part_for_others(scene: Result<Scene, Box<dyn std::error::Error>>) -> Outcome {
        let scene = scene?;
        scene.ensure(&counting())?;
        let made = counting().folder(&scene.cache).join("made");
        fs::write(&made, "by somebody else")?;
        assert!(matches!(scene.ensure(&counting()), Err(StackError::Changed { path }) if path == made));
        assert_eq!(scene.runs(), 1);
        Ok(())
    }

    #[rstest]
    fn a_failure_shows_the_end_of_the_log(scene: Result<Scene, Box<dyn std::error::Error>>) -> Outcome {
        let scene = scene?;
        let recipe = "i=1; while [ $i -le 30 ]; do echo line $i.; i=$((i+1)); done; echo broken >&2; exit 3";
        let step = Step { recipe, ..counting() };
        let text = scene.ensure(&step).err().ok_or("it passed")?.to_string();
        assert!(text.contains("exit status: 3") && text.contains("broken") && text.contains("line 12."), "{text}");
        assert!(!text.contains("line 11."), "only the last {TAIL} lines: {text}");
        assert!(text.contains("logs/counting.log"), "{text}");
        assert!(step.complete(&scene.cache).is_none());
        Ok(())
    }

    #[rstest]
    fn success_without_output_is_a_failure(scene: Result<Scene, Box<dyn std::error::Error>>) -> Outcome {
        let scene = scene?;
        let error = scene.ensure(&Step { outputs: vec!["bin/other"], ..counting() }).err().ok_or("it passed")?;
        assert!(matches!(error, StackError::OutputMissing { .. }), "{error}");
        Ok(())
    }

    #[rstest]
    #[case::recipe(Step { recipe: "true", ..counting() }, false)]
    #[case::input(Step { inputs: vec![("VERSION", "2".into())], ..counting() }, false)]
    #[case::file(Step { files: vec![("input", "other".into())], ..counting() }, false)]
    #[case::moved_text(Step { inputs: vec![("VERSIO", "N1".into())], ..counting() }, false)]
    #[case::place(Step { places: vec![("GO", "/usr/bin/go".into())], ..counting() }, true)]
    fn the_key_is_that_of_the_recipe_and_its_inputs(#[case] step: Step, #[case] same: bool) {
        assert_eq!(step.key() == counting().key(), same);
        assert_eq!(step.key().len(), 64);
    }

    #[rstest]
    #[case("a b", "export V='a b'\n")]
    #[case("it's $HOME", "export V='it'\\''s $HOME'\n")]
    fn variables_are_quoted_for_the_shell(#[case] value: &str, #[case] line: &str) {
        assert_eq!(assignment(OsStr::new("V"), OsStr::new(value)), line.as_bytes());
    }
}
