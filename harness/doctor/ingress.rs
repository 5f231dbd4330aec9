//! Caddy's admin port on the user's own host.
//!
//! `WorkerBee`'s ingress is in the host's network and shares that port with every other Caddy, be it another state root's
//! or the host's own. A reload that reaches the wrong one replaces what it serves: better known before a run than by it.

use std::path::Path;

use serde::Deserialize;

use super::Condition;
use crate::attest::listeners::{CADDY_ADMIN, servers_at};

/// The part of `WorkerBee`'s record of its ingress that is needed.
#[derive(Deserialize)]
struct Known {
    https_port: u16,
}

const NAME: &str = "Caddy's admin port";

/// Checks that the ingress of this state root has the admin port for itself, or would have it.
pub(super) fn admin(state_root: &Path) -> Condition {
    let others = match servers_at(CADDY_ADMIN) {
        Ok(servers) => servers.saturating_sub(usize::from(is_up(state_root))),
        Err(error) => return Condition::unmet(NAME, format!("/proc/net: {error}"), "see that /proc is mounted"),
    };
    judge(others, std::env::var("WORKERBEE_CADDY_IMAGE").ok().filter(|image| !image.is_empty()))
}

/// Judges how many other servers are at that port; the port that an image of the user's gives it is the user's to know.
fn judge(others: usize, image: Option<String>) -> Condition {
    let found = match (others, image) {
        (0, _) => Ok(format!("{CADDY_ADMIN}: no other server's")),
        (_, Some(image)) => Ok(format!("not {CADDY_ADMIN}, it is assumed: WORKERBEE_CADDY_IMAGE={image}")),
        (others, None) => Err((
            format!("{CADDY_ADMIN} is also that of {others} other server(s): WorkerBee's reloads may reach them"),
            "export WORKERBEE_CADDY_IMAGE=<an image of Caddy with ENV CADDY_ADMIN=localhost:<another port>>".to_owned(),
        )),
    };
    Condition::of(NAME, found)
}

/// Is true when the state root's own ingress runs: its HTTPS port, which it keeps, is served.
fn is_up(state_root: &Path) -> bool {
    let known = std::fs::read(state_root.join("global/ingress.json")).ok();
    let known: Option<Known> = known.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    known.is_some_and(|known| servers_at(known.https_port).is_ok_and(|servers| servers > 0))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use std::net::TcpListener;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::alone(0, None, true)]
    #[case::another_one(1, None, false)]
    #[case::another_one_and_an_image(1, Some("localhost/caddy:own"), true)]
    fn the_admin_port_is_one_servers(#[case] others: usize, #[case] image: Option<&str>, #[case] ok: bool) {
        let condition = judge(others, image.map(ToOwned::to_owned));
        assert_eq!((condition.ok, condition.remedy.is_empty()), (ok, ok), "{condition:?}");
    }

    #[test]
    fn an_ingress_is_up_when_its_port_is_served() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("global/ingress.json");
        std::fs::create_dir(root.path().join("global")).unwrap();
        assert!(!is_up(root.path()), "without a file");
        std::fs::write(&file, "no JSON").unwrap();
        assert!(!is_up(root.path()), "with a file that says nothing");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        std::fs::write(&file, format!("{{\"https_port\": {}}}", listener.local_addr().unwrap().port())).unwrap();
        assert!(is_up(root.path()));
        drop(listener);
        assert!(!is_up(root.path()), "after its end");
    }
}
