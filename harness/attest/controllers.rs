//! The controllers' reports of themselves: which of them leads, and whether each one's loop turns.
//!
//! The leader's key in etcd says who should lead; what counts is who acts so. A controller that does not lead refuses a
//! change by name, and the question changes nothing wherever it is asked: its manifest names no kind.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::plain::{Asker, Servers};
use super::probe::{After, Moment, Observe, Probe, Rule};
use super::provoked::NOBODY;
use super::{Subject, app};
use crate::failure::{Failure, Kind, Mismatch};
use crate::plan::{Component, Gate, Profile};

/// How long all controllers may take to answer: those of k1s-ha-min start one after the other.
const UP: Duration = Duration::from_secs(30);
/// How long the loop may take to turn again. It turns about every two seconds (`--interval`), and longer under load.
const TURN: Duration = Duration::from_secs(15);
/// The same when it goes over apps: seen to take 25 s on a busy machine while another app was being applied.
const TURN_OVER_APPS: Duration = Duration::from_mins(1);
const AGAIN: Duration = Duration::from_millis(500);

/// The observation of the controllers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Controllers {
    /// One per controller of the profile.
    pub controllers: Vec<Controller>,
    /// The nodes that controller 0 calls stale.
    pub stale_nodes: Vec<String>,
}

/// One controller.
#[derive(Debug, Serialize, Deserialize)]
pub struct Controller {
    /// Its name in the profile, such as `controller-0`.
    pub name: String,
    /// Its first report of itself, or why it gave none.
    pub first: Result<Account, String>,
    /// Its report after its loop had turned again, or when the time was up.
    pub last: Result<Account, String>,
    /// Its answer to a change.
    pub refusal: Refusal,
}

/// A controller's report of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: Option<String>,
    /// True when it says that it leads.
    pub leads: bool,
    /// The controller that leads, by its report.
    pub leader: Option<String>,
    /// The controllers that it knows, and whether it has heard from them of late.
    pub members: Vec<Member>,
    /// The time at which its loop last turned; 0 when never.
    pub turned: f64,
    /// The apps, each with the number of times that it reconciled them.
    pub apps: Vec<Reconciled>,
}

/// A controller that another one knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// `fresh`, or `stale` when it was not heard from of late.
    pub freshness: String,
}

/// An app that the loop has been over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reconciled {
    /// Its name, without its namespace.
    pub app: String,
    /// The number of times.
    pub times: u64,
}

/// An answer to a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The HTTP status; none when nothing answered.
    pub status: Option<u16>,
    /// The error that it names.
    pub error: String,
    /// The controller that leads, by the answer.
    pub leader: Option<String>,
}

/// The controllers by their own account.
pub static PROBE: Probe<Controllers> = Probe {
    name: "controllers",
    of: Gate::starts_profile,
    moment: Moment::Look,
    after: After::Nobody,
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject, scene.gate.deploys_apps()))),
    checks: &[
        Rule::new(
            "attest::loop",
            "the loop of the controller that leads turns again and again, over all apps that are deployed; no node is stale",
            "see the controller's log: its loop turns about every two seconds",
            |seen, case| {
                let apps: &[&str] = if case.gate.deploys_apps() { &app::NAMES } else { &[] };
                judge_loop(seen, case.profile, apps)
            },
        ),
        Rule::new(
            "attest::authority",
            "exactly one controller that says it leads, known to all, and a refusal by name (409 not_leader) from all others",
            "ask each controller's /system at its own port, and see its log",
            |seen, _| judge_authority(seen),
        )
        .of(Gate::elects_leader),
    ],
    triage: &[],
};

