//! The answers of k1s's servers: of the type that they declare, of the shape that Kubernetes gives them, and of the
//! release that was built. The observation holds no token.

use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Subject;
use super::known::{Deviation, Release};
use super::plain::{AT_ONCE, Asker, Reply, Servers};
use super::probe::{After, Moment, Observe, Probe, Rule};
use crate::failure::{Failure, Mismatch};
use crate::plan::Gate;

const JSON: &str = "application/json";
const HTML: &str = "text/html";
const TEXT: &str = "text/plain";

/// The shape that an answer must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A page, with its end and without a placeholder.
    Page,
    /// Numbers for Prometheus.
    Metrics,
    /// Any JSON object.
    Object,
    /// A list of Kubernetes.
    List,
    /// An error of Kubernetes.
    Error,
    /// The version of Kubernetes that k1s stands for.
    Kubernetes,
    /// The release of k1s.
    Build,
    /// A description of the API.
    OpenApi,
}

/// The questions: the server, its path, and the shape that the answer must have.
const ASKED: [(&str, &str, Shape); 27] = [
    ("controller-0", "/health", Shape::Object),
    ("controller-0", "/status", Shape::Object),
    ("controller-0", "/system", Shape::Object),
    ("controller-0", "/nodes", Shape::Object),
    ("controller-0", "/ui/features", Shape::Object),
    ("controller-0", "/metrics", Shape::Metrics),
    ("controller-0", "/openapi.json", Shape::OpenApi),
    ("controller-0", "/dashboard", Shape::Page),
    ("controller-0", "/docs", Shape::Page),
    ("controller-0", "/swagger", Shape::Page),
    ("controller-0", "/__ae/version", Shape::Build),
    ("apishim", "/healthz", Shape::Object),
    ("apishim", "/readyz", Shape::Object),
    ("apishim", "/metrics", Shape::Metrics),
    ("apishim", "/version", Shape::Kubernetes),
    ("apishim", "/__ae/version", Shape::Build),
    ("apishim", "/api", Shape::Object),
    ("apishim", "/apis", Shape::Object),
    ("apishim", "/api/v1", Shape::Object),
    ("apishim", "/openapi/v2", Shape::OpenApi),
    ("apishim", "/openapi/v3", Shape::OpenApi),
    ("apishim", "/api/v1/namespaces", Shape::List),
    ("apishim", "/api/v1/configmaps", Shape::List),
    ("apishim", "/api/v1/services", Shape::List),
    ("apishim", "/apis/apps/v1/deployments", Shape::List),
    ("apishim", "/apis/networking.k8s.io/v1/ingresses", Shape::List),
    ("apishim", "/api/v1/namespaces/default/configmaps/gates-nobody", Shape::Error),
];

/// The observation of k1s's answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answers {
    /// The k1s that was asked.
    pub release: Release,
    /// One per question.
    pub answers: Vec<Answer>,
}

/// One answer, as far as it is judged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// The server that was asked.
    pub server: String,
    /// For what.
    pub path: String,
    /// The shape that it must have.
    pub shape: Shape,
    /// The HTTP status; none when there was no answer.
    pub status: Option<u16>,
    /// The type that it declares, without its parameters.
    pub content_type: String,
    /// The first thing in its body that does not fit that shape; none when nothing is wrong.
    pub unfit: Option<String>,
    /// The version that it names.
    pub version: Option<String>,
    /// The names of the tokens that it holds, though anybody may read it.
    pub tokens: Vec<String>,
}

/// The answers of both servers.
pub static PROBE: Probe<Answers> = Probe {
    name: "answers",
    of: Gate::starts_profile,
    moment: Moment::Look,
    after: After::Nobody,
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject))),
    checks: &[Rule::new(
        "attest::answers",
        "each answer of API shim and controller of the type that it declares, of its shape, of the release that was \
         built, without a token in it",
        "ask the same by hand, with `curl -i`",
        |seen, case| judge(seen, case.check),
    )
    .deviations(|seen| Some((&seen.release, seen.deviations())))],
    triage: &[],
};

/// Asks all of it, as anybody who may read it.
pub async fn observe(subject: &Subject) -> Result<Answers, Failure> {
    let servers = Servers::of(subject)?;
    let answers = stream::iter(ASKED.iter().map(async |&(server, path, shape)| {
        // The API's lists are open to who owns it; all else to everybody.
        let asker = if matches!(shape, Shape::List | Shape::Error) { Asker::Owner } else { Asker::Anybody };
        let reply = servers.get(server, path, asker).await;
        let known = [("admin", &servers.tokens.admin), ("read", &servers.tokens.read), ("api", &servers.tokens.api)];
        let held = known.into_iter().filter(|(_, token)| reply.text.contains(token.as_str()));
        Answer {
            server: server.to_owned(),
            path: path.to_owned(),
            shape,
            status: reply.status,
            content_type: reply.content_type.split(';').next().unwrap_or_default().trim().to_owned(),
            unfit: shape.unfit(&reply).err(),
            version: shape.version(&reply.json()),
            tokens: held.map(|(name, _)| name.to_owned()).collect(),
        }
    }))
    .buffered(AT_ONCE)
    .collect()
    .await;
    Ok(Answers { release: subject.release(), answers })
}

