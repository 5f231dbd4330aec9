//! The page of a run: what it must say, and that nothing in the evidence can harm it.

use k1s_profile_gates::evidence::{Bill, Program, Redactor, Store};
use k1s_profile_gates::plan::{Gate, Profile};
use k1s_profile_gates::report::{self, RunReport};
use k1s_profile_gates::summary::State;
use rstest::rstest;
use serde_json::json;

use crate::support::forms;
use crate::support::run_dir::{RunDir, red};

const STARTUP: Gate = Gate::Startup(Profile::HaMin);

fn page(run: &RunDir) -> String {
    report::page(&RunReport::load(run.write()).unwrap())
}

/// Returns the text between two marks, at its first place.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(start).unwrap_or_else(|| panic!("no {start} in the page"));
    rest.split_once(end).unwrap().0
}

#[rstest]
#[case::script(b"</script></pre><script>alert(1)</script>".to_vec())]
#[case::attribute(b"\" onmouseover=\"alert(1)\" '><img src=x onerror=alert(1)>".to_vec())]
#[case::comment(b"<!-- ]]> --!> <style>*{display:none}".to_vec())]
#[case::control(b"\x00\x07\x1b[2J\x1b]0;title\x07\x7f\x0b\x0c".to_vec())]
#[case::no_text(vec![0xff, 0xfe, 0x80, 0xc3, 0x28])]
#[case::backwards("\u{202e}\u{2066}lmth.exe".as_bytes().to_vec())]
#[case::one_long_line(vec![b'x'; 300_000])]
#[case::large(vec![b'<'; 16 * 1024 * 1024])]
#[case::empty(Vec::new())]
fn evidence_is_shown_and_never_obeyed(#[case] content: Vec<u8>) {
    let mut run = RunDir::new();
    let text = String::from_utf8_lossy(&content[..content.len().min(100)]).into_owned();
    let gate = run.gate(STARTUP, &content);
    gate.checks.push(red(&text, &text, "startup-k1s-ha-min.json"));
    gate.flaky = Some(text.clone());
    run.summary.versions.insert(text.clone(), text);
    let page = page(&run);
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("</script").count(), 1);
    assert_eq!(page.matches("<style").count(), 1);
    assert!(!page.contains("<img") && !page.contains("<!--"));
    let hidden = |c: char| c.is_control() && c != '\n' && c != '\t' || "\u{202e}\u{2066}".contains(c);
    assert!(!page.contains(hidden), "{:?}", page.chars().find(|c| hidden(*c)));
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    for tag in page.split('<').filter_map(|part| part.split_once('>')).map(|(tag, _)| tag) {
        assert!(!tag.contains(" on"), "an event handler: <{tag}>");
    }
}

/// Beginnings of secrets at the end of a text: what comes next is another text.
const OPEN: [&str; 8] = [
    "sops could not decrypt the secret:",
    "refused: password='",
    "refused: password=\"",
    "token: |",
    "--token",
    "-----BEGIN PRIVATE KEY-----",
    "{\"password\": ",
    "Authorization: Basic ",
];

/// A run in which each of the texts stands wherever one can, with a mark in what stands beside it.
fn full_of(texts: &[&str]) -> RunDir {
    let mut run = RunDir::new();
    for (place, text) in texts.iter().enumerate() {
        let mark = |field: &str| format!("{field} mark {place};");
        let verdict = |what: &str, expected: &str, seen: &str, remedy: &str| {
            let failure = k1s_profile_gates::Failure::new(what).expected(expected).seen(seen).remedy(remedy);
            k1s_profile_gates::summary::Outcome::Failed(failure.evidence("startup-k1s-ha-min.json"))
        };
        let outcomes = [
            verdict(text, &mark("expected-1"), &mark("seen-1"), &mark("remedy-1")),
            verdict(&mark("what-2"), text, &mark("seen-2"), &mark("remedy-2")),
            verdict(&mark("what-3"), &mark("expected-3"), text, &mark("remedy-3")),
            verdict(&mark("what-4"), &mark("expected-4"), &mark("seen-4"), text),
        ];
        let gate = run.gate(STARTUP, text);
        for (number, outcome) in outcomes.into_iter().enumerate() {
            let check = red(&format!("check-{place}-{number}"), "", "");
            gate.checks.push(k1s_profile_gates::summary::Verdict { outcome, ..check });
        }
        run.summary.versions.insert(format!("version-{place}"), (*text).to_owned());
        run.summary.versions.insert(format!("version-{place}-mark"), mark("version"));
    }
    run
}

