//! The version that each component tells of itself, against the name of its image and what the stack has recorded of it.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::containerd::{Container, Containerd, Task};
use super::probe::{After, Moment, Observe, Probe, Rule};
use super::readiness::address;
use super::{Subject, client, images};

use crate::failure::{Failure, Kind, Mismatch};
use crate::plan::{Component, Gate, Profile};
use crate::stack::version_in;
use crate::workerbee::naming;

const REQUEST: Duration = Duration::from_secs(10);
/// The program that runs in a container, whatever lies at its path by now.
const RUNNING: &str = "/proc/1/exe";
/// The name of the ingress among the components.
const INGRESS: &str = "ingress";

/// The versions that were told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Versions {
    /// True when the images are the stack's, so that something is recorded of each.
    pub of_the_stack: bool,
    /// One for each program that was asked.
    pub programs: Vec<Program>,
}

/// A program that tells its version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Program {
    /// The component that it runs in.
    pub component: String,
    /// Which program: `etcd`, `nats`, `caddy`, `python` or `k1s`.
    pub program: String,
    /// Its answer when it was asked; or why there was none.
    pub said: Result<String, String>,
    /// The version in that.
    pub version: Option<String>,
    /// The image that its container was started from. k1s comes from a folder of the host's.
    pub image: Option<Seen>,
    /// The version known from before: of the image when it was made, of k1s by its pyproject.toml.
    pub recorded: Option<Recorded>,
}

/// An image as it is in the gate's containerd.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// The digest of its manifest.
    pub manifest: String,
    /// The digest of its configuration.
    pub id: String,
}

/// A version that was written down before the gate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recorded {
    /// The version that the program told then.
    pub version: String,
    /// The digest of its image's configuration.
    pub id: Option<String>,
}

/// The version of each program. `WorkerBee` waits for controller 0 alone: the others may not answer before they are ready.
pub static PROBE: Probe<Versions> = Probe {
    name: "versions",
    of: Gate::starts_profile,
    moment: Moment::Alive,
    after: After::These(&["readiness"]),
    observe: Observe::Ask(|scene| {
        Box::pin(async move {
            let versions = observe(&scene.subject).await?;
            scene.tell(|aside| aside.versions.extend(versions.told()));
            Ok(versions)
        })
    }),
    checks: &[Rule::new(
        "attest::versions",
        "etcd, NATS, Caddy, Python and k1s of the versions that their images are named after and that were recorded",
        "see the file for what each said and from which image it runs; build the stack's images anew: make clean-cache stack",
        |seen, case| seen.judge(case.profile),
    )],
    triage: &[],
};

/// Asks every component, and the ingress, all at the same time.
pub async fn observe(subject: &Subject) -> Result<Versions, Failure> {
    let containerd = Containerd::connect(&subject.address).await?;
    let ingress = Asked::ingress(subject, &containerd).await?;
    let mut asked = vec![ingress];
    for component in subject.profile.components() {
        asked.push(Asked::component(subject, &containerd, component).await?);
    }
    let mut programs = Vec::new();
    // Each of them may take its whole limit.
    let all = asked.into_iter().map(|one| tokio::spawn(one.tell())).collect::<Vec<_>>();
    for one in all {
        programs.extend(one.await.unwrap_or_default());
    }
    Ok(Versions { of_the_stack: !subject.images.is_empty(), programs })
}

/// A container with a program to be asked.
struct Asked {
    containerd: Containerd,
    namespace: String,
    component: String,
    kind: Option<Component>,
    container: Result<(Container, Task), String>,
    image: Option<Seen>,
    recorded: Option<Recorded>,
    k1s: Option<Recorded>,
    folder: PathBuf,
}

impl Asked {
    async fn component(subject: &Subject, containerd: &Containerd, component: Component) -> Result<Self, Failure> {
        let name = subject.container(component);
        let is = |container: &Container| container.name() == Some(name.as_str());
        Self::new(subject, containerd, subject.namespace(), component.to_string(), Some(component), &is).await
    }

