//! `k1s-gates matrix`: the same gates on several environments, one after the other.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Args;
use k1s_profile_gates::compare::Matrix;

use super::print;

#[derive(Args)]
#[command(after_help = "\
Each WorkerBee is run with each k1s. A WorkerBee is a program (`…/bin/workerbee`), a checkout with a `.venv`, or a lock
file (`name==version --hash=…` lines, as `pip-compile --generate-hashes` writes them), which is installed into a virtual
environment beside its runs: wheels alone, nothing is built. Without --workerbee it is the one that a run would take, and
so with --k1s.

Ends with 1 when a check failed on one of them, or one of them has no run.

Examples:
  k1s-gates matrix --workerbee lowest.lock --workerbee newest.lock
  k1s-gates matrix --k1s ../k1s-main --k1s ../k1s-feature -- -E 'test(startup::)'")]
pub(crate) struct MatrixArgs {
    /// A WorkerBee: a program, a checkout or a lock file.
    #[arg(long, value_name = "PATH")]
    workerbee: Vec<PathBuf>,
    /// A k1s checkout.
    #[arg(long, value_name = "PATH")]
    k1s: Vec<PathBuf>,
    /// The folder for the runs, one in it for each environment.
    #[arg(long, value_name = "FOLDER", default_value = "target/k1s-gates-matrix")]
    out: PathBuf,
    /// nextest's profile.
    #[arg(long, default_value = "gates")]
    profile: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Further arguments of nextest.
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// An environment to run on.
struct Environment {
    /// In words.
    name: String,
    /// The variables that make it.
    variables: Vec<(&'static str, PathBuf)>,
}

impl MatrixArgs {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let out = std::path::absolute(&self.out)?.join(jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string());
        std::fs::create_dir_all(&out)
            .map_err(|error| format!("{}: {error}; name another folder with --out", out.display()))?;
        let workerbees = self.workerbees(&out)?;
        let mut runs = Vec::new();
        let environments = self.environments(&workerbees)?;
        for environment in &environments {
            let number = runs.len() + 1;
            let run_dir = out.join(format!("run-{number}"));
            eprintln!("k1s-gates: {number} of {}: {}", environments.len(), environment.name);
            let status = self.gates(environment, &run_dir)?;
            runs.push((
                environment.name.clone(),
                run_dir,
                format!("`k1s-gates run` ended with {status}, and says why above"),
            ));
        }
        let matrix = Matrix::of(&runs);
        if self.json {
            print::json(&matrix)?;
        } else {
            print::text(&matrix.text());
        }
        Ok(if matrix.is_good() { ExitCode::SUCCESS } else { print::NOT_GOOD.into() })
    }

    /// The programs; that of a lock file is installed first.
    fn workerbees(&self, out: &Path) -> Result<Vec<(String, PathBuf)>, Box<dyn Error>> {
        let mut programs = Vec::new();
        for (place, named) in self.workerbee.iter().enumerate() {
            let path = std::path::absolute(named)?;
            let program = if path.is_dir() {
                path.join(".venv/bin/workerbee")
            } else if path.extension().is_some_and(|extension| ["lock", "txt"].iter().any(|lock| extension == *lock)) {
                installed(&path, &out.join(format!("workerbee-{}", place + 1)))?
            } else {
                path
            };
            if !program.is_file() {
                return Err(format!(
                    "--workerbee {}: {} is not there; name a program, a checkout with a .venv, or a lock file",
                    named.display(),
                    program.display()
                )
                .into());
            }
            programs.push((format!("WorkerBee of {}", named.display()), program));
        }
        Ok(programs)
    }

    /// Each WorkerBee with each k1s.
    fn environments(&self, workerbees: &[(String, PathBuf)]) -> Result<Vec<Environment>, Box<dyn Error>> {
        let workerbees: Vec<Option<&(String, PathBuf)>> =
            if workerbees.is_empty() { vec![None] } else { workerbees.iter().map(Some).collect() };
        let trees: Vec<Option<&PathBuf>> =
            if self.k1s.is_empty() { vec![None] } else { self.k1s.iter().map(Some).collect() };
        let mut environments = Vec::new();
        for workerbee in &workerbees {
            for tree in &trees {
                let mut variables = Vec::new();
                let mut name = ["the WorkerBee of a plain run".to_owned(), "the k1s of a plain run".to_owned()];
                if let Some((told, program)) = workerbee {
                    name[0].clone_from(told);
                    variables.push(("WORKERBEE_BIN", program.clone()));
                }
                if let Some(tree) = tree {
                    name[1] = format!("k1s of {}", tree.display());
                    variables.push(("K1S_ROOT", std::path::absolute(tree)?));
                }
                environments.push(Environment { name: name.join(", "), variables });
            }
        }
        Ok(environments)
    }

    fn gates(&self, environment: &Environment, run_dir: &Path) -> Result<std::process::ExitStatus, Box<dyn Error>> {
        // Not by its path: `cargo` may build this program anew while the first columns run.
        let mut command = Command::new("/proc/self/exe");
        command.args(["run", "--profile", &self.profile, "--", "--no-fail-fast"]).args(&self.arguments);
        // Standard output is for the table.
        command.env("RUN_DIR", run_dir).stdout(Stdio::from(std::io::stderr()));
        command.envs(environment.variables.iter().map(|(name, path)| (name, path)));
        Ok(command.status()?)
    }
}

/// Installs what a lock file names into a virtual environment, and returns its WorkerBee. Wheels alone: what builds
/// itself runs code of its own.
fn installed(lock: &Path, folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    eprintln!("k1s-gates: installing {}", lock.display());
    let done = |command: &mut Command| -> Result<(), Box<dyn Error>> {
        let status = command.stdout(Stdio::from(std::io::stderr())).status()?;
        let program = command.get_program().to_string_lossy().into_owned();
        if status.success() { Ok(()) } else { Err(format!("{}: {program} ended with {status}", lock.display()).into()) }
    };
    done(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let pip = folder.join("bin/pip");
    done(
        Command::new(pip)
            .args([
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--only-binary",
                ":all:",
                "--require-hashes",
                "--requirement",
            ])
            .arg(lock),
    )?;
    Ok(folder.join("bin/workerbee"))
}
