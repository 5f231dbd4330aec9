//! The logs of a project's containers: nobody's token is in them, and what k1s could not handle is told.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use super::Subject;
use super::ingress::Tokens;
use super::provoked::is_provoked;
use crate::failure::{Failure, Mismatch};
use crate::plan::Profile;
use crate::workerbee::naming;

const TRACEBACK: &str = "Traceback (most recent call last):";
/// What the file of a component's log is called after the component when it is that of its installation.
pub(crate) const INSTALLING: &str = ".installing";
/// The longest last line of a traceback that is kept.
const LINE: usize = 200;

/// The observation of the logs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Logs {
    /// One per container.
    pub logs: Vec<Log>,
}

/// One container's log.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Log {
    /// The component that it is from, or else the container's name.
    pub container: String,
    /// The number of its lines.
    pub lines: usize,
    /// The names of the tokens that it holds.
    pub tokens: Vec<String>,
    /// The last line of each traceback that the harness did not provoke.
    pub tracebacks: Vec<String>,
    /// The reason why it could not be read.
    pub unread: Option<String>,
    /// True when this user may not read it.
    pub forbidden: bool,
}

/// Reads them.
pub fn observe(subject: &Subject) -> Result<Logs, Failure> {
    let tokens: Tokens = subject.profile_record()?;
    let files = files(&subject.state_root, &subject.project, Some(subject.profile));
    let read = |(name, file): (String, PathBuf)| match std::fs::read_to_string(&file) {
        Ok(text) => Log { container: name, ..Log::of(&text, &tokens) },
        Err(error) => {
            let forbidden = error.kind() == ErrorKind::PermissionDenied;
            Log { container: name, unread: Some(error.to_string()), forbidden, ..Log::default() }
        }
    };
    Ok(Logs { logs: files.into_iter().map(read).collect() })
}

/// The files of all logs of a project, by component where it is one. nerdctl's files rather than containerd are asked for
/// the names: they are there when containerd is not.
pub(crate) fn files(state_root: &Path, project: &str, profile: Option<Profile>) -> BTreeMap<String, PathBuf> {
    let data = state_root.join("projects").join(project).join("containerd-data");
    let files: Vec<PathBuf> = WalkDir::new(data)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect();
    let text = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // names/<namespace>/<name> holds an id.
    let written = files.iter().filter(|file| file.iter().rev().nth(2).is_some_and(|folder| folder == "names"));
    let names: BTreeMap<String, String> =
        written.filter_map(|file| Some((std::fs::read_to_string(file).ok()?.trim().to_owned(), text(file)))).collect();
    let component = |container: &str| {
        let profile = profile?;
        let of = |component| naming::container(state_root, project, profile, component);
        profile.components().into_iter().find(|one| of(*one) == container).map(|one| one.to_string())
    };
    let logs = files.iter().filter_map(|file| Some((text(file).strip_suffix("-json.log")?.to_owned(), file)));
    logs.map(|(id, file)| {
        let name = names.get(&id).map(|name| component(name).unwrap_or_else(|| name.clone()));
        (name.unwrap_or_else(|| id.chars().take(12).collect()), file.clone())
    })
    .collect()
}

impl Log {
    /// nerdctl writes one JSON object per line; what cannot be read as one is taken as it is.
    fn of(text: &str, tokens: &Tokens) -> Self {
        let said = |line: &str| {
            let object: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            object["log"].as_str().unwrap_or(line).trim_end().to_owned()
        };
        let lines: Vec<String> = text.lines().map(said).collect();
        let known = [("admin", &tokens.admin), ("read", &tokens.read), ("api", &tokens.api)];
        let held = known.into_iter().filter(|(_, token)| lines.iter().any(|line| line.contains(token.as_str())));
        let tokens = held.map(|(name, _)| name.to_owned()).collect();
        Self { lines: lines.len(), tokens, tracebacks: tracebacks(&lines), ..Self::default() }
    }
}

