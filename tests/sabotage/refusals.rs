//! The refusals of `WorkerBee`, asked through MCP on the real stack: each time its own code and its own advice are
//! shown.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use k1s_profile_gates::evidence::call::Call;
use k1s_profile_gates::evidence::{Record, Redactor, Store};
use k1s_profile_gates::plan::{Gate, GateKey, Profile, Transports};
use k1s_profile_gates::workerbee::cli::Cli;
use k1s_profile_gates::workerbee::mcp::Mcp;
use k1s_profile_gates::workerbee::request::{Request, Tool};
use k1s_profile_gates::{Evidence, Failure};
use serde_json::Value;

pub(crate) const IN_LANE: &str = "__refusals";
/// More than any refusal takes.
const LIMIT: Duration = Duration::from_mins(5);
const SQLITE: Profile = Profile::DevMinSqlite;
const PROJECTS: [&str; 3] = ["refuse", "inuse", "twice"];

/// Starts this program again, in a lane.
pub(crate) fn check() -> Result<(), String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut lane = Command::new(env!("CARGO_BIN_EXE_k1s-gates"));
    let projects = PROJECTS.iter().flat_map(|project| ["--project", project]);
    let output =
        lane.arg("lane").args(projects).arg("--").arg(own).arg(IN_LANE).output().map_err(|error| error.to_string())?;
    println!("{}", String::from_utf8_lossy(&output.stdout));
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

