//! Workload: images are built, an app is deployed into the nested engine, probed and exported.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::session::Session;
use super::validation::{self, LABEL};
use super::{attest, cleanup, secrets};
use crate::checks::{Check, WORKERBEE_OK, backed, no_unknown_checks, snapshot, succeeded};
use crate::failure::Failure;
use crate::plan::{Gate, Profile};
use crate::workerbee::reply::Started;
use crate::workerbee::request::Request;

const KNOWN: [&str; 8] = [
    "profile-start",
    "images-built",
    "manifest-deploy",
    "workload-status",
    "control-plane-urls",
    "https-probes",
    "websocket-probe",
    "exports",
];

pub(super) async fn run(session: &mut Session<'_>, profile: Profile) -> Result<(), Failure> {
    let timeout = session.limits().workload;
    let file = session.own(&format!("{profile}-workload.json"));
    validation::run(session, profile, Request::ValidateWorkload(profile, timeout), timeout, &file).await
}

pub(super) fn checks(profile: Profile) -> Vec<Check> {
    let mut checks = vec![
        succeeded(WORKERBEE_OK, LABEL),
        backed(LABEL, "profile-start", "/profile_start", "a started profile that was found ready", Started::is_ready),
        backed(LABEL, "images-built", "/builds", "three built images", |builds: &Vec<Value>| {
            all_ok(builds, 3)?;
            distinct(builds, "tag", 3)
        }),
        backed(LABEL, "manifest-deploy", "/deploy/apply", "three applied manifests", |applied: &Vec<Value>| {
            all_ok(applied, 3)?;
            distinct(applied, "manifest", 3)
        }),
        backed(
            LABEL,
            "workload-status",
            "/status/resources",
            "pods, and an answer for every kind of resource",
            resources,
        ),
        backed(
            LABEL,
            "control-plane-urls",
            "/url_checks",
            "control-plane URLs that answer 200",
            |urls: &Vec<Value>| {
                all_ok(urls, CONTROL_PLANE.len())?;
                distinct(urls, "url", CONTROL_PLANE.len())?;
                let named = |name: &&str| urls.iter().any(|url| url["name"] == **name);
                if let Some(missing) = CONTROL_PLANE.iter().find(|name| !named(name)) {
                    return Err(format!("`{missing}` was not asked"));
                }
                let is_good = |url: &Value| {
                    url["status"] == 200 && url["url"].as_str().is_some_and(|url| url.starts_with("https://"))
                };
                match urls.iter().find(|url| !is_good(url)) {
                    None => Ok(()),
                    Some(url) => Err(format!("{} answers {}", url["url"], url["status"])),
                }
            },
        ),
        backed(LABEL, "https-probes", "/probes", "three probes over verified TLS", |probes: &Vec<Probe>| https(probes)),
        backed(LABEL, "websocket-probe", "/websocket", "the echo that was asked for", |seen: &Echo| {
            if !seen.url.starts_with("wss://") {
                Err(format!("{} is not over TLS", seen.url))
            } else if seen.ok && !seen.expected.is_empty() && seen.message == seen.expected {
                Ok(())
            } else {
                Err(format!("{:?} instead of {:?}", seen.message, seen.expected))
            }
        }),
        backed(LABEL, "exports", "/exports", "k1s, k8s and helm, each with files", |seen: &Map<String, Value>| {
            exports(seen)
        }),
        no_unknown_checks(LABEL, &KNOWN),
        snapshot(LABEL),
    ];
    checks.extend(attest::checks(Gate::Workload(profile)));
    checks.extend(cleanup::checks(profile));
    checks.extend(secrets::checks());
    checks
}

#[derive(Debug, Deserialize)]
pub(super) struct Resource {
    status: u16,
    count: usize,
}

#[derive(Debug, Deserialize)]
struct Probe {
    ok: bool,
    status: u16,
    tls_verified: bool,
    url: String,
}

#[derive(Debug, Deserialize)]
struct Echo {
    ok: bool,
    expected: String,
    message: String,
    url: String,
}

/// What WorkerBee asks of a control plane.
const CONTROL_PLANE: [&str; 5] = ["dashboard", "docs", "controller-health", "api-healthz", "api-openapi-v3"];

/// At least so many values of a member: the same thing three times is one thing.
fn distinct(items: &[Value], member: &str, least: usize) -> Result<(), String> {
    let values: BTreeSet<&str> = items.iter().filter_map(|item| item[member].as_str()).collect();
    if values.len() >= least { Ok(()) } else { Err(format!("{} of at least {least} by their {member}", values.len())) }
}

/// At least so many items, each with `"ok": true`.
fn all_ok(items: &[Value], least: usize) -> Result<(), String> {
    let failed: Vec<String> =
        items.iter().filter(|item| item["ok"] != Value::Bool(true)).map(ToString::to_string).collect();
    if items.len() < least {
        return Err(format!("{} of at least {least}", items.len()));
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("not ok: {}", failed.join(", ").chars().take(400).collect::<String>()))
    }
}

/// `WorkerBee` asks once, right after the apply, when k1s may not have mirrored services, deployments and ingresses
/// yet: of those only the answer counts here.
pub(super) fn resources(seen: &BTreeMap<String, Resource>) -> Result<(), String> {
    let wanted = ["pods", "services", "deployments", "statefulsets", "jobs", "ingresses"];
    let wrong: Vec<String> = wanted
        .into_iter()
        .filter_map(|kind| match seen.get(kind) {
            Some(resource) if resource.status == 200 && (resource.count > 0 || kind != "pods") => None,
            Some(resource) => Some(format!("{kind}: status {}, {} of them", resource.status, resource.count)),
            None => Some(format!("{kind}: not reported")),
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

fn https(probes: &[Probe]) -> Result<(), String> {
    let failed: Vec<String> = probes
        .iter()
        .filter(|probe| !(probe.ok && probe.tls_verified && probe.status == 200))
        .map(|probe| format!("{}: status {}, TLS verified {}", probe.url, probe.status, probe.tls_verified))
        .collect();
    if probes.len() < 3 {
        return Err(format!("{} of at least 3 probes", probes.len()));
    }
    let pages: BTreeSet<&str> =
        probes.iter().map(|probe| probe.url.as_str()).filter(|url| url.starts_with("https://")).collect();
    if pages.len() < 3 {
        return Err(format!("{} of at least 3 pages were probed over HTTPS", pages.len()));
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

fn exports(seen: &Map<String, Value>) -> Result<(), String> {
    let wrong: Vec<String> = ["k1s", "k8s", "helm"]
        .into_iter()
        .filter_map(|format| {
            let files = seen.get(format).and_then(|export| export["files"].as_array()).map_or(0, Vec::len);
            let is = |member: &str, value: Value| seen.get(format).is_some_and(|export| export[member] == value);
            let (ok, named) = (is("ok", true.into()), is("format", format.into()));
            (!ok || !named || files == 0).then(|| format!("{format}: ok {ok}, of that format {named}, {files} files"))
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}
