//! The app's WebSocket, over TLS that verifies against `WorkerBee`'s CA.
//!
//! The questions ask for what `WorkerBee`'s app can do, and for no less. Its server (of Python's standard library, in
//! the template's backend):
//!
//! - answers the handshake as HTTP/1.0, which tungstenite's own handshake refuses; so the upgrade is hyper's, and the
//!   accept key is compared here.
//! - reads one message of a connection, whatever its kind, answers with one text message, `echo:` and what it read,
//!   and ends the connection. So a hundred messages take a hundred connections, and are in order when each has its own
//!   answer.
//! - has two bytes for the length of its answer: it echoes 65,530 bytes. Of 64 KiB it sends the first byte of a frame
//!   and ends the connection. A message that comes back cut short or changed is red.
//! - sends no close frame, and echoes one like a text. That it ends the connection after its answer is as clean as it
//!   closes.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _, stream};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{
    CONNECTION, HOST, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::ingress::Ingress;
use super::probe::{After, Moment, Observe, Probe, Rule};
use super::tls::Trust;
use super::{Subject, app};
use crate::failure::{Failure, Kind, Mismatch};
use crate::plan::Gate;

/// The text that the app puts before what it echoes.
const PREFIX: &str = "echo:";
/// The number of numbered messages.
const MESSAGES: usize = 100;
/// The number of messages that are sent at a time: each must come back on its own connection.
const AT_ONCE: usize = 8;
/// The longest message that the app's answer has room for.
const LONGEST: usize = 65_535 - PREFIX.len();
/// 64 KiB.
const TOO_LONG: usize = 65_536;
/// How long one connection may take.
const TURN: Duration = Duration::from_secs(5);

/// The observation of the WebSocket.
#[derive(Debug, Serialize, Deserialize)]
pub struct WebSocket {
    /// Its URL.
    pub url: String,
    /// A short text.
    pub text: Turn,
    /// A binary message of every byte that is a character.
    pub binary: Turn,
    /// The number of numbered messages that were echoed, each as its own, before one was not.
    pub in_order: usize,
    /// The first one that was not, when there was one.
    pub out_of_order: Option<Turn>,
    /// The longest message that there is room for.
    pub longest: Turn,
    /// A message of 64 KiB.
    pub too_long: Turn,
}

/// One connection: a message, and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turn {
    /// A verified handshake, then an answer.
    Answered {
        /// Bytes that were sent.
        sent: usize,
        /// Bytes of the answer.
        answered: usize,
        /// True when the answer is the prefix and every byte that was sent.
        echoed: bool,
        /// The end of the connection after the answer.
        end: End,
    },
    /// A verified handshake, then no answer: how it ended.
    Unanswered(End),
    /// No handshake: why.
    Refused(String),
}

/// The end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// With a close frame.
    Closed,
    /// The other side ended it without one.
    Ended,
    /// It went on sending.
    WentOn,
    /// Otherwise: how.
    Broken(String),
}

/// The WebSocket of `WorkerBee`'s own app.
pub static PROBE: Probe<WebSocket> = Probe {
    name: "websocket",
    of: Gate::deploys_apps,
    moment: Moment::Look,
    after: After::These(&["routes"]),
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject))),
    checks: &[Rule::new(
        "attest::websocket",
        "a verified handshake, every message echoed, 100 of them in order, an end after the answer; of 64 KiB all or \
         nothing",
        "see the log of the backend's container, and that the ingress passes upgrades on",
        |seen, _| judge(seen),
    )],
    triage: &[],
};