pub(crate) fn in_lane() -> ExitCode {
    let wrong = tokio::runtime::Runtime::new().unwrap().block_on(refusals());
    for one in &wrong {
        eprintln!("{one}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The daemon of the lane, and where it is asked from.
struct Bench {
    cli: Cli,
    store: Store,
    url: String,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let place = |name: &str| PathBuf::from(std::env::var_os(name).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Redactor::default()).unwrap();
        let cli = Cli {
            bin: place("WORKERBEE_BIN"),
            state_root: place("WORKERBEE_CONTAINERD_STATE_ROOT"),
            project: PROJECTS[0].into(),
            k1s_root: place("K1S_ROOT"),
            privilege: "sudo-helper".into(),
            env: Vec::new(),
            hermetic: false,
        };
        let restart = cli.call(&store, "restart.json", &["mcp", "restart"], LIMIT).await;
        let said: Value = serde_json::from_slice(&std::fs::read(store.root().join(restart.file)).unwrap()).unwrap();
        let url = said.pointer("/mcp_url").or_else(|| said.pointer("/start/mcp_url")).and_then(Value::as_str);
        let url = url.unwrap_or_else(|| panic!("no daemon: {said}")).to_owned();
        Self { cli, store, url, _folder: folder }
    }

    /// Calls a tool, in a session of its own.
    async fn call(&self, file: &str, tool: &Tool) -> Call {
        let mcp = Mcp::connect(&self.url).await.unwrap();
        mcp.call(&self.store, file, tool, LIMIT).await
    }

    fn tool(&self, request: Request<'_>, project: &str) -> Tool {
        request.tool(project, &self.cli.k1s_root.display().to_string())
    }

    /// Judges a call as a gate's check does.
    fn judged(&self, call: Call) -> Result<(), Failure> {
        let transport = call.transport;
        let record = Record {
            key: GateKey::first(Gate::Startup(SQLITE), transport),
            transports: Transports::Mcp,
            part: 1,
            project: String::new(),
            noticed: Vec::new(),
            project_kept: false,
            user: 0,
            started: String::new(),
            seconds: 0.0,
            calls: BTreeMap::from([("validate".to_owned(), call)]),
            observations: BTreeMap::new(),
            phases: Vec::new(),
            probes: Vec::new(),
            conflict: None,
            k1s_root: None,
            rerun_of: None,
            failure: None,
            versions: BTreeMap::new(),
            interventions: BTreeMap::new(),
        };
        let file = self.store.write_json("record.json".as_ref(), &record).unwrap();
        let evidence = Evidence::load(self.store.root(), &file).unwrap();
        let checks = k1s_profile_gates::checks_of(Gate::Startup(SQLITE), transport);
        checks.into_iter().find(|check| check.name == "ok").unwrap().judge(&evidence)
    }
}

async fn refusals() -> Vec<String> {
    let bench = Bench::new().await;
    let validate = Request::Validate(SQLITE, 60);
    let mut unknown_profile = bench.tool(validate, PROJECTS[0]);
    unknown_profile.arguments.insert("profile".into(), "k1s-none".into());
    let mut wrong = Vec::new();
    let cases: [(&str, Tool, [&str; 2]); 3] = [
        ("unknown profile", unknown_profile, ["K1S_PROFILE_UNKNOWN", "workerbee profile list"]),
        (
            "unknown project",
            bench.tool(Request::WorkloadStatus, "nobodys"),
            ["PROFILE_NOT_RUNNING", "Start a profile first"],
        ),
        // WorkerBee takes any folder, waits for what never comes, and has no code for it: the call is ok, its data is not.
        (
            "wrong k1s root",
            Request::Validate(SQLITE, 3).tool(PROJECTS[0], &bench.store.root().display().to_string()),
            ["of the data \"ok\": false", "readiness errors"],
        ),
    ];
    for (name, tool, says) in cases {
        let call = bench.call("case.json", &tool).await;
        wrong.extend(refused(name, bench.judged(call), &says));
    }
    wrong.extend(in_use(&bench).await);
    wrong.extend(at_once(&bench).await);
    wrong
}

/// Another process has the project: `WorkerBee` says who.
async fn in_use(bench: &Bench) -> Vec<String> {
    let folder = bench.cli.state_root.join("projects").join(PROJECTS[1]);
    std::fs::create_dir_all(&folder).unwrap();
    let lock = std::fs::File::create(folder.join(".lock")).unwrap();
    lock.lock().unwrap();
    let call = bench.call("in-use.json", &bench.tool(Request::Validate(SQLITE, 60), PROJECTS[1])).await;
    refused("a project in use", bench.judged(call), &["STATE_LOCKED", "Use the existing WorkerBee daemon"])
}

/// Two agents at once are served one after the other, and the second finds the profile started. An agent and a command
/// line are not: the second is refused.
async fn at_once(bench: &Bench) -> Vec<String> {
    let tool = bench.tool(Request::Validate(SQLITE, 60), PROJECTS[2]);
    let k1s_root = bench.cli.k1s_root.display().to_string();
    let cli = Cli { project: PROJECTS[2].into(), ..bench.cli.clone() };
    let arguments = Request::Validate(SQLITE, 60).arguments(&k1s_root).unwrap();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let late = async {
        // When the daemon has the project.
        while !cli.state_root.join("projects").join(PROJECTS[2]).join("profiles").exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cli.call(&bench.store, "by-hand.json", &arguments, LIMIT).await
    };
    let (first, second, by_hand) =
        tokio::join!(bench.call("first.json", &tool), bench.call("second.json", &tool), late);
    let mut wrong = Vec::new();
    for call in [first, second] {
        wrong.extend(bench.judged(call).err().map(|failure| format!("two agents at once: {failure}")));
    }
    let says = ["STATE_LOCKED", "Use the existing WorkerBee daemon"];
    wrong.extend(refused("an agent and a command line at once", bench.judged(by_hand), &says));
    wrong
}

/// A failure that says all of these.
fn refused(name: &str, judged: Result<(), Failure>, says: &[&str]) -> Vec<String> {
    let Err(failure) = judged else { return vec![format!("{name}: not refused")] };
    let text = failure.to_string();
    println!("{name}:\n{text}\n");
    let unsaid = says.iter().filter(|says| !text.contains(**says));
    unsaid.map(|says| format!("{name}: `{says}` is not said: {text}")).collect()
}
