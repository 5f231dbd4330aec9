//! The parts that the stack builds, each as a step.

use std::ffi::OsString;
use std::path::Path;

use super::cache::Cache;
use super::image::{self, Role};
use super::lock;
use super::registry::Pinned;
use super::step::{Probe, Step};
use crate::tree;

/// Its least compiler is `requirement::MIN_CARGO`.
const NEXTEST: &str = "0.9.151";
/// The version of Go that the go.mod of sops asks for; the others ask for less.
pub(super) const MIN_GO: &str = "1.25.8";
/// The version of Go that the go.mod of AMPEL asks for.
pub(super) const MIN_GO_OF_AMPEL: &str = "1.26.4";
/// The Debian release that the images are made of. The recipe knows its Python, 3.11.
const SUITE: &str = "bookworm";

const RUNTIME: &str = "k1s-workerbee-runtime";

/// A program that is built from its Go module.
struct GoModule {
    name: &'static str,
    module: &'static str,
    version: &'static str,
    /// The module's h1 sum.
    sum: &'static str,
    /// The program's package in the module.
    package: &'static str,
    /// The variable that the linker sets to the version, where the program does not know it.
    stamp: &'static str,
    /// Shell commands that make the module buildable from its own folder.
    prepare: &'static str,
    asked: &'static [&'static str],
}

const NERDCTL: GoModule = GoModule {
    name: "nerdctl",
    module: "github.com/containerd/nerdctl/v2",
    version: "2.2.1",
    sum: "h1:eXBu4HddMEXtLmZsJncfvOiJ6a8DemOzWhOxypNIEG0=",
    package: "cmd/nerdctl",
    stamp: "github.com/containerd/nerdctl/v2/pkg/version.Version",
    // The module that its go.mod replaces serves tests only, as does the one file outside of them that imports it.
    prepare: r#"rm cmd/nerdctl/helpers/testing_linux.go
        tigron=github.com/containerd/nerdctl/mod/tigron
        "$GO" mod edit -dropreplace $tigron -droprequire $tigron"#,
    asked: &["--version"],
};
/// The same without its compose commands: they bring a library that compiles the schemas of JSON schemas whenever a program
/// with it starts, and k1s starts nerdctl two thousand times in a workload gate. All else it answers as the other one does
/// (`bench/nerdctl.sh`).
const LEAN_NERDCTL: GoModule = GoModule {
    prepare: r#"rm cmd/nerdctl/helpers/testing_linux.go
        tigron=github.com/containerd/nerdctl/mod/tigron
        "$GO" mod edit -dropreplace $tigron -droprequire $tigron
        sed -i -e '/cmd\/nerdctl\/compose"$/d' -e '/^\t\tcompose\.Command(),$/d' cmd/nerdctl/main.go
        ! grep -q 'compose\.' cmd/nerdctl/main.go"#,
    ..NERDCTL
};
const SOPS: GoModule = GoModule {
    name: "sops",
    module: "github.com/getsops/sops/v3",
    version: "3.13.3",
    sum: "h1:saYczbT88kD1saNChe1cAbFQe5mrRhTIfEw3TaEcmK0=",
    package: "cmd/sops",
    stamp: "",
    prepare: "",
    asked: &["--version"],
};
const NATS: GoModule = GoModule {
    name: "nats-server",
    module: "github.com/nats-io/nats-server/v2",
    version: "2.10.18",
    sum: "h1:tRdZmBuWKVAFYtayqlBB2BuCHNGAQPvoQIXOKwU3WSM=",
    package: "",
    stamp: "",
    prepare: "",
    asked: &["--version"],
};
const CADDY: GoModule = GoModule {
    name: "caddy",
    module: "github.com/caddyserver/caddy/v2",
    version: "2.8.4",
    sum: "h1:q3pe0wpBj1OcHFZ3n/1nl4V4bxBrYoSoab7rL9BMYNk=",
    package: "cmd/caddy",
    stamp: "github.com/caddyserver/caddy/v2.CustomVersion",
    prepare: "",
    asked: &["version"],
};
const AMPEL: GoModule = GoModule {
    name: "ampel",
    module: "github.com/carabiner-dev/ampel",
    version: "1.3.0",
    sum: "h1:xeG1IM3eA06qKuHK7DeuyFrTQrWKwasycgrAEbZZpVk=",
    package: "cmd/ampel",
    stamp: "sigs.k8s.io/release-utils/version.gitVersion",
    prepare: "",
    asked: &["version"],
};
const ETCD: &str = "3.5.14";

