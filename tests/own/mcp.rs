//! The client of the MCP server against servers that behave badly.

use std::time::Duration;

use k1s_profile_gates::evidence::call::{Call, CallProblem};
use k1s_profile_gates::evidence::{McpProblem, Redactor, Store};
use k1s_profile_gates::plan::Profile;
use k1s_profile_gates::workerbee::mcp::{Mcp, drift};
use k1s_profile_gates::workerbee::request::{Request, Tool};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

const LONG: Duration = Duration::from_secs(30);
const TOOLS: &str = include_str!("../answers/seen/mcp-tools.json");

/// The reaction of a server to the call of a tool.
#[derive(Clone, Copy)]
enum Behaviour {
    /// Answers with this result.
    Says(fn() -> Value),
    /// With bytes that are no JSON.
    Garbage,
    /// With an error of JSON-RPC's.
    Refuses,
    /// Not at all, and is gone.
    Dies,
    /// Not at all.
    Hangs,
    /// As if it did not know the session, which another daemon does not.
    Forgets,
}

/// A server on a port of its own.
async fn server(behaviour: Behaviour) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, behaviour));
        }
    });
    url
}

async fn serve(stream: TcpStream, behaviour: Behaviour) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut length, mut first) = (String::new(), 0, String::new());
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
                return;
            }
            if first.is_empty() {
                first.clone_from(&line);
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
        let result = |result: Value| json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result }).to_string();
        let (status, said) = match (asked["method"].as_str(), behaviour) {
            _ if !first.starts_with("POST") => ("405 Method Not Allowed", String::new()),
            (Some("initialize"), _) => {
                let own = json!({ "name": "stand-in", "version": "1" });
                let version = &asked["params"]["protocolVersion"];
                (
                    "200 OK",
                    result(json!({ "protocolVersion": version, "capabilities": { "tools": {} }, "serverInfo": own })),
                )
            }
            (Some("tools/list"), _) => {
                ("200 OK", result(json!({ "tools": serde_json::from_str::<Value>(TOOLS).unwrap() })))
            }
            (Some("tools/call"), Behaviour::Says(says)) => ("200 OK", result(says())),
            (Some("tools/call"), Behaviour::Garbage) => ("200 OK", "{\"jsonrpc\": ".to_owned()),
            (Some("tools/call"), Behaviour::Refuses) => {
                let error = json!({ "code": -32602, "message": "no such thing" });
                ("200 OK", json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error }).to_string())
            }
            (Some("tools/call"), Behaviour::Dies) => return,
            (Some("tools/call"), Behaviour::Hangs) => return std::future::pending().await,
            (Some("tools/call"), Behaviour::Forgets) => ("404 Not Found", String::new()),
            _ => ("202 Accepted", String::new()),
        };
        let length = said.len();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nmcp-session-id: 1\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
    }
}

/// A time that is another one when it is parsed in haste.
const STARTED: f64 = 1_795_554_634.570_083_9;

fn list() -> Tool {
    Request::ProfileList.tool("demo", "/src/k1s")
}

async fn called(behaviour: Behaviour, limit: Duration) -> (Call, Option<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Redactor::default()).unwrap();
    let mcp = Mcp::connect(&server(behaviour).await).await.unwrap();
    let call = mcp.call(&store, "answer.json", &list(), limit).await;
    let kept = std::fs::read(folder.path().join("answer.json")).ok();
    (call, kept.map(|bytes| serde_json::from_slice(&bytes).unwrap()))
}

fn honest() -> Value {
    said(&json!({ "ok": true, "data": { "ok": true, "admin_token": "sesame-open-0123456789", "started_at": STARTED } }))
}

/// A result whose text is its structured content.
fn said(envelope: &Value) -> Value {
    json!({ "content": [{ "type": "text", "text": envelope.to_string() }], "structuredContent": envelope, "isError": false })
}

