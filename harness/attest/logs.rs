//! The logs of a project's containers: nobody's token is in them, and what k1s could not handle is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use super::Subject;
use super::ingress::Tokens;
use super::probe::{After, Moment, Observe, Probe, Rule};
use super::provoked::is_provoked;
use crate::failure::{Failure, Mismatch};
use crate::plan::{Gate, Profile};
use crate::workerbee::naming;

const TRACEBACK: &str = "Traceback (most recent call last):";
/// What the file of a component's log is called after the component when it is that of its installation.
pub(crate) const INSTALLING: &str = ".installing";
/// The same when it is the log that was rotated away last.
pub(crate) const ROTATED: &str = ".rotated";
/// The longest last line of a traceback that is kept.
const LINE: usize = 200;
/// The most of a log's beginning, and of its end, that is read for tracebacks.
const PART: usize = 2 * 1024 * 1024;
/// The most of a log that is in memory at once while it is searched for tokens.
const PIECE: usize = 256 * 1024;

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
    /// The number of bytes in the middle of a long log that were searched for tokens alone.
    #[serde(default)]
    pub middle: u64,
    /// The reason why it could not be read.
    pub unread: Option<String>,
    /// True when this user may not read it.
    pub forbidden: bool,
}

/// The logs, with all that the other probes have made k1s log.
pub static PROBE: Probe<Logs> = Probe {
    name: "logs",
    of: Gate::starts_profile,
    moment: Moment::Last,
    after: After::Nobody,
    observe: Observe::Ask(|scene| {
        Box::pin(async move {
            let logs = observe(&scene.subject)?;
            scene.tell(|aside| aside.noticed.extend(logs.tracebacks(scene.subject.profile)));
            Ok(logs)
        })
    }),
    checks: &[Rule::new(
        "attest::logs",
        "a log of each component, and no token of the profile's in any log",
        "read the log (`nerdctl logs`), give out other tokens, and see what k1s logs there",
        |seen, case| judge(seen, case.profile),
    )],
    triage: &[],
};

