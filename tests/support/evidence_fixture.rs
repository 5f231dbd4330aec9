//! A gate's evidence as an honest run leaves it, for a row to be told in one place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k1s_profile_gates::attest::PROBES;
use k1s_profile_gates::evidence::call::{Call, CallProblem};
use k1s_profile_gates::evidence::{Observation, Record};
use k1s_profile_gates::plan::{Component, Gate, GateKey, Profile, Transport, Transports};
use k1s_profile_gates::{Check, Evidence, Failure};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The observed residue of a real profile, of each kind.
const RESIDUE: [(&str, &str); 9] = [
    ("residue-containers", include_str!("../answers/seen/residue-containers.json")),
    ("residue-snapshots", include_str!("../answers/seen/residue-snapshots.json")),
    ("residue-networks", include_str!("../answers/seen/residue-networks.json")),
    ("residue-bridges", include_str!("../answers/seen/residue-bridges.json")),
    ("residue-firewall", include_str!("../answers/seen/residue-firewall.json")),
    ("residue-mounts", include_str!("../answers/seen/residue-mounts.json")),
    ("residue-ports", include_str!("../answers/seen/residue-ports.json")),
    ("residue-processes", include_str!("../answers/seen/residue-processes.json")),
    ("residue-state-folder", include_str!("../answers/seen/residue-state-folder.json")),
];

/// The evidence of one gate, before it is written.
pub(crate) struct EvidenceFixture {
    pub(crate) gate: Gate,
    pub(crate) record: Record,
    pub(crate) answers: BTreeMap<&'static str, Value>,
    /// The harness's own observations.
    pub(crate) sights: BTreeMap<&'static str, Value>,
    /// Files whose content is not that of the answer.
    pub(crate) files: BTreeMap<&'static str, Vec<u8>>,
    /// The changes of the results that MCP put around the answers.
    pub(crate) results: BTreeMap<&'static str, fn(&mut Value)>,
    /// The evidence of the counterpart, when both transports were asked.
    pub(crate) beside: Option<Box<EvidenceFixture>>,
    folder: TempDir,
}

impl EvidenceFixture {
    pub(crate) fn honest(gate: Gate) -> Self {
        Self::told(gate, Transports::Cli)
    }

    /// The same, by the ways that are asked.
    pub(crate) fn told(gate: Gate, transports: Transports) -> Self {
        match transports {
            Transports::Cli => Self::by(gate, Transport::Cli, transports),
            Transports::Mcp => Self::by(gate, Transport::Mcp, transports),
            Transports::Both => Self {
                beside: Some(Box::new(Self::by(gate, Transport::Mcp, transports))),
                ..Self::by(gate, Transport::Cli, transports)
            },
        }
    }