#[tokio::test]
async fn an_answer_is_kept_whole_and_without_secrets() {
    let (call, kept) = called(Behaviour::Says(honest), LONG).await;
    let kept = kept.unwrap();
    assert_eq!((call.problem.as_ref(), call.base.as_str()), (None, "/structuredContent/data"));
    assert!(call.ending(&kept).well);
    assert!(!kept.to_string().contains("sesame"), "{kept}");
    let text: Value = serde_json::from_str(kept["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(kept["structuredContent"]["data"]["started_at"], json!(STARTED));
    assert_eq!(text, kept["structuredContent"], "the same secret by the same digits");
}

#[rstest]
#[case::data(|| said(&json!({ "ok": true, "data": { "ok": false } })), "of the data \"ok\": false")]
#[case::no_ok_of_the_data(|| said(&json!({ "ok": true, "data": {} })), "of the data no \"ok\"")]
#[case::envelope(|| said(&json!({ "ok": false, "data": {}, "error": { "code": "X" } })), "isError false, \"ok\": false")]
#[case::error(|| { let mut whole = honest(); whole["isError"] = json!(true); whole }, "isError true")]
#[tokio::test]
async fn one_bad_sign_is_a_bad_end(#[case] says: fn() -> Value, #[case] seen: &str) {
    let (call, kept) = called(Behaviour::Says(says), LONG).await;
    assert_eq!(call.problem, None);
    let ending = call.ending(&kept.unwrap());
    assert!(!ending.well && ending.seen.contains(seen), "{}", ending.seen);
}

#[rstest]
#[case::disagree(Behaviour::Says(|| { let mut whole = honest(); whole["structuredContent"]["data"]["ok"] = json!(false); whole }), "first at `/data/ok`")]
#[case::no_structure(Behaviour::Says(|| json!({ "content": [{ "type": "text", "text": "Unknown tool" }], "isError": true })), "Unknown tool")]
#[case::no_text(Behaviour::Says(|| json!({ "content": [], "structuredContent": { "ok": true } })), "without the text")]
#[case::garbage(Behaviour::Garbage, "went away while workerbee_v1_profile_list")]
#[case::refused(Behaviour::Refuses, "no such thing (-32602)")]
#[case::dies(Behaviour::Dies, "went away while workerbee_v1_profile_list")]
#[case::forgets(Behaviour::Forgets, "went away while workerbee_v1_profile_list")]
#[tokio::test]
async fn what_is_no_result_is_a_problem_with_a_name(#[case] behaviour: Behaviour, #[case] says: &str) {
    let (call, _) = called(behaviour, LONG).await;
    let problem = call.problem.clone().expect("no problem");
    assert!(problem.to_string().contains(says), "{problem}");
    assert!(matches!(problem, CallProblem::Mcp { .. }));
    assert!(!problem.expected(&call).is_empty() && !problem.remedy(&call).is_empty());
}

#[tokio::test]
async fn a_limit_carries_what_was_seen_last() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Redactor::default()).unwrap();
    let mcp = Mcp::connect(&server(Behaviour::Hangs).await).await.unwrap();
    let last = mcp.last_seen();
    let (tool, limit) = (list(), Duration::from_millis(500));
    let (call, ()) = tokio::join!(mcp.call(&store, "answer.json", &tool, limit), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        last.see("etcd RUNNING");
    });
    let problem = call.problem.unwrap();
    assert!(
        matches!(problem, CallProblem::TimedOut { .. }) && problem.to_string().contains("etcd RUNNING"),
        "{problem}"
    );
}

#[tokio::test]
async fn nobody_there_is_said() {
    let problem = Mcp::connect("http://127.0.0.1:9/mcp").await.err().unwrap();
    assert!(
        matches!(problem, McpProblem::NotReached { .. }) && problem.to_string().contains("127.0.0.1:9"),
        "{problem}"
    );
}

#[rstest]
#[case::none(|_: &mut Vec<Value>| (), None)]
#[case::tool(|tools: &mut Vec<Value>| tools.clear(), Some("drift: the tool is gone"))]
#[case::parameter(|tools: &mut Vec<Value>| tools.iter_mut().for_each(|one| one["inputSchema"]["properties"] = json!({})), Some("drift: a parameter is gone"))]
#[case::required(|tools: &mut Vec<Value>| tools.iter_mut().for_each(|one| one["inputSchema"]["required"] = json!(["why"])), Some("drift: a parameter must be given that is not known"))]
fn drift_has_a_name(#[case] change: fn(&mut Vec<Value>), #[case] cause: Option<&str>) {
    let mut tools: Vec<Value> = serde_json::from_str(TOOLS).unwrap();
    change(&mut tools);
    let offered: Vec<_> = tools.into_iter().map(|tool| serde_json::from_value(tool).unwrap()).collect();
    let tool = Request::Validate(Profile::HaMin, 240).tool("demo", "/src/k1s");
    assert_eq!(drift(&tool, &offered).map(|problem| problem.cause()), cause);
}
