//! The one table of settings.

/// The values that a setting can have.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// A text; what it has to be.
    Text(&'static str),
    /// A path; in the file it counts from the file's folder.
    Path,
    /// A whole number from 1; of what.
    Number(&'static str),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Some of the profiles that gates of this kind are of: `startup` or `workload`.
    Profiles(&'static str),
    /// Any number of tables with these members.
    Tables(&'static [Setting]),
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its key in the file, a dot for each table that it is in; empty of what only a variable can set.
    pub key: &'static str,
    /// Its variable; empty of what only the file can set.
    pub variable: &'static str,
    /// The values that it can have.
    pub takes: Takes,
    /// The default, in words or as a value.
    pub default: &'static str,
    /// A value, as TOML in the file.
    pub example: &'static str,
    /// Its meaning.
    pub meaning: &'static str,
}

const fn both(
    key: &'static str,
    variable: &'static str,
    takes: Takes,
    default: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> Setting {
    Setting { key, variable, takes, default, example, meaning }
}

/// Of the environment alone: of this call, or of this machine, and not of the repository.
const fn variable(variable: &'static str, takes: Takes, default: &'static str, meaning: &'static str) -> Setting {
    Setting { key: "", variable, takes, default, example: "", meaning }
}

const SECONDS: Takes = Takes::Number("seconds");
const PROJECT: Takes = Takes::Text("lower-case letters, digits and inner dashes");

/// All settings, in the order of the docs.
pub const SETTINGS: [Setting; 34] = [
    both("k1s-root", "K1S_ROOT", Takes::Path, "the checkout in reach", "\".\"", "the k1s checkout to validate"),
    both(
        "profiles",
        "K1S_GATES_PROFILES",
        Takes::Profiles("startup"),
        "all of them",
        "[\"k1s-dev-min-sqlite\", \"k1s-ha-min\"]",
        "the profiles whose startup is gated; of a variable behind commas, `none` for none",
    ),
    both(
        "workloads",
        "K1S_GATES_WORKLOADS",
        Takes::Profiles("workload"),
        "all of them",
        "[\"k1s-ha-min\"]",
        "the profiles on which an application is deployed; of a variable behind commas, `none` for none",
    ),
    both(
        "transport",
        "K1S_GATES_TRANSPORT",
        Takes::Word(&["cli", "mcp", "both"]),
        "cli",
        "\"both\"",
        "how WorkerBee is asked: on its command line, through its MCP server, or both ways with a comparison",
    ),
    both(
        "project-base",
        "WB_PROJECT_BASE",
        PROJECT,
        "5 random characters",
        "\"mygate\"",
        "beginning of the projects' names; at most 7 characters for all profiles",
    ),
    both(
        "lanes",
        "K1S_GATES_LANES",
        Takes::Number("gates side by side"),
        "one per core, as memory allows",
        "2",
        "gates side by side",
    ),
    both(
        "keep",
        "K1S_GATES_KEEP",
        Takes::Word(&["failed"]),
        "nothing is kept",
        "\"failed\"",
        "`failed`: keep the projects of gates that fail",
    ),
    both(
        "fail-fast",
        "K1S_GATES_FAIL_FAST",
        Takes::Word(&["on", "off"]),
        "on",
        "\"off\"",
        "`off`: wait for WorkerBee's own answer also when a component has died",
    ),
    both(
        "flaky",
        "K1S_GATES_FLAKY",
        Takes::Word(&["warn", "fail"]),
        "warn",
        "\"fail\"",
        "`fail`: a run fails with a gate that is flaky: green at a second run alone, or with something noticed",
    ),
    both(
        "limits.startup",
        "K1S_GATES_STARTUP_TIMEOUT",
        SECONDS,
        "240",
        "300",
        "seconds that WorkerBee gets for a profile's startup",
    ),
    both(
        "limits.workload",
        "K1S_GATES_WORKLOAD_TIMEOUT",
        SECONDS,
        "420",
        "600",
        "seconds that WorkerBee gets for a workload",
    ),
    both("limits.query", "K1S_GATES_QUERY_TIMEOUT", SECONDS, "60", "30", "seconds that a call gets which only asks"),
    both("limits.restart", "WORKERBEE_MCP_TIMEOUT", SECONDS, "90", "120", "seconds that `mcp restart` gets"),
    variable(
        "K1S_GATES_CONFIG",
        Takes::Path,
        "the nearest k1s-gates.toml, from the manifest or the working directory up to the repository's root",
        "the file of settings",
    ),
    variable(
        "WORKERBEE_K1S_ROOT",
        Takes::Path,
        "",
        "WorkerBee's own name for `K1S_ROOT`; used when that is not set, before the file",
    ),
    variable(
        "K1S_GATES_K1S_DIGEST",
        Takes::Text("`sha256:` and 64 hexadecimal digits"),
        "any k1s",
        "the digest of the one k1s that may be validated; another one is refused",
    ),
    variable(
        "WORKERBEE_BIN",
        Takes::Path,
        "that of the checkout `../k1s-workerbee`, else the pinned one (0.1.7)",
        "WorkerBee to use, in either mode",
    ),
    variable(
        "WORKERBEE_ROOT",
        Takes::Path,
        "",
        "WorkerBee checkout: its `.venv/bin/workerbee`, when `WORKERBEE_BIN` is not set",
    ),
    variable(
        "WORKERBEE_CONTAINERD_STATE_ROOT",
        Takes::Path,
        "the embedded stack is used",
        "selects the external mode ([external.md](external.md))",
    ),
    variable(
        "WORKERBEE_CONTAINERD_ADDRESS",
        Takes::Path,
        "/run/containerd/containerd.sock",
        "containerd's socket in the external mode",
    ),
    variable(
        "WORKERBEE_MCP_PORT",
        Takes::Text("a port, 1 to 65535"),
        "8765",
        "port of WorkerBee's daemon in the external mode; users of one host need one each",
    ),
    variable(
        "WORKERBEE_MCP_HOST",
        Takes::Text("an address"),
        "127.0.0.1",
        "address of WorkerBee's daemon in the external mode",
    ),
    variable(
        "RUN_DIR",
        Takes::Path,
        "/tmp/workerbee-k1s-profile-validation-<time>",
        "where the evidence goes; a folder that holds a run of this harness is resumed",
    ),
    variable("WB_PROJECT", PROJECT, "WB_PROJECT_BASE", "the same for all gates but the workloads"),
    variable("WB_SINGLE_PROJECT", PROJECT, "WB_PROJECT_BASE with `s`", "the project of the single-etcd workload"),
    variable("WB_HA_PROJECT", PROJECT, "WB_PROJECT_BASE with `h`", "the project of the ha-min workload"),
    variable(
        "K1S_GATES_SHARD",
        Takes::Text("a number and a count, such as 2/8, from 1 to the count"),
        "all gates",
        "`2/8`: run only the second of eight shares of the gates ([ci.md](ci.md))",
    ),
    variable(
        "K1S_GATES_SIGNING_KEY",
        Takes::Path,
        "not signed",
        "file of the private key (Ed25519, PEM) that signs the run's result",
    ),
    variable(
        "K1S_GATES_PLAIN",
        Takes::Word(&["0", "1"]),
        "0",
        "`1`: leave WorkerBee and k1s as they are, as far as a lane can: no CPU weight for controller 0, no refused name \
         queries, nerdctl with its compose commands, and Go's own `GOGC`",
    ),
    variable(
        "K1S_GATES_IMAGES",
        Takes::Word(&["built", "registry"]),
        "built",
        "`registry`: fetch the images that WorkerBee uses by itself, each by the digest that it is pinned to, in place of \
         those that the stack builds ([design/lane.md](design/lane.md))",
    ),
    variable(
        "K1S_GATES_IMAGE_PINS",
        Takes::Path,
        "none",
        "with `K1S_GATES_IMAGES=registry`: file with a line per image, its name and the digest of its manifest",
    ),
    variable(
        "K1S_GATES_REGISTRY",
        Takes::Text("an address, before it http:// for one without TLS"),
        "those in the names of the images",
        "with `K1S_GATES_IMAGES=registry`: address of the registry to ask instead, such as a mirror's",
    ),
    variable("K1S_GATES_CACHE", Takes::Path, "~/.cache/k1s-profile-gates", "where the stack is kept"),
    variable(
        "XDG_STATE_HOME",
        Takes::Path,
        "~/.local/state",
        "its folder `k1s-profile-gates` is the ledger of what running gates create",
    ),
];

impl Setting {
    /// Describes the values that it can have.
    pub fn words(&self) -> String {
        match self.takes {
            Takes::Text(what) => what.to_owned(),
            Takes::Path => "a path".to_owned(),
            Takes::Number(of) => format!("a whole number of {of}, 1 at least"),
            Takes::Word([one]) => format!("`{one}`, or nothing"),
            Takes::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or "),
            Takes::Profiles(_) => "a list of profiles".to_owned(),
            Takes::Tables(_) => "tables".to_owned(),
        }
    }
}

/// The row of a variable.
pub(super) fn of(variable: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.variable == variable)
}
