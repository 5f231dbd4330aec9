//! The HTTPS routes of a profile: they answer, for WorkerBee's CA alone, and not everything to everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use hyper::Uri;
use serde::{Deserialize, Serialize};

use super::app::{self, App};
use super::ingress::Ingress;
use super::probe::{After, Moment, Observe, Probe, Rule};
use super::tls::{Answer, Question, Trust};
use super::{Subject, listeners, poll};
use crate::failure::{Failure, Kind, Mismatch};
use crate::plan::Gate;

/// The routes that the runbook asks for.
pub const WANTED: [&str; 6] = ["api", "api_healthz", "controller", "controller_health", "dashboard", "docs"];

/// The applications of `WorkerBee`'s template that are behind the ingress.
const PUBLIC: [&str; 2] = ["backend", "frontend"];

/// Routes that are no page but the root of an API, which answers below: what is asked for there.
const ROOTS: [(&str, &str); 2] = [("api", "version"), ("apishim", "version")];

/// How the name of an application's route begins.
const OF_APP: &str = "app ";

/// Who answers a route: what its name begins with, and the component.
const BEHIND: [(&str, &str); 3] = [(OF_APP, "the application"), ("api", "apishim"), ("", "controller-0")];

/// How long Caddy may take to load the profile's sites.
const SETTLED: Duration = Duration::from_secs(10);

/// The observation of the routes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Routes {
    /// Each route, trusting `WorkerBee`'s CA.
    pub routes: Vec<Route>,
    /// Each host name, trusting a CA that has signed nothing.
    pub strangers: Vec<Stranger>,
    /// The questions that need credentials.
    pub guards: Vec<Guard>,
}

/// One route.
#[derive(Debug, Serialize, Deserialize)]
pub struct Route {
    /// Its purpose.
    pub name: String,
    /// The URL that was asked.
    pub url: String,
    /// The answer.
    pub answer: Answer,
}

/// A host name, as one sees it who trusts another CA.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stranger {
    /// The host name.
    pub host: String,
    /// The answer.
    pub answer: Answer,
}

/// A question that needs credentials.
#[derive(Debug, Serialize, Deserialize)]
pub struct Guard {
    /// The server: `api` or `controller`.
    pub name: String,
    /// The URL that was asked.
    pub url: String,
    /// Without credentials.
    pub without: Answer,
    /// With a token that nobody gave out.
    pub made_up: Answer,
    /// With the profile's own token.
    pub with: Answer,
    /// The status that the token opens.
    pub opens: u16,
}

/// The routes of the profile, and of the apps that were deployed into it.
pub static PROBE: Probe<Routes> = Probe {
    name: "routes",
    of: Gate::starts_profile,
    moment: Moment::Look,
    after: After::Nobody,
    observe: Observe::Ask(|scene| {
        Box::pin(async move {
            let deploys = scene.gate.deploys_apps();
            let apps = if deploys { app::deployed(&scene.subject)? } else { Vec::new() };
            let routes = observe(&scene.subject, &apps).await;
            scene.tell(|aside| aside.noticed.extend(listeners::shared_admin()));
            routes
        })
    }),
    checks: &[Rule::new(
        "attest::routes",
        "every route answers 200 over TLS that verifies against WorkerBee's CA and no other; what is guarded asks for \
         a token",
        "ask the URL by hand, with `curl --cacert` and the CA in <state root>/global/caddy-local-root.crt",
        |seen, case| if case.gate.deploys_apps() { judge_with_apps(seen) } else { judge(seen) },
    )],
    triage: &["ingress-status.json", "profile-status.json"],
};

/// Asks every route: those of the profile, and those of the applications that were deployed into it.
pub async fn observe(subject: &Subject, apps: &[App]) -> Result<Routes, Failure> {
    let ingress = Ingress::of(subject)?;
    let stranger = Trust::stranger()?;
    let mut urls = ingress.routes.clone();
    for app in apps {
        if let Some(host) = &app.host {
            urls.insert(of_app(&app.name), ingress.at(host, "/healthz")?);
        }
    }
    Ok(poll::until(
        SETTLED,
        &subject.ended,
        async || once(&ingress, &stranger, &urls).await,
        |seen| judge(seen).is_ok(),
    )
    .await)
}

/// The name of an application's route.
fn of_app(app: &str) -> String {
    format!("{OF_APP}{app}")
}

async fn once(ingress: &Ingress, stranger: &Trust, urls: &BTreeMap<String, String>) -> Routes {
    let routes = join_all(urls.iter().map(async |(name, url)| {
        let below = ROOTS.iter().find(|(root, _)| root == name).map_or("", |(_, below)| below);
        let url = format!("{url}{below}");
        let answer = ingress.trust.ask(Question::get(&url)).await.into();
        Route { name: name.clone(), url, answer }
    }));
    let hosts: BTreeSet<(String, String)> = urls.values().filter_map(|url| origin(url)).collect();
    let strangers = join_all(hosts.iter().map(async |(host, origin)| Stranger {
        host: host.clone(),
        answer: stranger.ask(Question::get(origin)).await.into(),
    }));
    let (routes, strangers, guards) = tokio::join!(routes, strangers, guards(ingress));
    Routes { routes, strangers, guards }
}

