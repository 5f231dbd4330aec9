//! `k1s-gates.toml`: what it says counts after the environment and before the defaults, and what cannot be meant is refused.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use k1s_profile_gates::config::{SETTINGS, page, schema, template};
use k1s_profile_gates::plan::profiles;
use rstest::rstest;
use serde_json::{Value, json};

/// A folder with a file of settings; `plan` runs in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("inner")).unwrap();
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        std::fs::write(folder.path().join("k1s-gates.toml"), settings).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("k1s-gates.toml")
    }

    fn plan(&self, arguments: &[&str], set: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_k1s-gates"));
        for row in SETTINGS.iter().filter(|row| !row.variable.is_empty()) {
            command.env_remove(row.variable);
        }
        let command = command.env_remove("CARGO_MANIFEST_DIR").current_dir(self.0.path().join("inner"));
        command.arg("plan").args(arguments).envs(set.iter().copied()).output().unwrap()
    }

    fn planned(&self, set: &[(&str, &str)]) -> Value {
        let output = self.plan(&["--json"], set);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// A setting of a plan: its value, and where that comes from.
fn shown(planned: &Value, name: &str) -> (String, Value) {
    let settings = planned["from"].as_array().unwrap();
    let one = settings.iter().find(|one| one["name"] == name).expect(name);
    (one["value"].as_str().unwrap().to_owned(), one["source"].clone())
}

#[test]
fn a_variable_counts_before_the_file_and_the_file_before_the_default() {
    let place = Place::new("lanes = 3\n[limits]\nstartup = 300\nworkload = 500\n");
    let planned = place.planned(&[("K1S_GATES_STARTUP_TIMEOUT", "200"), ("WB_PROJECT", "")]);
    let file = |line: usize| json!({ "file": [place.file(), line, 1] });
    assert_eq!(shown(&planned, "lanes"), ("3".into(), file(1)));
    assert_eq!(shown(&planned, "limits.startup"), ("200".into(), json!({ "variable": "K1S_GATES_STARTUP_TIMEOUT" })));
    assert_eq!(shown(&planned, "limits.workload"), ("500".into(), file(4)));
    assert_eq!(shown(&planned, "limits.query"), ("60".into(), json!("default")));
    let limits = &planned["settings"]["limits"];
    assert_eq!((&limits["startup"], &limits["workload"]), (&json!(200), &json!(500)));
    let text = String::from_utf8(place.plan(&[], &[]).stdout).unwrap();
    let line = text.lines().find(|line| line.contains("lanes = 3")).expect(&text);
    assert!(line.ends_with("k1s-gates.toml:1:1"), "{line}");
}

#[rstest]
#[case::of_the_file("profiles = ['k1s-ha-min']\nworkloads = []", &[], &["inventory", "preflight", "startup::k1s-ha-min"])]
#[case::of_variables("workloads = []", &[("K1S_GATES_PROFILES", "none"), ("K1S_GATES_WORKLOADS", "k1s-ha-min")], &["inventory", "preflight", "workload::k1s-ha-min"])]
fn gates_are_those_of_the_profiles_that_are_named(
    #[case] settings: &str,
    #[case] set: &[(&str, &str)],
    #[case] gates: &[&str],
) {
    let place = Place::new(settings);
    let planned = place.planned(set);
    let mut found: Vec<&str> =
        planned["gates"].as_array().unwrap().iter().map(|gate| gate["name"].as_str().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, gates);
}

#[test]
fn shards_share_out_the_gates_that_are_chosen() {
    let place = Place::new("workloads = []\nprofiles = ['k1s-ha-min', 'k1s-dev-etcd-labs']\n");
    let gates = |shard: &str| -> Vec<String> {
        let planned = place.planned(&[("K1S_GATES_SHARD", shard)]);
        planned["gates"].as_array().unwrap().iter().map(|gate| gate["name"].to_string()).collect()
    };
    let shards = [gates("1/2"), gates("2/2")];
    assert_eq!(shards.each_ref().map(Vec::len), [1, 3], "{shards:?}");
}

#[test]
fn a_k1s_root_counts_from_the_file() {
    let place = Place::new("k1s-root = 'k1s'\n");
    for folder in ["k1s/src/ae", "inner"] {
        std::fs::create_dir_all(place.0.path().join(folder)).unwrap();
    }
    for file in ["pyproject.toml", "requirements.txt"] {
        std::fs::write(place.0.path().join("k1s").join(file), "").unwrap();
    }
    let planned = place.planned(&[]);
    let root = place.0.path().join("k1s");
    let named = format!("{} (named by {})", root.display(), place.file().display());
    assert!(planned["k1s_root"].as_str().unwrap().starts_with(&named), "{planned}");
}

#[rstest]
#[case::key("lane = 1\n", &[], "k1s-gates.toml:1:1: there is no key `lane`; did you mean `lanes`?")]
#[case::profile("\nprofiles = ['k1s-hamin']\n", &[], "k1s-gates.toml:2:1: profiles=k1s-hamin cannot be used")]
#[case::profile_meant("profiles = ['k1s-hamin']\n", &[], "did you mean `k1s-ha-min`?")]
#[case::project("project-base = 'My_App'\n", &[], "k1s-gates.toml:1:1: project-base=My_App cannot be used")]
#[case::variable("", &[("K1S_GATES_LANES", "two")], "K1S_GATES_LANES=two cannot be used")]
#[case::no_file("", &[("K1S_GATES_CONFIG", "none.toml")], "none.toml cannot be read")]
fn what_cannot_be_meant_is_refused(#[case] settings: &str, #[case] set: &[(&str, &str)], #[case] says: &str) {
    let output = Place::new(settings).plan(&[], set);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(said.contains(says) && said.contains("expected:") && said.contains("remedy:"), "{said}");
}

#[test]
fn the_template_sets_nothing_and_names_every_key() {
    let place = Place::new(&template("settings.schema.json"));
    let planned = place.planned(&[]);
    for row in SETTINGS.iter().filter(|row| !row.key.is_empty()) {
        assert_eq!(shown(&planned, row.key).1, json!("default"), "{}", row.key);
    }
    // With its comments taken away every example is a value.
    let text = template("settings.schema.json");
    let plain = |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', ':'])).map(str::to_owned);
    let lines: Vec<String> = text.lines().map(|line| plain(line).unwrap_or_else(|| line.to_owned())).collect();
    let place = Place::new(&lines.join("\n"));
    let output = place.plan(&["--json"], &[("K1S_ROOT", "")]);
    // Its k1s root is the folder itself, which is none: everything else could be used.
    assert!(
        output.status.success() || String::from_utf8_lossy(&output.stderr).contains("is no k1s root"),
        "{output:?}"
    );
}

/// To accept a change that was meant: `INSTA_UPDATE=always cargo test --test own settings::`.
#[rstest]
#[case::page("docs/settings.md", page())]
#[case::schema("docs/settings.schema.json", serde_json::to_string_pretty(&schema(&profiles)).unwrap() + "\n")]
fn the_docs_are_those_of_the_table(#[case] file: &str, #[case] text: String) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&file, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(kept, text, "{} is not that of the table: write it anew with INSTA_UPDATE=always", file.display());
}
