//! The profile's etcd, through its HTTP gateway.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::client;
use crate::failure::Failure;
use crate::plan::Component;
use crate::workerbee::reply::ProfileRecord;

const REQUEST: Duration = Duration::from_secs(2);

/// An etcd.
#[derive(Debug)]
pub struct Etcd {
    url: String,
    client: reqwest::Client,
}

/// A key with what is attached to it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
    /// The lease that it ends with; 0 for none.
    pub lease: i64,
}

impl Etcd {
    /// The etcd of a profile, where `WorkerBee` has put it on the host; none when the profile has none.
    pub fn of(record: &ProfileRecord) -> Result<Option<Self>, Failure> {
        let Some(etcd) = record.components.iter().find(|component| component.role == Component::Etcd.role()) else {
            return Ok(None);
        };
        let url = etcd.url.clone().ok_or_else(|| {
            Failure::new("the profile's etcd has no address")
                .expected("a URL in WorkerBee's record of the profile")
                .seen(format!("none for {}", etcd.name))
                .remedy("see the record of the profile in WorkerBee's state root")
        })?;
        Ok(Some(Self { url, client: client(REQUEST)? }))
    }

    /// A key.
    pub async fn get(&self, key: &str) -> Result<Option<Entry>, Failure> {
        Ok(self.range(json!({ "key": STANDARD.encode(key) })).await?.into_iter().next())
    }

    /// The keys that start with `prefix`, which ends in ASCII; their values are not read.
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let mut end = prefix.as_bytes().to_vec();
        // The first key that does not start so: etcd's own rule.
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        let range = json!({ "key": STANDARD.encode(prefix), "range_end": STANDARD.encode(end), "keys_only": true });
        Ok(self.range(range).await?.into_iter().map(|entry| entry.key).collect())
    }

    /// All keys; their values are not read.
    pub async fn all_keys(&self) -> Result<Vec<String>, Failure> {
        // etcd's own way to say it: from the first key on.
        let first = STANDARD.encode([0]);
        let range = json!({ "key": first, "range_end": first, "keys_only": true });
        Ok(self.range(range).await?.into_iter().map(|entry| entry.key).collect())
    }

    /// The seconds that a lease has left and the keys that are attached to it; seconds below 0 when it has ended.
    pub async fn lease(&self, id: i64) -> Result<(i64, Vec<String>), Failure> {
        let answer = self.ask("lease/timetolive", json!({ "ID": id, "keys": true })).await?;
        let keys = answer["keys"].as_array().into_iter().flatten().filter_map(text).collect();
        Ok((number(&answer["TTL"]), keys))
    }

    /// The seconds that a lease has left, and those that it was granted; none when it has ended.
    pub async fn lifetime(&self, id: i64) -> Result<Option<(i64, i64)>, Failure> {
        let answer = self.ask("lease/timetolive", json!({ "ID": id })).await?;
        let (left, granted) = (number(&answer["TTL"]), number(&answer["grantedTTL"]));
        Ok((left > 0 && granted > 0).then_some((left, granted)))
    }

    async fn range(&self, range: Value) -> Result<Vec<Entry>, Failure> {
        let answer = self.ask("kv/range", range).await?;
        let entry = |kv: &Value| {
            let value = STANDARD.decode(kv["value"].as_str().unwrap_or_default()).unwrap_or_default();
            Some(Entry { key: text(&kv["key"])?, value, lease: number(&kv["lease"]) })
        };
        Ok(answer["kvs"].as_array().into_iter().flatten().filter_map(entry).collect())
    }

    async fn ask(&self, what: &str, question: Value) -> Result<Value, Failure> {
        let url = format!("{}/v3/{what}", self.url);
        let answer = async {
            let answer = self.client.post(&url).json(&question).send().await?;
            answer.error_for_status()?.json().await
        };
        answer.await.map_err(|error: reqwest::Error| {
            let seen = if error.is_timeout() {
                format!("no answer within {} s", REQUEST.as_secs())
            } else {
                error.to_string()
            };
            Failure::new("the profile's etcd does not answer")
                .expected(format!("an answer from {url}"))
                .seen(seen)
                .remedy("see the log of the etcd container, and whether it runs")
        })
    }
}

/// The gateway writes 64-bit numbers as strings, and leaves out those that are 0.
fn number(value: &Value) -> i64 {
    value.as_str().and_then(|digits| digits.parse().ok()).or_else(|| value.as_i64()).unwrap_or_default()
}

fn text(value: &Value) -> Option<String> {
    String::from_utf8(STANDARD.decode(value.as_str()?).ok()?).ok()
}
