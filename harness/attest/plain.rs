//! Plain HTTP as k1s's own servers speak it, at the ports that `WorkerBee` gave them on this machine.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ingress::Tokens;
use super::{Ended, Subject, client};
use crate::failure::Failure;
use crate::workerbee::reply::ProfileRecord;

/// The number of questions that are asked at a time: k1s's servers keep five callers waiting and turn others away.
pub(super) const AT_ONCE: usize = 4;
/// How long one answer may take. `/system` asks containerd first.
const ANSWER: Duration = Duration::from_secs(10);

/// The servers of a profile, and what opens them.
pub(super) struct Servers {
    client: reqwest::Client,
    /// The URL of each component, by its name in the profile; etcd and NATS are not servers of k1s's.
    urls: BTreeMap<String, String>,
    ended: Ended,
    pub(super) tokens: Tokens,
}

/// The kinds of callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asker {
    /// Without a token.
    Anybody,
    /// With a token that nobody gave out.
    MadeUp,
    /// With the controller's token for reading.
    Reader,
    /// With the token that opens the server.
    Owner,
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    /// None when there was no answer: `text` says why.
    pub(super) status: Option<u16>,
    pub(super) content_type: String,
    pub(super) text: String,
}

impl Reply {
    /// The body as JSON; null when it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl Servers {
    pub(super) fn of(subject: &Subject) -> Result<Self, Failure> {
        let record: ProfileRecord = subject.profile_record()?;
        let urls = subject.profile.components().into_iter().filter_map(|component| {
            let name = subject.container(component);
            let url = record.components.iter().find(|one| one.name == name)?.url.clone()?;
            Some((component.to_string(), url))
        });
        let ended = subject.ended.clone();
        Ok(Self { client: client(ANSWER)?, urls: urls.collect(), ended, tokens: subject.profile_record()? })
    }

    /// The names of the controllers, in order.
    pub(super) fn controllers(&self) -> impl Iterator<Item = &str> {
        self.urls.keys().map(String::as_str).filter(|name| name.starts_with("controller"))
    }

    /// The URL of a server.
    pub(super) fn url(&self, server: &str) -> Option<&str> {
        self.urls.get(server).map(String::as_str)
    }

    /// Asks a server for a page without a body.
    pub(super) async fn get(&self, server: &str, path: &str, asker: Asker) -> Reply {
        self.ask(server, Method::GET, path, asker, None).await
    }

    /// Asks a server.
    pub(super) async fn ask(
        &self,
        server: &str,
        method: Method,
        path: &str,
        asker: Asker,
        body: Option<&Value>,
    ) -> Reply {
        self.ask_with(server, method, path, self.token(server, asker), body).await
    }

    fn token(&self, server: &str, asker: Asker) -> Option<&str> {
        match asker {
            Asker::Anybody => None,
            Asker::MadeUp => Some("nobody-gave-this-out"),
            Asker::Reader => Some(&self.tokens.read),
            Asker::Owner if server == "apishim" => Some(&self.tokens.api),
            Asker::Owner => Some(&self.tokens.admin),
        }
    }

    /// Asks a server, as its owner, for something that takes longer.
    pub(super) async fn ask_within(
        &self,
        limit: Duration,
        server: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Reply {
        self.exchange(limit, server, method, path, self.token(server, Asker::Owner), body).await
    }

    /// Asks with a token of the API's own making.
    pub(super) async fn ask_with(
        &self,
        server: &str,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Reply {
        self.exchange(ANSWER, server, method, path, token, body).await
    }

    async fn exchange(
        &self,
        limit: Duration,
        server: &str,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Reply {
        let Some(url) = self.urls.get(server) else {
            let text = format!("WorkerBee's record of the profile names no URL of {server}");
            return Reply { text, ..Reply::default() };
        };
        let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let mut request = self.client.request(method, format!("{url}{path}")).timeout(limit);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", kind).body(body.to_string());
        }
        let reply = async {
            match request.send().await {
                Err(error) => Reply { text: error.without_url().to_string(), ..Reply::default() },
                Ok(response) => {
                    let status = Some(response.status().as_u16());
                    let header = response.headers().get("content-type").and_then(|value| value.to_str().ok());
                    let content_type = header.unwrap_or_default().to_owned();
                    Reply { status, content_type, text: response.text().await.unwrap_or_default() }
                }
            }
        };
        self.ended.or(server, reply).await.unwrap_or_else(|how| Reply { text: how, ..Reply::default() })
    }

    /// Whether a server has ended for good.
    pub(super) fn has_ended(&self, server: &str) -> bool {
        self.ended.of(server).is_some()
    }

    /// Hands on each line of an answer as it comes, for as long as it is polled and the answer goes on.
    pub(super) async fn lines(&self, server: &str, path: &str, asker: Asker, take: impl Fn(&str)) {
        let Some(url) = self.urls.get(server) else { return };
        let token = self.token(server, asker).unwrap_or_default();
        let all = async {
            let Ok(mut response) = self.client.get(format!("{url}{path}")).bearer_auth(token).send().await else {
                return;
            };
            let mut rest = Vec::new();
            while let Ok(Some(chunk)) = response.chunk().await {
                rest.extend_from_slice(&chunk);
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    take(String::from_utf8_lossy(&line).trim_end());
                }
            }
        };
        // What came before an end is what there is.
        let _ = self.ended.or(server, all).await;
    }
}
