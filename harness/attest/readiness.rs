//! The readiness of each component, asked at its own container's address: no other component can answer there.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::containerd::Containerd;
use super::probe::{After, Moment, Observe, Probe, Rule};
use super::{Ended, Subject, client};
use crate::failure::{Failure, Kind, Mismatch};
use crate::plan::{Component, Gate, Profile};

/// `WorkerBee` waits for controller 0 and the API shim only. The other controllers of k1s-ha-min need a moment more:
/// measured on two cores, a second, and up to five beside another gate.
const LIMIT: Duration = Duration::from_secs(30);
const REQUEST: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(100);

/// The answers of a profile's components.
#[derive(Debug, Serialize, Deserialize)]
pub struct Readiness {
    /// One per component that the profile must have.
    pub components: Vec<Answer>,
}

/// The answer of one component.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// Its container's name.
    pub name: String,
    /// The URL that was asked; none when it is not known.
    pub url: Option<String>,
    /// The HTTP status; none when nothing answered.
    pub status: Option<u16>,
    /// The start of the body, or why there is none.
    pub said: String,
}

/// The health of each component.
pub static PROBE: Probe<Readiness> = Probe {
    name: "readiness",
    of: Gate::starts_profile,
    moment: Moment::Alive,
    after: After::Nobody,
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject))),
    checks: &[Rule::new(
        "attest::readiness",
        "200 from the health endpoint of each component, at its own container's address",
        "see the log of the component's container",
        |seen, case| seen.judge(case.profile),
    )],
    triage: &[],
};

/// Asks every component until it is ready, all at the same time.
pub async fn observe(subject: &Subject) -> Result<Readiness, Failure> {
    let client = client(REQUEST)?;
    let containerd = Containerd::connect(&subject.address).await?;
    let tasks = containerd.tasks(&subject.namespace()).await?;
    let found = containerd.containers(&subject.namespace()).await?;
    let mut asked = Vec::new();
    for component in subject.profile.components() {
        let name = subject.container(component);
        let container = found.iter().find(|one| one.name() == Some(name.as_str()));
        let task = container.and_then(|container| tasks.iter().find(|task| task.id == container.id));
        let url = match task {
            None => Err("nothing runs in its container".to_owned()),
            Some(task) if task.status != "RUNNING" => Err(format!("its task is {}", task.status)),
            Some(task) => {
                address(task.pid).map(|address| url(component, address)).ok_or("it has no address".to_owned())
            }
        };
        asked.push(tokio::spawn(until_ready(client.clone(), subject.ended.clone(), component, name, url)));
    }
    let mut components = Vec::new();
    for answer in asked {
        components.push(answer.await.map_err(|error| {
            Failure::new("a component could not be asked")
                .expected("an answer, or why there is none")
                .seen(error.to_string())
                .to_be_reported()
        })?);
    }
    Ok(Readiness { components })
}

async fn until_ready(
    client: reqwest::Client,
    ended: Ended,
    component: Component,
    name: String,
    url: Result<String, String>,
) -> Answer {
    let url = match url {
        Ok(url) => url,
        // Nobody to wait for.
        Err(said) => return Answer { name, url: None, status: None, said },
    };
    let begin = Instant::now();
    loop {
        let (status, said) = match client.get(&url).send().await {
            Ok(response) => (Some(response.status().as_u16()), response.text().await.unwrap_or_default()),
            Err(error) if error.is_timeout() => (None, format!("no answer within {} s", REQUEST.as_secs())),
            Err(error) if error.is_connect() => (None, "connection refused".to_owned()),
            Err(error) => (None, error.to_string()),
        };
        if let Some(how) = ended.of(&component.to_string()) {
            return Answer { name, url: Some(url), status: None, said: how };
        }
        if status == Some(200) || begin.elapsed() > LIMIT {
            return Answer { name, url: Some(url), status, said: said.chars().take(200).collect() };
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The health endpoints of etcd, NATS (its monitoring port, which `WorkerBee` configures) and k1s. None of them asks
/// for a token.
fn url(component: Component, address: Ipv4Addr) -> String {
    let place = match component {
        Component::Etcd => "2379/health",
        Component::Nats => "8222/healthz",
        Component::Apishim => "8445/healthz",
        Component::Controller(_) => "9108/health",
    };
    format!("http://{address}:{place}")
}

/// The address of the network namespace that a process is in. NATS has no port on the host: `WorkerBee` knows none.
pub(super) fn address(pid: u32) -> Option<Ipv4Addr> {
    local_address(&std::fs::read_to_string(format!("/proc/{pid}/net/fib_trie")).ok()?)
}

/// The first address of the kernel's table of routes that is the namespace's own and not its loopback's.
fn local_address(table: &str) -> Option<Ipv4Addr> {
    let lines: Vec<&str> = table.lines().map(str::trim).collect();
    let own = lines.windows(2).filter(|pair| pair[1] == "/32 host LOCAL");
    own.filter_map(|pair| pair[0].strip_prefix("|-- ")?.parse::<Ipv4Addr>().ok()).find(|own| !own.is_loopback())
}

impl Readiness {
    /// Every component of the profile answered 200.
    pub fn judge(&self, profile: Profile) -> Result<(), Mismatch> {
        if self.components.is_empty() {
            return Err("no component was asked".into());
        }
        for component in profile.components() {
            let end = format!("-{profile}-{component}");
            let answer = self.components.iter().find(|one| one.name.ends_with(&end));
            let answer = answer.ok_or_else(|| Mismatch::from(format!("{component} was not asked")))?;
            match answer.status {
                Some(200) => {}
                Some(status) => {
                    return Err(Mismatch::new(
                        format!("{component} answers {status} when asked for its health"),
                        answer,
                    ));
                }
                None => {
                    return Err(Mismatch::new(format!("{component} does not answer"), answer).of(Kind::Silence));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_address_is_found() {
        let table = "Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 10.208.226.0
        /24 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
        |-- 10.208.226.3
           /32 host LOCAL
        |-- 10.208.226.255
           /32 link BROADCAST
        |-- 127.0.0.1
           /32 host LOCAL
";
        assert_eq!(local_address(table), Some(Ipv4Addr::new(10, 208, 226, 3)));
        assert_eq!(local_address("Local:\n |-- 127.0.0.1\n /32 host LOCAL\n"), None);
    }
}
