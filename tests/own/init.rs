//! `k1s-gates init`: what it writes into a repository, what it leaves alone, and that it takes away its own and no more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rstest::rstest;

/// A repository, as files with their texts.
struct Repository(tempfile::TempDir);

const K1S: [(&str, &str); 4] =
    [("src/ae/cli.py", ""), ("pyproject.toml", ""), ("requirements.txt", ""), (".gitignore", ".venv/\n")];
const PACKAGE: &str =
    "# Ours.\n[package]\nname = \"ours\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n# none yet\n";

impl Repository {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Self(folder);
        repository.write(files);
        repository
    }

    fn write(&self, files: &[(&str, &str)]) {
        for (file, text) in files {
            let file = self.at(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
    }

    fn at(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.at(file)).expect(file)
    }

    /// Every file with its text.
    fn files(&self) -> BTreeMap<PathBuf, String> {
        let files = walkdir::WalkDir::new(self.0.path()).into_iter().map(Result::unwrap);
        let files = files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path);
        files.map(|file| (file.clone(), std::fs::read_to_string(file).unwrap())).collect()
    }

    fn init(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_k1s-gates"));
        command.arg("init").args(arguments).current_dir(self.0.path()).output().unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    said(output)
}

#[rstest]
#[case::k1s(&K1S)]
#[case::a_package(&[("Cargo.toml", PACKAGE), ("src/lib.rs", "")])]
#[case::with_nextest_of_its_own(&[("Cargo.toml", PACKAGE), ("src/lib.rs", ""), (".config/nextest.toml", "[profile.ci]\nretries = 4 # ours\n")])]
fn what_is_written_is_taken_away_again(#[case] files: &[(&str, &str)]) {
    let repository = Repository::new(files);
    let before = repository.files();
    let shown = done(&repository.init(&["--dry-run"]));
    assert!(shown.contains("+ k1s-profile-gates = {") && shown.contains("dry run"), "{shown}");
    assert_eq!(repository.files(), before, "a dry run writes nothing");

    done(&repository.init(&[]));
    let written = repository.files();
    for file in ["k1s-gates.toml", ".config/nextest.toml", ".github/workflows/k1s-gates.yml", "Cargo.toml"] {
        assert!(written.contains_key(&repository.at(file)), "{file}: {:?}", written.keys());
    }
    // cargo finds the target in it, without building anything.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"]);
    let output = cargo.arg(repository.at("Cargo.toml")).output().unwrap();
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let targets = metadata["packages"][0]["targets"].as_array().unwrap();
    assert!(targets.iter().any(|target| target["name"] == "gates" && target["kind"][0] == "test"), "{targets:?}");

    assert!(done(&repository.init(&[])).contains("Nothing to do"));
    assert_eq!(repository.files(), written, "a second time changes nothing");

    assert!(done(&repository.init(&["--remove", "--dry-run"])).contains("dry run"));
    assert_eq!(repository.files(), written);
    done(&repository.init(&["--remove"]));
    assert_eq!(repository.files(), before);
    assert!(!repository.at(".github").exists() && !repository.at("gates").exists());
    let nothing = repository.init(&["--remove"]);
    assert_eq!(nothing.status.code(), Some(3), "{}", said(&nothing));
}

#[test]
fn what_is_the_users_stays() {
    let repository = Repository::new(&[
        ("Cargo.toml", &format!("{PACKAGE}\n[dev-dependencies]\nk1s-profile-gates = {{ git = \"ours\" }}\n")),
        ("src/lib.rs", ""),
        ("k1s-gates.toml", "lanes = 1\n"),
        (".config/nextest.toml", "[profile.gates]\nretries = 3\ntest-threads = 8\n"),
    ]);
    let said = done(&repository.init(&[]));
    assert!(said.contains("kept as it is: profile.gates.test-threads = 8"), "{said}");
    assert_eq!(repository.read("k1s-gates.toml"), "lanes = 1\n");
    assert!(repository.read("Cargo.toml").contains("git = \"ours\""));
    let nextest = repository.read(".config/nextest.toml");
    assert!(nextest.contains("retries = 3") && nextest.contains("[profile.ci.junit]"), "{nextest}");
    done(&repository.init(&["--remove"]));
    assert_eq!(repository.read("k1s-gates.toml"), "lanes = 1\n");
    assert_eq!(repository.read(".config/nextest.toml"), "[profile.gates]\nretries = 3\ntest-threads = 8\n");
}