/// Reads them.
pub fn observe(subject: &Subject) -> Result<Logs, Failure> {
    let tokens: Tokens = subject.profile_record()?;
    let files = files(&subject.state_root, &subject.project, Some(subject.profile));
    let read = |(name, file): (String, PathBuf)| match Log::read(&file, &tokens) {
        Ok(log) => Log { container: name, ..log },
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

/// The file that a log is rotated to.
pub(crate) fn rotated(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

impl Log {
    /// Reads a log of any length. All of it is searched for tokens, its beginning and its end for tracebacks.
    fn read(file: &Path, tokens: &Tokens) -> io::Result<Self> {
        let mut file = File::open(file)?;
        let length = file.metadata()?.len();
        let (lines, tokens) = search(&mut (&file).take(length), tokens)?;
        let mut part = |from: u64, length: u64| -> io::Result<Vec<u8>> {
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            (&file).take(length).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let (most, whole) = (PART as u64, 2 * PART as u64);
        let (parts, middle) = match length.checked_sub(whole) {
            None | Some(0) => (vec![part(0, length)?], 0),
            Some(middle) => (vec![part(0, most)?, part(length - most, most)?], middle),
        };
        let tracebacks = parts.iter().flat_map(|part| tracebacks(&said(part))).collect();
        Ok(Self { lines, tokens, tracebacks, middle, ..Self::default() })
    }
}

/// Counts the lines, and finds the names of the tokens that are in them.
fn search(log: &mut impl Read, tokens: &Tokens) -> io::Result<(usize, Vec<String>)> {
    let known = [("admin", &tokens.admin), ("read", &tokens.read), ("api", &tokens.api)];
    let longest = known.iter().map(|(_, token)| token.len()).max().unwrap_or_default();
    let (mut lines, mut held, mut is_ended) = (0, BTreeSet::new(), true);
    let (mut window, mut kept) = (vec![0; PIECE + longest], 0);
    loop {
        let read = log.read(&mut window[kept..])?;
        if read == 0 {
            let names = known.iter().map(|(name, _)| *name).filter(|name| held.contains(name));
            return Ok((lines + usize::from(!is_ended), names.map(ToOwned::to_owned).collect()));
        }
        let end = kept + read;
        lines += memchr::memchr_iter(b'\n', &window[kept..end]).count();
        is_ended = window[end - 1] == b'\n';
        let seen = &window[..end];
        held.extend(
            known
                .iter()
                .filter(|(_, token)| memchr::memmem::find(seen, token.as_bytes()).is_some())
                .map(|(name, _)| *name),
        );
        // A token may go on in the next piece.
        let rest = end.min(longest);
        window.copy_within(end - rest..end, 0);
        kept = rest;
    }
}

/// The lines of a part of a log. nerdctl writes one JSON object per line; what cannot be read as one is taken as it is.
fn said(part: &[u8]) -> Vec<String> {
    let said = |line: &str| {
        let object: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        object["log"].as_str().unwrap_or(line).trim_end().to_owned()
    };
    String::from_utf8_lossy(part).lines().map(said).collect()
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
            let (count, name) = (log.tracebacks.len(), &log.container);
            Some(format!("{count} tracebacks in the log of {name}{}, at last: {last}", log.as_far_as_read()))
        };
        self.logs.iter().filter(|log| names.contains(&log.container)).filter_map(of).collect()
    }
}

impl Log {
    /// Says in words what of a long log was not read for tracebacks; nothing of others.
    fn as_far_as_read(&self) -> String {
        if self.middle == 0 {
            return String::new();
        }
        format!(", of which {} bytes in the middle were searched for tokens alone", self.middle)
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
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;

    fn log(text: &str) -> Log {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Log::read(file.path(), &tokens()).unwrap()
    }

    fn tokens() -> Tokens {
        Tokens { api: "api-1234".into(), admin: "admin-5678".into(), read: "read-9012".into() }
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

    /// Gives a hundred megabytes without having them, and notes the most that was asked for at once.
    struct Long {
        left: u64,
        most: usize,
    }

    impl Read for Long {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.most = self.most.max(into.len());
            let read = into.len().min(usize::try_from(self.left).unwrap());
            into[..read].fill(b'x');
            self.left -= read as u64;
            Ok(read)
        }
    }

    #[test]
    fn of_a_hundred_megabytes_little_is_in_memory() {
        let mut long = Long { left: 100 * 1024 * 1024, most: 0 };
        assert_eq!(search(&mut long, &tokens()).unwrap(), (1, Vec::new()));
        assert!(long.most <= PIECE + 16, "{}", long.most);
    }

    #[test]
    fn a_token_between_two_pieces_is_found() {
        for before in [PIECE - 12, PIECE - 4, PIECE, PIECE + 3, 2 * PIECE - 1] {
            assert_eq!(log(&format!("{}admin-5678", "x".repeat(before))).tokens, ["admin"], "{before}");
        }
    }

    #[test]
    fn of_a_long_log_the_beginning_and_the_end_are_read_and_that_is_said() {
        let trace = |name: &str| format!("Traceback (most recent call last):\n  File \"a.py\", line 1\n{name}: no\n");
        let filling = "INFO the loop has turned\n".repeat(PART / 10);
        let text = [trace("First"), filling.clone(), trace("Second"), filling, trace("Third")].concat();
        let seen = log(&text);
        assert_eq!(seen.tracebacks, ["First: no", "Third: no"]);
        assert_eq!(seen.middle, (text.len() - 2 * PART) as u64);
        let logs = Logs { logs: vec![Log { container: "controller-0".to_owned(), ..seen }] };
        let told = logs.tracebacks(Profile::DevMinSqlite);
        assert!(told[0].contains("bytes in the middle were searched for tokens alone"), "{told:?}");
    }

    #[test]
    fn a_log_that_is_no_text_is_read_all_the_same() {
        let bytes: Vec<u8> = (0..=255).cycle().take(90_000).chain(*b"\nread-9012").collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        assert_eq!(Log::read(file.path(), &tokens()).unwrap().tokens, ["read"]);
    }
}
