//! What is seen of a live profile from outside it: through its ingress.

use super::session::Session;
use crate::attest::{Subject, routes};
use crate::checks::{Check, observed};
use crate::failure::Failure;

/// Looks at the routes.
pub(super) async fn look(session: &mut Session<'_>, subject: &Subject) -> Result<(), Failure> {
    session.observe("routes", routes::look(subject).await)
}

/// The checks over it.
pub(super) fn checks() -> Vec<Check> {
    vec![observed(
        "attest::routes",
        "routes",
        "every route answers 200 over TLS that verifies against WorkerBee's CA and no other; what is guarded asks for \
         a token",
        "ask the URL by hand, with `curl --cacert` and the CA in <state root>/global/caddy-local-root.crt",
        routes::judge,
    )]
}
