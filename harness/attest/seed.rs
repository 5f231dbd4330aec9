//! Database, backend and frontend reach each other: what is written into the database comes out of both.
//!
//! The app answers with the value that it was started with; one that had it built in would answer so too. So another
//! one is written, which nobody can know, and the first is put back.

use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::app::{self, App};
use super::ingress::Ingress;
use super::probe::{After, Moment, Observe, Probe, Rule};
use super::tls::Question;
use super::{Subject, client, poll};
use crate::failure::{Failure, Mismatch};
use crate::plan::Gate;

/// The value that the app is seeded with; `WorkerBee` expects it in the backend's answer.
const SEED: &str = "workerbee";

const QUESTION: Duration = Duration::from_secs(5);
const SETTLED: Duration = Duration::from_secs(15);

/// The observation of a value's way from the database to the browser.
#[derive(Debug, Serialize, Deserialize)]
pub struct Seed {
    /// The value that was written, and that nobody could know.
    pub written: String,
    /// The answers of each app's service on this machine.
    pub services: Vec<Published>,
    /// The answer of the database's service.
    pub database: Hop,
    /// The answer of the backend's route, over TLS.
    pub backend: Hop,
    /// The answer of the frontend's route, over TLS.
    pub frontend: Hop,
    /// True when the previous value was put back.
    pub restored: bool,
}

/// The service of an app, as k1s publishes it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Published {
    /// The name of the app.
    pub app: String,
    /// The URL that was asked.
    pub url: String,
    /// The status of the answer, or why there is none.
    pub status: Result<u16, String>,
}

/// One station.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hop {
    /// The URL that was asked.
    pub url: String,
    /// True when its answer says that all is well.
    pub ok: bool,
    /// The value that it has.
    pub value: Option<String>,
    /// The peer that it has the value from: a URL, with the port of the peer's service.
    pub peer: Option<String>,
    /// The port of the peer's service by the deployed manifest.
    pub peer_port: Option<i32>,
    /// The reason why there is no value.
    pub error: Option<String>,
}

/// A value's way through the app.
pub static PROBE: Probe<Seed> = Probe {
    name: "app",
    of: Gate::deploys_apps,
    moment: Moment::Look,
    after: After::These(&["routes"]),
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject))),
    checks: &[Rule::new(
        "attest::app",
        "what is written into the database comes out of backend and frontend, by the ports of their services",
        "see the logs of the app's containers, and DB_URLS and BACKEND_URLS in their manifests",
        |seen, _| judge(seen),
    )],
    triage: &[],
};

/// Writes a value, asks all three for it, and puts the old one back.
pub async fn observe(subject: &Subject) -> Result<Seed, Failure> {
    let ingress = Ingress::of(subject)?;
    let apps = app::deployed(subject)?;
    let (db, backend, frontend) =
        (app::named(&apps, "db")?, app::named(&apps, "backend")?, app::named(&apps, "frontend")?);
    // WorkerBee's own word stays in it: whoever of WorkerBee's looks just now finds it.
    let written = format!("{SEED} {}", jiff::Timestamp::now());
    let mut seed = poll::until(
        SETTLED,
        &subject.ended,
        async || {
            let database = database(db, &written).await;
            let (services, backend, frontend) = tokio::join!(
                join_all(apps.iter().map(published)),
                hop(&ingress, backend, db, "/api/seed", "db", "/seed"),
                hop(&ingress, frontend, backend, "/healthz", "backend", "/body"),
            );
            Seed { written: written.clone(), services, database, backend, frontend, restored: false }
        },
        |seen| stations(seen).is_ok(),
    )
    .await;
    seed.restored = database(db, SEED).await.value.as_deref() == Some(SEED);
    Ok(seed)
}

/// Asks an app by the port of its service, not through the ingress.
async fn published(app: &App) -> Published {
    let url = format!("http://127.0.0.1:{}/healthz", app.service_port);
    let status = async {
        let asked = client(QUESTION).map_err(|failure| failure.what)?.get(&url).send().await;
        asked.map(|answer| answer.status().as_u16()).map_err(|error| error.without_url().to_string())
    };
    Published { app: app.name.clone(), status: status.await, url }
}

