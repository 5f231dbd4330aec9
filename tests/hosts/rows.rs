//! The hosts.

/// The expected finding on a host.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    /// Nothing is in the way.
    Good,
    /// Refused, with these words.
    Told(&'static str),
}

use Expected::{Good, Told};

/// A host.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// In words, what is to come of it.
    pub(crate) expected: &'static str,
    /// The script (of sh's) that lays the host around this one.
    pub(crate) host: &'static str,
    /// The command that the program is started through.
    pub(crate) through: &'static str,
    /// Variables; `HOST` in one is the row's own folder.
    pub(crate) variables: &'static [(&'static str, &'static str)],
    /// True when the gate is run as users do, by cargo and nextest.
    pub(crate) by_nextest: bool,
    /// A file in the row's folder, and words in it, that the gate leaves when the host was as it should be.
    pub(crate) leaves: Option<(&'static str, &'static str)>,
    /// Conditions of the doctor's.
    pub(crate) doctor: &'static [(&'static str, Expected)],
    /// The expected result of a real gate; none where no gate is run.
    pub(crate) gate: Option<Expected>,
    /// Commands that are to refuse `RUN_DIR`.
    pub(crate) commands: &'static [&'static str],
}

const PLAIN: Row = Row {
    name: "",
    expected: "works",
    host: "",
    through: "",
    variables: &[],
    by_nextest: false,
    leaves: None,
    doctor: &[("a lane", Good)],
    gate: None,
    commands: &[],
};

const EVIDENCE: &str = "folder of the evidence";

/// A run's folder of user nobody's, in which a link leads to a file of root's alone.
const OF_NOBODY: &str = "mkdir -p $HOST/nobody/run/gates && echo '{}' > $HOST/nobody/run/run.json \
    && echo S3cret > $HOST/secret && chmod 600 $HOST/secret && ln -sfn $HOST/secret $HOST/nobody/run/manifest.json \
    && chown -R -h 65534 $HOST/nobody";

/// A runner of cargo's for this machine, which writes down what it has run.
macro_rules! runner {
    () => {
        "printf '#!/bin/sh\\n\"$@\" && echo \"$*\" >> %s/through' $HOST > $HOST/runner && chmod +x $HOST/runner \
         && triple=$(rustc -vV | sed -n 's/^host: //p' | tr a-z- A-Z_) && export CARGO_TARGET_${triple}_RUNNER=$HOST/runner"
    };
}
const RUNNER: &str = runner!();

/// What is built already, in a folder that ends with the row.
const TARGET_ELSEWHERE: &str = concat!(
    runner!(),
    " && mkdir -p $HOST/lib $HOST/layers && mount --bind $HOST/lib /var/lib/misc \
    && mount -t tmpfs layers $HOST/layers && mkdir $HOST/layers/upper $HOST/layers/work \
    && CARGO_TARGET_DIR='/var/lib/misc/agent/a target' && export CARGO_TARGET_DIR && mkdir -p \"$CARGO_TARGET_DIR\" \
    && mount -t overlay target -o lowerdir=$TARGET,upperdir=$HOST/layers/upper,workdir=$HOST/layers/work \
    \"$CARGO_TARGET_DIR\""
);

