//! The place of a profile's state: etcd or an SQLite file, and not the other one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

use super::Subject;
use super::etcd::Etcd;
use super::probe::{After, Moment, Observe, Probe, Rule};
use crate::failure::{Failure, Mismatch};
use crate::plan::{Component, Gate, Profile};
use crate::workerbee::naming;

/// A single controller answers `/health` before its first turn writes its node down.
const LIMIT: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(100);
/// The bytes that every SQLite file begins with.
const HEADER: &[u8] = b"SQLite format 3\0";
/// A table of k1s's state store (`AE_STATE_DB`). The API shim has an SQLite file of its own in every profile,
/// `apishim.db`, with one table `objects`: no state of the controllers.
const STATE_TABLE: &str = "app_registry";
/// The table of that file: a look that does not see it sees no SQLite file at all.
const SHIM_TABLE: &str = "objects";
/// The prefix of the keys of the controllers' presence and lease. k1s-ha-min writes those wherever its state is
/// (`ae.controller.authority`), and nothing else before something is deployed (none seen in 30 s).
const ELECTION: &str = "controlplane/";
/// Keys are counted; so many are named.
const NAMED: usize = 20;

/// The observation of a profile's state.
#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    /// The profile's etcd; none when `WorkerBee` recorded none.
    pub etcd: Option<Keys>,
    /// True when there is a folder that etcd writes to.
    pub etcd_folder: bool,
    /// The SQLite files in the profile's folder.
    pub sqlite: Vec<File>,
}

/// k1s's keys in etcd.
#[derive(Debug, Serialize, Deserialize)]
pub struct Keys {
    /// The prefix of the profile's keys (`AE_ETCD_PREFIX`).
    pub prefix: String,
    /// The number of keys of k1s's state.
    pub count: usize,
    /// The number of keys of the controllers' presence and lease.
    pub election: usize,
    /// The first of them.
    pub first: Vec<String>,
    /// The first of those that start otherwise, when there are none that start so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<String>,
}

/// An SQLite file.
#[derive(Debug, Serialize, Deserialize)]
pub struct File {
    /// Its path in the profile's folder.
    pub path: PathBuf,
    /// Its tables.
    pub tables: Vec<String>,
}

/// The place of the state.
pub static PROBE: Probe<State> = Probe {
    name: "state-backend",
    of: Gate::starts_profile,
    moment: Moment::Alive,
    after: After::Nobody,
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject, scene.gate.deploys_apps()))),
    checks: &[
        Rule::<State>::new(
            "attest::state-backend",
            "k1s's keys in etcd, and no SQLite file with its state",
            REMEDY,
            |seen, case| seen.judge(case.profile, case.gate.deploys_apps()),
        )
        .of(Gate::keeps_state_in_etcd),
        Rule::<State>::new(
            "attest::state-backend",
            "an SQLite file with k1s's state, and no etcd",
            REMEDY,
            |seen, case| seen.judge(case.profile, case.gate.deploys_apps()),
        )
        .of(|gate| !gate.keeps_state_in_etcd()),
    ],
    triage: &[],
};

const REMEDY: &str = "compare AE_STATE_BACKEND in the controller's container with the profile";