    fn by(gate: Gate, transport: Transport, transports: Transports) -> Self {
        let record = Record {
            key: GateKey::first(gate, transport),
            transports,
            part: 1,
            project: "demo".into(),
            started: "2026-01-01T00:00:00Z".into(),
            seconds: 1.0,
            calls: BTreeMap::new(),
            observations: BTreeMap::new(),
            phases: vec![],
            probes: vec![],
            conflict: None,
            k1s_root: None,
            rerun_of: None,
            noticed: Vec::new(),
            project_kept: false,
            user: 0,
            failure: None,
            versions: BTreeMap::new(),
            interventions: BTreeMap::new(),
        };
        let mut fixture = Self {
            gate,
            record,
            answers: BTreeMap::new(),
            sights: BTreeMap::new(),
            files: BTreeMap::new(),
            results: BTreeMap::new(),
            beside: None,
            folder: tempfile::tempdir().unwrap(),
        };
        match gate {
            Gate::Inventory => {
                if transport == Transport::Mcp {
                    fixture.asked_of_the_daemon();
                }
                fixture.answered("profile-list", parsed(include_str!("../answers/profile-list.json")));
                fixture.observed("k1s-root", parsed(include_str!("../answers/seen/k1s-root.json")));
            }
            Gate::Preflight => {
                fixture.asked_of_the_daemon();
                for label in ["projects-before", "projects-after"] {
                    fixture.answered(label, json!({ "projects": [], "state_root": "/var/lib/workerbee" }));
                }
                let action = json!({ "action": "remove", "kind": "container", "id": "e6e5d6332e41" });
                fixture.answered(
                    "cleanup",
                    json!({
                        "ok": true, "execute": false, "runtime": "containerd", "state_root": "/var/lib/workerbee",
                        "actions": [action], "safety": { "ok": true },
                    }),
                );
                fixture.answered(
                    "ingress-status",
                    parsed(include_str!("../answers/mcp-status.json"))["global_dashboard"].take(),
                );
                fixture.answered("containerd-privilege", parsed(include_str!("../answers/containerd-privilege.json")));
                fixture.observed("projects-unused", parsed(include_str!("../answers/seen/projects-unused.json")));
                fixture.observed("name-budget", parsed(include_str!("../answers/seen/name-budget.json")));
            }
            Gate::Startup(profile) => {
                fixture.answered("validate", of_profile(include_str!("../answers/startup.json"), profile));
                fixture.observed_by_probes(profile);
                fixture.finished(profile);
            }
            Gate::Workload(profile) => {
                fixture.answered("validate", of_profile(include_str!("../answers/workload.json"), profile));
                fixture.observed_by_probes(profile);
                fixture.finished(profile);
            }
        }
        if transport == Transport::Mcp {
            fixture.asked_by_an_agent();
        }
        fixture.looked_through_all();
        fixture
    }

    /// The daemon before anything else: as it was, how it was restarted, and as it was accepted.
    fn asked_of_the_daemon(&mut self) {
        self.answered("mcp-restart", json!({ "ok": true, "running": true }));
        for label in ["mcp-status-before", "mcp-status-after"] {
            self.answered(label, parsed(include_str!("../answers/mcp-status.json")));
        }
    }

    /// All that the record names was looked through for secrets.
    fn looked_through_all(&mut self) {
        let answers = self.record.calls.keys().map(|label| answer_file("", label));
        let sights = self.record.observations.keys().map(|name| sight_file("seen-", name));
        let all: Vec<Value> = answers.chain(sights).map(|file| json!(file)).collect();
        if let Some(secrets) = self.sights.get_mut("secrets") {
            secrets["scanned"] = Value::Array(all);
        }
    }

    /// Adds the answers that agents alone ask for.
    fn asked_by_an_agent(&mut self) {
        self.observed("mcp-tools", parsed(include_str!("../answers/seen/mcp-tools.json")));
        if self.gate.profile().is_some() {
            self.answered("session-start", json!({ "project": "demo", "explicit_project": true }));
            self.answered(
                "ingress-probe",
                json!({
                    "ok": true, "project": "demo", "status": 200, "tls_verified": true,
                    "url": "https://k1s.demo.workerbee.localhost:19444/health",
                }),
            );
        }
        if let Gate::Workload(_) = self.gate {
            let mut status = parsed(include_str!("../answers/workload.json"))["status"].take();
            status["project"] = json!("demo");
            self.answered("workload-status", status);
            let log = json!({ "pod": "demo--backend-rev1-0", "status": 200, "text": "" });
            let pods = ["demo--backend-rev1-0"];
            self.answered(
                "logs",
                json!({ "ok": true, "project": "demo", "app": "backend", "pods": pods, "logs": [log] }),
            );
        }
    }

    /// Adds what each probe of the gate observes of an honest profile.
    fn observed_by_probes(&mut self, profile: Profile) {
        let gate = self.gate;
        for probe in PROBES.iter().filter(|probe| probe.is_of(gate)) {
            let mut seen = of_profile(&honest(probe.name(), profile), profile);
            if let Some(ha) = seen.pointer_mut("/release/ha") {
                *ha = json!(profile.elects_leader());
            }
            self.observed(probe.name(), seen);
        }
    }