/// Asks all controllers, all at the same time.
pub async fn observe(subject: &Subject, deployed: bool) -> Result<Controllers, Failure> {
    let servers = Servers::of(subject)?;
    let components = subject.profile.components();
    let controllers = components.iter().filter(|one| matches!(one, Component::Controller(_)));
    let names: Vec<String> = controllers.map(ToString::to_string).collect();
    // All of them first: what each says of the others is asked when all are up.
    let firsts = join_all(names.iter().map(|name| {
        let answers = |seen: &Result<Account, String>| seen.is_ok() || servers.has_ended(name);
        until(UP, || account(&servers, name), answers)
    }))
    .await;
    let limit = if deployed { TURN_OVER_APPS } else { TURN };
    let pairs = names.iter().zip(firsts);
    let controllers = join_all(pairs.map(|(name, first)| again(&servers, subject, name, first, limit))).await;
    let nodes = servers.get("controller-0", "/nodes", Asker::Owner).await.json();
    let stale = nodes["nodes"].as_array().into_iter().flatten().filter(|node| node["stale"] == Value::Bool(true));
    let stale_nodes = stale.filter_map(|node| node["name"].as_str()).map(ToOwned::to_owned).collect();
    Ok(Controllers { controllers, stale_nodes })
}

async fn again(
    servers: &Servers,
    subject: &Subject,
    name: &str,
    first: Result<Account, String>,
    limit: Duration,
) -> Controller {
    // Those that do not lead have a loop that does not turn.
    let has_turned = |now: &Result<Account, String>| match (&first, now) {
        _ if servers.has_ended(name) => true,
        (Ok(first), Ok(now)) => !acts(subject.profile, first) || now.has_turned_since(first),
        _ => true,
    };
    let last = until(limit, || account(servers, name), has_turned).await;
    let change = json!({ "metadata": { "name": NOBODY, "namespace": subject.project } });
    let reply = servers.ask(name, Method::POST, "/apply", Asker::Owner, Some(&change)).await;
    let said = reply.json();
    let refusal = Refusal {
        status: reply.status,
        error: said["error"].as_str().map_or(reply.text, ToOwned::to_owned).chars().take(200).collect(),
        leader: said["controller_id"].as_str().map(ToOwned::to_owned),
    };
    Controller { name: name.to_owned(), first, last, refusal }
}

