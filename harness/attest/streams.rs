//! The streams of k1s's API: what an app has printed, bytes to and from a port of its pod, a command in it.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde::{Deserialize, Serialize};
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
/// The longest answer in place of an upgrade.
const HEAD: usize = 16 * 1024;
/// The protocols, as Kubernetes names them.
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
    pub forwarded: Result<Came, Refused>,
    /// What a command in the pod printed.
    pub printed: Result<Came, Refused>,
}

/// The answer for a pod's log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Log {
    /// The HTTP status; none when there was no answer.
    pub status: Option<u16>,
    /// The type of its content.
    pub content_type: String,
    /// True when it has what the app printed on standard output.
    pub stdout: bool,
    /// The same of standard error.
    pub stderr: bool,
}

/// What came through a stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Came {
    /// The version of HTTP of the upgrade, such as `HTTP/1.1`.
    pub upgraded: String,
    /// The first line.
    pub line: String,
}

/// A stream that was not opened, or that carried nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refused {
    /// The HTTP status in place of the upgrade; none when there was no answer, or it was upgraded.
    pub status: Option<u16>,
    /// The reason.
    pub why: String,
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
    .deviations(|seen| Some((&seen.release, seen.deviations())))],
    triage: &["logs/apishim.log"],
};

async fn observe(subject: &Subject) -> Result<Streams, Failure> {
    let servers = Servers::of(subject)?;
    let path = format!("/api/v1/namespaces/{}/pods/{}", subject.project, pod(&servers, subject).await?);
    let forward = format!("{path}/portforward?ports={}", echo::PORT);
    let exec = format!("{path}/exec?stdout=true&command=echo&command={WORD}");
    let (log, forwarded, printed) = tokio::join!(
        log(&servers, &path),
        stream(&servers, &forward, FORWARD, Some(b"GET / HTTP/1.0\r\n\r\n"), DATA),
        stream(&servers, &exec, EXEC, None, PRINTED),
    );
    Ok(Streams { release: subject.release(), log, forwarded, printed })
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
    let [stdout, stderr] = echo::PRINTS.map(|printed| reply.text.lines().any(|line| line.trim_end() == printed));
    let content_type = reply.content_type.split(';').next().unwrap_or_default().to_owned();
    Log { status: reply.status, content_type, stdout, stderr }
}

/// Opens a stream, says something, and returns the first line that comes on a channel.
async fn stream(
    servers: &Servers,
    path: &str,
    protocol: &str,
    said: Option<&[u8]>,
    channel: u8,
) -> Result<Came, Refused> {
    let talk = async {
        let (upgraded, mut socket) = open(servers, path, protocol).await?;
        if let Some(said) = said {
            socket.send(Message::binary([&[channel], said].concat())).await.map_err(|error| none(&error))?;
        }
        Ok(Came { upgraded, line: first_line(&mut socket, channel).await? })
    };
    let late = || Err(none(&format!("nothing within {} s", STREAM.as_secs())));
    tokio::time::timeout(STREAM, Box::pin(talk)).await.unwrap_or_else(|_| late())
}

/// Upgrades a connection. By hand, as libraries refuse an upgrade that is of HTTP/1.0, and what comes then would be unknown.
async fn open(servers: &Servers, path: &str, protocol: &str) -> Result<(String, WebSocketStream<TcpStream>), Refused> {
    let url = servers.url("apishim").ok_or_else(|| none("WorkerBee's record names no URL of apishim"))?;
    let authority = url.trim_start_matches("http://").trim_end_matches('/');
    let (key, token) = (generate_key(), &servers.tokens.api);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Protocol: {protocol}\r\n\r\n"
    );
    let mut tcp = TcpStream::connect(authority).await.map_err(|error| none(&error))?;
    tcp.write_all(request.as_bytes()).await.map_err(|error| none(&error))?;
    let mut head = Vec::new();
    // A byte at a time: what follows the head is the stream's.
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD {
        head.push(tcp.read_u8().await.map_err(|error| none(&error))?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split_whitespace();
    let (version, status) = (words.next().unwrap_or_default(), words.next().and_then(|word| word.parse().ok()));
    if status != Some(101) {
        let mut body = Vec::new();
        // What came of it is what there is.
        let _ = tcp.take(HEAD as u64).read_to_end(&mut body).await;
        return Err(Refused { status, why: String::from_utf8_lossy(&body).chars().take(200).collect() });
    }
    let accept = derive_accept_key(key.as_bytes());
    if !head.lines().any(|line| line.split_once(": ").is_some_and(|(_, value)| value.trim() == accept)) {
        return Err(none("an upgrade for another key"));
    }
    Ok((version.to_owned(), WebSocketStream::from_raw_socket(tcp, Role::Client, None).await))
}

async fn first_line(socket: &mut WebSocketStream<TcpStream>, channel: u8) -> Result<String, Refused> {
    let mut came = Vec::new();
    while let Some(message) = socket.next().await {
        let bytes = match message.map_err(|error| none(&error))? {
            Message::Close(_) => break,
            message => message.into_data(),
        };
        // The other channels say how a command ended.
        if let Some((_, bytes)) = bytes.split_first().filter(|(on, _)| **on == channel) {
            came.extend_from_slice(bytes);
        }
        if let Some(end) = came.iter().position(|byte| *byte == b'\n') {
            return Ok(String::from_utf8_lossy(&came[..end]).trim_end().to_owned());
        }
    }
    Err(none(&format!("the stream ended after {} bytes, without a line", came.len())))
}

fn none(why: &(impl ToString + ?Sized)) -> Refused {
    Refused { status: None, why: why.to_string() }
}

impl Streams {
    /// What is not as it should be.
    pub fn deviations(&self) -> Vec<Deviation> {
        let mut found = Vec::new();
        let Log { status, content_type, stdout, stderr } = &self.log;
        let mut of_the_log = |name, wrong: &str| {
            found.push(Deviation::new(name, format!("the log of the echo app's pod {wrong}"), &self.log));
        };
        match (status, content_type.as_str(), stdout, stderr) {
            (Some(200), "text/plain", true, true) => {}
            (Some(200), "text/plain", true, false) => of_the_log("log-without-stderr", "lacks standard error"),
            (Some(200), "text/plain", false, _) => of_the_log("log", "lacks what the app printed"),
            (Some(200), ..) => of_the_log("log", "is no plain text"),
            _ => of_the_log("log", "is not answered"),
        }
        let upgrades = [&self.forwarded, &self.printed].into_iter().flatten();
        for upgrade in upgrades.filter(|came| came.upgraded != "HTTP/1.1").take(1) {
            found.push(Deviation::new("upgrade-of-http-1.0", "a stream is upgraded by HTTP/1.0", upgrade));
        }
        match &self.forwarded {
            Ok(came) if came.line.starts_with("HTTP/1.") && came.line.contains(" 200 ") => {}
            Ok(came) => found.push(Deviation::new("forward", "a forwarded port answers otherwise than the pod", came)),
            Err(refused) => found.push(Deviation::new("forward", "no port of the pod is forwarded", refused)),
        }
        match &self.printed {
            Ok(came) if came.line == WORD => {}
            Ok(came) => found.push(Deviation::new("exec", "a command in the pod prints something else", came)),
            // It was let in, and the stream ended.
            Err(refused @ Refused { status: None, .. }) => {
                found.push(Deviation::new("exec-without-output", "a command in the pod prints nothing", refused));
            }
            Err(refused) => {
                let status = refused.status.unwrap_or_default();
                found.push(Deviation::new("exec", format!("no command is let into the pod: {status}"), refused));
            }
        }
        found
    }
}