    /// The end of a gate that started a profile.
    fn finished(&mut self, profile: Profile) {
        self.asked_of_the_daemon();
        let own = json!({ "project": "demo", "profile_name": profile.name(), "profile_running": true });
        let other = json!({ "project": "other", "profile_name": null, "profile_running": false });
        self.answered("projects-after", json!({ "projects": [own, other] }));
        self.answered("profile-status-after", of_profile(include_str!("../answers/profile-status.json"), profile));
        self.answered("mcp-status-at-the-end", parsed(include_str!("../answers/mcp-status.json")));
        let removed = |component: &Component| json!({ "ok": true, "container": format!("workerbee-0123456789ab-demo-{profile}-{component}"), "returncode": 0 });
        let removed: Vec<Value> = profile.components().iter().map(removed).collect();
        self.answered("profile-stop", json!({ "ok": true, "project": "demo", "purged": false, "removed": removed }));
        let result = json!({ "ok": true, "path": "/var/lib/workerbee/projects/demo/edge-link", "removed": false });
        self.answered(
            "profile-purge",
            json!({ "ok": true, "project": "demo", "purged": true, "purge_result": result }),
        );
        for (name, sight) in RESIDUE {
            self.observed(name, parsed(sight));
        }
        self.observed("namespace-removed", json!({ "namespace": "workerbee-0123456789ab-demo", "gone": true }));
        self.observed("secrets", parsed(include_str!("../answers/seen/secrets.json")));
    }

    /// The folder's name, which is another one each time.
    pub(crate) fn run_dir(&self) -> String {
        self.folder.path().display().to_string()
    }

    fn answered(&mut self, label: &'static str, answer: Value) {
        // The daemon itself is asked for on the command line.
        let of_the_daemon = label.starts_with("mcp-") || label == "containerd-privilege";
        let transport = if of_the_daemon { Transport::Cli } else { self.record.key.transport };
        let mcp = transport == Transport::Mcp;
        let call = Call {
            transport,
            command: vec!["workerbee".into(), "--json".into(), label.into()],
            file: PathBuf::from(format!("{label}.json")),
            base: if mcp { "/structuredContent/data".to_owned() } else { String::new() },
            stderr: None,
            exit: (!mcp).then_some(0),
            seconds: 0.1,
            problem: None,
        };
        self.record.calls.insert(label.to_owned(), call);
        self.answers.insert(label, answer);
    }

    fn observed(&mut self, name: &'static str, sight: Value) {
        self.record.observations.insert(name.to_owned(), Observation::Seen(PathBuf::from(format!("seen-{name}.json"))));
        self.sights.insert(name, sight);
    }

    /// A list of what the harness saw for itself, to be changed.
    pub(crate) fn items_seen(&mut self, name: &str) -> &mut Vec<Value> {
        self.seen(name, "").as_array_mut().expect("no array")
    }

    /// A part of what the harness saw for itself, to be changed.
    pub(crate) fn seen(&mut self, name: &str, pointer: &str) -> &mut Value {
        self.sights.get_mut(name).and_then(|sight| sight.pointer_mut(pointer)).expect("no such sight")
    }

    /// The harness could not look.
    pub(crate) fn unseen(&mut self, name: &str) {
        let failure = Failure::new("containerd does not answer as it should")
            .expected("containerd on its socket")
            .seen("connection refused")
            .remedy("see that containerd runs");
        self.record.observations.insert(name.to_owned(), Observation::Failed(failure));
    }

    /// A part of an answer, to be changed. What is not there is no row that can be told.
    pub(crate) fn at(&mut self, label: &str, pointer: &str) -> &mut Value {
        self.answers.get_mut(label).and_then(|answer| answer.pointer_mut(pointer)).expect("no such part")
    }

    /// The same of the answer to `validate`.
    pub(crate) fn validate(&mut self, pointer: &str) -> &mut Value {
        self.at("validate", pointer)
    }

