//! Rules over what `WorkerBee` says of a profile: each of its components, and who leads.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Component, Profile};
use crate::workerbee::reply::{ComponentStatus, Leader, ProfileStatus};

/// The components that the profile must have, by role and name.
pub(super) fn components(profile: Profile, seen: &[ComponentStatus]) -> Result<(), String> {
    let mut names: Vec<String> = seen
        .iter()
        .map(|component| {
            component.name.rsplit_once(profile.name()).map_or("?", |(_, rest)| rest.trim_start_matches('-')).to_owned()
        })
        .collect();
    let mut wanted: Vec<String> = profile.components().iter().map(ToString::to_string).collect();
    names.sort();
    wanted.sort();
    let miscast: Vec<&str> = seen
        .iter()
        .filter(|one| one.role.is_empty() || !one.name.contains(&one.role))
        .map(|one| one.name.as_str())
        .collect();
    let stopped: Vec<&str> =
        seen.iter().filter(|component| !component.running).map(|component| component.name.as_str()).collect();
    if names != wanted {
        return Err(format!("{} instead of {}", list(&names), list(&wanted)));
    }
    if !miscast.is_empty() {
        return Err(format!("components whose role does not fit their name: {}", miscast.join(", ")));
    }
    if !stopped.is_empty() {
        return Err(format!("not running: {}", stopped.join(", ")));
    }
    places(seen)
}

/// Where components are reached from the host: on loopback, no two at the same place.
fn places(seen: &[ComponentStatus]) -> Result<(), String> {
    let urls: Vec<&str> = seen.iter().filter_map(|one| one.url.as_deref()).collect();
    let different: BTreeSet<&str> = urls.iter().copied().filter(|url| url.starts_with("http://127.0.0.1:")).collect();
    if different.len() == urls.len() { Ok(()) } else { Err(format!("reached at {}", urls.join(", "))) }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// containerd's ids are 64 hex digits.
pub(super) fn ids(components: &[ComponentStatus]) -> Result<(), String> {
    let mut ids: Vec<&str> =
        components.iter().map(|component| component.container_id.as_deref().unwrap_or_default()).collect();
    let odd: Vec<String> = ids
        .iter()
        .filter(|id| id.len() != 64 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map(|id| format!("{id:?}"))
        .collect();
    let total = ids.len();
    ids.sort_unstable();
    ids.dedup();
    match (total, odd.is_empty(), ids.len() == total) {
        (0, _, _) => Err("no components".to_owned()),
        (_, false, _) => Err(format!("no containerd ids: {}", odd.join(", "))),
        (_, _, false) => Err(format!("{total} components share {} ids", ids.len())),
        _ => Ok(()),
    }
}

/// Where a leader is elected, it is one of the profile's controllers.
pub(super) fn leads(profile: Profile, leader: Option<&Leader>) -> Result<(), String> {
    if !profile.elects_leader() {
        return Ok(());
    }
    let named = leader.and_then(|leader| leader.controller_id.as_deref()).ok_or("no leader is named")?;
    let is_one = |component: &Component| {
        matches!(component, Component::Controller(_)) && named == format!("{profile}-{component}")
    };
    if !profile.components().iter().any(is_one) {
        return Err(format!("{named} leads, no controller of it"));
    }
    let key = leader.and_then(|leader| leader.key.as_deref()).unwrap_or_default();
    let is_lease = key.ends_with(&format!("/{profile}/controlplane/leader"));
    if is_lease { Ok(()) } else { Err(format!("{named} leads by {key:?}, which is not the lease")) }
}

/// The routes that the runbook asks for. What is behind them is not looked at here.
pub(super) fn routes(urls: &BTreeMap<String, String>) -> Result<(), String> {
    let wanted = ["controller", "controller_health", "dashboard", "docs", "api", "api_healthz"];
    let missing: Vec<&str> =
        wanted.into_iter().filter(|name| !urls.get(*name).is_some_and(|url| url.starts_with("https://"))).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("no HTTPS route for {}", missing.join(", "))) }
}

/// The whole of a profile that runs: every component with an id of its own, its routes, and a leader where there is one.
pub(super) fn alive(profile: Profile, status: &ProfileStatus) -> Result<(), String> {
    components(profile, &status.components)?;
    ids(&status.components)?;
    routes(&status.profile.ingress_urls)?;
    leads(profile, status.leader.as_ref())
}