    async fn ingress(subject: &Subject, containerd: &Containerd) -> Result<Self, Failure> {
        let namespace = naming::system_namespace(&subject.state_root);
        let is = |container: &Container| container.name().is_some_and(|name| name.contains("caddy"));
        Self::new(subject, containerd, namespace, INGRESS.to_owned(), None, &is).await
    }

    async fn new(
        subject: &Subject,
        containerd: &Containerd,
        namespace: String,
        component: String,
        kind: Option<Component>,
        is: &(dyn Fn(&Container) -> bool + Sync),
    ) -> Result<Self, Failure> {
        let tasks = containerd.tasks(&namespace).await?;
        let found = containerd.containers(&namespace).await?.into_iter().find(is);
        let container = found.ok_or_else(|| "it has no container".to_owned()).and_then(|container| {
            let task = tasks.into_iter().find(|task| task.id == container.id && task.status == "RUNNING");
            Ok((container, task.ok_or("nothing runs in its container")?))
        });
        let mut image = None;
        if let Ok((container, _)) = &container {
            let (manifest, id) = images::identity(containerd, &namespace, &container.image).await?;
            image = Some(Seen { name: container.image.clone(), manifest, id });
        }
        let of_image = subject.images.iter().find(|one| image.as_ref().is_some_and(|image| image.name == one.name));
        let recorded = of_image.map(|one| Recorded { version: one.version.clone(), id: Some(one.id.clone()) });
        let known = Some(&subject.k1s).filter(|version| !version.is_empty() && *version != "unknown");
        let k1s = known.map(|version| Recorded { version: version.clone(), id: None });
        // Written by the container's shim, which is root; in the gate's own folder.
        let folder = subject.state_root.join("projects").join(&subject.project);
        let containerd = containerd.clone();
        Ok(Self { containerd, namespace, component, kind, container, image, recorded, k1s, folder })
    }

    async fn tell(self) -> Vec<Program> {
        let mut told = Vec::new();
        for program in programs(self.kind) {
            let said = match &self.container {
                Ok((container, task)) => self.ask(program, container, task).await,
                Err(why) => Err(why.clone()),
            };
            let of_k1s = *program == K1S;
            told.push(Program {
                component: self.component.clone(),
                program: (*program).to_owned(),
                version: said.as_ref().ok().and_then(|said| version_in(said)),
                said,
                image: self.image.clone().filter(|_| !of_k1s),
                recorded: if of_k1s { self.k1s.clone() } else { self.recorded.clone() },
            });
        }
        told
    }

    async fn ask(&self, program: &str, container: &Container, task: &Task) -> Result<String, String> {
        let at = || address(task.pid).ok_or_else(|| "its container has no address".to_owned());
        match (program, self.kind) {
            (ETCD, _) => member(&format!("http://{}:2379/version", at()?), "/etcdserver").await,
            (NATS, _) => banner(at()?).await,
            (K1S, Some(Component::Apishim)) => member(&format!("http://{}:8445/__ae/version", at()?), "/version").await,
            (K1S, _) => member(&format!("http://{}:9108/__ae/version", at()?), "/version").await,
            (PYTHON, _) => self.run(container, &[RUNNING, "-I", "-S", "-c", "import sys; print(sys.version)"]).await,
            _ => self.run(container, &[RUNNING, "version"]).await,
        }
    }

    async fn run(&self, container: &Container, arguments: &[&str]) -> Result<String, String> {
        let ran = self.containerd.output(&self.namespace, &container.id, arguments, &self.folder).await;
        ran.map_err(|failure| failure.seen)?
    }
}

const ETCD: &str = "etcd";
const NATS: &str = "nats";
const CADDY: &str = "caddy";
const PYTHON: &str = "python";
const K1S: &str = "k1s";

