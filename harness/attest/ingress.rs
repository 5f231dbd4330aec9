//! The profile as it is reached from outside: its routes, its CA, and the tokens that open it.

use std::collections::BTreeMap;
use std::fmt;

use hyper::Uri;
use serde::Deserialize;

use super::Subject;
use super::tls::Trust;
use crate::failure::Failure;
use crate::workerbee::reply::ProfileRecord;

/// The way in.
pub struct Ingress {
    /// `WorkerBee`'s own CA and no other.
    pub trust: Trust,
    /// The HTTPS routes by their purpose.
    pub routes: BTreeMap<String, String>,
    /// The tokens. They are sent, and never kept.
    pub tokens: Tokens,
}

/// The tokens of a profile, in clear.
#[derive(Deserialize)]
pub struct Tokens {
    /// Opens the API.
    #[serde(rename = "apishim_token")]
    pub api: String,
    /// Opens the controller for changes.
    #[serde(rename = "admin_token")]
    pub admin: String,
    /// Opens the controller for reading.
    #[serde(rename = "read_token")]
    pub read: String,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(***)")
    }
}

impl Ingress {
    /// Reads the routes that `WorkerBee` recorded of a live profile, and its CA.
    pub fn of(subject: &Subject) -> Result<Self, Failure> {
        let record: ProfileRecord = subject.profile_record()?;
        // Its one entry that is no route is the profile's name.
        let routes = record.ingress_urls.into_iter().filter(|(name, _)| name != "profile").collect();
        let trust = Trust::only(&subject.state_root.join("global/caddy-local-root.crt"))?;
        Ok(Self { trust, routes, tokens: subject.profile_record()? })
    }

    /// The URL of a page of another host behind the same Caddy.
    pub fn at(&self, host: &str, path: &str) -> Result<String, Failure> {
        let port = self.below("controller", "")?.parse::<Uri>().ok().and_then(|uri| uri.port_u16()).unwrap_or(443);
        Ok(format!("https://{host}:{port}{path}"))
    }

    /// The URL of something below a route, such as `version` below `api`.
    pub fn below(&self, route: &str, path: &str) -> Result<String, Failure> {
        let base = self.routes.get(route).ok_or_else(|| {
            Failure::new(format!("WorkerBee names no route `{route}`"))
                .expected("a route to controller and API")
                .seen(self.routes.keys().cloned().collect::<Vec<_>>().join(", "))
                .remedy("see /ingress_urls in the profile's record")
        })?;
        Ok(format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/')))
    }
}