impl Shape {
    fn content_type(self) -> &'static str {
        match self {
            Self::Page => HTML,
            Self::Metrics => TEXT,
            _ => JSON,
        }
    }

    fn status(self) -> u16 {
        if self == Self::Error { 404 } else { 200 }
    }

    /// Checks that the body of an answer has this shape; the error names what does not fit.
    fn unfit(self, reply: &Reply) -> Result<(), String> {
        let json = reply.json();
        let of_kind = |kind: &str| json["kind"].as_str().is_some_and(|own| own.ends_with(kind));
        let fits = |fits: bool, what: &str| if fits { Ok(()) } else { Err(what.to_owned()) };
        match self {
            Self::Page => {
                fits(reply.text.contains("</html>"), "a page without an end")?;
                match placeholder(&reply.text) {
                    Some(name) => Err(format!("a page with the placeholder {name} in it")),
                    None => Ok(()),
                }
            }
            Self::Metrics => fits(reply.text.contains("\n# TYPE "), "no metrics"),
            Self::Object => fits(json.is_object(), "no JSON object"),
            Self::List => {
                fits(of_kind("List"), "its kind is no List")?;
                fits(json["items"].is_array(), "a list without items")?;
                fits(json["metadata"]["resourceVersion"].is_string(), "a list without a resourceVersion")
            }
            Self::Error => {
                fits(of_kind("Status"), "an error that is no Status")?;
                fits(json["code"] == 404 && json["reason"] == "NotFound", "a Status that is not NotFound, 404")
            }
            Self::Kubernetes => {
                let own = format!("v{}.{}.", text(&json["major"]), text(&json["minor"]));
                fits(
                    text(&json["gitVersion"]).starts_with(&own),
                    "a version of which major, minor and gitVersion disagree",
                )
            }
            Self::Build => fits(json["version"].is_string(), "no version"),
            Self::OpenApi => fits(
                json["paths"].as_object().is_some_and(|paths| paths.len() > 1),
                "an OpenAPI document that describes no paths",
            ),
        }
    }

    fn version(self, json: &Value) -> Option<String> {
        let version = match self {
            Self::Build => &json["version"],
            Self::OpenApi => &json["info"]["version"],
            _ => return None,
        };
        version.as_str().map(ToOwned::to_owned)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Finds a placeholder of k1s's templates, `__NAME__`, that was not filled in.
fn placeholder(page: &str) -> Option<&str> {
    let is_name = |word: &str| word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') && word.len() > 4;
    let words = page.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.into_iter().find(|word| word.starts_with("__") && word.ends_with("__") && is_name(word))
}

impl Answers {
    /// Lists the answers that are not as they should be.
    pub fn deviations(&self) -> Vec<Deviation> {
        self.answers.iter().flat_map(|answer| answer.deviations(&self.release.version)).collect()
    }
}

impl Answer {
    fn deviations(&self, release: &str) -> Vec<Deviation> {
        let place = format!("{} of {}", self.path, self.server);
        let wrong = |name, what: String| vec![Deviation::new(name, what, self)];
        if self.status != Some(self.shape.status()) {
            let status = self.status.map_or("nothing".to_owned(), |status| status.to_string());
            return wrong("status", format!("{place} answers {status} instead of {}", self.shape.status()));
        }
        if self.content_type != self.shape.content_type() {
            let what =
                format!("{place} says Content-Type {} instead of {}", self.content_type, self.shape.content_type());
            return wrong("content-type", what);
        }
        if let Some(unfit) = &self.unfit {
            return wrong("unfit", format!("{place}: {unfit}"));
        }
        if let Some(version) = self.version.as_ref().filter(|version| *version != release) {
            let name = if self.shape == Shape::OpenApi { "openapi-version" } else { "version" };
            return wrong(name, format!("{place} names version {version} of k1s {release}"));
        }
        if !self.tokens.is_empty() {
            let name = if self.shape == Shape::Page { "dashboard-token" } else { "token" };
            return wrong(
                name,
                format!("{place} holds a token, though anybody may read it: {}", self.tokens.join(", ")),
            );
        }
        Vec::new()
    }
}

/// Every answer is of its type, its shape and its release.
pub fn judge(seen: &Answers, check: &'static str) -> Result<(), Mismatch> {
    for (server, path, _) in ASKED {
        if !seen.answers.iter().any(|answer| answer.server == server && answer.path == path) {
            return Err(Mismatch::new(format!("{path} of {server} was not asked for"), &seen.answers.len()));
        }
    }
    seen.release.judge(check, seen.deviations())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::filled("var token = \"abc\"; var own__name = 1; __init__", None)]
    #[case::not_filled("var token = __DASHBOARD_TOKEN__;", Some("__DASHBOARD_TOKEN__"))]
    fn a_placeholder_is_a_name_between_underscores(#[case] page: &str, #[case] wanted: Option<&str>) {
        assert_eq!(placeholder(page), wanted);
    }

    #[rstest]
    #[case::list(Shape::List, r#"{"kind":"PodList","items":[],"metadata":{"resourceVersion":"1"}}"#, true)]
    #[case::item(Shape::List, r#"{"kind":"Pod","items":[],"metadata":{"resourceVersion":"1"}}"#, false)]
    #[case::unversioned(Shape::List, r#"{"kind":"PodList","items":[],"metadata":{}}"#, false)]
    #[case::cut_off(Shape::Object, r#"{"status":"#, false)]
    #[case::version(Shape::Kubernetes, r#"{"major":"1","minor":"29","gitVersion":"v1.29.0"}"#, true)]
    #[case::other_minor(Shape::Kubernetes, r#"{"major":"1","minor":"19","gitVersion":"v1.29.0"}"#, false)]
    #[case::no_paths(Shape::OpenApi, r#"{"paths":{}}"#, false)]
    #[case::half_a_page(Shape::Page, "<html><body>", false)]
    fn an_answer_fits_its_shape(#[case] shape: Shape, #[case] text: &str, #[case] fits: bool) {
        let reply = Reply { status: Some(200), text: text.to_owned(), ..Reply::default() };
        assert_eq!(shape.unfit(&reply).is_ok(), fits);
    }
}
