//! A copy of the k1s root with a fault in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use k1s_profile_gates::stack::Stack;

use crate::fault::Fault;

/// The copy.
pub(crate) struct Planted {
    pub(crate) root: PathBuf,
}

impl Planted {
    /// Plants the fault. The stack's root has byte code that Python takes unseen (`unchecked-hash`), so that of the
    /// changed file is made anew: with the old one the fault would never run.
    pub(crate) fn of(fault: &Fault, stack: &Stack, folder: &Path) -> Result<Self, String> {
        let root = folder.join("k1s");
        succeed(Command::new("cp").arg("-a").arg(&stack.k1s_root).arg(&root))?;
        let text = fault.changed(&root)?;
        let file = fault.place(&root);
        std::fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        forget(&file)?;
        let python = stack.workerbee.with_file_name("python");
        let arguments = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"];
        succeed(Command::new(python).args(arguments).arg(&file))
            .map_err(|error| format!("{}: what the file becomes is no Python: {error}", fault.name))?;
        Ok(Self { root })
    }
}

/// Removes the byte code of a module, of whatever Python it is.
fn forget(module: &Path) -> Result<(), String> {
    let stem = module.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = module.with_file_name("__pycache__");
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(()) };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&format!("{stem}.")) {
            std::fs::remove_file(entry.path()).map_err(|error| format!("{}: {error}", entry.path().display()))?;
        }
    }
    Ok(())
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    Err(format!("{command:?}: {}: {said}", output.status))
}
