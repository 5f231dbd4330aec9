//! The client of `WorkerBee`'s command line against programs that behave badly.

use std::path::{Path, PathBuf};
use std::time::Duration;

use k1s_profile_gates::evidence::call::{Call, CallProblem};
use k1s_profile_gates::evidence::{Redactor, Store};
use k1s_profile_gates::workerbee::cli::Cli;
use rstest::rstest;
use tempfile::TempDir;

use crate::support::stand_in::{eventually, script};

/// More than any stand-in needs that ends at all.
const LONG: Duration = Duration::from_mins(1);

struct Bench {
    folder: TempDir,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("run"), Redactor::default()).unwrap();
        Self { folder, store }
    }

    fn cli(&self, bin: PathBuf) -> Cli {
        Cli {
            bin,
            state_root: "/var/lib/workerbee".into(),
            project: "demo".into(),
            k1s_root: self.folder.path().into(),
            privilege: "sudo-helper".into(),
            env: vec![("BENCH".into(), self.folder.path().display().to_string())],
            hermetic: false,
        }
    }

    async fn call(&self, bin: PathBuf, limit: Duration) -> Call {
        self.cli(bin).call(&self.store, "answer.json", &["profile", "list"], limit).await
    }

    async fn says(&self, body: &str) -> Call {
        self.call(script(self.folder.path(), body), LONG).await
    }

    fn kept(&self) -> Vec<u8> {
        std::fs::read(self.store.root().join("answer.json")).unwrap()
    }
}

/// Returns the message of a problem, empty when there is none.
fn problem(call: &Call) -> String {
    call.problem.as_ref().map(ToString::to_string).unwrap_or_default()
}

#[rstest]
#[case::missing(None, "No such file")]
#[case::not_executable(Some("no program"), "Permission denied")]
#[tokio::test]
async fn a_program_that_cannot_be_started_is_named(#[case] content: Option<&str>, #[case] why: &str) {
    let bench = Bench::new();
    let bin = bench.folder.path().join("no-workerbee");
    if let Some(content) = content {
        std::fs::write(&bin, content).unwrap();
    }
    let call = bench.call(bin.clone(), LONG).await;
    let Some(CallProblem::NotStarted { bin: named, error }) = &call.problem else { panic!("{:?}", call.problem) };
    assert_eq!((named, call.exit), (&bin, None));
    assert!(error.contains(why), "{error}");
}