/// Talks to the backend's WebSocket.
pub async fn observe(subject: &Subject) -> Result<WebSocket, Failure> {
    let ingress = Ingress::of(subject)?;
    let apps = app::deployed(subject)?;
    let host = app::named(&apps, "backend")?.host.clone().unwrap_or_default();
    let url = ingress.at(&host, "/ws")?;
    let turn = async |message: Message| turn(&ingress.trust, &url, message).await;
    let text = turn(Message::text("workerbee")).await;
    let binary = turn(Message::binary((0..128).collect::<Vec<u8>>())).await;
    let numbered = (0..MESSAGES).map(|number| {
        let message = Message::text(format!("message {number} of {MESSAGES}"));
        self::turn(&ingress.trust, &url, message)
    });
    let mut turns = stream::iter(numbered).buffered(AT_ONCE);
    let (mut in_order, mut out_of_order) = (0, None);
    while let Some(seen) = turns.next().await {
        if echoed(&seen) {
            in_order += 1;
        } else {
            out_of_order = Some(seen);
            break;
        }
    }
    let longest = turn(Message::text(long(LONGEST))).await;
    let too_long = turn(Message::text(long(TOO_LONG))).await;
    Ok(WebSocket { url: url.replacen("https", "wss", 1), text, binary, in_order, out_of_order, longest, too_long })
}

/// Text in which no two neighbourhoods are alike, so that a piece that is lost or moved shows.
fn long(length: usize) -> String {
    (0_u32..).flat_map(|number| format!("{number:x}.").into_bytes()).take(length).map(char::from).collect()
}

async fn turn(trust: &Trust, url: &str, message: Message) -> Turn {
    let talk = Box::pin(async {
        match upgrade(trust, url).await {
            Ok(socket) => exchange(socket, message).await,
            Err(refused) => Turn::Refused(refused),
        }
    });
    tokio::time::timeout(TURN, talk)
        .await
        .unwrap_or_else(|_| Turn::Refused(format!("not over within {} s", TURN.as_secs())))
}

/// The opening handshake of RFC 6455, 4.1, with its accept key.
async fn upgrade(trust: &Trust, url: &str) -> Result<WebSocketStream<TokioIo<Upgraded>>, String> {
    let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
    let stream = trust.connect(&uri).await.map_err(|answer| format!("{answer:?}"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection.with_upgrades());
    let key = generate_key();
    let request = Request::builder()
        .uri(uri.path())
        .header(HOST, uri.authority().map(ToString::to_string).unwrap_or_default())
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key)
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(format!("status {}", response.status()));
    }
    for (name, wanted) in [(UPGRADE, "websocket"), (CONNECTION, "upgrade")] {
        let tokens = values(&response, &name);
        if !tokens.iter().any(|token| token.eq_ignore_ascii_case(wanted)) {
            return Err(format!("an upgrade whose {name} is {tokens:?}"));
        }
    }
    let (accept, wanted) = (values(&response, &SEC_WEBSOCKET_ACCEPT), derive_accept_key(key.as_bytes()));
    if accept != [wanted.as_str()] {
        return Err(format!("the accept key {accept:?} is not that of the key that was sent"));
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(|error| error.to_string())?;
    Ok(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await)
}

/// Returns the values of a header, which may be a list and may be there more than once.
fn values<'a, T>(response: &'a Response<T>, name: &HeaderName) -> Vec<&'a str> {
    let values = response.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).collect()
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>, message: Message) -> Turn {
    let sent = message.clone().into_data();
    if let Err(error) = socket.send(message).await {
        return Turn::Unanswered(End::Broken(error.to_string()));
    }
    let answer = match socket.next().await {
        Some(Ok(answer @ (Message::Text(_) | Message::Binary(_)))) => answer.into_data(),
        other => return Turn::Unanswered(end(other)),
    };
    let echoed = answer.strip_prefix(PREFIX.as_bytes()) == Some(&sent[..]);
    Turn::Answered { sent: sent.len(), answered: answer.len(), echoed, end: end(socket.next().await) }
}

fn end(last: Option<Result<Message, Error>>) -> End {
    match last {
        Some(Ok(Message::Close(_))) | None => End::Closed,
        Some(Ok(_)) => End::WentOn,
        Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => End::Ended,
        Some(Err(error)) => End::Broken(error.to_string()),
    }
}

fn echoed(turn: &Turn) -> bool {
    matches!(turn, Turn::Answered { echoed: true, end: End::Closed | End::Ended, .. })
}

