//! `WorkerBee`'s JSON, typed as far as the checks read it. Every other field is kept in `rest`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The outline of every answer: `ok`, its own checks, or an error.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Reply {
    /// `WorkerBee`'s verdict over the whole call.
    pub ok: Option<bool>,
    /// Its own checks, by name.
    pub checks: Vec<ReportedCheck>,
    /// What went wrong, when the call failed.
    pub error: Option<ReportedError>,
    /// All else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// One of `WorkerBee`'s own checks.
#[derive(Debug, Deserialize)]
pub struct ReportedCheck {
    /// Its name.
    pub name: String,
    /// Its verdict; no verdict is no pass.
    #[serde(default)]
    pub ok: bool,
}

/// `WorkerBee`'s own error.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ReportedError {
    /// A code such as `SOPS_REQUIRED`.
    pub code: Option<String>,
    /// What happened.
    pub message: Option<String>,
    /// What `WorkerBee` advises.
    pub remediation: Option<String>,
}

/// What `profile status` and the `status` of a startup validation say of the profile's containers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ProfileStatus {
    /// Whether every container is listed.
    pub running: bool,
    /// The containers.
    pub components: Vec<ComponentStatus>,
    /// Who holds the lease (k1s-ha-min).
    pub leader: Option<Leader>,
    /// The profile's record.
    pub profile: ProfileRecord,
}

/// What a validation says of the profile's start.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Started {
    /// `WorkerBee`'s verdict.
    pub ok: bool,
    /// Whether it was started, and not found running.
    pub started: bool,
    /// Whom it asked until they were ready.
    pub readiness: Readiness,
}

/// The readiness of a profile, as `WorkerBee` saw it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Readiness {
    /// Its verdict.
    pub ok: bool,
    /// Of controller 0.
    pub controller: bool,
    /// Of the API shim.
    pub apishim: bool,
}

impl Started {
    /// Whether it was started and all that was asked was ready; or what was not.
    pub fn is_ready(&self) -> Result<(), String> {
        let Readiness { ok, controller, apishim } = self.readiness;
        match (self.ok && self.started, ok && controller && apishim) {
            (true, true) => Ok(()),
            (false, _) => Err(format!("ok {}, started {}", self.ok, self.started)),
            (_, false) => Err(format!("ready {ok}, controller {controller}, API shim {apishim}")),
        }
    }
}

/// One container of a profile.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ComponentStatus {
    /// Container name.
    pub name: String,
    /// etcd, nats, apishim or controller.
    pub role: String,
    /// Whether it is listed as running.
    pub running: bool,
    /// containerd's id.
    pub container_id: Option<String>,
    /// Where it is reached from the host.
    pub url: Option<String>,
}

/// The holder of the lease of k1s-ha-min.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Leader {
    /// Such as `k1s-ha-min-controller-0`.
    pub controller_id: Option<String>,
    /// The lease's key in etcd.
    pub key: Option<String>,
}

/// The record of a started profile.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ProfileRecord {
    /// The HTTPS routes, by their purpose; one entry, `profile`, is no URL but the profile's name.
    pub ingress_urls: BTreeMap<String, String>,
    /// Where controller 0 is reached.
    pub controller_url: Option<String>,
    /// The containers.
    pub components: Vec<ComponentStatus>,
}

/// `mcp status`, as far as the runbook's acceptance goes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct McpStatus {
    /// Whether the daemon runs.
    pub running: bool,
    /// Its container runtime.
    pub runtime: Option<String>,
    /// Where it listens.
    pub mcp_url: Option<String>,
    /// The state root that it serves.
    pub state_root: Option<String>,
    /// The dashboard behind Caddy.
    pub global_dashboard: Dashboard,
}

/// The global dashboard and its ingress.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Dashboard {
    /// Whether it runs.
    pub running: bool,
    /// Whether Caddy answers on its HTTPS port.
    pub https_running: bool,
    /// Whether the CA is exported.
    pub ca_ready: bool,
    /// The fingerprint of the CA.
    pub ca_sha256: Option<String>,
    /// The probe of the dashboard.
    pub health_probe: Option<HealthProbe>,
}

/// `WorkerBee`'s probe of its dashboard.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct HealthProbe {
    /// Its verdict.
    pub ok: bool,
    /// Whether the certificate was verified.
    pub tls_verified: bool,
    /// The HTTP status that it got.
    pub status: Option<u16>,
}

impl Dashboard {
    /// What is wrong with it: it answers 200 over HTTPS, and its certificate was verified. `WorkerBee`'s own verdict alone
    /// would be good without either.
    pub fn wrong(&self) -> Option<String> {
        let Some(probe) = &self.health_probe else { return Some("its dashboard was not probed".to_owned()) };
        let HealthProbe { ok, tls_verified, status } = *probe;
        let good = self.running && self.https_running && ok && tls_verified && status == Some(200);
        let status = status.map_or("none".to_owned(), |status| status.to_string());
        let (running, https) = (self.running, self.https_running);
        (!good).then(|| {
            format!(
                "HTTPS running {https}, healthy {ok}, TLS verified {tls_verified}, status {status}, running {running}"
            )
        })
    }
}

impl McpStatus {
    /// The runbook's acceptance: running, on containerd, dashboard healthy.
    pub fn accepted(&self) -> bool {
        self.running
            && self.runtime.as_deref() == Some("containerd")
            && self.global_dashboard.health_probe.as_ref().is_some_and(|probe| probe.ok)
    }

    /// What is wrong with a daemon that a profile stands on: more than the runbook asks for before it restarts one.
    pub fn wrong(&self) -> Option<String> {
        if !self.running {
            return Some("it does not run".to_owned());
        }
        match self.runtime.as_deref() {
            Some("containerd") if !self.global_dashboard.ca_ready => Some("its CA is not ready".to_owned()),
            Some("containerd") => self.global_dashboard.wrong(),
            other => Some(format!("its runtime is {}", other.unwrap_or("not said"))),
        }
    }
}