/// A user whose sudo asks for a password, on a terminal of the user's own; `TICKET` is set where it was given before.
const USER_WITH_A_PASSWORD: &str = include_str!("user_with_a_password.sh");

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "sudo-with-a-ticket",
        expected: "works on the terminal on which `sudo -v` was given",
        host: USER_WITH_A_PASSWORD,
        through: "sh $HOST/terminal",
        variables: &[("TICKET", "given")],
        gate: Some(Good),
        ..PLAIN
    },
    Row {
        name: "sudo-without-a-ticket",
        expected: "told by the doctor, and by the gate at once",
        host: USER_WITH_A_PASSWORD,
        through: "sh $HOST/terminal",
        doctor: &[("a lane", Told("a password is required"))],
        gate: Some(Told("a password is required")),
        ..PLAIN
    },
    Row { name: "few-file-descriptors", host: "ulimit -n 40", gate: Some(Good), ..PLAIN },
    Row {
        name: "target-runner",
        expected: "works with a process of somebody else's between nextest and each trial",
        host: RUNNER,
        by_nextest: true,
        leaves: Some(("through", "/deps/gates-")),
        gate: Some(Good),
        ..PLAIN
    },
    Row {
        name: "target-folder-elsewhere",
        expected: "works from a target folder with a space in its name, under /var/lib",
        host: TARGET_ELSEWHERE,
        by_nextest: true,
        leaves: Some(("through", "/var/lib/misc/agent/a target/debug/deps/gates-")),
        gate: Some(Good),
        ..PLAIN
    },
    Row {
        name: "k1s-root-with-odd-files",
        expected: "works, and passes over what is no file",
        host: "K1S_ROOT=$HOST/k1s && export K1S_ROOT \
            && newest=$(ls -dt \"${K1S_GATES_CACHE:-$HOME/.cache/k1s-profile-gates}\"/k1s-*/src | head -n 1) \
            && cp -a \"$newest/..\" $K1S_ROOT && cd $K1S_ROOT \
            && mkfifo .dev.fifo src/ae/pipe && ln -s . src/ae/circle && ln -s /dev/zero src/ae/endless \
            && mknod src/ae/device c 1 5 && touch \"$(printf 'src/ae/caf\\351.py')\" && cd /",
        doctor: &[("a lane", Good), ("k1s under test", Good)],
        gate: Some(Good),
        ..PLAIN
    },
    Row {
        name: "folders-under-var-lib-and-run",
        host: "mkdir -p $HOST/lib $HOST/run && mount --bind $HOST/lib /var/lib/misc && mkdir -p /var/lib/misc/agent \
            && mount -t tmpfs user /run && mkdir -p -m 700 /run/user/0",
        variables: &[
            ("RUN_DIR", "/var/lib/misc/agent/work space/evidence"),
            ("XDG_STATE_HOME", "/run/user/0/state"),
            ("TMPDIR", "/run/user/0"),
        ],
        doctor: &[("a lane", Good), (EVIDENCE, Good), ("meeting place", Good)],
        gate: Some(Good),
        ..PLAIN
    },
    Row {
        name: "container-within-a-container",
        expected: "works without an overlay, and the user's nerdctl.toml does not reach in",
        host: "mkdir $HOST/layers && mount -t tmpfs layers $HOST/layers && cd $HOST/layers && mkdir u1 w1 u2 w2 etc \
            && mount -t overlay one -o lowerdir=/var/lib,upperdir=u1,workdir=w1 /var/lib \
            && mount -t overlay two -o lowerdir=/var/lib,upperdir=u2,workdir=w2 /var/lib && cd / \
            && cp -a /etc/. $HOST/layers/etc && mkdir -p $HOST/layers/etc/nerdctl \
            && echo 'snapshotter=\"stargz\"' > $HOST/layers/etc/nerdctl/nerdctl.toml && mount --bind $HOST/layers/etc /etc",
        gate: Some(Good),
        ..PLAIN
    },
    Row {
        name: "first-process-behind-a-proxy",
        through: "unshare --pid --fork --kill-child --mount-proc env -u HOME",
        variables: &[
            ("HTTP_PROXY", "http://192.0.2.1:9"),
            ("http_proxy", "http://192.0.2.1:9"),
            ("ALL_PROXY", "http://192.0.2.1:9"),
            ("NERDCTL_TOML", "/nowhere"),
            ("RUN_DIR", "HOST/link/evidence"),
        ],
        host: "mkdir -p \"$HOST/a folder\" && ln -sfn \"a folder\" $HOST/link",
        gate: Some(Good),
        ..PLAIN
    },
    Row {
        name: "cgroups-that-are-read-only",
        expected: "told by the doctor, and by the gate at once",
        host: "for at in $(awk '$3 ~ /^cgroup/ {print $2}' /proc/self/mounts); do mount -o remount,bind,ro $at; done",
        doctor: &[("a lane", Told("cannot be written to: Read-only file system"))],
        gate: Some(Told("cannot be written to: Read-only file system")),
        ..PLAIN
    },
    Row {
        name: "no-cap-sys-admin",
        expected: "told by the doctor, and by the gate at once",
        through: "setpriv --bounding-set -sys_admin --inh-caps -sys_admin",
        doctor: &[("a lane", Told("Operation not permitted"))],
        gate: Some(Told("Operation not permitted")),
        ..PLAIN
    },
    Row {
        name: "run-dir-of-another-user",
        expected: "refused with the reason before anything starts, by the commands that read it too",
        host: OF_NOBODY,
        variables: &[("RUN_DIR", "HOST/nobody/run")],
        doctor: &[(EVIDENCE, Told("belongs to user 65534"))],
        gate: Some(Told("belongs to user 65534")),
        commands: &["report", "junit", "verify", "bundle", "interrupted"],
        ..PLAIN
    },
    Row {
        name: "run-dir-that-others-could-replace",
        expected: "refused with the reason",
        host: "mkdir -p $HOST/open && chmod 777 $HOST/open",
        variables: &[("RUN_DIR", "HOST/open/run")],
        doctor: &[(EVIDENCE, Told("can be written to by everybody"))],
        gate: Some(Told("can be written to by everybody")),
        ..PLAIN
    },
    Row {
        name: "k1s-root-that-is-no-text",
        expected: "told as what it is",
        host: "K1S_ROOT=$(printf '/k1s-\\374'); export K1S_ROOT",
        doctor: &[("settings", Told("K1S_ROOT"))],
        gate: Some(Told("K1S_ROOT")),
        ..PLAIN
    },
    Row {
        name: "folders-that-are-files",
        expected: "told by the doctor, each by its variable",
        host: "touch $HOST/file",
        variables: &[("TMPDIR", "HOST/file"), ("XDG_STATE_HOME", "HOST/file"), ("K1S_GATES_CACHE", "HOST/file")],
        doctor: &[
            ("meeting place", Told("Not a directory")),
            ("folder of the ledger", Told("Not a directory")),
            ("stack", Told("Not a directory")),
        ],
        ..PLAIN
    },
    Row {
        name: "run-dir-that-holds-something-else",
        expected: "told by the doctor, and by the gate at once",
        host: "mkdir -p $HOST/thesis && touch $HOST/thesis/thesis.odt",
        variables: &[("RUN_DIR", "HOST/thesis")],
        doctor: &[(EVIDENCE, Told("thesis.odt"))],
        gate: Some(Told("holds something else than a run")),
        ..PLAIN
    },
    Row {
        name: "cache-that-others-can-write-to",
        expected: "refused with the mode, before anything of it is executed",
        host: "mkdir -p $HOST/layers $HOST/cache && mount -t tmpfs layers $HOST/layers && mkdir $HOST/layers/upper $HOST/layers/work \
            && mount -t overlay cache -o lowerdir=\"${CACHE:-$HOME/.cache/k1s-profile-gates}\",upperdir=$HOST/layers/upper,workdir=$HOST/layers/work $HOST/cache \
            && chmod 0757 $HOST/cache/workerbee-*/bin/workerbee",
        variables: &[("K1S_GATES_CACHE", "HOST/cache")],
        doctor: &[("stack", Told("by everybody, with its mode 0757"))],
        gate: Some(Told("by everybody, with its mode 0757")),
        ..PLAIN
    },
    Row {
        name: "cache-that-is-somebodys-folder",
        expected: "refused, and left as it is",
        host: "mkdir -p $HOST/thesis && touch $HOST/thesis/thesis.odt",
        variables: &[("K1S_GATES_CACHE", "HOST/thesis")],
        doctor: &[("stack", Told("thesis.odt"))],
        ..PLAIN
    },
];
