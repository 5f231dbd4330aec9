//! The means that this machine offers to whoever builds.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::error::StackError;
use super::privilege::Privilege;
use super::requirement::{self, MIN_CARGO, MIN_PYTHON, Missing, Unmet};
use super::{tool, variable, version};
use crate::process::done_within;

/// How long a Python may take to say whether it can make environments.
const PYTHON: Duration = Duration::from_mins(1);

/// The needs of a build from the machine.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Tools that Debian packages would bring.
    pub(super) tools: Vec<Missing>,
    /// True when a virtual environment is to be made.
    pub(super) python: bool,
    /// True when cargo-nextest is to be built.
    pub(super) cargo: bool,
    /// True when the images are to be built.
    pub(super) images: bool,
}

/// The means by which these needs are met.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) privilege: Privilege,
    pub(super) python: Option<PathBuf>,
    pub(super) cargo: Option<PathBuf>,
    /// The packages to install first.
    pub(super) packages: Vec<String>,
}

impl Machine {
    /// Finds out; all that is missing is told at once.
    pub(super) fn examine(needs: Needs, folders: &[PathBuf]) -> Result<Self, StackError> {
        let mut unmet = Vec::new();
        let mut tools = needs.tools;
        let apt = tool::find("apt-get", folders).is_some();

        let python = if needs.python { python(folders) } else { None };
        if needs.python && python.is_none() {
            // Whether Debian's is recent enough shows once it is there.
            let debians = Path::new("/usr/bin/python3");
            if apt && (!debians.exists() || is_recent(debians)) {
                tools.push((format!("python3 >= {MIN_PYTHON} with venv"), "python3-venv"));
            } else {
                unmet.push(Unmet::Python { names: python_names() });
            }
        }

        let packages = requirement::packages(&tools);
        let root = !packages.is_empty() || needs.images;
        let privilege = if root { Privilege::detect() } else { Privilege::None };
        if !packages.is_empty() && !apt {
            let tools = tools.into_iter().map(|(tool, _)| tool).collect();
            unmet.push(Unmet::Tools { tools, packages: packages.clone() });
        } else if !packages.is_empty() && privilege == Privilege::None {
            let packages = packages.join(" ");
            let remedy = format!("sudo apt-get install -y --no-install-recommends {packages}");
            unmet.push(Unmet::Root { what: format!("installing Debian's {packages}"), remedy });
        }
        if needs.images && privilege == Privilege::None {
            unmet.push(Unmet::Root {
                what: "building the base images".into(),
                remedy: "sudo -v, then the same again".into(),
            });
        }

        let cargo = needs.cargo.then(|| variable("CARGO").or_else(|| tool::find("cargo", folders))).flatten();
        if needs.cargo {
            let found = cargo.as_deref().and_then(|cargo| tool::ask(cargo, &["--version"]));
            if !found.as_deref().is_some_and(|found| version::at_least(found, MIN_CARGO)) {
                unmet.push(Unmet::Cargo { found: found.unwrap_or_else(|| "none".into()) });
            }
        }
        if unmet.is_empty() { Ok(Self { privilege, python, cargo, packages }) } else { Err(StackError::Unmet(unmet)) }
    }
}

/// The first Python that can make the environments. pyenv's shims exist for versions that are not active, and Debian
/// packs venv and ensurepip apart: only running it tells.
pub(super) fn python(folders: &[PathBuf]) -> Option<PathBuf> {
    let script = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
    let candidates = python_names().into_iter().filter_map(|name| {
        // A name with a slash is a path already.
        if name.contains('/') { Some(PathBuf::from(name)) } else { tool::find(&name, folders) }
    });
    candidates.into_iter().find(|python| runs(python, script))
}

fn is_recent(python: &Path) -> bool {
    runs(python, "import sys; sys.exit(sys.version_info < (3, 11))")
}

fn runs(python: &Path, script: &str) -> bool {
    done_within(Command::new(python).args(["-c", script]), PYTHON).is_ok()
}

pub(super) fn python_names() -> Vec<String> {
    let named = variable("PYTHON").map(|path| path.to_string_lossy().into_owned());
    let known = ["python3.13", "python3.12", "python3.11", "python3", "/usr/bin/python3"];
    named.into_iter().chain(known.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_shim_without_its_python_is_passed_over() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        for (name, code) in [("python3.13", 127), ("python3.12", 0), ("python3", 0)] {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\nexit {code}\n"))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        if variable("PYTHON").is_none() {
            assert_eq!(python(&[folder.path().to_path_buf()]), Some(folder.path().join("python3.12")));
        }
        Ok(())
    }

    #[test]
    fn all_that_is_missing_is_told_at_once() {
        let needs =
            Needs { tools: vec![("runc".into(), "runc"), ("ip".into(), "iproute2")], cargo: true, ..Needs::default() };
        // No folder, so neither apt-get nor (unless a variable names it) cargo.
        let error = Machine::examine(needs, &[]).map(|_| ()).map_err(|error| error.to_string());
        let text = error.err().unwrap_or_default();
        assert!(text.contains("runc, ip not found") && text.contains("`iproute2 runc`"), "{text}");
    }
}