/// Lists the programs that run in a component; in none it is the ingress.
fn programs(component: Option<Component>) -> &'static [&'static str] {
    match component {
        None => &[CADDY],
        Some(Component::Etcd) => &[ETCD],
        Some(Component::Nats) => &[NATS],
        Some(Component::Apishim | Component::Controller(_)) => &[PYTHON, K1S],
    }
}

/// A member of what a server answers.
async fn member(url: &str, pointer: &str) -> Result<String, String> {
    let client = client(REQUEST).map_err(|failure| failure.seen)?;
    let answer = async { client.get(url).send().await?.error_for_status()?.json::<Value>().await };
    let answer = answer.await.map_err(|error| format!("{url}: {error}"))?;
    let told = answer.pointer(pointer).and_then(Value::as_str);
    told.map(str::to_owned).ok_or_else(|| format!("{url} has no {pointer}: {}", crate::evidence::outline(&answer)))
}

/// The greeting of NATS to whoever connects: `INFO {"version": …}`.
async fn banner(address: Ipv4Addr) -> Result<String, String> {
    let read = async {
        let mut stream = TcpStream::connect((address, 4222)).await?;
        let mut text = vec![0; 4096];
        let read = stream.read(&mut text).await?;
        text.truncate(read);
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&text).into_owned())
    };
    let text = match tokio::time::timeout(REQUEST, read).await {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => return Err(format!("{address}:4222: {error}")),
        Err(_) => return Err(format!("{address}:4222 says nothing within {} s", REQUEST.as_secs())),
    };
    of_banner(&text).ok_or_else(|| format!("{address}:4222 names no version: {:?}", text.lines().next()))
}

fn of_banner(text: &str) -> Option<String> {
    let line = text.lines().next()?.strip_prefix("INFO ")?;
    let told: Value = serde_json::from_str(line.trim()).ok()?;
    Some(told["version"].as_str()?.to_owned())
}

impl Versions {
    /// Judges that every program told a version, and that it is that of the image's name and of the record.
    pub fn judge(&self, profile: Profile) -> Result<(), Mismatch> {
        let components = profile.components().into_iter().map(|one| (one.to_string(), Some(one)));
        for (component, kind) in std::iter::once((INGRESS.to_owned(), None)).chain(components) {
            for program in programs(kind) {
                let told = self.programs.iter().find(|one| one.component == component && one.program == *program);
                let told = told.ok_or_else(|| Mismatch::from(format!("{program} of {component} was not asked")))?;
                if let Err(why) = &told.said {
                    let silent = format!("{program} of {component} does not tell its version: {why}");
                    // The ingress is WorkerBee's own.
                    let kind = if kind.is_none() { Kind::WorkerBee } else { Kind::Silence };
                    return Err(Mismatch::new(silent, told).of(kind));
                }
                // Of k1s the version is its own; of the others it is that of the images that were provided.
                let whose = if told.program == K1S { Kind::Finding } else { Kind::Environment };
                let wrong = |what: String| Mismatch::new(format!("{program} of {component} {what}"), told).of(whose);
                told.judge().map_err(wrong)?;
                if self.of_the_stack && told.program != K1S && told.recorded.is_none() {
                    let image = told.image.as_ref().map_or("none", |image| image.name.as_str());
                    return Err(Mismatch::new(format!("{component} runs from {image}, no image of the stack's"), told)
                        .of(whose));
                }
            }
        }
        Ok(())
    }

    /// The versions by program; of several that are not the same, all.
    pub fn told(&self) -> impl Iterator<Item = (String, String)> {
        let mut programs: Vec<&str> = self.programs.iter().map(|one| one.program.as_str()).collect();
        programs.sort_unstable();
        programs.dedup();
        programs.into_iter().map(|program| {
            let told = self.programs.iter().filter(|one| one.program == program);
            let mut versions: Vec<&str> = told.map(|one| one.version.as_deref().unwrap_or("not told")).collect();
            versions.sort_unstable();
            versions.dedup();
            (told_by_itself(program), versions.join(", "))
        })
    }
}