    pub(crate) fn items(&mut self, pointer: &str) -> &mut Vec<Value> {
        self.validate(pointer).as_array_mut().expect("no array")
    }

    pub(crate) fn call(&mut self, label: &str) -> &mut Call {
        self.record.calls.get_mut(label).expect("no such call")
    }

    /// `WorkerBee` answered with an error: it then ends with 1.
    pub(crate) fn refused(&mut self, label: &'static str, error: &str) {
        self.answers.insert(label, parsed(error));
        match self.call(label).transport {
            Transport::Cli => self.call(label).exit = Some(1),
            Transport::Mcp => "/structuredContent".clone_into(&mut self.call(label).base),
        }
    }

    /// Returns the contents of a call's file.
    fn whole(&self, label: &str) -> Vec<u8> {
        let (call, answer) = (&self.record.calls[label], &self.answers[label]);
        if let Some(bytes) = self.files.get(label) {
            return bytes.clone();
        }
        if call.transport == Transport::Cli {
            return answer.to_string().into_bytes();
        }
        let envelope = match answer.get("error") {
            Some(_) => answer.clone(),
            None => json!({ "ok": true, "data": answer, "error": null }),
        };
        let mut result = json!({ "isError": false, "structuredContent": envelope });
        result["content"] = json!([{ "type": "text", "text": result["structuredContent"].to_string() }]);
        if let Some(change) = self.results.get(label) {
            change(&mut result);
        }
        result.to_string().into_bytes()
    }

    /// Half of the answer: as the client sees it, and as a file that was cut off later.
    pub(crate) fn cut_off(&mut self, label: &'static str, problem: bool) {
        let whole = self.answers[label].to_string().into_bytes();
        self.files.insert(label, whole[..whole.len() / 2].to_vec());
        if problem {
            self.call(label).problem = Some(CallProblem::NotJson {
                error: "EOF while parsing a string at line 1 column 99".into(),
                start: "{".into(),
            });
        }
    }

    /// Writes it all down as the gate itself would, in a run's folder that other gates share.
    pub(crate) fn leave_in(self, run_dir: &Path, folder: &str) {
        let own = Path::new("gates").join(folder);
        self.write(run_dir, &own, &format!("{folder}-"), &format!("gates/{folder}/seen/"));
        for file in ["spec.json", "gate.log"] {
            std::fs::write(run_dir.join(&own).join(file), "{}").unwrap();
        }
    }

    /// Writes the record, and answers and sights where it then says that they are.
    fn write(&self, run_dir: &Path, own: &Path, before_answers: &str, before_sights: &str) -> PathBuf {
        let mut record = self.record.clone();
        // Where a file is that the fixture tells of.
        let answers = record.calls.keys().map(|label| (answer_file("", label), answer_file(before_answers, label)));
        let sights =
            record.observations.keys().map(|name| (sight_file("seen-", name), sight_file(before_sights, name)));
        let known_as: Vec<(PathBuf, PathBuf)> = answers.chain(sights).collect();
        std::fs::create_dir_all(run_dir.join(own)).unwrap();
        std::fs::create_dir_all(run_dir.join(own).join("seen")).unwrap();
        for (label, call) in &mut record.calls {
            call.file = answer_file(before_answers, label);
            std::fs::write(run_dir.join(&call.file), self.whole(label)).unwrap();
        }
        for (name, sight) in &self.sights {
            let file = sight_file(before_sights, name);
            let mut sight = sight.clone();
            if *name == "secrets" {
                for one in sight["scanned"].as_array_mut().into_iter().flatten() {
                    if let Some((_, now)) = known_as.iter().find(|(told, _)| json!(told) == *one) {
                        *one = json!(now);
                    }
                }
            }
            std::fs::write(run_dir.join(&file), sight.to_string()).unwrap();
            let known = record.observations.get_mut(*name);
            if let Some(seen @ Observation::Seen(_)) = known {
                *seen = Observation::Seen(file);
            }
        }
        let file = run_dir.join(own).join("record.json");
        std::fs::write(&file, serde_json::to_vec_pretty(&record).unwrap()).unwrap();
        file
    }