/// Reads of the controller, and reads of the API within a namespace, are open to everybody in `WorkerBee`'s profiles
/// (`AE_LABS`, `AE_APISHIM_ALLOW_ANON`). What k1s guards all the same: changes at the controller, and the API's
/// secrets. The change that is asked for is an empty one: who may change anything is told that it
/// names no app (400), and nothing is changed.
async fn guards(ingress: &Ingress) -> Vec<Guard> {
    let guarded = [
        ("api", "api/v1/namespaces/default/secrets", None, &ingress.tokens.api, 200),
        ("controller", "apply", Some("{}"), &ingress.tokens.admin, 400),
    ];
    join_all(guarded.into_iter().filter_map(|(name, path, body, token, opens)| {
        let url = ingress.below(name, path).ok()?;
        Some(async move {
            let ask = async |token| ingress.trust.ask(Question { url: &url, token, body }).await.into();
            let (without, made_up, with) =
                tokio::join!(ask(None), ask(Some("nobody-gave-this-out")), ask(Some(token.as_str())));
            Guard { name: name.to_owned(), url: url.clone(), without, made_up, with, opens }
        })
    }))
    .await
}

/// The host name of a URL, and `https://host:port/`.
fn origin(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    Some((uri.host()?.to_owned(), format!("https://{}/", uri.authority()?)))
}

/// The rule of a gate that deployed applications: those behind the ingress have a route each, and all are as they should be.
pub fn judge_with_apps(seen: &Routes) -> Result<(), Mismatch> {
    let apps = PUBLIC.map(of_app);
    wanted(seen, &apps.each_ref().map(String::as_str))?;
    judge(seen)
}

/// All of them answer 200 over TLS that verifies against `WorkerBee`'s CA alone; the guarded ones ask for credentials.
pub fn judge(seen: &Routes) -> Result<(), Mismatch> {
    wanted(seen, &WANTED)?;
    for route in &seen.routes {
        match &route.answer {
            // An empty page is Caddy's answer where it has no site.
            Answer::Answered { status: 200, bytes: 1.. } => {}
            Answer::Answered { status, bytes } => {
                let (how, kind) = told(&route.name, *status, *bytes);
                let what = format!("{} does not answer as it should: {how}", route.url);
                return Err(Mismatch::new(what, route).of(kind));
            }
            Answer::BadCertificate(_) => {
                return Err(Mismatch::new(
                    format!("{}: the certificate was not issued by WorkerBee's CA for that name", route.url),
                    route,
                )
                .of(Kind::WorkerBee));
            }
            // Whoever connects and shakes hands is the ingress: what is behind it takes its time at most.
            Answer::Failed(why) => {
                return Err(Mismatch::new(format!("{} does not answer: {why}", route.url), route).of(Kind::WorkerBee));
            }
            Answer::Late(why) => {
                return Err(Mismatch::new(format!("{} does not answer: {why}", route.url), route).of(Kind::Silence));
            }
        }
    }
    strangers(seen)?;
    for name in ["api", "controller"] {
        let Some(guard) = seen.guards.iter().find(|guard| guard.name == name) else {
            return Err(Mismatch::new(format!("nothing guarded was asked of the {name}"), &seen.guards));
        };
        guarded(guard)?;
    }
    Ok(())
}

fn behind(route: &str) -> &'static str {
    BEHIND.iter().find(|(beginning, _)| route.starts_with(beginning)).map_or("nobody", |(_, name)| name)
}

/// Who answered so: k1s, or the ingress for it.
fn told(route: &str, status: u16, bytes: usize) -> (String, Kind) {
    let behind = behind(route);
    match (status, bytes) {
        (502 | 504, _) | (503, 0) => (format!("{behind} is not reached ({status})"), Kind::Silence),
        // k1s writes the sites of applications, WorkerBee those of the profile.
        (200, 0) if route.starts_with(OF_APP) => {
            ("the ingress has no site of that name, or one without this page".to_owned(), Kind::Finding)
        }
        (200, 0) => ("the ingress has no site of that name".to_owned(), Kind::WorkerBee),
        _ => (format!("{behind} answers {status}"), Kind::Finding),
    }
}

fn wanted(seen: &Routes, names: &[&str]) -> Result<(), Mismatch> {
    let is_there = |name: &&str| seen.routes.iter().any(|route| route.name == *name);
    let missing: Vec<&str> = names.iter().copied().filter(|name| !is_there(name)).collect();
    if !missing.is_empty() {
        let names: Vec<&str> = seen.routes.iter().map(|route| route.name.as_str()).collect();
        return Err(Mismatch::new(format!("no route for {}", missing.join(", ")), &names));
    }
    Ok(())
}

fn strangers(seen: &Routes) -> Result<(), Mismatch> {
    for route in &seen.routes {
        let host = origin(&route.url).map(|(host, _)| host).unwrap_or_default();
        match seen.strangers.iter().find(|stranger| stranger.host == host) {
            Some(Stranger { answer: Answer::BadCertificate(_), .. }) => {}
            Some(other) => {
                return Err(Mismatch::new(
                    format!("{host} is accepted by a client that trusts only a different CA"),
                    other,
                )
                .of(Kind::WorkerBee));
            }
            None => {
                return Err(Mismatch::new(
                    format!("{host} was not asked by a client that trusts a different CA"),
                    &seen.strangers,
                ));
            }
        }
    }
    Ok(())
}

fn guarded(guard: &Guard) -> Result<(), Mismatch> {
    let refused = |answer: &Answer| matches!(answer.status(), Some(401 | 403));
    let what = if !refused(&guard.without) {
        "lets in whoever has no credentials"
    } else if !refused(&guard.made_up) {
        "lets in whoever has made up a token"
    } else if guard.with.status() != Some(guard.opens) {
        "does not open to the profile's own token"
    } else {
        return Ok(());
    };
    let status = |answer: &Answer| answer.status().map_or("nothing".to_owned(), |status| status.to_string());
    let answers = [&guard.without, &guard.made_up, &guard.with].map(status).join(", ");
    let what = format!("{} {what}, at {} (without, made up, its own: {answers})", behind(&guard.name), guard.url);
    Err(Mismatch::new(what, guard))
}