#[test]
fn what_was_changed_since_is_left_and_named() {
    let repository = Repository::new(&K1S);
    done(&repository.init(&[]));
    repository.write(&[("k1s-gates.toml", "lanes = 1\n")]);
    let nextest = repository.read(".config/nextest.toml").replace("retries = 1", "retries = 2");
    repository.write(&[(".config/nextest.toml", &nextest)]);
    assert!(done(&repository.init(&[])).contains("changed since init wrote it"));
    assert_eq!(repository.read("k1s-gates.toml"), "lanes = 1\n", "init does not write over it");
    let output = repository.init(&["--remove"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for named in ["k1s-gates.toml: it was changed", ".config/nextest.toml: profile.ci.retries = 2"] {
        assert!(said(&output).contains(named), "{named} is not in {}", said(&output));
    }
    assert_eq!(repository.read("k1s-gates.toml"), "lanes = 1\n");
    assert!(repository.read(".config/nextest.toml").ends_with("[profile.ci]\nretries = 2\n"));
    assert!(!repository.at("Cargo.toml").exists() && !repository.at("gates").exists());
}

#[rstest]
#[case::no_place(&[("README.md", "")], "neither a k1s checkout")]
#[case::no_toml(&[("Cargo.toml", "[package\nname = 1\n")], "Cargo.toml cannot be merged: it is no TOML")]
#[case::no_package(&[("Cargo.toml", "[workspace]\nmembers = []\n")], "a workspace without a package")]
#[case::another_kind(&[("Cargo.toml", &*format!("dev-dependencies = 3\n{PACKAGE}")), ("src/lib.rs", "")], "`dev-dependencies` is an integer and not a table")]
#[case::targets_in_a_list(&[("Cargo.toml", &*format!("test = [{{ name = \"a\" }}]\n{PACKAGE}")), ("src/lib.rs", "")], "`test` is an array and not an array of tables")]
#[case::another_target(&[("Cargo.toml", &*format!("{PACKAGE}[[test]]\nname = \"gates\"\n")), ("src/lib.rs", "")], "a test target `gates` with cargo's own harness")]
#[case::a_test_of_that_name(&[("Cargo.toml", PACKAGE), ("src/lib.rs", ""), ("tests/gates.rs", "#[test] fn a() {}")], "tests/gates.rs is there already")]
#[case::nextest_of_another_form(&[("Cargo.toml", PACKAGE), ("src/lib.rs", ""), (".config/nextest.toml", "profile = 1\n")], "nextest.toml cannot be merged: `profile` is an integer")]
fn what_is_in_the_way_is_named_and_nothing_is_written(#[case] files: &[(&str, &str)], #[case] says: &str) {
    let repository = Repository::new(files);
    let before = repository.files();
    let output = repository.init(&[]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains(says), "{}", said(&output));
    assert!(said(&output).contains("remedy:"), "{}", said(&output));
    assert_eq!(repository.files(), before);
}

#[test]
fn a_member_of_a_workspace_has_its_settings_at_the_root() {
    let member = PACKAGE.replace("ours", "member");
    let repository = Repository::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"member\"]\nresolver = \"3\"\n"),
        ("member/Cargo.toml", &member),
        ("member/src/lib.rs", ""),
    ]);
    let before = repository.files();
    done(&repository.init(&["member"]));
    assert!(repository.read("Cargo.toml").contains("[profile.dev.package.sha2]"));
    assert!(repository.read("member/Cargo.toml").contains("[[test]]"));
    assert!(repository.at(".config/nextest.toml").is_file() && repository.at("member/k1s-gates.toml").is_file());
    done(&repository.init(&["--remove", "member"]));
    assert_eq!(repository.files(), before);
}

#[test]
fn a_repository_is_where_cargo_takes_the_harness_from() {
    let repository = Repository::new(&K1S);
    done(&repository.init(&["--git", "https://example.net/gates"]));
    assert!(repository.read("Cargo.toml").contains("k1s-profile-gates = { git = \"https://example.net/gates\" }"));
    let workflow = repository.read(".github/workflows/k1s-gates.yml");
    let install = "cargo install --locked --git https://example.net/gates k1s-profile-gates";
    assert_eq!(workflow.matches(install).count(), 2, "{workflow}");
}

#[test]
fn a_neighbour_is_named_as_one() {
    let place = tempfile::tempdir().unwrap();
    let beside = place.path().join("k1s-profile-gates");
    std::fs::create_dir_all(&beside).unwrap();
    std::fs::write(beside.join("Cargo.toml"), "").unwrap();
    let k1s = place.path().join("k1s");
    for (file, content) in K1S {
        let file = k1s.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    let init = |from: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_k1s-gates"));
        command.args(["init", "--path"]).arg(from).current_dir(&k1s).output().unwrap()
    };
    done(&init(&beside));
    let manifest = std::fs::read_to_string(k1s.join("Cargo.toml")).unwrap();
    assert!(manifest.contains("k1s-profile-gates = { path = \"../k1s-profile-gates\" }"), "{manifest}");
    assert_eq!(init(&place.path().join("nowhere")).status.code(), Some(3));
}

/// The blocks of a page that are a `console`: each command in a checkout of its own for the page, in their order.
#[rstest]
#[case::consumer("docs/consumer.md", 4)]
#[case::command("docs/command.md", 3)]
fn what_the_docs_show_on_a_console_can_be_run(#[case] page: &str, #[case] least: usize) {
    let repository = Repository::new(&K1S);
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let blocks = text.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let commands: Vec<&str> = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("$ ")).collect();
    assert!(commands.len() >= least, "{commands:?}");
    let program = Path::new(env!("CARGO_BIN_EXE_k1s-gates")).parent().unwrap().to_owned();
    let own = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(program).chain(std::env::split_paths(&own));
    let path = std::env::join_paths(folders).unwrap();
    for line in commands {
        let mut shell = Command::new("sh");
        shell.args(["-euc", line]).current_dir(repository.0.path()).env("PATH", &path).env_remove("K1S_ROOT");
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{page}: {line}: {}", said(&output));
    }
}