/// Marks a version that a program told of itself, among those that were known before.
pub const TOLD_BY_ITSELF: &str = " (told by itself)";

/// The name under which a program's own word of its version is kept.
pub fn told_by_itself(program: &str) -> String {
    format!("{program}{TOLD_BY_ITSELF}")
}

impl Program {
    fn judge(&self) -> Result<(), String> {
        let said = self.said.as_deref().unwrap_or_default();
        let version = self.version.as_deref().ok_or_else(|| format!("tells no version, but {said:?}"))?;
        if version_in(said).as_deref() != Some(version) {
            return Err(format!("said {said:?}, which is not {version}"));
        }
        if self.program != K1S {
            let image = self.image.as_ref().ok_or("runs in a container whose image is unknown")?;
            if let Some(named) = named(&image.name).filter(|named| !is_within(version, named)) {
                return Err(format!("is {version}, and its image is called {named} ({})", image.name));
            }
            let recorded = self.recorded.as_ref().and_then(|recorded| recorded.id.as_ref());
            if let Some(id) = recorded.filter(|id| **id != image.id) {
                return Err(format!(
                    "runs from another image than the stack's {}: {} instead of {id}",
                    image.name, image.id
                ));
            }
        }
        match &self.recorded {
            Some(recorded) if recorded.version != version => {
                Err(format!("is {version}, and {} was recorded", recorded.version))
            }
            _ => Ok(()),
        }
    }
}

/// The version in an image's tag: `3.12` of `python:3.12-slim`. A tag such as `latest` names none.
fn named(image: &str) -> Option<String> {
    let image = image.split('@').next().unwrap_or(image);
    let tag = image.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'))?;
    version_in(tag.split('-').next().unwrap_or(tag))
}

/// Is true when `version` is `named`, or one of those that it stands for: `2.8.4` is a `2.8`.
fn is_within(version: &str, named: &str) -> bool {
    version
        .strip_prefix(named)
        .is_some_and(|rest| rest.is_empty() || !rest.starts_with(|next: char| next.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("docker.io/library/python:3.12-slim", Some("3.12"))]
    #[case("quay.io/coreos/etcd:v3.5.14", Some("3.5.14"))]
    #[case("docker.io/library/nats:2.10.18-alpine", Some("2.10.18"))]
    #[case("docker.io/library/caddy:2.8@sha256:00", Some("2.8"))]
    #[case("localhost/caddy:second", None)]
    #[case("127.0.0.1:5000/caddy", None)]
    #[case("caddy", None)]
    fn the_name_of_an_image_tells_a_version(#[case] image: &str, #[case] version: Option<&str>) {
        assert_eq!(named(image).as_deref(), version);
    }

    #[rstest]
    #[case("2.8.4", "2.8", true)]
    #[case("3.11.2", "3.11", true)]
    #[case("3.5.14", "3.5.14", true)]
    #[case("3.5.14", "3.5.1", false)]
    #[case("3.4.23", "3.5.14", false)]
    #[case("3.12.0rc1", "3.12.0", true)]
    fn a_version_is_one_of_those_that_a_tag_stands_for(
        #[case] version: &str,
        #[case] named: &str,
        #[case] within: bool,
    ) {
        assert_eq!(is_within(version, named), within);
    }

    #[rstest]
    #[case("INFO {\"server_id\":\"N\",\"version\":\"2.10.18\",\"proto\":1}\r\nPING\r\n", Some("2.10.18"))]
    #[case("INFO {\"server_id\":\"N\"}\r\n", None)]
    #[case("-ERR 'maximum connections exceeded'\r\n", None)]
    #[case("", None)]
    fn nats_tells_its_version_to_whoever_connects(#[case] text: &str, #[case] version: Option<&str>) {
        assert_eq!(of_banner(text).as_deref(), version);
    }
}