/// All is echoed, in order, and the connection then ends. Of 64 KiB all comes back or nothing.
pub fn judge(seen: &WebSocket) -> Result<(), Mismatch> {
    for (what, turn) in
        [("a text", &seen.text), ("a binary message", &seen.binary), ("a message of 65,530 bytes", &seen.longest)]
    {
        match turn {
            Turn::Refused(_) => {
                return Err(Mismatch::new(format!("no WebSocket for {what} through the ingress"), turn));
            }
            Turn::Answered { echoed: true, end: End::Closed | End::Ended, .. } => {}
            Turn::Answered { echoed: true, .. } => {
                return Err(Mismatch::new(format!("the connection does not end after {what} was echoed"), turn));
            }
            // Whoever answers is WorkerBee's app: k1s passes on what it says.
            Turn::Answered { .. } => {
                let what = format!("{what} is not echoed: WorkerBee's app answers something else");
                return Err(Mismatch::new(what, turn).of(Kind::WorkerBee));
            }
            Turn::Unanswered(_) => return Err(Mismatch::new(format!("{what} is not echoed"), turn)),
        }
    }
    if !matches!(seen.longest, Turn::Answered { sent: LONGEST, .. }) {
        return Err(Mismatch::new("the longest message was none of 65,530 bytes", &seen.longest));
    }
    if seen.in_order != MESSAGES || seen.out_of_order.is_some() {
        let what = format!("{} of {MESSAGES} messages were echoed in order", seen.in_order);
        return Err(seen.out_of_order.as_ref().map_or_else(|| what.as_str().into(), |turn| Mismatch::new(&what, turn)));
    }
    match &seen.too_long {
        Turn::Unanswered(End::Ended | End::Closed | End::Broken(_)) => Ok(()),
        turn if echoed(turn) => Ok(()),
        turn => Err(Mismatch::new("a message of 64 KiB was answered, but not as it was sent", turn)),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The reaction of a server to the message that it read.
    enum Server {
        Answers(Vec<Message>),
        Ends,
    }

    async fn against(server: Server) -> Turn {
        let (client, other) = tokio::io::duplex(4096);
        let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        let mut socket = WebSocketStream::from_raw_socket(other, Role::Server, None).await;
        let serve = async move {
            let _ = socket.next().await;
            if let Server::Answers(answers) = server {
                for answer in answers {
                    let _ = socket.send(answer).await;
                }
            }
        };
        tokio::join!(exchange(client, Message::text("hello")), serve).0
    }

    #[rstest]
    #[case::as_text(vec![Message::text("echo:hello")], true, End::Ended)]
    #[case::as_bytes(vec![Message::binary(&b"echo:hello"[..])], true, End::Ended)]
    #[case::with_a_close_frame(vec![Message::text("echo:hello"), Message::Close(None)], true, End::Closed)]
    #[case::twice(vec![Message::text("echo:hello"), Message::text("echo:hello")], true, End::WentOn)]
    #[case::cut_short(vec![Message::text("echo:hell")], false, End::Ended)]
    #[case::longer(vec![Message::text("echo:hello!")], false, End::Ended)]
    #[case::without_prefix(vec![Message::text("hello")], false, End::Ended)]
    #[case::of_nothing(vec![Message::text("echo:")], false, End::Ended)]
    #[tokio::test]
    async fn an_answer_is_an_echo_byte_for_byte(#[case] answers: Vec<Message>, #[case] same: bool, #[case] ended: End) {
        let turn = against(Server::Answers(answers)).await;
        assert!(matches!(&turn, Turn::Answered { echoed, end, .. } if *echoed == same && *end == ended), "{turn:?}");
        assert_eq!(echoed(&turn), same && ended != End::WentOn);
    }

    #[tokio::test]
    async fn no_answer_is_none() {
        assert!(matches!(against(Server::Ends).await, Turn::Unanswered(End::Ended)));
        assert!(matches!(against(Server::Answers(vec![Message::Close(None)])).await, Turn::Unanswered(End::Closed)));
    }

    #[rstest]
    #[case(LONGEST)]
    #[case(TOO_LONG)]
    fn a_long_text_is_as_long_as_asked_for_and_nowhere_like_itself(#[case] length: usize) {
        let text = long(length);
        assert_eq!(text.len(), length);
        assert!(!text[64..].contains(&text[..64]));
    }
}
