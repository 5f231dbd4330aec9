//! The nodes of k1s, when its profile has lived for longer than a node may be silent.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plain::{Asker, Servers};
use super::probe::{After, Moment, Observe, Probe, Rule};
use super::{Subject, poll};
use crate::failure::{Failure, Kind, Mismatch};

/// How long a node may take to be heard of again: its heart beats every 20 s, and later under load.
const HEARD: Duration = Duration::from_secs(30);

/// The nodes, as controller 0 lists them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Nodes {
    /// The status of its answer; none when it did not answer.
    pub status: Option<u16>,
    /// Seconds after which a node that was not heard of is stale.
    pub stale_after_seconds: Option<u64>,
    /// Each node.
    pub nodes: Vec<Node>,
}

/// One node.
#[derive(Debug, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its status, such as `Ready`.
    pub status: String,
    /// The time at which it was heard of last; none when never.
    pub seen_at: Option<String>,
    /// True when that is too long ago.
    pub stale: bool,
}

/// The nodes at the end of all observations. A profile without apps does not live for long enough; controllers that elect
/// a leader tell of each other by their election.
pub static PROBE: Probe<Nodes> = Probe {
    name: "nodes",
    of: |gate| gate.deploys_apps() && !gate.elects_leader(),
    moment: Moment::Last,
    after: After::Nobody,
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject))),
    checks: &[Rule::new(
        "attest::nodes",
        "every node that k1s knows ready, and heard of no longer ago than k1s allows",
        "ask controller-0 for /nodes again and again: `seen_at` moves at least every 20 s; see its log",
        |seen, _| judge(seen),
    )],
    triage: &["logs/controller-0.log"],
};

async fn observe(subject: &Subject) -> Result<Nodes, Failure> {
    let servers = Servers::of(subject)?;
    Ok(poll::until(HEARD, &subject.ended, async || once(&servers).await, |seen| judge(seen).is_ok()).await)
}

async fn once(servers: &Servers) -> Nodes {
    let reply = servers.get("controller-0", "/nodes", Asker::Owner).await;
    let answer = reply.json();
    let nodes = answer["nodes"].as_array().into_iter().flatten();
    let text = |node: &Value, member: &str| node[member].as_str().map(ToOwned::to_owned);
    let node = |node: &Value| Node {
        name: text(node, "name").unwrap_or_default(),
        status: text(node, "status").unwrap_or_default(),
        seen_at: text(node, "seen_at"),
        // What does not say that it was heard of was not.
        stale: node["stale"] != Value::Bool(false),
    };
    Nodes {
        status: reply.status,
        stale_after_seconds: answer["stale_after_seconds"].as_u64(),
        nodes: nodes.map(node).collect(),
    }
}

/// Every node is ready and was heard of.
pub fn judge(seen: &Nodes) -> Result<(), Mismatch> {
    if seen.status != Some(200) {
        let kind = if seen.status.is_none() { Kind::Silence } else { Kind::Finding };
        return Err(Mismatch::new("controller-0 does not list its nodes", seen).of(kind));
    }
    if seen.nodes.is_empty() {
        return Err(Mismatch::new("controller-0 knows no node", seen));
    }
    for node in &seen.nodes {
        let Node { name, status, seen_at, stale } = node;
        let last = seen_at.as_deref().map_or_else(|| "never".to_owned(), |at| format!("last at {at}"));
        if *stale || seen_at.is_none() {
            return Err(Mismatch::new(format!("the node {name} sends no heartbeat: it was heard of {last}"), node));
        }
        if status != "Ready" {
            return Err(Mismatch::new(format!("the node {name} is {status}"), node));
        }
    }
    Ok(())
}