#[test]
fn what_stands_beside_a_secret_is_told_and_the_secret_is_not() {
    let texts: Vec<&str> = forms::forms().map(|(_, text, _)| text).chain(OPEN).collect();
    for texts in texts.chunks(40) {
        let run = full_of(texts);
        let page = page(&run);
        let xml = k1s_profile_gates::results::junit(run.path()).unwrap();
        let document = roxmltree::Document::parse(&xml).unwrap();
        let told: String = document.descendants().filter_map(|node| node.text()).collect();
        let messages: String = document.descendants().filter_map(|node| node.attribute("message")).collect();
        for (place, text) in texts.iter().enumerate() {
            let fields = ["expected-1", "seen-1", "remedy-1", "what-2", "seen-2", "remedy-2", "what-3", "expected-3"];
            for field in fields.into_iter().chain(["remedy-3", "what-4", "expected-4", "seen-4"]) {
                let mark = format!("{field} mark {place};");
                assert!(page.contains(&mark), "{mark} is not in the page: {text}");
                assert!(told.contains(&mark), "{mark} is not in JUnit: {text}");
            }
            assert!(page.contains(&format!("version mark {place};")));
            assert!(messages.contains(&format!("what-2 mark {place};")));
        }
        assert!(page.ends_with("</html>\n") || page.ends_with("</html>"));
        for text in [&page, &xml] {
            let leak = text.lines().find(|line| forms::leaks(line));
            assert!(leak.is_none(), "{leak:?}");
        }
    }
}

#[test]
fn the_page_says_where_the_time_went() {
    let mut run = RunDir::new();
    let gate = run.gate(STARTUP, b"{}");
    assert!(gate.bill.is_none());
    let program = |name: &str, starts, seconds| Program { name: name.into(), starts, seconds };
    gate.bill = Some(Bill {
        cgroup_seconds: Some(8.0),
        program_seconds: 7.0,
        untold_seconds: 1.0,
        harness_seconds: 0.4,
        programs: vec![program("<nerdctl>", 73, 6.0), program("the harness", 1, 0.4), program("sh", 9, 0.01)],
        incomplete: vec!["3 records & more".into()],
    });
    let page = page(&run);
    let bill = between(&page, "id=\"bill-heading\"", "</section>");
    for words in
        ["8.0 s", "83 starts", "5.0 %", "12.5 %", "&lt;nerdctl&gt;", "75.0 %", "1 others", "3 records &amp; more"]
    {
        assert!(bill.contains(words), "no {words} in {bill}");
    }
}

#[test]
fn a_clock_that_was_set_back_makes_no_negative_time() {
    let mut run = RunDir::new();
    let earlier = run.summary.started - std::time::Duration::from_hours(1);
    let gate = run.gate(STARTUP, "{}");
    gate.ended = Some(earlier);
    gate.began = Some(earlier + std::time::Duration::from_mins(1));
    run.summary.ended = Some(earlier);
    let report = RunReport::load(run.write()).unwrap();
    assert!(report.gates.iter().all(|gate| !gate.elapsed().starts_with('-')));
    let page = report::page(&report);
    let negative = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let after = ["left:-", "width:-", ">-"].into_iter().flat_map(|mark| page.split(mark).skip(1));
    assert_eq!(after.filter(|text| negative(text)).count(), 0, "a negative number in the page");
}

#[test]
fn a_long_file_is_cut_and_linked() {
    let mut run = RunDir::new();
    run.gate(STARTUP, vec![b'x'; 100_000]);
    let page = page(&run);
    assert!(page.contains("The first 20 kB of 100 kB") && page.contains("href=\"./startup-k1s-ha-min.json\""));
}

#[test]
fn a_link_leads_to_the_file_whatever_its_name() {
    let mut run = RunDir::new();
    let name = "gates/startup-k1s-ha-min/logs/a b#c?d%\"<.log";
    run.gate(STARTUP, "{}").checks.push(red("ok2", "broken", name));
    run.file(name, "the end");
    let page = page(&run);
    assert!(page.contains("href=\"./gates/startup-k1s-ha-min/logs/a%20b%23c%3Fd%25%22%3C.log\""), "{page}");
    assert!(page.contains("the end"));
}

