//! Startup: a profile comes up in containers.

use std::collections::BTreeMap;

use super::session::Session;
use super::validation::{self, LABEL};
use super::{alive, finish, secrets};
use crate::checks::{Check, WORKERBEE_OK, no_unknown_checks, part, reported, snapshot, succeeded};
use crate::failure::Failure;
use crate::plan::{Gate, Profile};
use crate::workerbee::reply::{ComponentStatus, ProfileStatus};
use crate::workerbee::request::Request;

const REPORTED: [&str; 3] = ["profile-start", "components-running", "containerized-components"];
const KNOWN: [&str; 4] = ["profile-start", "components-running", "containerized-components", "ha-leader-observed"];

pub(super) async fn run(session: &mut Session<'_>, profile: Profile) -> Result<(), Failure> {
    let timeout = session.limits().startup;
    let file = format!("{profile}-profile.json");
    validation::run(session, profile, Request::Validate(profile, timeout), timeout, &file).await
}

pub(super) fn checks(profile: Profile) -> Vec<Check> {
    let mut checks = vec![succeeded(WORKERBEE_OK, LABEL)];
    checks.extend(REPORTED.map(|name| reported(LABEL, name)));
    if profile == Profile::HaMin {
        checks.push(reported(LABEL, "ha-leader-observed"));
    }
    checks.extend([
        no_unknown_checks(LABEL, &KNOWN),
        part(
            "components",
            LABEL,
            "/status",
            "every component of the profile, once, and no other",
            move |status: &ProfileStatus| components(profile, &status.components),
        ),
        part(
            "component-ids",
            LABEL,
            "/status",
            "a containerd id for each component, no two alike",
            |status: &ProfileStatus| ids(&status.components),
        ),
        part("routes", LABEL, "/status", "HTTPS routes to controller, dashboard and API", |status: &ProfileStatus| {
            routes(&status.profile.ingress_urls)
        }),
        snapshot(LABEL),
    ]);
    checks.extend(alive::checks(Gate::Startup(profile)));
    checks.extend(finish::checks(profile));
    checks.extend(secrets::checks());
    checks
}

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
    let miscast: Vec<&str> =
        seen.iter().filter(|one| !one.name.contains(&one.role)).map(|one| one.name.as_str()).collect();
    let stopped: Vec<&str> =
        seen.iter().filter(|component| !component.running).map(|component| component.name.as_str()).collect();
    if names != wanted {
        return Err(format!("{} instead of {}", list(&names), list(&wanted)));
    }
    if !miscast.is_empty() {
        return Err(format!("components whose role does not fit their name: {}", miscast.join(", ")));
    }
    if stopped.is_empty() { Ok(()) } else { Err(format!("not running: {}", stopped.join(", "))) }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// containerd's ids are 64 hex digits.
fn ids(components: &[ComponentStatus]) -> Result<(), String> {
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

/// The routes that the runbook asks for. What is behind them is not looked at here.
fn routes(urls: &BTreeMap<String, String>) -> Result<(), String> {
    let wanted = ["controller", "controller_health", "dashboard", "docs", "api", "api_healthz"];
    let missing: Vec<&str> =
        wanted.into_iter().filter(|name| !urls.get(*name).is_some_and(|url| url.starts_with("https://"))).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("no HTTPS route for {}", missing.join(", "))) }
}