#[rstest]
#[case::nothing("echo 'no key for you' >&2", "no output; standard error: no key for you")]
#[case::blanks("printf ' \\n\\n'", "no output; standard error: empty")]
#[case::no_json("echo Traceback: it broke", "it starts with: Traceback: it broke")]
#[case::truncated(r#"printf '{"ok": true, "checks": ['"#, "EOF while parsing")]
#[case::two_documents(r#"echo '{"ok": true} {"ok": false}'"#, "trailing characters")]
#[tokio::test]
async fn an_output_that_is_no_answer_is_shown(#[case] body: &str, #[case] shown: &str) {
    let call = Bench::new().says(body).await;
    assert!(problem(&call).contains(shown), "{}", problem(&call));
    assert_eq!(call.exit, Some(0));
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_as_they_are() {
    let bench = Bench::new();
    let call = bench.says(r#"printf '{"ok": "\377\376"}'"#).await;
    assert!(matches!(call.problem, Some(CallProblem::NotJson { .. })), "{:?}", call.problem);
    assert_eq!(bench.kept(), b"{\"ok\": \"\xff\xfe\"}");
}

#[tokio::test]
async fn of_an_endless_output_the_start_is_kept_and_no_more_memory_taken() {
    let bench = Bench::new();
    let call = bench.says("head -c 104857600 /dev/zero | tr '\\0' x").await;
    let Some(CallProblem::TooLong { bytes, limit }) = call.problem else { panic!("{:?}", call.problem) };
    assert_eq!(bytes, 104_857_600);
    let kept = bench.kept();
    assert_eq!(u64::try_from(kept.len()).unwrap(), limit);
    assert!(kept.iter().all(|byte| *byte == b'x'));
    assert!(peak_kilobytes() < 100_000, "{} kB", peak_kilobytes());
}

fn peak_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_with_all_that_it_started() {
    let bench = Bench::new();
    // The child's child is the one that a kill of the child alone would leave.
    let body = r#"
        sh -c 'echo $$ > "$BENCH/grandchild"; sleep 1000' &
        echo $$ > "$BENCH/child"
        echo 'first words' >&2
        echo 'waiting for the daemon' >&2
        wait"#;
    let call = bench.call(script(bench.folder.path(), body), Duration::from_secs(1)).await;
    let Some(CallProblem::TimedOut { limit_seconds, last }) = &call.problem else { panic!("{:?}", call.problem) };
    assert_eq!((*limit_seconds, last.as_str()), (1, "first words | waiting for the daemon"));
    assert_eq!(call.exit, None);
    for name in ["child", "grandchild"] {
        let pid = std::fs::read_to_string(bench.folder.path().join(name)).unwrap();
        eventually(&format!("the {name} is gone"), || ended(pid.trim()));
    }
}

#[tokio::test]
async fn a_call_that_nothing_can_come_of_is_ended_with_all_that_it_started() {
    let bench = Bench::new();
    let body = r#"
        echo '{"half": '
        echo 'waiting for health' >&2
        sh -c 'echo $$ > "$BENCH/grandchild"; sleep 1000' &
        wait"#;
    let cli = bench.cli(script(bench.folder.path(), body));
    let grandchild = bench.folder.path().join("grandchild");
    let died = async {
        while std::fs::read_to_string(&grandchild).unwrap_or_default().trim().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        "controller-0 exited with status 1".to_owned()
    };
    let call = cli.call_until(&bench.store, "answer.json", &["validate"], LONG, died).await;
    let Some(CallProblem::Ended { why, last }) = &call.problem else { panic!("{:?}", call.problem) };
    assert_eq!((why.as_str(), last.as_str()), ("controller-0 exited with status 1", "waiting for health"));
    assert_eq!((call.exit, bench.kept().as_slice()), (None, b"{\"half\": \n".as_slice()));
    let pid = std::fs::read_to_string(&grandchild).unwrap();
    eventually("the grandchild is gone", || ended(pid.trim()));
}

#[tokio::test]
async fn an_answer_that_is_there_is_not_thrown_away() {
    let bench = Bench::new();
    let cli = bench.cli(script(bench.folder.path(), r#"echo '{"ok": false}'"#));
    let late = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        String::new()
    };
    let call = cli.call_until(&bench.store, "answer.json", &["validate"], LONG, late).await;
    assert_eq!((call.problem.as_ref(), call.exit), (None, Some(0)));
}

/// Is true when a process has ended: where nobody reaps orphans, it stays as a zombie.
fn ended(pid: &str) -> bool {
    std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"))
        .map_or(true, |stat| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z')))
}

#[rstest]
#[case::exit_1(r#"echo '{"ok": true}'; exit 1"#, Some(1))]
#[case::signal(r#"echo '{"ok": true}'; kill -9 $$"#, None)]
#[tokio::test]
async fn a_bad_end_is_recorded_beside_a_good_answer(#[case] body: &str, #[case] exit: Option<i32>) {
    let bench = Bench::new();
    let call = bench.says(body).await;
    assert_eq!((call.problem.as_ref(), call.exit), (None, exit));
    assert_eq!(bench.kept(), b"{\"ok\": true}\n");
}

#[tokio::test]
async fn a_daemon_that_keeps_the_output_open_does_not_keep_the_call() {
    let bench = Bench::new();
    let call = bench.says(r#"sleep 1000 & echo $! > "$BENCH/daemon"; echo '{"ok": true}'"#).await;
    assert_eq!((problem(&call).as_str(), call.exit), ("", Some(0)));
    let daemon = std::fs::read_to_string(bench.folder.path().join("daemon")).unwrap();
    assert!(!ended(daemon.trim()));
    let pid = rustix::process::Pid::from_raw(daemon.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

const TOKEN: &str = "czNjcjN0LXRva2Vu";

#[rstest]
#[case::in_the_answer(&format!(r#"echo '{{"ok": true, "admin_token": "{TOKEN}"}}'"#))]
#[case::on_standard_error(&format!("echo 'ae --token={TOKEN} apply' >&2"))]
#[case::in_what_is_no_json(&format!("echo 'Authorization: Bearer {TOKEN}'"))]
// The end of the key is beyond what a message quotes.
#[case::in_a_key_that_is_cut_off(&format!("echo '-----BEGIN PRIVATE KEY-----'; yes {TOKEN} | head -50; echo '-----END PRIVATE KEY-----'"))]
#[case::in_a_key_of_which_only_the_end_is_quoted(&format!("(echo '-----BEGIN PRIVATE KEY-----'; yes {TOKEN} | head -50; echo '-----END PRIVATE KEY-----') >&2"))]
#[tokio::test]
async fn a_token_reaches_neither_file_nor_message(#[case] body: &str) {
    let bench = Bench::new();
    let call = bench.says(body).await;
    assert!(!format!("{call:?}").contains(TOKEN), "{call:?}");
    for file in std::fs::read_dir(bench.store.root()).unwrap() {
        let text = String::from_utf8(std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        assert!(!text.contains(TOKEN), "{text}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_a_problem_of_its_own() {
    let bench = Bench::new();
    // Permissions would not stop root; a file in the folder's place stops everyone.
    std::fs::remove_dir_all(bench.store.root()).unwrap();
    std::fs::write(bench.store.root(), "").unwrap();
    let call = bench.says(r#"echo '{"ok": true}'"#).await;
    assert!(matches!(call.problem, Some(CallProblem::NotKept { .. })), "{:?}", call.problem);
    assert!(problem(&call).contains(&bench.store.root().display().to_string()), "{}", problem(&call));
    assert_eq!(call.exit, Some(0));
}