#[test]
fn what_a_failed_gate_looked_at_is_shown_once_with_what_to_read_first() {
    let mut run = RunDir::new();
    let gate = run.gate(STARTUP, "{}");
    gate.checks.push(red("attest::containers", "controller-0 is STOPPED", "startup-k1s-ha-min.json"));
    gate.checks.push(red("attest::state-backend", "no file", "gates/startup-k1s-ha-min/seen/names.json"));
    let log = "triage/startup-k1s-ha-min/logs/controller-0.log";
    run.file(log, "the last words");
    let index = json!({
        "gate": "startup::k1s-ha-min", "project": "demo", "taken": "before anything was stopped",
        "red": [{"check": "attest::containers", "what": "it is STOPPED", "first": log, "evidence": null}],
        "items": [
            {"shows": "the log of controller-0", "files": [log], "found": ["exit status 137"], "problem": null},
            {"shows": "what containerd has", "files": [], "found": [], "problem": "no answer <within> 20 s"},
        ],
    });
    run.file("triage/startup-k1s-ha-min/index.json", index.to_string());
    let page = page(&run);
    assert_eq!(page.matches("Captured before anything was stopped").count(), 1, "{page}");
    assert_eq!(page.matches("the last words").count(), 1, "{page}");
    assert!(page.contains("exit status 137") && page.contains("no answer &lt;within&gt; 20 s"), "{page}");
}

#[rstest]
#[case("/etc/passwd")]
#[case("../secret")]
#[case("gates/../../secret")]
fn nothing_outside_the_run_is_shown(#[case] file: &str) {
    let mut run = RunDir::new();
    run.gate(STARTUP, "{}").checks.push(red("ok2", "broken", file));
    let page = page(&run);
    assert!(!page.contains("root:") && !page.contains(&format!("href=\"./{file}")) && page.contains("Not in the run"));
}

#[test]
fn a_run_that_was_moved_finds_its_evidence() {
    let mut run = RunDir::new();
    run.summary.run_dir = "/somewhere/else".into();
    run.gate(STARTUP, "{\"it\": \"is here\"}").checks.push(red(
        "x",
        "broken",
        "/somewhere/else/startup-k1s-ha-min.json",
    ));
    assert!(page(&run).contains("is here"));
}

#[test]
fn nothing_is_fetched() {
    let mut run = RunDir::new();
    run.gate(STARTUP, include_str!("../answers/startup.json"));
    let page = page(&run);
    for (name, value) in page
        .split(" src=\"")
        .skip(1)
        .map(|rest| ("src", rest))
        .chain(page.split(" href=\"").skip(1).map(|rest| ("href", rest)))
    {
        let value = value.split('"').next().unwrap();
        assert!(["#", "./", "data:"].iter().any(|start| value.starts_with(start)), "{name}={value}");
    }
    assert!(!page.contains("@import") && !page.contains("url("));
}

#[test]
fn failures_come_first_one_entry_for_each_cause() {
    let mut run = RunDir::new();
    let gate = run.gate(STARTUP, "{}");
    gate.checks.extend([
        red("a", "the daemon is down", "startup-k1s-ha-min.json"),
        red("b", "the daemon is still down", "startup-k1s-ha-min.json"),
        red("c", "something else", "gates/startup-k1s-ha-min/record.json"),
    ]);
    let page = page(&run);
    let trouble = between(&page, "id=\"trouble\"", "</section>");
    assert_eq!(trouble.matches("<article>").count(), 2);
    assert!(trouble.contains("The daemon is down") && trouble.contains("2 checks red"), "{trouble}");
    assert!(page.find("id=\"trouble\"") < page.find("id=\"timeline\""));
    assert!(between(&page, "<p class=\"lead\">", "</p>").contains("3 of 4 checks"));
}

#[test]
fn all_is_well_says_so_and_on_what_it_stands() {
    let mut run = RunDir::new();
    run.gate(STARTUP, "{}");
    let page = page(&run);
    assert!(page.contains("Passed</h1>") && !page.contains("id=\"trouble\""));
    assert!(page.contains("0 stand on what the harness saw for itself, 1 on what WorkerBee answered"), "{page}");
}

#[test]
fn flaky_is_named() {
    let mut run = RunDir::new();
    run.gate(STARTUP, "{}").flaky = Some("409 Conflict in the first project".into());
    let page = page(&run);
    assert!(page.contains("Passed</h1>") && between(&page, "<p class=\"lead\">", "</p>").contains("1 gate flaky"));
    assert!(between(&page, "class=\"flaky\"", "</ul>").contains("409 Conflict"));
}

