//! Who leads: the lease key of k1s-ha-min, read from the profile's etcd.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use crate::plan::{Component, Profile};
use crate::workerbee::reply::ProfileRecord;

/// How a profile looked when it came up.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Started {
    /// Seconds until the profile was up; none when that was not seen.
    pub up_after_seconds: Option<f64>,
    /// k1s-ha-min: the controller that won the lease.
    pub leader: Option<String>,
}

/// Waits until a profile that is being started is up: its record is there, and its controller answers or, in
/// k1s-ha-min, one of its controllers leads. Returns what it saw when the time is over.
pub async fn until_up(state_root: &Path, project: &str, profile: Profile, limit: Duration) -> Started {
    let begin = Instant::now();
    let record = record_file(state_root, project);
    let mut seen = Started::default();
    while begin.elapsed() < limit {
        if let Some(record) =
            std::fs::read(&record).ok().and_then(|bytes| serde_json::from_slice::<ProfileRecord>(&bytes).ok())
        {
            let up = if profile == Profile::HaMin {
                seen.leader = leader(&record, project, profile).await;
                seen.leader.is_some()
            } else {
                healthy(&record).await
            };
            if up {
                seen.up_after_seconds = Some(begin.elapsed().as_secs_f64());
                return seen;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    seen
}

/// Who leads now, when that can be read.
pub async fn now(state_root: &Path, project: &str, profile: Profile) -> Option<String> {
    let bytes = std::fs::read(record_file(state_root, project)).ok()?;
    leader(&serde_json::from_slice(&bytes).ok()?, project, profile).await
}

fn record_file(state_root: &Path, project: &str) -> PathBuf {
    state_root.join("projects").join(project).join("profiles/k1s-profile.json")
}

async fn healthy(record: &ProfileRecord) -> bool {
    let Some(url) = &record.controller_url else { return false };
    let request = reqwest::Client::new().get(format!("{url}/health")).timeout(Duration::from_secs(2));
    // Any answer will do: without a token it may be a refusal.
    request.send().await.is_ok()
}

async fn leader(record: &ProfileRecord, project: &str, profile: Profile) -> Option<String> {
    let etcd = record.components.iter().find(|component| component.role == Component::Etcd.role())?;
    let key = format!("k1s/workerbee/{project}/{profile}/controlplane/leader");
    let request = reqwest::Client::new()
        .post(format!("{}/v3/kv/range", etcd.url.as_ref()?))
        .timeout(Duration::from_secs(2))
        .json(&json!({ "key": base64(key.as_bytes()) }));
    let answer: Value = request.send().await.ok()?.json().await.ok()?;
    let value = unbase64(answer.pointer("/kvs/0/value")?.as_str()?)?;
    let lease: Value = serde_json::from_slice(&value).ok()?;
    Some(lease.get("controller_id")?.as_str()?.to_owned())
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}
