//! The first gate in a k1s checkout that has the harness from its package, as `k1s-gates init` sets it up.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use k1s_profile_gates::run;
use k1s_profile_gates::summary::{State, Summary};
use k1s_profile_gates::tree::Origin;
use libtest_mimic::Failed;

use crate::stack;

const HARNESS: &str = env!("CARGO_MANIFEST_DIR");
const GATE: &str = "test(startup::k1s-dev-min-sqlite)";

pub(crate) fn first_gate() -> Result<(), Failed> {
    let stack = stack();
    let folder = tempfile::Builder::new().prefix("k1s-runs").tempdir_in("/tmp")?;
    let place = folder.path().canonicalize()?;
    let (package, k1s) = (unpacked(&place)?, place.join("k1s"));
    done(Command::new("cp").arg("-r").arg(&stack.k1s_root).arg(&k1s))?;
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        done(git.arg("-C").arg(&k1s).args(["-c", "user.name=t", "-c", "user.email=t@t"]).args(arguments))
    };
    git(&["init", "-q"])?;
    git(&["add", "-A"])?;
    git(&["commit", "-q", "-m", "k1s"])?;

    let init = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_k1s-gates"));
        done(command.arg("init").args(arguments).current_dir(&k1s))
    };
    init(&["--path", &package.display().to_string()])?;
    // What cargo would resolve anew is what was tested here.
    std::fs::copy(Path::new(HARNESS).join("Cargo.lock"), k1s.join("Cargo.lock"))?;
    let run_dir = place.join("run");
    let output = gate(&k1s, &place)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(said.into());
    }
    run::wait_until_sealed(&run_dir);
    let summary = Summary::load(&run_dir)?;
    let tree = summary.k1s_root.as_ref().map(|tree| (tree.path.clone(), tree.origin.clone()));
    if summary.verdict() != State::Passed || tree != Some((k1s.clone(), Origin::TestTarget)) {
        return Err(format!("{tree:?} instead of {}: {said}", k1s.display()).into());
    }

    init(&["--remove"])?;
    std::fs::remove_file(k1s.join("Cargo.lock"))?;
    let left = git(&["status", "--porcelain"])?;
    if left.stdout.is_empty() { Ok(()) } else { Err(String::from_utf8_lossy(&left.stdout).into_owned().into()) }
}

/// The harness's package, unpacked.
fn unpacked(place: &Path) -> Result<PathBuf, Failed> {
    let mut package = cargo();
    package.args(["package", "--no-verify", "--allow-dirty", "--offline", "--quiet", "--target-dir"]);
    done(package.arg(place.join("target")).current_dir(HARNESS))?;
    let name = format!("k1s-profile-gates-{}", env!("CARGO_PKG_VERSION"));
    let archive = place.join(format!("target/package/{name}.crate"));
    done(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(place))?;
    Ok(place.join(name))
}

/// One gate in the checkout. What is compiled already of the harness's dependencies is compiled for it too.
fn gate(k1s: &Path, place: &Path) -> Result<Output, Failed> {
    for name in ["runtime", "state", "tmp"] {
        std::fs::create_dir_all(place.join(name))?;
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| Path::new(HARNESS).join("target"), PathBuf::from);
    let mut run = cargo();
    run.args(["nextest", "run", "--offline", "--profile", "gates", "-E", GATE, "--no-input-handler"]).current_dir(k1s);
    let run = run
        .env("CARGO_TARGET_DIR", target)
        .env("RUN_DIR", place.join("run"))
        .env("XDG_RUNTIME_DIR", place.join("runtime"))
        .env("XDG_STATE_HOME", place.join("state"))
        .env("TMPDIR", place.join("tmp"));
    Ok(run.output()?)
}

/// cargo as a user calls it: without what nextest and cargo tell the trial that this is.
fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    let own = |name: &str| ["NEXTEST", "CARGO_", "K1S_", "WORKERBEE_", "WB_"].iter().any(|own| name.starts_with(own));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(own)) {
        if !["CARGO_HOME", "K1S_GATES_CACHE"].iter().any(|kept| name == *kept) {
            cargo.env_remove(name);
        }
    }
    cargo
}

fn done(command: &mut Command) -> Result<Output, Failed> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
