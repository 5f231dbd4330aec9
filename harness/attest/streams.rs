//! The streams of k1s's API: what an app has printed, bytes to and from a port of its pod, a command in it.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::known::{Deviation, Release};
use super::plain::{Asker, Servers};
use super::probe::{After, Moment, Observe, Probe, Rule};
use super::{Subject, echo};
use crate::failure::Failure;
use crate::plan::Gate;

/// How long a stream may take.
const STREAM: Duration = Duration::from_secs(30);
/// How long the page that comes with a refusal may take.
const BODY: Duration = Duration::from_secs(1);
/// The longest answer in place of an upgrade.
const HEAD: usize = 16 * 1024;
/// The protocols, by the names that Kubernetes gives them.
const FORWARD: &str = "portforward.k8s.io";
const EXEC: &str = "v4.channel.k8s.io";
/// The channel of a port's bytes, and that of what a command prints.
const DATA: u8 = 0;
const PRINTED: u8 = 1;
/// What the command prints.
const WORD: &str = "gates-stream";

/// The observation of the streams.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Streams {
    /// The k1s that was asked.
    pub release: Release,
    /// The pod's log.
    pub log: Log,
    /// What the pod answered to a request through a forwarded port.
    pub forward: Stream,
    /// What a command in the pod printed.
    pub exec: Stream,
}

/// The answer for a pod's log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Log {
    /// The HTTP status; none when there was no answer.
    pub status: Option<u16>,
    /// The type of its content.
    pub content_type: String,
    /// True when it has all that the app printed on standard output.
    pub stdout: bool,
    /// The same of standard error.
    pub stderr: bool,
    /// True when each line that the app printed is a line of it.
    pub lines: bool,
}

/// What became of a stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// It was not opened: the HTTP status in place of the upgrade, none when there was no answer; and why.
    Refused(Option<u16>, String),
    /// It was opened by an upgrade of this version of HTTP, such as `HTTP/1.1`; and the first line that came, or why none did.
    Opened(String, Result<String, String>),
}

/// The streams of the echo app's pod.
pub static PROBE: Probe<Streams> = Probe {
    name: "streams",
    of: Gate::deploys_apps,
    moment: Moment::Change,
    after: After::These(&["websocket-echo"]),
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject))),
    checks: &[Rule::new(
        "attest::streams",
        "the log of the echo app's pod with what it printed, its answer through a forwarded port, and what a command in it \
         prints",
        "ask by hand: `kubectl logs`, `kubectl port-forward` and `kubectl exec` with the API's address and token",
        |seen: &Streams, case| seen.release.judge(case.check, seen.deviations()),
    )
    .deviations(|seen| seen.are_all_open().then(|| (&seen.release, seen.deviations())))],
    triage: &["logs/apishim.log"],
};

async fn observe(subject: &Subject) -> Result<Streams, Failure> {
    let servers = Servers::of(subject)?;
    let path = format!("/api/v1/namespaces/{}/pods/{}", subject.project, pod(&servers, subject).await?);
    let to_port = format!("{path}/portforward?ports={}", echo::PORT);
    let to_command = format!("{path}/exec?stdout=true&command=echo&command={WORD}");
    let (log, forward, exec) = tokio::join!(
        log(&servers, &path),
        stream(&servers, &to_port, FORWARD, Some(b"GET / HTTP/1.0\r\n\r\n"), DATA),
        stream(&servers, &to_command, EXEC, None, PRINTED),
    );
    Ok(Streams { release: subject.release(), log, forward, exec })
}

