//! A WebSocket through the whole of a profile: an echo app of the harness's own, deployed into k1s, behind its ingress.
//!
//! `WorkerBee`'s own app takes one message of a connection and closes without a close frame (see `websocket`). So what
//! a WebSocket needs of k1s and of the ingress (a connection that stays, binary messages, long ones, the closing
//! handshake) is asked of an app that has all of it. It runs in the backend's image, which this gate has built, and goes
//! with the project.

mod process;
mod talk;

use std::net::Ipv4Addr;
use std::time::Duration;

use hyper::Uri;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;

use super::ingress::Ingress;
use super::probe::{After, Moment, Observe, Probe, Rule};
use super::tls::Question;
use super::{Subject, app, poll};
use crate::failure::Failure;
use crate::plan::Gate;

pub use process::{Process, judge as judge_process};
pub use talk::{Came, Talk, judge};

/// The app's name in k1s.
pub const NAME: &str = "gates-echo";
/// The port that it listens on in its container.
pub(super) const PORT: u16 = 8080;
/// The lines that it prints on standard output.
pub(super) const PRINTS: [&str; 2] = ["gates: first on <stdout>", "gates: second on <stdout>"];
/// The line that it prints on standard error.
pub(super) const PRINTS_ON_ERROR: &str = "gates: third on <stderr>";
/// Its program.
const PROGRAM: &str = include_str!("app.py");
/// How long k1s may take over an apply: it answers when the app is ready.
const APPLY: Duration = Duration::from_mins(3);
/// The number of attempts at an apply that k1s answers with an error of its own. k1s's loop may start the container of
/// an app that is just being applied: then the apply starts it, too, and the later one of the two fails.
const APPLIES: usize = 3;
/// The pause after a failed apply, in which k1s finishes what it failed at.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest part of an error, in characters, that is quoted in one line.
const LINE: usize = 200;
/// How long the ingress may take to know the app's route.
const ROUTE: Duration = Duration::from_secs(30);

/// The observation of the echo app.
#[derive(Debug, Serialize, Deserialize)]
pub struct Echo {
    /// Its URL.
    pub url: String,
    /// k1s's answer to its manifest.
    pub applied: Value,
    /// The results of the conversation with it, or why there was none.
    pub talk: Result<Talk, String>,
    /// The result of a WebSocket upgrade at the app's own port; tried only when there was no conversation through the
    /// ingress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directly: Option<Result<(), String>>,
    /// The rights of its process, or why the app does not report them.
    pub process: Result<Process, String>,
}

/// The echo app. k1s deploys it in many seconds, beside all else; but the observation of what is deployed would find one app
/// too many, and k1s has the ingress loaded anew for each app, which closes the connections that are open then.
pub static PROBE: Probe<Echo> = Probe {
    name: "websocket-echo",
    of: Gate::deploys_apps,
    moment: Moment::Change,
    after: After::These(&["resources", "websocket"]),
    observe: Observe::Ask(|scene| {
        Box::pin(async move {
            let mut refused = Vec::new();
            let echo = observe(&scene.subject, &mut refused).await;
            if let Some(last) = refused.last() {
                let (times, last) = (refused.len(), end_of(last));
                let file = format!("{}-{REFUSED}", scene.subject.project);
                let what = format!("k1s failed at the harness's echo app {times} times (see {file}): {last}");
                scene.tell(|aside| {
                    aside.noticed.push(what);
                    aside.files.push((REFUSED, refused));
                });
            }
            echo
        })
    }),
    checks: &[
        Rule::new(
            "attest::websocket-echo",
            "on one connection to an echo app in k1s: text, binary, 100 messages in order and 64 KiB as they were sent, \
             then a close frame for ours",
            "see the log of the container whose name holds `gates-echo`, and that the ingress passes upgrades on",
            |seen, _| judge(seen),
        ),
        Rule::new(
            "attest::confinement",
            "the process of the echo app with the user, the capabilities, the read-only root, the limit of memory and the \
             environment of its manifest",
            "see how k1s runs the container whose name holds `gates-echo`: `nerdctl inspect`",
            |seen, _| judge_process(seen),
        ),
    ],
    triage: &[],
};

/// The file of k1s's answers when it failed at the app.
const REFUSED: &str = "echo-refused.json";

/// Deploys the app and talks to it. What k1s said when it failed at that stays in `refused`, whatever came of it then.
pub async fn observe(subject: &Subject, refused: &mut Vec<String>) -> Result<Echo, Failure> {
    let ingress = Ingress::of(subject)?;
    let apps = app::deployed(subject)?;
    let image = &app::named(&apps, "backend")?.image;
    let host = format!("echo.{}.workerbee.localhost", subject.project);
    let port = free_port()?;
    let manifest = manifest(subject, image, &host, port);
    let applied = subject.ended.or("controller-0", apply(&ingress, &manifest, refused)).await;
    let applied = applied.map_err(|how| nobody_to_ask(&how))??;
    let url = ingress.at(&host, "/")?;
    let talk = poll::until(ROUTE, &subject.ended, async || connect(&ingress, &url).await, Result::is_ok).await;
    let process = process::of(&ingress, &url).await;
    let (talk, directly) = match talk {
        Ok(socket) => (Ok(talk::talk(socket).await), None),
        Err(why) => (Err(why), Some(connect_directly(port).await)),
    };
    Ok(Echo { url: url.replacen("https", "wss", 1), applied, talk, directly, process })
}