    /// Writes it all down and hands it to the checks: which are red, and what each says.
    pub(crate) fn judged(&self) -> BTreeMap<String, Failure> {
        let run_dir = self.folder.path();
        let gates = Path::new("gates");
        let slug = self.gate.slug();
        let file = match &self.beside {
            None => self.write(run_dir, Path::new(""), "", "seen-"),
            Some(mcp) => {
                let name = format!("{slug}.mcp");
                mcp.write(run_dir, &gates.join(&name), "mcp-", "seen-mcp-");
                self.write(run_dir, &gates.join(&slug), "", "seen-")
            }
        };
        let evidence = Evidence::load(run_dir, &file).unwrap();
        self.checks()
            .into_iter()
            .filter_map(|check| Some((check.name.clone(), check.judge(&evidence).err()?)))
            .collect()
    }

    /// The calls that no check reads anything of, when all is honest.
    pub(crate) fn unread(&self) -> Vec<String> {
        let run_dir = self.folder.path();
        let evidence = Evidence::load(run_dir, &self.write(run_dir, Path::new(""), "", "seen-")).unwrap();
        self.checks().iter().for_each(|check| drop(check.judge(&evidence)));
        let read: Vec<PathBuf> = evidence.readings().into_iter().map(|reading| reading.file).collect();
        let calls = evidence.record.calls.iter();
        calls.filter(|(_, call)| !read.contains(&call.file)).map(|(label, _)| label.clone()).collect()
    }

    /// The checks that the fixture is told to: of one told both ways, those that compare.
    pub(crate) fn checks(&self) -> Vec<Check> {
        let Record { key: GateKey { gate, transport, .. }, transports, .. } = self.record;
        k1s_profile_gates::checks_of_run(gate, transport, transports)
            .into_iter()
            // It is compared with files of the user's; tests/own/trials.rs has some.
            .filter(|check| check.name != "snapshot")
            .filter(|check| check.name.starts_with("parity::") == self.beside.is_some())
            .collect()
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn answer_file(before: &str, label: &str) -> PathBuf {
    PathBuf::from(format!("{before}{label}.json"))
}

fn sight_file(before: &str, name: &str) -> PathBuf {
    PathBuf::from(format!("{before}{name}.json"))
}

/// The honest observation of that name: what `tests/answers/seen/` has of the profile (`<name>-ha-min.json`), else of all.
fn honest(name: &str, profile: Profile) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers/seen");
    let of_profile = folder.join(format!("{name}-{}.json", profile.name().trim_start_matches("k1s-")));
    let file = if of_profile.is_file() { of_profile } else { folder.join(format!("{name}.json")) };
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The lists that have an item per component, with the member that names it.
const PER_COMPONENT: [(&str, &str); 4] =
    [("/components", "name"), ("/status/components", "name"), ("/programs", "component"), ("/logs", "container")];

/// The answers are those of k1s-ha-min, the profile that has every component.
fn of_profile(text: &str, profile: Profile) -> Value {
    let mut answer = parsed(&text.replace("k1s-ha-min", profile.name()));
    let components = profile.components().into_iter().map(|component| component.to_string());
    let wanted: Vec<String> = components.chain(["ingress".to_owned()]).collect();
    for (pointer, member) in PER_COMPONENT {
        if let Some(Value::Array(items)) = answer.pointer_mut(pointer) {
            items.retain(|one| one[member].as_str().is_some_and(|name| wanted.iter().any(|end| name.ends_with(end))));
        }
    }
    if let (Some(Value::Array(checks)), true) = (answer.pointer_mut("/checks"), !profile.elects_leader()) {
        checks.retain(|check| check["name"] != "ha-leader-observed");
    }
    answer
}
