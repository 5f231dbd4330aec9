//! The files that `init` writes in a repository that is to have the gates.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use k1s_profile_gates::config;
use k1s_profile_gates::plan::profiles;
use toml_edit::{DocumentMut, Item, value};

use super::edit::Edit;
use super::error::InitError;
use super::merge::{Conflict, merge};
use super::record::{Record, text};

/// The whole of a test target.
const TEST: &str = "//! The validation gates of k1s's profiles. Checks of this repository's own are added here: see docs/consumer.md of
//! k1s-profile-gates.

fn main() -> std::process::ExitCode {
    k1s_profile_gates::main()
}
";
/// A package has a library; this one has nothing to put into it.
const LIBRARY: &str = "//! Nothing: the gates are in `gates.rs`.\n";
/// The lines that the manifest of a package needs to have the gates.
const PACKAGE: &str = include_str!("package.toml");
/// The lines that the manifest of a workspace needs to have the gates run fast.
const WORKSPACE: &str = include_str!("workspace.toml");
/// nextest's profiles of the gates.
const NEXTEST: &str = include_str!("nextest.toml");
/// The same of a package with no other tests: plain `cargo nextest run` has all trials wait at once.
const NEXTEST_ALONE: &str = include_str!("nextest-alone.toml");
/// The workflow, with the example's way to get the command.
const WORKFLOW: &str = include_str!("../../../examples/ci/github-actions.yml");
/// The line of the workflow that gets the command.
const INSTALL: &str = "cargo install --locked --git https://example.org/k1s-profile-gates k1s-profile-gates";

/// The place where cargo finds the harness.
pub(super) enum Dependency {
    /// In a repository.
    Git(String),
    /// In a folder, as the manifest is to name it.
    Path(PathBuf),
}

impl Dependency {
    /// As the call says, or else the folder that this command was built from.
    pub(super) fn new(git: Option<&str>, path: Option<&Path>, root: &Path) -> Result<Self, InitError> {
        if let Some(url) = git {
            return Ok(Self::Git(url.to_owned()));
        }
        let folder = path.unwrap_or(Path::new(env!("CARGO_MANIFEST_DIR")));
        if !folder.join("Cargo.toml").is_file() {
            return Err(InitError::NoSource(folder.to_owned()));
        }
        let folder = folder.canonicalize().map_err(InitError::file(folder))?;
        // A neighbour is named as one: another machine may have both elsewhere.
        let beside = folder.file_name().filter(|_| folder.parent() == root.parent());
        Ok(Self::Path(beside.map_or(folder.clone(), |name| Path::new("..").join(name))))
    }

    /// Its line in the manifest.
    fn item(&self) -> Item {
        let mut table = toml_edit::InlineTable::new();
        match self {
            Self::Git(url) => table.insert("git", url.as_str().into()),
            Self::Path(path) => table.insert("path", path.display().to_string().into()),
        };
        value(table)
    }

    /// Returns the command by which a workflow installs the harness.
    fn install(&self) -> String {
        match self {
            Self::Git(url) => format!("cargo install --locked --git {url} k1s-profile-gates"),
            Self::Path(path) => format!("cargo install --locked --path {}", path.display()),
        }
    }
}

/// The place of a test target.
pub(super) struct Target {
    /// The root of the package or of its workspace, where cargo and nextest look for their settings.
    pub(super) root: PathBuf,
    /// The folder of the package.
    package: PathBuf,
}

impl Target {
    /// A k1s checkout, or the folder of a package.
    pub(super) fn of(folder: &Path) -> Result<Self, InitError> {
        let manifest = folder.join("Cargo.toml");
        let is_k1s = folder.join("src/ae").is_dir() && folder.join("pyproject.toml").is_file();
        if !manifest.is_file() {
            let package = folder.to_owned();
            return if is_k1s { Ok(Self { root: package.clone(), package }) } else { Err(InitError::NoPlace(package)) };
        }
        if !parse(&manifest)?.contains_key("package") {
            return Err(InitError::NoPackage(manifest));
        }
        let root = workspace(&manifest).unwrap_or_else(|| folder.to_owned());
        Ok(Self { root, package: folder.to_owned() })
    }

    /// Every file, as it is and as it is to be.
    pub(super) fn edits(&self, dependency: &Dependency, record: &mut Record) -> Result<Vec<Edit>, InitError> {
        let manifest = self.package.join("Cargo.toml");
        let alone = !manifest.is_file() || record.has_made(&self.root, &manifest);
        let mut edits = Vec::new();
        if alone {
            let gates = self.package.join("gates");
            let mut wanted = fragment(PACKAGE);
            merge(&mut wanted, &fragment(WORKSPACE)).map_err(|conflict| unmergeable(&manifest, conflict))?;
            wanted["dev-dependencies"]["k1s-profile-gates"] = dependency.item();
            edits.push(record.file(&self.root, manifest, wanted.to_string())?);
            edits.push(record.file(&self.root, gates.join("lib.rs"), LIBRARY.into())?);
            edits.push(record.file(&self.root, gates.join("gates.rs"), TEST.into())?);
        } else {
            edits.extend(self.manifests(dependency, record)?);
            edits.push(record.file(&self.root, self.package.join("tests/gates.rs"), TEST.into())?);
        }
        let nextest = if alone { format!("{NEXTEST}\n{NEXTEST_ALONE}") } else { NEXTEST.to_owned() };
        edits.push(self.merged(self.root.join(".config/nextest.toml"), &fragment(&nextest), record)?);
        let schema = serde_json::to_string_pretty(&config::schema(&profiles)).unwrap_or_default() + "\n";
        edits.push(record.file(&self.root, self.package.join(".config/k1s-gates.schema.json"), schema)?);
        let settings = config::template(".config/k1s-gates.schema.json");
        edits.push(self.settings(settings, record)?);
        let workflow = WORKFLOW.replace(INSTALL, &dependency.install());
        edits.push(record.file(&self.root, self.root.join(".github/workflows/k1s-gates.yml"), workflow)?);
        let ignored = ["target", "target/", "/target"];
        edits.push(record.line(&self.root, self.root.join(".gitignore"), "/target/", &ignored)?);
        Ok(edits)
    }

