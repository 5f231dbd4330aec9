//! The requirements on the machine before anything is built.

use std::path::{Path, PathBuf};

use super::tool;
use crate::tree;

/// One thing that is missing, and that the stack cannot get by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unmet {
    /// Tools are missing, and there is no apt-get to install them with.
    #[error("{} not found, and there is no apt-get to install it with", tools.join(", "))]
    Tools {
        /// Names of the missing tools.
        tools: Vec<String>,
        /// The Debian packages that have them.
        packages: Vec<String>,
    },
    /// Something needs root, and `sudo` asks for a password or is not there.
    #[error("{what} needs root, and `sudo -n true` fails")]
    Root {
        /// The operation that needs it.
        what: String,
        /// A command that does it.
        remedy: String,
    },
    /// The k1s root is not a k1s checkout.
    #[error("the k1s root {} has no {lacks}", path.display())]
    K1sRoot {
        /// The folder.
        path: PathBuf,
        /// The part that is missing.
        lacks: &'static str,
    },
    /// A variable names a program that cannot be run.
    #[error("{variable}={} is not there or is not executable", path.display())]
    Program {
        /// The variable.
        variable: &'static str,
        /// The path that it names.
        path: PathBuf,
    },
    /// No Python that can make virtual environments.
    #[error("no Python >= {MIN_PYTHON} with venv and ensurepip under the names {}", names.join(", "))]
    Python {
        /// The names that were tried.
        names: Vec<String>,
    },
    /// cargo is missing or too old to build cargo-nextest.
    #[error("cargo-nextest is not installed, and building it needs cargo >= {MIN_CARGO}, found {found}")]
    Cargo {
        /// The version of cargo, or "none".
        found: String,
    },
}

/// The least Python that `WorkerBee` runs on.
pub(super) const MIN_PYTHON: &str = "3.11";
/// The least cargo that the pinned cargo-nextest builds with.
pub(super) const MIN_CARGO: &str = "1.91";

impl Unmet {
    /// Returns the advice on what to do about it: a command to paste.
    pub fn remedy(&self) -> String {
        match self {
            Self::Tools { packages, .. } => {
                format!("install what Debian has in `{}` with this system's package manager", packages.join(" "))
            }
            Self::Root { remedy, .. } => remedy.clone(),
            Self::K1sRoot { .. } => {
                "export K1S_ROOT=<a k1s checkout: src/ae, pyproject.toml and requirements.txt are in it>".into()
            }
            Self::Program { variable, path } => {
                format!("chmod +x {}, or: unset {variable} (the stack brings its own then)", path.display())
            }
            Self::Python { .. } => "install Python 3.11 or newer, then: export PYTHON=<its path>".into(),
            Self::Cargo { .. } => "rustup update stable".into(),
        }
    }
}

/// Lists what a k1s root lacks.
pub(super) fn k1s_root(path: &Path) -> Vec<Unmet> {
    tree::lacks(path).into_iter().map(|lacks| Unmet::K1sRoot { path: path.to_path_buf(), lacks }).collect()
}

/// Checks that a program that a variable names can be run.
pub(super) fn program(variable: &'static str, path: &Path) -> Option<Unmet> {
    (!tool::is_executable(path)).then(|| Unmet::Program { variable, path: path.to_path_buf() })
}

/// The tools that come from Debian packages.
const TOOLS: [(&str, &str); 13] = [
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("containerd-shim-runc-v2", "containerd"),
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("podman", "podman"),
    ("age", "age"),
    ("age-keygen", "age"),
    // WorkerBee starts its containerd helper with it, also for root.
    ("sudo", "sudo"),
    ("unshare", "util-linux"),
    ("ip", "iproute2"),
    ("mmdebstrap", "mmdebstrap"),
    ("dpkg-deb", "dpkg"),
];
const CNI_PLUGINS: [&str; 5] = ["bridge", "portmap", "firewall", "host-local", "loopback"];
const CNI_FOLDERS: [&str; 3] = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"];
/// mmdebstrap checks Debian's signatures with it, also on a machine that is not Debian.
const KEYRING: (&str, &str) = ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring");

/// A missing tool and the Debian package that has it.
pub(super) type Missing = (String, &'static str);

/// The tools that are not there, looked for in `folders` and where the system has them.
pub(super) fn missing_tools(folders: &[PathBuf]) -> Vec<Missing> {
    let mut folders = folders.to_vec();
    folders.extend(tool::SYSTEM_FOLDERS.map(PathBuf::from));
    missing(&|name| tool::find(name, &folders).is_some(), &|path| tool::is_executable(path) || path.is_file())
}

fn missing(on_path: &dyn Fn(&str) -> bool, is_file: &dyn Fn(&Path) -> bool) -> Vec<Missing> {
    let mut missing: Vec<Missing> =
        TOOLS.iter().filter(|(tool, _)| !on_path(tool)).map(|(tool, package)| ((*tool).to_owned(), *package)).collect();
    // All from one folder: CNI is told a single one.
    if !CNI_FOLDERS.iter().any(|folder| CNI_PLUGINS.iter().all(|plugin| is_file(&Path::new(folder).join(plugin)))) {
        missing.push((format!("CNI plugins ({})", CNI_PLUGINS.join(", ")), "containernetworking-plugins"));
    }
    if !is_file(Path::new(KEYRING.0)) {
        missing.push((KEYRING.0.to_owned(), KEYRING.1));
    }
    missing
}

/// The packages of missing tools, each once.
pub(super) fn packages(missing: &[Missing]) -> Vec<String> {
    let mut packages: Vec<String> = missing.iter().map(|(_, package)| (*package).to_owned()).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&[], &[])]
    #[case(&["ctr"], &["containerd"])]
    #[case(&["containerd", "ctr", "runc"], &["containerd", "runc"])]
    #[case(&["age-keygen", "ip", "unshare"], &["age", "iproute2", "util-linux"])]
    fn missing_tools_map_to_packages(#[case] absent: &[&str], #[case] expected: &[&str]) {
        let missing = missing(&|name| !absent.contains(&name), &|_| true);
        assert_eq!(missing.len(), absent.len());
        assert_eq!(packages(&missing), expected);
    }

    #[rstest]
    #[case("/usr/lib/cni", &CNI_PLUGINS, true)]
    #[case("/opt/cni/bin", &CNI_PLUGINS, true)]
    #[case("/opt/cni/bin", &["bridge", "loopback"], false)]
    #[case("/somewhere", &CNI_PLUGINS, false)]
    fn the_plugins_are_needed_in_one_known_folder(#[case] folder: &str, #[case] there: &[&str], #[case] enough: bool) {
        let is_file = |path: &Path| {
            path == Path::new(KEYRING.0) || there.iter().any(|plugin| path == Path::new(folder).join(plugin))
        };
        assert_eq!(missing(&|_| true, &is_file).is_empty(), enough);
    }

    #[test]
    fn every_unmet_requirement_is_told_with_its_remedy() {
        let unmet = vec![
            Unmet::Program { variable: "WORKERBEE_BIN", path: "/nowhere".into() },
            Unmet::Cargo { found: "1.88.0".into() },
        ];
        let text = super::super::StackError::Unmet(unmet).to_string();
        assert!(text.contains("WORKERBEE_BIN=/nowhere is not there") && text.contains("unset WORKERBEE_BIN"), "{text}");
        assert!(text.contains("found 1.88.0") && text.contains("rustup update stable"), "{text}");
    }
}