/// The last line of each traceback. One that was raised while another was handled stands for both.
fn tracebacks(lines: &[String]) -> Vec<String> {
    let mut found: Vec<Option<String>> = Vec::new();
    let mut chained = false;
    let (mut rest, mut before) = (lines.iter(), None);
    while let Some(line) = rest.next() {
        chained |=
            line.contains("During handling of the above exception") || line.contains("direct cause of the following");
        if line.trim() != TRACEBACK {
            before = Some(line.as_str()).filter(|line| !line.is_empty());
            continue;
        }
        let last = rest.find(|line| !line.is_empty() && !line.starts_with(' ')).cloned().unwrap_or_default();
        if std::mem::take(&mut chained) {
            found.pop();
        }
        found.push((!is_provoked(before, &last)).then(|| last.chars().take(LINE).collect()));
    }
    found.into_iter().flatten().collect()
}

impl Logs {
    /// The tracebacks of k1s's own components. `WorkerBee`'s app has its own whenever a connection ends early, as those of
    /// the probes do.
    pub fn tracebacks(&self, profile: Profile) -> Vec<String> {
        let names: Vec<String> = profile.components().iter().map(ToString::to_string).collect();
        let of = |log: &Log| {
            let last = log.tracebacks.last()?;
            Some(format!("{} tracebacks in the log of {}, at last: {last}", log.tracebacks.len(), log.container))
        };
        self.logs.iter().filter(|log| names.contains(&log.container)).filter_map(of).collect()
    }
}

/// Each component has a log, and none holds a token.
pub fn judge(seen: &Logs, profile: Profile) -> Result<(), Mismatch> {
    for component in profile.components() {
        match seen.logs.iter().find(|log| log.container == component.to_string()) {
            None => return Err(Mismatch::new(format!("there is no log of {component}"), &seen.logs)),
            Some(Log { unread: Some(why), forbidden: false, .. }) => {
                return Err(Mismatch::new(format!("the log of {component} cannot be read"), why));
            }
            Some(_) => {}
        }
    }
    match seen.logs.iter().find(|log| !log.tokens.is_empty()) {
        None => Ok(()),
        Some(log) => {
            let what = format!("the log of {} holds a token in clear: {}", log.container, log.tokens.join(", "));
            Err(Mismatch::new(what, log))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str) -> Log {
        let tokens = Tokens { api: "api-1234".into(), admin: "admin-5678".into(), read: "read-9012".into() };
        Log::of(text, &tokens)
    }

    #[test]
    fn a_token_is_found_in_either_kind_of_line() {
        let seen = log("{\"log\":\"apply by admin-5678\\n\",\"stream\":\"stderr\"}\nread-9012 as it is\n");
        assert_eq!((seen.lines, seen.tokens), (2, vec!["admin".to_owned(), "read".to_owned()]));
    }

    #[test]
    fn a_traceback_is_its_last_line_and_those_of_our_own_are_left_out() {
        let chain = "Traceback (most recent call last):\n  File \"a.py\", line 1\n    x\nKeyError: 'a'\n\n\
                     During handling of the above exception, another exception occurred:\n\n\
                     Traceback (most recent call last):\n  File \"b.py\", line 2\nRuntimeError: invalid manifest: no\n";
        assert_eq!(log(chain).tracebacks, Vec::<String>::new());
        let other =
            "INFO up\nTraceback (most recent call last):\n  File \"c.py\", line 3\n    y\nOSError: gone\nINFO on\n";
        assert_eq!(log(&format!("{chain}{other}")).tracebacks, ["OSError: gone"]);
        assert_eq!(log("Traceback (most recent call last):\n  File").tracebacks, [""]);
        let ours = "ERROR apply handler failed source=api app=p--gates-nobody\n\
                    Traceback (most recent call last):\n  File \"d.py\", line 4\nOSError: disk\n";
        assert_eq!(log(&format!("{other}{ours}")).tracebacks, ["OSError: gone"]);
    }
}
