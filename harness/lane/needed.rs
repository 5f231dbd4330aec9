//! The host's folders that a lane needs: where each is decides whether the lane has to bring it back.

use std::path::{Path, PathBuf};

use super::launch;
use super::settings::Settings;
use super::spec::Spec;
use crate::stack::Stack;

/// Those of a lane that does what `spec` says.
pub(super) fn by(spec: &Spec) -> Vec<PathBuf> {
    let mut folders = of_a_run(&spec.settings);
    folders.extend(spec.entry.parent().map(Path::to_owned));
    folders.push(spec.k1s_root.clone());
    folders.extend(environments(&spec.workerbee));
    folders.extend(spec.stack.iter().flat_map(of_the_stack));
    folders
}

/// Those of any lane of a run.
pub(crate) fn of_a_run(settings: &Settings) -> Vec<PathBuf> {
    let mut folders = vec![settings.run_dir.clone(), crate::ledger::folder()];
    folders.extend(launch::executable().ok().and_then(|file| file.parent().map(Path::to_owned)));
    folders.extend(settings.trees.k1s.path.clone());
    folders.extend(settings.trees.workerbee.path.iter().flat_map(|program| environments(program)));
    folders
}

fn of_the_stack(stack: &Stack) -> Vec<PathBuf> {
    let nerdctl = stack.nerdctl.parent().map(Path::to_owned);
    [stack.images.clone()].into_iter().chain(nerdctl).chain(stack.path.iter().cloned()).collect()
}

/// Returns the folders of a program of a Python environment, of the environment, and of the Python that it was made
/// with.
fn environments(program: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for program in [Some(program.to_owned()), program.canonicalize().ok()].into_iter().flatten() {
        folders.extend(program.parent().map(Path::to_owned));
        let Some(environment) = program.ancestors().nth(2) else { continue };
        let Ok(about) = std::fs::read_to_string(environment.join("pyvenv.cfg")) else { continue };
        folders.push(environment.to_owned());
        let home = about.lines().find_map(|line| line.strip_prefix("home")?.trim_start().strip_prefix('='));
        folders.extend(home.and_then(|home| Path::new(home.trim()).parent().map(Path::to_owned)));
    }
    folders
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_an_environment_needs_all_of_it_and_its_python() {
        let top = tempfile::tempdir().unwrap();
        let bin = top.path().join("a b/.venv/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join("workerbee"), "").unwrap();
        assert_eq!(environments(&bin.join("workerbee"))[0], bin);
        std::fs::write(bin.parent().unwrap().join("pyvenv.cfg"), "version = 3.11\nhome = /var/lib/py/bin\n").unwrap();
        let found = environments(&bin.join("workerbee"));
        assert!(
            found.contains(&bin.parent().unwrap().to_owned()) && found.contains(&"/var/lib/py".into()),
            "{found:?}"
        );
    }
}