impl GoModule {
    fn step(&self, cache: &Cache) -> Step {
        Step {
            name: self.name,
            what: format!("{} {}, from source", self.name, self.version),
            recipe: include_str!("recipes/go-module.sh"),
            inputs: vec![
                ("NAME", self.name.into()),
                ("MODULE", self.module.into()),
                ("VERSION", format!("v{}", self.version)),
                ("SUM", self.sum.into()),
                ("PACKAGE", self.package.into()),
                ("STAMP", self.stamp.into()),
                ("PREPARE", self.prepare.into()),
            ],
            ..go_program(cache, self.name, self.version, self.asked)
        }
    }
}

/// The parts that all programs have in common that Go builds.
fn go_program(cache: &Cache, name: &'static str, version: &str, asked: &'static [&'static str]) -> Step {
    let program = match name {
        "nerdctl" => "bin/nerdctl",
        "sops" => "bin/sops",
        "nats-server" => "bin/nats-server",
        "caddy" => "bin/caddy",
        "ampel" => "bin/ampel",
        _ => "bin/etcd",
    };
    let probe = Probe { of: name, program, arguments: asked, expected: Some(version.to_owned()) };
    Step {
        places: vec![("SHARED", shared(cache).into())],
        outputs: vec![program],
        probes: vec![probe],
        after: vec!["go"],
        ..Step::default()
    }
}

/// The name of the folder with modules and objects that the builds of Go programs share, while there are any.
pub(super) const SHARED: &str = "go-shared";

pub(super) fn shared(cache: &Cache) -> std::path::PathBuf {
    cache.folder().join(SHARED)
}

pub(super) fn go() -> Step {
    Step {
        name: "go",
        what: "the Go toolchain, as the one here is older or missing".into(),
        recipe: include_str!("recipes/go.sh"),
        files: vec![("go.lock", lock::GO.to_owned())],
        outputs: vec!["bin/go"],
        sealed: vec!["bin", "lib"],
        ..Step::default()
    }
}

/// Without its compose commands, or `plain`: as it is published.
pub(super) fn nerdctl(cache: &Cache, plain: bool) -> Step {
    if plain { NERDCTL.step(cache) } else { LEAN_NERDCTL.step(cache) }
}

pub(super) fn sops(cache: &Cache) -> Step {
    SOPS.step(cache)
}

pub(super) fn ampel(cache: &Cache) -> Step {
    AMPEL.step(cache)
}

pub(super) fn etcd(cache: &Cache) -> Step {
    Step {
        name: "etcd",
        what: format!("etcd {ETCD}, from source"),
        recipe: include_str!("recipes/etcd.sh"),
        files: vec![
            ("go.mod", include_str!("recipes/etcd.mod").into()),
            ("go.sum", include_str!("recipes/etcd.sum").into()),
        ],
        ..go_program(cache, "etcd", ETCD, &["--version"])
    }
}

pub(super) fn nats(cache: &Cache) -> Step {
    NATS.step(cache)
}

pub(super) fn caddy(cache: &Cache) -> Step {
    CADDY.step(cache)
}

pub(super) fn nextest() -> Step {
    let program = "bin/cargo-nextest";
    let probe = Probe { of: "cargo-nextest", program, arguments: &["--version"], expected: Some(NEXTEST.into()) };
    Step {
        name: "nextest",
        what: format!("cargo-nextest {NEXTEST}, from source (minutes)"),
        recipe: include_str!("recipes/nextest.sh"),
        inputs: vec![("VERSION", NEXTEST.into())],
        outputs: vec![program],
        probes: vec![probe],
        ..Step::default()
    }
}

pub(super) fn workerbee() -> Step {
    let version = lock::pinned(lock::WORKERBEE, "k1s-workerbee").unwrap_or_default();
    let probe = Probe {
        of: "WorkerBee",
        program: "bin/workerbee",
        arguments: &["--version"],
        expected: Some(version.to_owned()),
    };
    Step {
        name: "workerbee",
        what: format!("WorkerBee {version} in a Python environment"),
        recipe: include_str!("recipes/workerbee.sh"),
        files: vec![("workerbee.lock", lock::WORKERBEE.to_owned()), ("build.lock", lock::BUILD.to_owned())],
        outputs: vec!["bin/workerbee", "bin/python", "bin/pip", "wheels"],
        sealed: vec!["bin", "lib", "wheels"],
        probes: vec![probe],
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
        after: vec!["workerbee"],
        ..Step::default()
    }
}

/// The images with the requirements of a k1s root. They are keyed by that text, not by the root's path: two checkouts
/// with the same requirements share them.
pub(super) fn images(cache: &Cache, root: &Path, released: bool) -> std::io::Result<Step> {
    let requirements = tree::k1s_file(root, "requirements.txt")?;
    let environment = workerbee();
    let servers = [("ETCD", etcd(cache)), ("NATS", nats(cache)), ("CADDY", caddy(cache))];
    let constraints = lock::constraints(lock::WORKERBEE) + &lock::constraints(lock::BUILD);
    let mut step = Step {
        name: "images",
        what: format!("the images: Python from Debian {SUITE} packages, and the servers"),
        recipe: concat!(
            include_str!("recipes/images.sh"),
            include_str!("recipes/requirements.sh"),
            include_str!("recipes/images-saved.sh")
        ),
        inputs: vec![("SUITE", SUITE.into()), ("ANY_PACKAGE", if released { "no" } else { "yes" }.into())],
        files: vec![("requirements.txt", requirements), ("constraints.txt", constraints)],
        places: vec![
            ("WHEELS", environment.folder(cache).join("wheels").into()),
            ("LOCK", environment.folder(cache).join("workerbee.lock").into()),
        ],
        outputs: image::OUTPUTS.to_vec(),
        said: Some("said"),
        after: vec!["etcd", "nats-server", "caddy", "workerbee", "k1s"],
        as_root: true,
        ..Step::default()
    };
    step.inputs.extend(Role::ALL.map(|role| (role.variable_of_the_recipe(), role.built().to_owned())));
    for (variable, server) in servers {
        let program = server.outputs.first().copied().unwrap_or_default();
        step.places.push((variable, OsString::from(server.folder(cache).join(program))));
        step.inputs.push((variable_of_the_key(variable), server.key()));
    }
    Ok(step)
}

/// The images that `WorkerBee` uses by itself, from a registry, with the requirements of a k1s root in that of k1s.
pub(super) fn fetched_images(cache: &Cache, root: &Path, released: bool, pinned: &Pinned) -> std::io::Result<Step> {
    let built = images(cache, root, released)?;
    let is_of_the_servers = |name: &str| ["ETCD", "NATS", "CADDY"].contains(&name);
    let mut inputs: Vec<_> = built.inputs.into_iter().filter(|(name, _)| *name == "ANY_PACKAGE").collect();
    inputs.extend(Role::ALL.map(|role| (role.variable_of_the_registry(), role.original().to_owned())));
    inputs.push((Role::PythonK1s.variable_of_the_recipe(), Role::PythonK1s.fetched().to_owned()));
    let mut files = built.files;
    files.push(("pins", pinned.pins.clone()));
    let mut places: Vec<_> = built.places.into_iter().filter(|(name, _)| !is_of_the_servers(name)).collect();
    // What is pinned is the same wherever it comes from.
    places.push(("REGISTRY", pinned.address.clone().into()));
    Ok(Step {
        what: "the images that WorkerBee uses by itself, from a registry".into(),
        recipe: concat!(
            include_str!("recipes/registry.sh"),
            include_str!("recipes/requirements.sh"),
            include_str!("recipes/registry-saved.sh")
        ),
        inputs,
        files,
        places,
        after: vec!["workerbee", "k1s"],
        ..built
    })
}

/// The variable with the key of a server's step: what goes into the images decides what comes out.
fn variable_of_the_key(server: &str) -> &'static str {
    match server {
        "ETCD" => "ETCD_KEY",
        "NATS" => "NATS_KEY",
        _ => "CADDY_KEY",
    }
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
        assert_eq!(images(&cache, first.path(), true)?.key() == images(&cache, second.path(), true)?.key(), same);
        Ok(())
    }
}
