//! The parts that the stack builds, each as a step.

use std::ffi::OsString;
use std::path::Path;

use super::cache::Cache;
use super::lock;
use super::step::Step;

const NERDCTL: &str = "2.2.1";
const NERDCTL_SUM: &str = "h1:eXBu4HddMEXtLmZsJncfvOiJ6a8DemOzWhOxypNIEG0=";
const SOPS: &str = "3.13.3";
/// Its least compiler is `requirement::MIN_CARGO`.
const NEXTEST: &str = "0.9.151";
/// The version of Go that the go.mod of nerdctl (1.24.3) and of sops (1.25.8) ask for.
pub(super) const MIN_GO: &str = "1.25.8";
/// The Debian release that the images are made of. The recipe knows its Python, 3.11.
const SUITE: &str = "bookworm";

const RUNTIME: &str = "k1s-workerbee-runtime";

pub(super) fn go() -> Step {
    Step {
        name: "go",
        what: "the Go toolchain, as the one here is older or missing".into(),
        recipe: include_str!("recipes/go.sh"),
        files: vec![("go.lock", lock::GO.to_owned())],
        outputs: vec!["bin/go"],
        ..Step::default()
    }
}

pub(super) fn nerdctl() -> Step {
    Step {
        name: "nerdctl",
        what: format!("nerdctl {NERDCTL}, from source"),
        recipe: include_str!("recipes/nerdctl.sh"),
        inputs: vec![("VERSION", NERDCTL.into()), ("SUM", NERDCTL_SUM.into())],
        outputs: vec!["bin/nerdctl"],
        probes: vec![("nerdctl", "bin/nerdctl")],
        ..Step::default()
    }
}

pub(super) fn sops() -> Step {
    Step {
        name: "sops",
        what: format!("sops {SOPS}, from source"),
        recipe: include_str!("recipes/sops.sh"),
        inputs: vec![("VERSION", SOPS.into())],
        outputs: vec!["bin/sops"],
        probes: vec![("sops", "bin/sops")],
        ..Step::default()
    }
}

pub(super) fn nextest() -> Step {
    Step {
        name: "nextest",
        what: format!("cargo-nextest {NEXTEST}, from source (minutes)"),
        recipe: include_str!("recipes/nextest.sh"),
        inputs: vec![("VERSION", NEXTEST.into())],
        outputs: vec!["bin/cargo-nextest"],
        probes: vec![("cargo-nextest", "bin/cargo-nextest")],
        ..Step::default()
    }
}

pub(super) fn workerbee() -> Step {
    let version = lock::pinned(lock::WORKERBEE, "k1s-workerbee").unwrap_or_default();
    Step {
        name: "workerbee",
        what: format!("WorkerBee {version} in a Python environment"),
        recipe: include_str!("recipes/workerbee.sh"),
        files: vec![("workerbee.lock", lock::WORKERBEE.to_owned())],
        outputs: vec!["bin/workerbee", "bin/python", "bin/pip"],
        probes: vec![("WorkerBee", "bin/workerbee")],
        ..Step::default()
    }
}

pub(super) fn k1s(cache: &Cache) -> Step {
    let version = lock::pinned(lock::WORKERBEE, RUNTIME).unwrap_or_default();
    let environment = workerbee();
    Step {
        name: "k1s",
        what: format!("a k1s root out of {RUNTIME} {version}"),
        recipe: include_str!("recipes/k1s.sh"),
        inputs: vec![("VERSION", version.to_owned())],
        places: vec![("ENVIRONMENT", environment.folder(cache).into())],
        outputs: vec!["src/ae", "pyproject.toml", "requirements.txt"],
        versions: vec![("k1s", version.to_owned())],
        ..Step::default()
    }
}

/// The images with the requirements of a k1s root. They are keyed by that text, not by the root's path: two checkouts
/// with the same requirements share them.
pub(super) fn images(cache: &Cache, root: &Path) -> std::io::Result<Step> {
    let requirements = std::fs::read_to_string(root.join("requirements.txt"))?;
    let mut step = Step {
        name: "images",
        what: format!("the base images, from Debian {SUITE} packages"),
        recipe: include_str!("recipes/images.sh"),
        inputs: vec![("SUITE", SUITE.into())],
        files: vec![("requirements.txt", requirements), ("constraints.txt", lock::constraints(lock::WORKERBEE))],
        places: vec![("PIP", workerbee().folder(cache).join("bin/pip").into())],
        outputs: vec!["python-app.tar", "python-k1s.tar", "etcd.tar", "nats.tar", "caddy.tar", "storage"],
        as_root: true,
        ..Step::default()
    };
    // Their names depend on the key, their content is part of it.
    let folder = step.folder(cache);
    let place = |file| -> OsString { folder.join(file).into() };
    step.places.extend([("REQUIREMENTS", place("requirements.txt")), ("CONSTRAINTS", place("constraints.txt"))]);
    Ok(step)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("nats-py>=2.7\n", "nats-py>=2.7\n", true)]
    #[case("nats-py>=2.7\n", "nats-py>=2.8\n", false)]
    fn images_are_keyed_by_the_requirements(
        #[case] one: &str,
        #[case] other: &str,
        #[case] same: bool,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let (first, second) = (tempfile::tempdir()?, tempfile::tempdir()?);
        std::fs::write(first.path().join("requirements.txt"), one)?;
        std::fs::write(second.path().join("requirements.txt"), other)?;
        let cache = Cache::new(Path::new("/cache"));
        assert_eq!(images(&cache, first.path())?.key() == images(&cache, second.path())?.key(), same);
        Ok(())
    }
}
