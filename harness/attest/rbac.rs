//! The rights that a role of RBAC's gives a service account: to what the role names, in its namespace, and to nothing
//! else.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Subject;
use super::known::{Deviation, Release};
use super::plain::{Asker, Servers};
use super::probe::{After, Moment, Observe, Probe, Rule};
use crate::failure::{Failure, Kind, Mismatch};
use crate::plan::Gate;

const NAMESPACE: &str = "gates-rbac";
const OTHER: &str = "gates-others";
const NAME: &str = "gates";

/// The observation of a service account's rights.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rbac {
    /// The k1s that was asked.
    pub release: Release,
    /// True when k1s gave the account a token.
    pub token: bool,
    /// The account's requests.
    pub asked: Vec<Asked>,
    /// The answers to the deletion of the account, of its role and of its binding.
    pub deleted: Vec<(String, Option<u16>)>,
}

/// A question with the account's token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    /// The request, in words.
    pub what: String,
    /// The HTTP status; none when there was no answer.
    pub status: Option<u16>,
    /// True when the role allows it.
    pub opens: bool,
}

/// The rights of a service account. It makes objects: in turn with those that do, too.
pub static PROBE: Probe<Rbac> = Probe {
    name: "rbac",
    of: Gate::starts_profile,
    moment: Moment::Look,
    after: After::These(&["objects"]),
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject))),
    checks: &[Rule::new(
        "attest::rbac",
        "a service account may do what its role names, in its namespace, and nothing else",
        "make the account, its role and binding by hand, and ask with its token",
        |seen, case| judge(seen, case.check),
    )
    .deviations(|seen| Some((&seen.release, seen.deviations())))],
    triage: &[],
};

/// Makes an account that may list the deployments of one namespace, and tries more. Deployments are the one kind of
/// which k1s asks in which namespace they are.
pub async fn observe(subject: &Subject) -> Result<Rbac, Failure> {
    let servers = Servers::of(subject)?;
    let own = |method, path: String, body: Option<Value>| {
        let servers = &servers;
        async move { servers.ask("apishim", method, &path, Asker::Owner, body.as_ref()).await }
    };
    let metadata = json!({ "name": NAME });
    let accounts = format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts");
    let rbac = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}");
    let account = own(Method::POST, accounts.clone(), Some(json!({ "metadata": metadata }))).await.json();
    let token = account["metadata"]["annotations"]["ae.apishim/token"].as_str().map(ToOwned::to_owned);
    let role = json!({ "metadata": metadata,
        "rules": [{ "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"] }] });
    let binding = json!({ "metadata": metadata,
        "subjects": [{ "kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE }],
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME } });
    own(Method::POST, format!("{rbac}/roles"), Some(role)).await;
    own(Method::POST, format!("{rbac}/rolebindings"), Some(binding)).await;
    let deployments = |namespace: &str| format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    let questions = [
        ("list what the role names", Method::GET, deployments(NAMESPACE), true),
        ("list the same in another namespace", Method::GET, deployments(OTHER), false),
        ("delete a resource of what it may list", Method::DELETE, format!("{}/{NAME}", deployments(NAMESPACE)), false),
        ("list another resource", Method::GET, format!("/api/v1/namespaces/{NAMESPACE}/secrets"), false),
    ];
    let ask = async |what: &str, method: Method, path: &str, opens: bool| {
        let reply = servers.ask_with("apishim", method, path, token.as_deref(), None).await;
        Asked { what: what.to_owned(), status: reply.status, opens }
    };
    let mut asked = Vec::new();
    for (what, method, path, opens) in questions {
        asked.push(ask(what, method, &path, opens).await);
    }
    let mut deleted = Vec::new();
    for (what, place) in
        [("account", accounts), ("role", format!("{rbac}/roles")), ("binding", format!("{rbac}/rolebindings"))]
    {
        deleted.push((what.to_owned(), own(Method::DELETE, format!("{place}/{NAME}"), None).await.status));
    }
    asked.push(ask("list with the token of a deleted account", Method::GET, &deployments(NAMESPACE), false).await);
    Ok(Rbac { release: subject.release(), token: token.is_some(), asked, deleted })
}

impl Rbac {
    /// Lists the requests that were allowed and should not have been, or the other way round.
    pub fn deviations(&self) -> Vec<Deviation> {
        let mut found = Vec::new();
        for one in &self.asked {
            let is_open = one.status == Some(200);
            let is_refused = matches!(one.status, Some(401 | 403));
            if if one.opens { is_open } else { is_refused } {
                continue;
            }
            let name = if one.what.contains("deleted") && is_open { "token-outlives-account" } else { "rights" };
            let status = one.status.map_or("nothing".to_owned(), |status| status.to_string());
            let wanted = if one.opens { "200" } else { "a refusal" };
            let what = format!("a service account may `{}`: {status} instead of {wanted}", one.what);
            found.push(Deviation::new(name, what, one));
        }
        for (what, status) in self.deleted.iter().filter(|(_, status)| *status != Some(200)) {
            let name = if *status == Some(404) && what != "account" { "role-not-deleted" } else { "deletion" };
            let status = status.map_or("nothing".to_owned(), |status| status.to_string());
            found.push(Deviation::new(
                name,
                format!("apishim answers the deletion of the {what} with {status}"),
                &self.deleted,
            ));
        }
        found
    }
}

/// The account may do what its role names, in its namespace, and nothing else.
pub fn judge(seen: &Rbac, check: &'static str) -> Result<(), Mismatch> {
    if !seen.token {
        let all_silent = !seen.asked.is_empty() && seen.asked.iter().all(|one| one.status.is_none());
        let (what, kind) = if all_silent {
            ("apishim gives a service account no token: it answers nothing", Kind::Silence)
        } else {
            ("apishim gives a service account no token", Kind::Finding)
        };
        return Err(Mismatch::new(what, seen).of(kind));
    }
    if seen.asked.is_empty() {
        return Err(Mismatch::new("nothing was asked with the token of a service account", &seen.deleted));
    }
    seen.release.judge(check, seen.deviations())
}