/// Looks until there is state somewhere, of what was deployed or of nothing yet, and the API shim's file.
pub async fn observe(subject: &Subject, deployed: bool) -> Result<State, Failure> {
    let begin = Instant::now();
    loop {
        let state = once(subject).await?;
        let is_there = state.in_etcd(deployed) || state.in_sqlite();
        if (is_there && state.holds(SHIM_TABLE)) || begin.elapsed() > LIMIT {
            return Ok(state);
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn once(subject: &Subject) -> Result<State, Failure> {
    let profile = subject.profile;
    let folder = subject.state_root.join("projects").join(&subject.project).join("profiles").join(profile.name());
    let etcd = match Etcd::of(&subject.profile_record()?)? {
        None => None,
        Some(etcd) => {
            let prefix = format!("{}/", naming::etcd_prefix(&subject.project, profile));
            let mut first = etcd.keys(&prefix).await?;
            let all = first.len();
            first.retain(|key| !key.strip_prefix(&prefix).is_some_and(|key| key.starts_with(ELECTION)));
            let count = first.len();
            first.truncate(NAMED);
            let mut elsewhere = if all == 0 { etcd.all_keys().await? } else { Vec::new() };
            elsewhere.truncate(NAMED);
            Some(Keys { prefix, count, election: all - count, first, elsewhere })
        }
    };
    let etcd_folder = folder.join("data/etcd").exists();
    let looked = tokio::task::spawn_blocking(move || files(&folder).map_err(|error| unreadable(&folder, &error)));
    let sqlite = looked.await.map_err(|error| {
        Failure::new("the profile's files could not be read")
            .expected("the SQLite files in its folder")
            .seen(error.to_string())
            .to_be_reported()
    })??;
    Ok(State { etcd, etcd_folder, sqlite })
}

/// The SQLite files of k1s. What etcd and NATS keep in `data` is theirs, and closed to others.
fn files(folder: &Path) -> Result<Vec<File>, String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        let unread = |error: std::io::Error| format!("{}: {error}", inner.display());
        for entry in std::fs::read_dir(&inner).map_err(unread)? {
            let entry = entry.map_err(unread)?;
            let path = entry.path();
            let kind = entry.file_type().map_err(unread)?;
            if kind.is_dir() && path != folder.join("data") {
                folders.push(path);
            } else if kind.is_file() && is_sqlite(&path).map_err(|error| format!("{}: {error}", path.display()))? {
                let tables = tables(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                found.push(File { path: path.strip_prefix(folder).unwrap_or(&path).to_owned(), tables });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

fn is_sqlite(path: &Path) -> std::io::Result<bool> {
    use std::io::Read as _;
    let mut start = Vec::new();
    match std::fs::File::open(path) {
        Ok(file) => file.take(HEADER.len() as u64).read_to_end(&mut start).map(|_| start == HEADER),
        // A journal goes when its transaction ends.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opened for reading only: a controller is writing to it.
fn tables(path: &Path) -> rusqlite::Result<Vec<String>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    let mut query = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
    query.query_map([], |row| row.get(0))?.collect()
}

fn unreadable(folder: &Path, error: &str) -> Failure {
    Failure::new("the profile's folder cannot be read")
        .expected(folder.display().to_string())
        .seen(error)
        .remedy("see that the folder is there and may be read")
}

impl State {
    fn in_etcd(&self, deployed: bool) -> bool {
        self.etcd.as_ref().is_some_and(|keys| keys.count > 0 || (!deployed && keys.election > 0))
    }

    fn in_sqlite(&self) -> bool {
        self.holds(STATE_TABLE)
    }

    /// No state is where it should be: whether it is elsewhere.
    fn nowhere(&self) -> Mismatch {
        match &self.etcd {
            Some(keys) if !keys.elsewhere.is_empty() => {
                let what =
                    format!("no key in etcd starts with {}: the state goes by {}", keys.prefix, keys.elsewhere[0]);
                Mismatch::new(what, keys)
                    .remedy("see where k1s takes the prefix of its keys from: WorkerBee gives it in AE_ETCD_PREFIX")
            }
            _ => "there is no state at all".into(),
        }
    }

    fn holds(&self, table: &str) -> bool {
        self.sqlite.iter().any(|file| file.tables.iter().any(|one| one == table))
    }

    /// The state is where the profile keeps it, and nowhere else. Where something was deployed there is more of it than the
    /// controllers' election.
    pub fn judge(&self, profile: Profile, deployed: bool) -> Result<(), Mismatch> {
        let etcd = profile.components().contains(&Component::Etcd);
        if !self.holds(SHIM_TABLE) {
            let what = "no SQLite file of the API shim was found, which each profile has: the search would find no other either";
            return Err(Mismatch::new(what, &self.sqlite));
        }
        match (etcd, self.in_etcd(deployed), self.in_sqlite()) {
            (true, false, true) => Err("the state is in an SQLite file, not in etcd".into()),
            (true, true, true) => Err(Mismatch::new("the state is in etcd, and in an SQLite file too", &self.sqlite)),
            (false, true, false) => Err("the state is in etcd, not in an SQLite file".into()),
            (_, false, false) => Err(self.nowhere()),
            (false, _, true) if self.etcd.is_some() || self.etcd_folder => {
                Err("the state is in an SQLite file, and there is an etcd too".into())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_files_are_known_by_their_content() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir_all(folder.path().join("state"))?;
        Connection::open(folder.path().join("state/some.file"))?
            .execute("CREATE TABLE app_registry (name TEXT)", ())?;
        std::fs::write(folder.path().join("state/controller.db"), "not a database, whatever it is called")?;
        let seen = State { etcd: None, etcd_folder: false, sqlite: files(folder.path())? };
        assert_eq!(seen.sqlite.len(), 1);
        assert!(seen.in_sqlite(), "{seen:?}");
        Ok(())
    }
}