/// The name of the app's pod.
async fn pod(servers: &Servers, subject: &Subject) -> Result<String, Failure> {
    // The list of a namespace is empty in k1s-ha-min (docs/findings.md).
    let answer = servers.get("apishim", "/api/v1/pods", Asker::Owner).await;
    let pods = answer.json();
    let names = pods["items"].as_array().into_iter().flatten().filter_map(|pod| pod["metadata"]["name"].as_str());
    let names: Vec<&str> = names.collect();
    let beginning = format!("{}--{}-", subject.project, echo::NAME);
    names.iter().find(|name| name.starts_with(&beginning)).map(ToString::to_string).ok_or_else(|| {
        Failure::new("the API lists no pod of the echo app")
            .expected(format!("a pod {beginning}…"))
            .seen(format!("status {:?}, pods {names:?}", answer.status))
            .remedy("ask k1s's API for /api/v1/pods")
    })
}

async fn log(servers: &Servers, path: &str) -> Log {
    let path = format!("{path}/log?tailLines=20");
    let reply = servers.ask_within(STREAM, "apishim", Method::GET, &path, None).await;
    let has = |printed: &&str| reply.text.contains(*printed);
    let (stdout, stderr) = (echo::PRINTS.iter().all(has), has(&echo::PRINTS_ON_ERROR));
    let is_a_line = |printed: &&str| reply.text.lines().any(|line| line.trim_end() == *printed);
    let lines = echo::PRINTS.iter().chain([&echo::PRINTS_ON_ERROR]).filter(|one| has(one)).all(is_a_line);
    let content_type = reply.content_type.split(';').next().unwrap_or_default().to_owned();
    Log { status: reply.status, content_type, stdout, stderr, lines }
}

/// Opens a stream, says something, and waits for the first line that comes on a channel.
async fn stream(servers: &Servers, path: &str, protocol: &str, said: Option<&[u8]>, channel: u8) -> Stream {
    let late = || format!("nothing within {} s", STREAM.as_secs());
    let opened = tokio::time::timeout(STREAM, Box::pin(open(servers, path, protocol))).await;
    let (upgraded, mut socket) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err((status, why))) => return Stream::Refused(status, why),
        Err(_) => return Stream::Refused(None, late()),
    };
    let talk = async {
        if let Some(said) = said {
            socket.send(Message::binary([&[channel], said].concat())).await.map_err(|error| error.to_string())?;
        }
        first_line(&mut socket, channel).await
    };
    let line = tokio::time::timeout(STREAM, Box::pin(talk)).await.unwrap_or_else(|_| Err(late()));
    Stream::Opened(upgraded, line)
}

/// A connection that was upgraded, with the version of HTTP; or the status and why it was not.
type Upgrade = Result<(String, WebSocketStream<TcpStream>), (Option<u16>, String)>;

/// Upgrades a connection. By hand, as libraries refuse an upgrade that is of HTTP/1.0, and what comes then would be unknown.
async fn open(servers: &Servers, path: &str, protocol: &str) -> Upgrade {
    let none = |error: std::io::Error| (None, error.to_string());
    let url = servers.url("apishim").ok_or((None, "WorkerBee's record names no URL of apishim".to_owned()))?;
    let authority = url.trim_start_matches("http://").trim_end_matches('/');
    let (key, token) = (generate_key(), &servers.tokens.api);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Protocol: {protocol}\r\n\r\n"
    );
    let mut tcp = TcpStream::connect(authority).await.map_err(none)?;
    tcp.write_all(request.as_bytes()).await.map_err(none)?;
    let mut head = Vec::new();
    // A byte at a time: what follows the head is the stream's.
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD {
        head.push(tcp.read_u8().await.map_err(none)?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split_whitespace();
    let (version, status) = (words.next().unwrap_or_default(), words.next().and_then(|word| word.parse().ok()));
    if status != Some(101) {
        let mut body = Vec::new();
        // A server may keep the connection: the status is what counts.
        let _ = tokio::time::timeout(BODY, tcp.take(HEAD as u64).read_to_end(&mut body)).await;
        return Err((status, String::from_utf8_lossy(&body).chars().take(200).collect()));
    }
    let accept = derive_accept_key(key.as_bytes());
    let accepts = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or_default();
        name.eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == accept
    };
    if !head.lines().any(accepts) {
        return Err((status, "an upgrade for another key".to_owned()));
    }
    Ok((version.to_owned(), WebSocketStream::from_raw_socket(tcp, Role::Client, None).await))
}

