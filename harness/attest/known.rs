//! The known deviations of the released k1s. They are listed in docs/findings.md and turn no check red, of that release
//! alone. A known deviation that is no longer observed is reported, too.

use serde_json::Value;

use crate::failure::{Kind, Mismatch};

/// The release that the list is about.
pub const RELEASE: &str = "0.1.7";

/// The name of a deviation that only follows: an earlier step did not come about, and this one was not gone.
pub const NOT_REACHED: &str = "not-reached";

/// One thing that a probe finds wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Deviation {
    /// Its name in the list, if it is known.
    pub name: &'static str,
    /// The deviation, in one line.
    pub what: String,
    /// The part that shows it.
    pub seen: Value,
}

impl Deviation {
    /// A deviation with the part that shows it.
    pub fn new(name: &'static str, what: impl Into<String>, seen: &impl serde::Serialize) -> Self {
        Self { name, what: what.into(), seen: serde_json::to_value(seen).unwrap_or_default() }
    }
}

/// One thing that is known.
#[derive(Debug)]
pub struct Known {
    /// The check that would be red.
    pub check: &'static str,
    /// The deviation's name.
    pub name: &'static str,
    /// The profiles that have it: those with a leader, those without, or all.
    pub of: Of,
    /// An explanation of it.
    pub why: &'static str,
    /// True when every run observes it.
    pub steady: bool,
}

/// Profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// All of them.
    All,
    /// Those of a single controller.
    Single,
    /// k1s-ha-min.
    Ha,
}

const fn known(check: &'static str, name: &'static str, of: Of, why: &'static str) -> Known {
    Known { check, name, of, why, steady: true }
}

/// The list; docs/findings.md has the evidence of each.
pub const KNOWN: &[Known] = &[
    known(
        "attest::refusals",
        "anybody-writes",
        Of::All,
        "create, update and patch of most kinds ask no right of RBAC's",
    ),
    known(
        "attest::refusals",
        "anybody-plans",
        Of::Single,
        "the playground asks for no token unless AE_LABS_TOKEN is set",
    ),
    known(
        "attest::refusals",
        "invalid-manifest-is-500",
        Of::All,
        "an invalid manifest is told as the server's own error",
    ),
    known("attest::answers", "openapi-version", Of::All, "the OpenAPI documents name 0.1.6.dev1"),
    known(
        "attest::answers",
        "dashboard-token",
        Of::All,
        "the dashboard's page, open to everybody, holds the admin token",
    ),
    known("attest::objects", "created-twice", Of::All, "an object that is there is created again, with 201"),
    known("attest::objects", "version-after-patch", Of::Single, "the version of an object that was patched stays"),
    known("attest::objects", "stale-update", Of::Single, "an update that names an old version is taken"),
    Known {
        // Whatever k1s itself writes meanwhile hides it.
        steady: false,
        ..known("attest::objects", "version-goes-back", Of::Single, "after a delete the next version is a lower one")
    },
    Known {
        steady: false,
        ..known(
            "attest::objects",
            "watch-misses-older",
            Of::Single,
            "a watch tells nothing of versions before its last",
        )
    },
    known("attest::objects", "list-of-a-namespace", Of::Ha, "the list of a namespace is empty"),
    known("attest::objects", "watch-of-a-namespace", Of::Ha, "the watch of a namespace tells nothing"),
    known(
        "attest::app-removal",
        "probe-history-stays",
        Of::All,
        "what probes found stays in the store of an app that is deleted with its history",
    ),
    known(
        "attest::app-liveness",
        "sick-not-restarted",
        Of::All,
        "an app whose liveness probe fails is counted, and not restarted",
    ),
    known("attest::streams", "exec-without-output", Of::All, "a command in a pod prints nothing through a WebSocket"),
    known("attest::streams", "log-lines-joined", Of::All, "the lines of a pod's log run together"),
    known("attest::streams", "log-without-stderr", Of::All, "a pod's log lacks what was written to standard error"),
    known(
        "attest::streams",
        "upgrade-of-http-1.0",
        Of::All,
        "a stream is upgraded by HTTP/1.0, where RFC 6455 wants 1.1",
    ),
    known("attest::rbac", "role-not-deleted", Of::All, "roles and their bindings cannot be deleted"),
    known("attest::rbac", "token-outlives-account", Of::All, "the token of a deleted service account still opens"),
];