    /// The file of settings is the user's: one that is there stays as it is.
    fn settings(&self, wanted: String, record: &mut Record) -> Result<Edit, InitError> {
        let file = self.package.join(config::FILE);
        match text(&file)? {
            Some(known) if !record.has_made(&self.root, &file) => Ok(Edit::new(file, Some(known.clone()), Some(known))),
            _ => record.file(&self.root, file, wanted),
        }
    }

    /// The lines of the package's manifest, and those that only the root of its workspace can have.
    fn manifests(&self, dependency: &Dependency, record: &mut Record) -> Result<Vec<Edit>, InitError> {
        let file = self.package.join("Cargo.toml");
        let manifest = parse(&file)?;
        let mut lines = DocumentMut::new();
        if !has_dependency(&manifest) {
            lines["dev-dependencies"] = toml_edit::table();
            lines["dev-dependencies"]["k1s-profile-gates"] = dependency.item();
        }
        match target_named(&manifest, "gates") {
            Some(target) if target.get("harness").and_then(Item::as_bool) == Some(false) => {}
            Some(_) => {
                return Err(InitError::Unmergeable {
                    file,
                    what: "it has a test target `gates` with cargo's own harness".into(),
                    remedy: "give that target another name".into(),
                });
            }
            None => {
                let mut targets = toml_edit::ArrayOfTables::new();
                let mut target = toml_edit::Table::new();
                target.insert("name", value("gates"));
                target.insert("harness", value(false));
                targets.push(target);
                lines["test"] = Item::ArrayOfTables(targets);
            }
        }
        if self.root != self.package {
            let root = self.merged(self.root.join("Cargo.toml"), &fragment(WORKSPACE), record)?;
            return Ok(vec![self.merged(file, &lines, record)?, root]);
        }
        merge(&mut lines, &fragment(WORKSPACE)).map_err(|conflict| unmergeable(&file, conflict))?;
        Ok(vec![self.merged(file, &lines, record)?])
    }

    fn merged(&self, file: PathBuf, from: &DocumentMut, record: &mut Record) -> Result<Edit, InitError> {
        let before = text(&file)?;
        let mut document = if before.is_some() { parse(&file)? } else { DocumentMut::new() };
        let merged = merge(&mut document, from).map_err(|conflict| unmergeable(&file, conflict))?;
        record.toml(&self.root, &file, merged.added);
        let mut edit = Edit::new(file, before, Some(document.to_string()));
        edit.kept = merged.kept;
        Ok(edit)
    }

    /// Returns the text that says what to do next.
    pub(super) fn next(&self) -> String {
        let folder = self.package.display();
        format!(
            "\nNext, in {folder}:\n  k1s-gates doctor\n  k1s-gates run -- -E 'test(startup::k1s-dev-min-sqlite)'\n\
             Undo all of it: k1s-gates init --remove\n"
        )
    }
}

fn unmergeable(file: &Path, Conflict(what): Conflict) -> InitError {
    InitError::Unmergeable { file: file.to_owned(), what, remedy: "change that by hand".into() }
}

/// A file of the user's as TOML.
fn parse(file: &Path) -> Result<DocumentMut, InitError> {
    let text = text(file)?.unwrap_or_default();
    text.parse().map_err(|error: toml_edit::TomlError| InitError::Unmergeable {
        file: file.to_owned(),
        what: format!("it is no TOML: {}", error.to_string().trim_end()),
        remedy: "correct it".into(),
    })
}

/// TOML of the harness's own.
fn fragment(text: &str) -> DocumentMut {
    text.parse().unwrap_or_default()
}

/// The root of the workspace that a manifest belongs to, as cargo finds it.
fn workspace(manifest: &Path) -> Option<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["locate-project", "--workspace", "--message-format", "plain", "--manifest-path"]).arg(manifest);
    let output = cargo.stderr(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    let root = String::from_utf8(output.stdout).ok()?;
    Path::new(root.trim()).parent().map(Path::to_owned)
}

fn has_dependency(manifest: &DocumentMut) -> bool {
    let tables = ["dev-dependencies", "dependencies"].map(|name| manifest.get(name).and_then(Item::as_table_like));
    tables.into_iter().flatten().any(|table| table.contains_key("k1s-profile-gates"))
}

fn target_named<'a>(manifest: &'a DocumentMut, name: &str) -> Option<&'a toml_edit::Table> {
    let targets = manifest.get("test").and_then(Item::as_array_of_tables);
    targets?.iter().find(|target| target.get("name").and_then(Item::as_str) == Some(name))
}
