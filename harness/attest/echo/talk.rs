//! The talk with the echo app: all of it on one connection.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Echo;
use crate::failure::Mismatch;

/// The number of numbered messages, all sent before the first answer is read.
const MESSAGES: usize = 100;
/// 64 KiB: the first length that takes a frame's eight-byte form.
const LONG: usize = 65_536;
/// How long one answer may take.
pub(super) const TURN: Duration = Duration::from_secs(10);

pub(super) type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// The result of each part of the conversation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Talk {
    /// A text.
    pub text: Came,
    /// A binary message of every byte.
    pub binary: Came,
    /// The number of numbered messages that came back in order, before one did not.
    pub in_order: usize,
    /// The first one that did not, when there was one.
    pub out_of_order: Option<Came>,
    /// A message of 64 KiB.
    pub long: Came,
    /// The code of the close frame that answered ours; none when there was no such frame.
    pub closed: Option<u16>,
    /// True when the connection ended right after the close frame.
    pub ended: bool,
}

/// The answer to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Came {
    /// The same, in kind and in every byte: so many.
    Same(usize),
    /// Another message: its kind and length.
    Other(String),
    /// None: why.
    Nothing(String),
}

/// Talks until the connection is closed.
pub(super) async fn talk<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>) -> Talk {
    let text = turn(&mut socket, Message::text("workerbee, grüß dich")).await;
    let binary = turn(&mut socket, Message::binary((0..=255).collect::<Vec<u8>>())).await;
    let numbered: Vec<Message> =
        (0..MESSAGES).map(|number| Message::text(format!("message {number} of {MESSAGES}"))).collect();
    for message in &numbered {
        // One that cannot be sent does not come back either.
        let _ = socket.send(message.clone()).await;
    }
    let (mut in_order, mut out_of_order) = (0, None);
    for message in &numbered {
        match receive(&mut socket, message).await {
            Came::Same(_) => in_order += 1,
            other => {
                out_of_order = Some(other);
                break;
            }
        }
    }
    let long = turn(&mut socket, Message::binary((0..=250).cycle().take(LONG).collect::<Vec<u8>>())).await;
    let (closed, ended) = close(&mut socket).await;
    Talk { text, binary, in_order, out_of_order, long, closed, ended }
}

async fn turn<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, message: Message) -> Came {
    match socket.send(message.clone()).await {
        Ok(()) => receive(socket, &message).await,
        Err(error) => Came::Nothing(error.to_string()),
    }
}

async fn receive<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, sent: &Message) -> Came {
    match tokio::time::timeout(TURN, socket.next()).await {
        Err(_) => Came::Nothing(format!("nothing within {} s", TURN.as_secs())),
        Ok(None) => Came::Nothing("the connection had ended".to_owned()),
        Ok(Some(Err(error))) => Came::Nothing(error.to_string()),
        Ok(Some(Ok(came))) if came == *sent => Came::Same(came.len()),
        Ok(Some(Ok(came))) => {
            let kind = if came.is_text() {
                "text"
            } else if came.is_binary() {
                "binary"
            } else {
                "control"
            };
            Came::Other(format!("{kind}, {} bytes", came.len()))
        }
    }
}

/// The closing handshake (RFC 6455, 7.1.2): a close frame with the same code, then the end of the connection.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> (Option<u16>, bool) {
    let frame = CloseFrame { code: CloseCode::Normal, reason: "done".into() };
    if socket.send(Message::Close(Some(frame))).await.is_err() {
        return (None, false);
    }
    let mut closed = None;
    loop {
        match tokio::time::timeout(TURN, socket.next()).await {
            Ok(Some(Ok(Message::Close(frame)))) => closed = frame.map(|frame| frame.code.into()),
            Ok(None | Some(Err(Error::ConnectionClosed))) => return (closed, closed.is_some()),
            _ => return (closed, false),
        }
    }
}

/// Everything came back as it was sent, and the connection was closed by both sides.
pub fn judge(seen: &Echo) -> Result<(), Mismatch> {
    let talk = seen.talk.as_ref().map_err(|why| {
        let whose = match &seen.directly {
            Some(Ok(())) => "; at its own port the app upgrades: the ingress does not pass the upgrade on".to_owned(),
            Some(Err(other)) => format!("; at its own port, past the ingress, neither: {other}"),
            None => String::new(),
        };
        Mismatch::new(format!("no WebSocket to the echo app: {why}{whose}"), &seen.url)
    })?;
    let same = |what: &str, least: usize, came: &Came| match came {
        Came::Same(bytes) if *bytes >= least => Ok(()),
        _ => Err(Mismatch::new(format!("{what} does not come back as it was sent"), came)),
    };
    // As they were sent: what follows a message that was lost is late by one.
    same("a text", 1, &talk.text)?;
    same("a binary message", 256, &talk.binary)?;
    if talk.in_order != MESSAGES || talk.out_of_order.is_some() {
        let what = format!("{} of {MESSAGES} messages came back in order", talk.in_order);
        return Err(Mismatch::new(what, &talk.out_of_order));
    }
    same("a message of 64 KiB", LONG, &talk.long)?;
    match (talk.closed, talk.ended) {
        (Some(1000), true) => Ok(()),
        (Some(1000), false) => Err("the connection does not end after the close frames".into()),
        (code, _) => Err(Mismatch::new("our close frame (1000) is not answered by one", &code)),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::Value;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    /// A server that does something else with the message of that number.
    async fn against(wrong: usize, answer: impl Fn(Message) -> Option<Message> + Send + 'static) -> Echo {
        let (client, other) = tokio::io::duplex(1 << 20);
        let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        let mut server = WebSocketStream::from_raw_socket(other, Role::Server, None).await;
        tokio::spawn(async move {
            let mut number = 0;
            while let Some(Ok(message)) = server.next().await {
                let answer = if number == wrong { answer(message) } else { Some(message) };
                let Some(answer) = answer else { break };
                // The answer to a close frame is tungstenite's own.
                if !answer.is_close() && server.send(answer).await.is_err() {
                    break;
                }
                number += 1;
            }
        });
        Echo {
            url: String::new(),
            applied: Value::Null,
            talk: Ok(talk(client).await),
            directly: None,
            process: Err("nobody asked".to_owned()),
        }
    }

    #[tokio::test]
    async fn an_echo_of_everything_and_a_clean_close_are_good() {
        let seen = against(usize::MAX, Some).await;
        assert!(judge(&seen).is_ok(), "{seen:?}");
    }

    #[rstest]
    #[case::text_as_bytes(0, "a text does not")]
    #[case::binary_changed(1, "a binary message does not")]
    #[case::one_of_a_hundred(57, "55 of 100 messages")]
    #[case::long_changed(102, "a message of 64 KiB does not")]
    #[tokio::test]
    async fn one_message_that_comes_back_otherwise_is_red(#[case] number: usize, #[case] says: &str) {
        let seen = against(number, |message| Some(Message::binary(message.into_data().slice(1..)))).await;
        assert!(judge(&seen).is_err_and(|wrong| format!("{wrong:?}").contains(says)), "{seen:?}");
    }

    #[rstest]
    #[case::at_once(0)]
    #[case::instead_of_a_close_frame(103)]
    #[tokio::test]
    async fn a_connection_that_just_ends_is_red(#[case] number: usize) {
        let seen = against(number, |_| None).await;
        assert!(judge(&seen).is_err(), "{seen:?}");
    }
}