/// The release of k1s that is asked, and the kind of its profile.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Release {
    /// Its version, as the k1s root names it.
    pub version: String,
    /// True when its controllers elect a leader.
    pub ha: bool,
}

impl Release {
    fn known(&self, check: &str) -> impl Iterator<Item = &'static Known> {
        let of = if self.ha { Of::Ha } else { Of::Single };
        let applies = self.version == RELEASE;
        KNOWN
            .iter()
            .filter(move |known| applies && (known.of == Of::All || known.of == of))
            .filter(move |known| known.check == check)
    }

    /// The first deviation that is not known of this release.
    pub fn judge(&self, check: &'static str, deviations: Vec<Deviation>) -> Result<(), Mismatch> {
        let is_known = |one: &Deviation| self.known(check).any(|known| known.name == one.name);
        let mut new = deviations.into_iter().filter(|one| !is_known(one));
        let Some(first) = new.next() else { return Ok(()) };
        let more = match new.count() {
            0 => String::new(),
            more => format!(" ({more} more)"),
        };
        let is_silent = first.seen.get("status").is_some_and(serde_json::Value::is_null);
        let kind = match first.name {
            NOT_REACHED => Kind::Follows,
            _ if is_silent => Kind::Silence,
            _ => Kind::Finding,
        };
        Err(Mismatch::new(format!("{}{more}", first.what), &first.seen).of(kind))
    }

    /// Lists the known deviations of this release that were not observed.
    pub fn cured(&self, check: &'static str, deviations: &[Deviation]) -> Vec<String> {
        let unseen =
            self.known(check).filter(|known| known.steady && !deviations.iter().any(|one| one.name == known.name));
        unseen
            .map(|known| {
                format!(
                    "{check}: k1s {} is known for `{}` ({}), which was not seen: strike it from docs/findings.md and \
                     harness/attest/known.rs",
                    self.version, known.name, known.why
                )
            })
            .collect()
    }
}

/// Names the known deviations that a passing check leaves out.
pub fn left_out(check: &str) -> String {
    let names: Vec<&str> = KNOWN.iter().filter(|known| known.check == check).map(|known| known.name).collect();
    if names.is_empty() {
        return String::new();
    }
    format!("; known of k1s {RELEASE} and left out (docs/findings.md): {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSALS: &str = "attest::refusals";

    fn release(version: &str, ha: bool) -> Release {
        Release { version: version.to_owned(), ha }
    }

    fn seen(name: &'static str) -> Vec<Deviation> {
        vec![Deviation::new(name, "something", &1)]
    }

    #[test]
    fn what_is_known_is_known_of_one_release_and_its_profiles_alone() {
        assert!(release("0.1.7", false).judge(REFUSALS, seen("anybody-plans")).is_ok());
        assert!(release("0.1.7", true).judge(REFUSALS, seen("anybody-plans")).is_err());
        assert!(release("0.1.8", false).judge(REFUSALS, seen("anybody-plans")).is_err());
        assert!(release("0.1.7", false).judge(REFUSALS, seen("anything-else")).is_err());
        assert!(release("0.1.7", false).judge("attest::answers", seen("anybody-plans")).is_err());
    }

    #[test]
    fn what_is_known_and_not_seen_is_told() {
        let told = release("0.1.7", true).cured(REFUSALS, &seen("anybody-writes"));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("invalid-manifest-is-500"), "{told:?}");
        assert!(release("0.1.8", true).cured(REFUSALS, &[]).is_empty());
    }

    #[test]
    fn the_docs_have_each_of_them() {
        let docs = include_str!("../../docs/findings.md");
        let missing: Vec<&str> =
            KNOWN.iter().map(|known| known.name).filter(|name| !docs.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "docs/findings.md does not have {missing:?}");
    }
}