/// The database's own service, published on this machine.
async fn database(db: &App, value: &str) -> Hop {
    let url = format!("http://127.0.0.1:{}/kv/boot", db.service_port);
    let answer = async {
        let request = client(QUESTION).map_err(|failure| failure.what)?.post(&url).body(value.to_owned());
        let answer = async { request.send().await?.error_for_status()?.json::<Value>().await };
        answer.await.map_err(|error| error.without_url().to_string())
    };
    let (value, error) = match answer.await {
        Ok(answer) => (answer["value"].as_str().map(str::to_owned), None),
        Err(error) => (None, Some(error)),
    };
    Hop { url, ok: value.is_some(), value, peer: None, peer_port: None, error }
}

async fn hop(ingress: &Ingress, of: &App, peer: &App, path: &str, peer_at: &str, inner: &str) -> Hop {
    let url = of.host.as_ref().map_or_else(String::new, |host| ingress.at(host, path).unwrap_or_default());
    let mut hop =
        Hop { url: url.clone(), ok: false, value: None, peer: None, peer_port: Some(peer.service_port), error: None };
    match ingress.trust.ask(Question::get(&url)).await {
        Ok(response) => {
            let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
            hop.ok = response.status == 200 && answer["ok"] == Value::Bool(true);
            hop.peer = answer[peer_at].as_str().map(str::to_owned);
            hop.value = innermost(answer.pointer(inner));
            hop.error = (!hop.ok).then(|| format!("status {}", response.status));
        }
        Err(answer) => hop.error = Some(format!("{answer:?}")),
    }
    hop
}

/// Each station wraps its peer's answer into a string: the value is in the last one.
fn innermost(wrapped: Option<&Value>) -> Option<String> {
    let inner: Value = serde_json::from_str(wrapped?.as_str()?).ok()?;
    match inner.get("value") {
        Some(value) => value.as_str().map(str::to_owned),
        None => innermost(inner.get("seed")),
    }
}

/// The value came through all stations, each of which has it from its neighbour's service.
pub fn judge(seen: &Seed) -> Result<(), Mismatch> {
    stations(seen)?;
    if seen.restored {
        Ok(())
    } else {
        Err(Mismatch::new("the database did not take its first value back", &seen.database))
    }
}

fn stations(seen: &Seed) -> Result<(), Mismatch> {
    if !seen.written.starts_with(SEED) || seen.written == SEED {
        return Err(Mismatch::new("nothing was written that nobody could know", &seen.written));
    }
    for (name, hop) in [("database", &seen.database), ("backend", &seen.backend), ("frontend", &seen.frontend)] {
        if !hop.ok {
            return Err(Mismatch::new(format!("the {name} does not answer that all is well"), hop));
        }
        if hop.value.as_ref() != Some(&seen.written) {
            return Err(Mismatch::new(format!("the {name} does not have what was written into the database"), hop));
        }
    }
    for (name, hop) in [("backend", &seen.backend), ("frontend", &seen.frontend)] {
        let port = hop.peer_port.map(|port| format!(":{port}")).unwrap_or_default();
        if port.is_empty() || !hop.peer.as_ref().is_some_and(|peer| peer.ends_with(&port)) {
            return Err(Mismatch::new(
                format!("the {name} does not reach its neighbour by the port of its service"),
                hop,
            ));
        }
    }
    for name in app::NAMES {
        let Some(service) = seen.services.iter().find(|service| service.app == name) else {
            return Err(Mismatch::new(format!("the service of {name} was not asked"), &seen.services));
        };
        if service.status != Ok(200) {
            return Err(Mismatch::new(format!("the service of {name} does not answer that all is well"), service));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::of_the_backend(json!(r#"{"key": "boot", "value": "workerbee"}"#), Some("workerbee"))]
    #[case::of_the_frontend(json!(r#"{"db": "http://a:1", "seed": "{\"value\": \"workerbee\"}"}"#), Some("workerbee"))]
    #[case::null(json!(r#"{"value": null}"#), None)]
    #[case::an_error(json!("http://a:1: connection refused"), None)]
    #[case::no_string(json!({ "value": "workerbee" }), None)]
    #[case::cut_off(json!(r#"{"value": "work"#), None)]
    fn the_value_is_the_innermost(#[case] wrapped: Value, #[case] value: Option<&str>) {
        assert_eq!(innermost(Some(&wrapped)).as_deref(), value);
    }
}