async fn until<T, F: Future<Output = T>>(limit: Duration, look: impl Fn() -> F, settled: impl Fn(&T) -> bool) -> T {
    let begin = Instant::now();
    loop {
        let seen = look().await;
        if settled(&seen) || begin.elapsed() >= limit {
            return seen;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn account(servers: &Servers, name: &str) -> Result<Account, String> {
    let reply = servers.get(name, "/system", Asker::Owner).await;
    match reply.status {
        Some(200) => Account::of(&reply.json()),
        Some(404) => {
            Err("this k1s has no /system, where that of 0.1.7 says who leads and when its loop turned".to_owned())
        }
        Some(status) => Err(format!("/system answers {status}: {}", reply.text.chars().take(200).collect::<String>())),
        None => Err(format!("/system does not answer: {}", reply.text)),
    }
}

impl Account {
    fn of(system: &Value) -> Result<Self, String> {
        let (controller, authority) = (&system["controller"], &system["ha"]["authority"]);
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let members = authority["members"].as_array().into_iter().flatten();
        let apps = controller["apps"].as_object().into_iter().flatten();
        Ok(Self {
            id: text(&authority["controller_id"]),
            leads: authority["is_leader"].as_bool().ok_or("/system does not say whether the controller leads")?,
            leader: text(&authority["leader_id"]),
            members: members
                .filter_map(|member| {
                    Some(Member { id: text(&member["controller_id"])?, freshness: text(&member["freshness"])? })
                })
                .collect(),
            // Null until the loop has turned, as it never does where another one leads.
            turned: controller
                .get("last_reconcile_timestamp")
                .ok_or("/system does not say when the loop turned")?
                .as_f64()
                .unwrap_or_default(),
            apps: apps
                .map(|(key, counts)| Reconciled {
                    app: key.rsplit("--").next().unwrap_or(key).to_owned(),
                    times: counts["reconciles"].as_u64().unwrap_or_default(),
                })
                .collect(),
        })
    }

    fn has_turned_since(&self, first: &Self) -> bool {
        self.turned > first.turned
    }
}

/// Is true when a controller has to act: of those that elect one only the leader, elsewhere the single one always.
fn acts(profile: Profile, account: &Account) -> bool {
    !profile.elects_leader() || account.leads
}

/// Exactly one controller of k1s-ha-min says that it leads, all name it, and all others refuse a change by that name.
pub fn judge_authority(seen: &Controllers) -> Result<(), Mismatch> {
    let mut accounts = Vec::new();
    for one in &seen.controllers {
        match &one.last {
            Ok(account) => accounts.push((one, account)),
            Err(why) => {
                let what = format!("{} does not say who leads: {why}", one.name);
                return Err(Mismatch::new(what, one).of(Kind::Silence));
            }
        }
    }
    let leading: Vec<&str> = accounts.iter().filter(|(_, said)| said.leads).map(|(one, _)| one.name.as_str()).collect();
    let leader = match leading.as_slice() {
        [leader] => *leader,
        [] => return Err(Mismatch::new("none of the controllers says that it leads", &seen.controllers)),
        several => {
            return Err(Mismatch::new(format!("{} say that they lead", several.join(" and ")), &seen.controllers));
        }
    };
    for (one, account) in accounts {
        let names = |id: &Option<String>| id.as_ref().is_some_and(|id| id.ends_with(leader));
        if !names(&account.leader) {
            let what = format!("{} names another leader than {leader}, which says that it leads", one.name);
            return Err(Mismatch::new(what, account));
        }
        let fresh = account.members.iter().filter(|member| member.freshness == "fresh").count();
        if fresh != seen.controllers.len() {
            let what = format!("{} knows {fresh} living members of {}", one.name, seen.controllers.len());
            return Err(Mismatch::new(what, &account.members));
        }
        let refused = one.refusal.status == Some(409) && one.refusal.error == "not_leader";
        if one.name == leader && refused {
            return Err(Mismatch::new(format!("{leader} says that it leads, and refuses a change"), &one.refusal));
        }
        if one.name != leader && !refused {
            let status = one.refusal.status.map_or("no answer".to_owned(), |status| status.to_string());
            let what =
                format!("{} does not lead, and does not refuse a change with 409 not_leader but {status}", one.name);
            return Err(Mismatch::new(what, &one.refusal));
        }
        if one.name != leader && !names(&one.refusal.leader) {
            return Err(Mismatch::new(
                format!("{} refuses a change and names another than {leader}", one.name),
                &one.refusal,
            ));
        }
    }
    Ok(())
}

/// The loop of each controller that acts turned again, over all apps that are deployed, and its node is not stale.
pub fn judge_loop(seen: &Controllers, profile: Profile, apps: &[&str]) -> Result<(), Mismatch> {
    let mut turning = 0;
    for one in &seen.controllers {
        let (Ok(first), Ok(last)) = (&one.first, &one.last) else {
            return Err(Mismatch::new(format!("the loop of {} cannot be seen", one.name), one).of(Kind::Silence));
        };
        if !acts(profile, last) {
            continue;
        }
        if last.turned <= 0.0 {
            return Err(Mismatch::new(format!("the loop of {} never turned", one.name), last));
        }
        if !last.has_turned_since(first) {
            let what = format!("the loop of {} did not turn again in time", one.name);
            return Err(Mismatch::new(what, &[first, last]));
        }
        turning += 1;
        let reconciled = |app: &str| last.apps.iter().any(|one| one.app == app && one.times > 0);
        let missed: Vec<&str> = apps.iter().copied().filter(|app| !reconciled(app)).collect();
        if !missed.is_empty() {
            let what = format!("the loop of {} has not reconciled {}", one.name, missed.join(", "));
            return Err(Mismatch::new(what, &last.apps));
        }
    }
    if turning == 0 {
        return Err(Mismatch::new("the loop of no controller turned: none of them leads", &seen.controllers));
    }
    match seen.stale_nodes.as_slice() {
        [] => Ok(()),
        nodes => Err(Mismatch::new(format!("nodes are stale: {}", nodes.join(", ")), &seen.stale_nodes)),
    }
}
