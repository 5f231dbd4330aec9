//! Startup: a profile comes up in containers.

use super::profile_status::{components, ids, leads, routes};
use super::session::Session;
use super::validation::{self, LABEL};
use super::{attest, cleanup, secrets};
use crate::checks::{Check, WORKERBEE_OK, backed, no_unknown_checks, part, reported, snapshot, succeeded};
use crate::failure::Failure;
use crate::plan::{Gate, Profile};
use crate::workerbee::reply::{ProfileStatus, Started};
use crate::workerbee::request::Request;

const KNOWN: [&str; 4] = ["profile-start", "components-running", "containerized-components", "ha-leader-observed"];

pub(super) async fn run(session: &mut Session<'_>, profile: Profile) -> Result<(), Failure> {
    let timeout = session.limits().startup;
    let file = format!("{profile}-profile.json");
    validation::run(session, profile, Request::Validate(profile, timeout), timeout, &file).await
}

pub(super) fn checks(profile: Profile) -> Vec<Check> {
    let mut checks = vec![
        succeeded(WORKERBEE_OK, LABEL),
        backed(LABEL, "profile-start", "/started", "a started profile that was found ready", Started::is_ready),
        backed(LABEL, "components-running", "/status", "\"running\": true", |status: &ProfileStatus| {
            if status.running { Ok(()) } else { Err("\"running\" is false".to_owned()) }
        }),
        // What it stands on is judged by name and id below.
        reported(LABEL, "containerized-components"),
    ];
    if profile.elects_leader() {
        let expected = "a leader that is one of the profile's controllers";
        checks.push(backed(LABEL, "ha-leader-observed", "/status", expected, move |status: &ProfileStatus| {
            leads(profile, status.leader.as_ref())
        }));
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
    checks.extend(attest::checks(Gate::Startup(profile)));
    checks.extend(cleanup::checks(profile));
    checks.extend(secrets::checks());
    checks
}