#[test]
fn a_gate_that_passed_at_its_second_attempt_is_flaky() {
    let mut run = RunDir::new();
    run.gate(STARTUP, "{}");
    let mut first = run.summary.gates[&STARTUP.to_string()].clone();
    let mut second = first.clone();
    first.checks.push(red("x", "broken", "startup-k1s-ha-min.json"));
    second.key.attempt = 2;
    run.summary.gates.insert(STARTUP.to_string(), first);
    run.summary.gates.insert(format!("{STARTUP} (attempt 2)"), second);
    assert_eq!(run.summary.verdict(), State::Passed);
    assert!(page(&run).contains("failed, a later attempt passed"));
}

#[rstest]
#[case::running(false, Some("validate"), State::Running, "▶</span> running")]
#[case::waiting(false, None, State::Running, "…</span> waiting")]
#[case::cut_short(true, Some("validate"), State::CutShort, "It was at <b>validate</b>")]
fn gates_that_have_not_ended_are_shown_as_such(
    #[case] run_ended: bool,
    #[case] doing: Option<&str>,
    #[case] verdict: State,
    #[case] said: &str,
) {
    let mut run = RunDir::new();
    run.gate(Gate::Inventory, "{}");
    run.open(STARTUP, doing);
    run.summary.ended = run.summary.ended.filter(|_| run_ended);
    assert_eq!(run.summary.verdict(), verdict);
    let page = page(&run);
    assert!(page.contains(said), "{page}");
    assert!(!page.contains("Passed</h1>"));
}

#[test]
fn no_gate_no_pass() {
    let mut run = RunDir::new();
    assert_eq!(run.summary.verdict(), State::CutShort);
    run.gate(STARTUP, "{}").checks.clear();
    assert_eq!(run.summary.verdict(), State::Failed);
}

#[test]
fn components_and_routes_of_a_profile_are_shown() {
    let mut run = RunDir::new();
    run.gate(STARTUP, include_str!("../answers/startup.json"));
    let page = page(&run);
    let profiles = between(&page, "id=\"profiles\"", "<section id=\"environment\"");
    for name in ["controller-2", "etcd", "nats", "leads", "https://k1s-api.demo.workerbee.localhost:19444/"] {
        assert!(profiles.contains(name), "{name}");
    }
}

#[test]
fn the_head_says_what_the_gates_ran_on_and_what_was_done_in_their_lanes() {
    let mut run = RunDir::new();
    run.summary.versions.insert("etcd".into(), "3.5.14".into());
    run.summary.versions.insert("etcd (told by itself)".into(), "3.4.23".into());
    run.gate(STARTUP, "{}");
    let page = page(&run);
    let head = between(&page, "<header", "</header>");
    assert!(head.contains("Ran on WorkerBee 0.1.7, etcd 3.4.23."), "{head}");
    assert!(head.contains("The harness intervened in: images") && !head.contains("are imported"), "{head}");
    let environment = between(&page, "id=\"environment-heading\"", "</section>");
    assert!(environment.contains("intervention, images") && environment.contains("are imported"), "{environment}");
}

#[test]
fn a_page_is_for_everybody() {
    let mut run = RunDir::new();
    run.gate(STARTUP, "{}").checks.push(red("x", "broken", "startup-k1s-ha-min.json"));
    let page = page(&run);
    for part in [
        "<html lang=\"en\">",
        "name=\"viewport\"",
        "<main id=\"content\">",
        "<header",
        "<nav aria-label",
        "<footer>",
        "<caption",
        "scope=\"col\"",
        "prefers-color-scheme: dark",
        "@media print",
        "focus-visible",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<h1>").count(), 1);
}

#[test]
fn secrets_do_not_reach_the_page() {
    let mut run = RunDir::new();
    run.gate(STARTUP, r#"{"admin_token": "Zm9vYmFyYmF6"}"#);
    let written = report::write(&Store::open(run.write(), Redactor::default()).unwrap(), run.path()).unwrap();
    assert!(!std::fs::read_to_string(written).unwrap().contains("Zm9vYmFyYmF6"));
}

#[test]
fn what_is_no_run_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = RunReport::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("run.json") && error.contains("remedy"), "{error}");
    std::fs::write(folder.path().join("run.json"), "{").unwrap();
    assert!(RunReport::load(folder.path()).unwrap_err().to_string().contains("EOF"));
}
