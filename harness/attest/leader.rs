//! The leader of k1s-ha-min: the lease key, read from the profile's etcd.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Subject;
use super::etcd::Etcd;
use super::probe::{After, Moment, Observe, Probe, Rule};
use crate::failure::{Failure, Mismatch};
use crate::plan::{Component, Gate, Profile};
use crate::workerbee::naming;
use crate::workerbee::reply::ProfileRecord;

/// The state of a profile when it came up.
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
            let up = if profile.elects_leader() {
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

/// Reads which controller leads now, with the lifetime of its lease (seconds left and granted), or that nobody does;
/// none when that cannot be read.
pub(super) async fn now(state_root: &Path, project: &str, profile: Profile) -> Option<Option<Led>> {
    let bytes = std::fs::read(record_file(state_root, project)).ok()?;
    let etcd = Etcd::of(&serde_json::from_slice(&bytes).ok()?).ok().flatten()?;
    let Some(leader) = read(&etcd, &key(project, profile)).await.ok()? else { return Some(None) };
    let lifetime = if leader.attached == 0 { None } else { etcd.lifetime(leader.attached).await.ok()? };
    Some(Some((leader.controller, lifetime)))
}

/// A controller that leads, and the seconds that its lease has left and was granted.
pub(super) type Led = (String, Option<(i64, i64)>);

fn record_file(state_root: &Path, project: &str) -> PathBuf {
    state_root.join("projects").join(project).join("profiles/k1s-profile.json")
}

async fn healthy(record: &ProfileRecord) -> bool {
    let Some(url) = &record.controller_url else { return false };
    // Any answer will do: without a token it may be a refusal.
    match super::client(Duration::from_secs(2)) {
        Ok(client) => client.get(format!("{url}/health")).send().await.is_ok(),
        Err(_) => false,
    }
}

async fn leader(record: &ProfileRecord, project: &str, profile: Profile) -> Option<String> {
    let etcd = Etcd::of(record).ok().flatten()?;
    read(&etcd, &key(project, profile)).await.ok().flatten().map(|leader| leader.controller)
}

/// The key that k1s elects its leader by: whoever creates it leads, until the lease that it is put with ends.
fn key(project: &str, profile: Profile) -> String {
    format!("{}/controlplane/leader", naming::etcd_prefix(project, profile))
}

/// The holder of the key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Leader {
    /// Its id, such as `k1s-ha-min-controller-0`.
    pub controller: String,
    /// The lease that it says it holds.
    pub claimed: i64,
    /// The lease that the key is attached to; 0 for none.
    pub attached: i64,
}

/// The lease of k1s-ha-min.
#[derive(Debug, Serialize, Deserialize)]
pub struct Lease {
    /// The leader's key.
    pub key: String,
    /// The controller that holds it; none when there is no such key.
    pub leader: Option<Leader>,
    /// Seconds that its lease has left; below 0 when it has ended.
    pub seconds_left: Option<i64>,
    /// The keys that end with it.
    pub keys: Vec<String>,
}

async fn read(etcd: &Etcd, key: &str) -> Result<Option<Leader>, Failure> {
    let Some(entry) = etcd.get(key).await? else { return Ok(None) };
    let value: Value = serde_json::from_slice(&entry.value).unwrap_or_default();
    let controller = value["controller_id"].as_str().map(ToOwned::to_owned).ok_or_else(|| {
        Failure::new("the leader's key holds no controller")
            .expected(format!("a JSON object with controller_id at {key}"))
            .seen(format!("{} bytes", entry.value.len()))
            .remedy("a new version of k1s may store it in a different form")
    })?;
    Ok(Some(Leader { controller, claimed: value["lease_id"].as_i64().unwrap_or_default(), attached: entry.lease }))
}

/// The leader's key.
pub static PROBE: Probe<Lease> = Probe {
    name: "leader",
    of: Gate::elects_leader,
    moment: Moment::Alive,
    after: After::Nobody,
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject))),
    checks: &[Rule::new(
        "attest::leader",
        "a leader's key in etcd that names one of the three controllers and is attached to its living lease",
        "see the controllers' logs: whoever leads keeps its lease alive every 5 s",
        |seen, case| seen.judge(case.profile),
    )],
    triage: &[],
};

/// Observes which controller leads k1s-ha-min, and whether that is still true: a lease that is not kept alive ends
/// after 15 s.
pub async fn observe(subject: &Subject) -> Result<Lease, Failure> {
    let etcd = Etcd::of(&subject.profile_record()?)?.ok_or_else(|| {
        Failure::new("the profile has no etcd, and so no leader")
            .expected("an etcd in WorkerBee's record of the profile")
            .seen("no component of that role")
            .remedy("see the record of the profile in WorkerBee's state root")
    })?;
    let key = key(&subject.project, subject.profile);
    let leader = read(&etcd, &key).await?;
    let Some(lease) = leader.as_ref().map(|leader| leader.attached).filter(|lease| *lease != 0) else {
        return Ok(Lease { key, leader, seconds_left: None, keys: Vec::new() });
    };
    let (seconds_left, keys) = etcd.lease(lease).await?;
    Ok(Lease { key, leader, seconds_left: Some(seconds_left), keys })
}

impl Lease {
    /// One of the profile's controllers leads by a lease that is alive and is its own.
    pub fn judge(&self, profile: Profile) -> Result<(), Mismatch> {
        let leader = self.leader.as_ref().ok_or("nobody leads")?;
        let named = |component: &Component| {
            matches!(component, Component::Controller(_)) && leader.controller == format!("{profile}-{component}")
        };
        if !profile.components().iter().any(named) {
            return Err(format!("{} leads, which is no controller of {profile}", leader.controller).into());
        }
        if leader.attached == 0 || leader.attached != leader.claimed || !self.keys.contains(&self.key) {
            return Err(Mismatch::new(format!("{} leads without a lease of its own", leader.controller), leader));
        }
        match self.seconds_left {
            Some(seconds) if seconds > 0 => Ok(()),
            _ => Err(format!("the lease of {} has ended", leader.controller).into()),
        }
    }
}
