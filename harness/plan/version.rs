//! The version of `WorkerBee`, and the list of those that the gates are written for.

use std::collections::BTreeMap;
use std::fmt;

/// The versions whose answers the checks read, and whose shapes come with the harness (`snapshots/workerbee-<version>`).
const SUPPORTED: &[&str] = &["0.1.7"];
/// The name that it has among the versions of a gate.
const NAME: &str = "WorkerBee";

/// A version of `WorkerBee`, as it names it itself; none when nobody asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerBeeVersion(Option<String>);

impl WorkerBeeVersion {
    /// The one among the versions of a gate or a run.
    pub fn of(versions: &BTreeMap<String, String>) -> Self {
        Self(versions.get(NAME).cloned())
    }

    /// Is true when the gates are written for it.
    pub fn is_supported(&self) -> bool {
        self.0.as_deref().is_some_and(|version| SUPPORTED.contains(&version))
    }

    /// The versions that the gates are written for, in words.
    pub fn supported() -> String {
        format!("WorkerBee {}", SUPPORTED.join(" or "))
    }
}

impl fmt::Display for WorkerBeeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("unknown"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_supported_have_snapshots_and_no_others_do() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots")).unwrap();
        let mut names: Vec<String> =
            folder.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        let mut wanted: Vec<String> = SUPPORTED.iter().map(|version| format!("workerbee-{version}")).collect();
        wanted.sort();
        assert_eq!(names, wanted);
    }

    #[test]
    fn a_version_that_nobody_told_is_not_supported() {
        let of = |version: &str| WorkerBeeVersion::of(&BTreeMap::from([(NAME.to_owned(), version.to_owned())]));
        assert!(of("0.1.7").is_supported() && !of("0.1.70").is_supported());
        let none = WorkerBeeVersion::of(&BTreeMap::new());
        assert!(!none.is_supported());
        assert_eq!(none.to_string(), "unknown");
    }
}