fn nobody_to_ask(how: &str) -> Failure {
    Failure::new("the harness's echo app cannot be deployed")
        .expected("a controller that deploys it")
        .seen(how)
        .remedy("see the controller's log in RUN_DIR/triage")
}

/// A handshake with the app at its service's own port, past the ingress.
async fn connect_directly(port: u16) -> Result<(), String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| error.to_string())?;
    let asked = client_async(format!("ws://127.0.0.1:{port}/"), stream);
    let answered = tokio::time::timeout(talk::TURN, asked).await.map_err(|_| "no handshake in time".to_owned())?;
    answered.map(drop).map_err(|error| error.to_string())
}

/// A verified certificate, then a verified handshake (RFC 6455, 4.1).
async fn connect(ingress: &Ingress, url: &str) -> Result<talk::Socket, String> {
    let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
    let stream = ingress.trust.connect(&uri).await.map_err(|answer| format!("{answer:?}"))?;
    let asked = client_async(url.replacen("https", "wss", 1), stream);
    let answered = tokio::time::timeout(talk::TURN, asked).await.map_err(|_| "no handshake in time".to_owned())?;
    answered.map(|(socket, _)| socket).map_err(|error| error.to_string())
}

/// k1s's own manifest: as `WorkerBee`'s of the backend, with another program.
fn manifest(subject: &Subject, image: &str, host: &str, port: u16) -> Value {
    json!({
        "apiVersion": "ae.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": { "name": NAME, "namespace": subject.project },
        "spec": {
            "image": image,
            "imagePullPolicy": "Never",
            "replicas": 1,
            "command": ["python", "-u", "-c", PROGRAM],
            "ports": [{ "name": "http", "containerPort": PORT }],
            "env": [{ "name": "GATES_ECHO", "value": process::ARRIVES }],
            "resources": { "limits": { "memory": process::MEMORY } },
            "service": { "port": port, "targetPort": PORT },
            "health": { "readiness": {
                "httpGet": { "path": "/", "port": PORT },
                "initialDelaySeconds": 1,
                "periodSeconds": 1,
            }},
            "ingress": { "host": host, "path": "/" },
            "security": {
                "runAsUser": process::USER,
                "runAsGroup": process::USER,
                "readOnlyRootFilesystem": true,
                "dropCapabilities": ["ALL"],
            },
        },
    })
}

/// k1s publishes a service on a port of the host, which the manifest names.
fn free_port() -> Result<u16, Failure> {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0));
    listener.and_then(|listener| listener.local_addr()).map(|address| address.port()).map_err(|error| {
        Failure::new("there is no free port for the echo app")
            .expected("a port of loopback")
            .seen(error.to_string())
            .remedy("see what listens on this machine: ss -ltn")
    })
}

async fn apply(ingress: &Ingress, manifest: &Value, refused: &mut Vec<String>) -> Result<Value, Failure> {
    let url = ingress.below("controller", "apply")?;
    let body = manifest.to_string();
    let question = Question { url: &url, token: Some(&ingress.tokens.admin), body: Some(&body) };
    let failed = |seen: String| {
        Failure::new("k1s does not deploy the harness's echo app")
            .expected("200 from the controller's /apply")
            .seen(seen)
            .remedy("see the controller's log; 409 not_leader: a controller other than 0 leads")
    };
    let ask = async || {
        let answer = ingress.trust.ask_within(question, APPLY).await.map_err(|answer| format!("{answer:?}"))?;
        Ok((answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
    };
    let text = insist(ask, refused).await.map_err(failed)?;
    serde_json::from_str(&text).map_err(|error| failed(format!("no JSON ({error}): {text}")))
}

/// Asks again while the answer is an error of k1s's own.
async fn insist(
    ask: impl AsyncFn() -> Result<(u16, String), String>,
    refused: &mut Vec<String>,
) -> Result<String, String> {
    loop {
        match ask().await? {
            (200, text) => return Ok(text),
            (status, text) if status < 500 => return Err(format!("{status}: {text}")),
            (status, text) => {
                refused.push(format!("{status}: {text}"));
                if refused.len() == APPLIES {
                    return Err(format!("{APPLIES} times an error, at last {status}: {}", end_of(&text)));
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// An error of k1s's quotes the whole command first, and says at its end what is wrong.
pub fn end_of(text: &str) -> String {
    let length = text.chars().count();
    if length <= LINE {
        text.to_owned()
    } else {
        format!("…{}", text.chars().skip(length - LINE).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::at_once(&[200], Ok(0))]
    #[case::at_last(&[500, 503, 200], Ok(2))]
    #[case::never(&[500, 500, 500, 200], Err(3))]
    #[case::another_leads(&[409, 200], Err(0))]
    #[tokio::test(start_paused = true)]
    async fn k1s_is_asked_again_after_an_error_of_its_own(#[case] says: &[u16], #[case] came: Result<usize, usize>) {
        let answers = RefCell::new(says.iter().map(|status| (*status, format!("{status} {}", "x".repeat(300)))));
        let mut refused = Vec::new();
        let ask = async || answers.borrow_mut().next().ok_or_else(|| "asked once too often".to_owned());
        let seen = insist(ask, &mut refused).await;
        assert_eq!(seen.clone().map(|_| refused.len()).map_err(|_| refused.len()), came, "{seen:?}");
        assert!(refused.iter().all(|said| said.len() > 300 && end_of(said).chars().count() == LINE + 1));
    }
}