async fn first_line(socket: &mut WebSocketStream<TcpStream>, channel: u8) -> Result<String, String> {
    let mut came = Vec::new();
    while let Some(message) = socket.next().await {
        let bytes = match message.map_err(|error| error.to_string())? {
            message @ (Message::Binary(_) | Message::Text(_)) => message.into_data(),
            Message::Close(_) => break,
            _ => continue,
        };
        // The other channels say how a command ended.
        let Some((_, bytes)) = bytes.split_first().filter(|(on, _)| **on == channel) else { continue };
        // Kubernetes begins a forwarded port's channel with the port itself; k1s does not.
        if came.is_empty() && bytes == echo::PORT.to_le_bytes() {
            continue;
        }
        came.extend_from_slice(bytes);
        if let Some(end) = came.iter().position(|byte| *byte == b'\n') {
            return Ok(String::from_utf8_lossy(&came[..end]).trim_end().to_owned());
        }
    }
    Err(format!("the stream ended after {} bytes, without a line", came.len()))
}

impl Streams {
    /// What is not as it should be.
    pub fn deviations(&self) -> Vec<Deviation> {
        let mut found = self.log.deviations();
        for stream in [&self.forward, &self.exec] {
            if let Stream::Opened(upgraded, _) = stream
                && upgraded != "HTTP/1.1"
            {
                found.push(Deviation::new(
                    "upgrade-of-http-1.0",
                    format!("a stream is upgraded by {upgraded}"),
                    stream,
                ));
                break;
            }
        }
        let refused = |name, what: &str, status: Option<u16>, why: &str| {
            let how = status.map_or("no answer".to_owned(), |status| status.to_string());
            Deviation::new(name, format!("{what}: {how}"), &json!({ "status": status, "why": why }))
        };
        match &self.forward {
            Stream::Refused(status, why) => {
                found.push(refused("forward", "no port of the pod is forwarded", *status, why));
            }
            Stream::Opened(_, Ok(line)) if line.starts_with("HTTP/1.") && line.contains(" 200 ") => {}
            Stream::Opened(_, came) => {
                found.push(Deviation::new("forward", "a forwarded port answers otherwise than the pod", came));
            }
        }
        match &self.exec {
            Stream::Refused(status, why) => found.push(refused("exec", "no command is let into the pod", *status, why)),
            Stream::Opened(_, Ok(line)) if line == WORD => {}
            Stream::Opened(_, Ok(line)) => {
                found.push(Deviation::new("exec", "a command in the pod prints something else", line));
            }
            Stream::Opened(_, Err(why)) => {
                found.push(Deviation::new("exec-without-output", "a command in the pod prints nothing", why));
            }
        }
        found
    }

    /// Is true when enough was seen to know which deviations there are.
    fn are_all_open(&self) -> bool {
        let is_open = |stream: &Stream| matches!(stream, Stream::Opened(..));
        self.log.status == Some(200) && self.log.stdout && is_open(&self.forward) && is_open(&self.exec)
    }
}

impl Log {
    fn deviations(&self) -> Vec<Deviation> {
        let wrong = |name, what: &str| Deviation::new(name, format!("the log of the echo app's pod {what}"), self);
        if self.status != Some(200) {
            return vec![wrong("log", "is not answered")];
        }
        let cases = [
            ("log", self.content_type == "text/plain", "is no plain text"),
            ("log", self.stdout, "lacks what the app printed"),
            ("log-without-stderr", self.stderr, "lacks standard error"),
            ("log-lines-joined", self.lines, "has several lines in one"),
        ];
        cases.into_iter().filter(|(_, is_right, _)| !is_right).map(|(name, _, what)| wrong(name, what)).collect()
    }
}
