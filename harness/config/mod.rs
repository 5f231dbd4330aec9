//! The settings of the user: variables of the environment and, where these are not set, a file `k1s-gates.toml`.
//!
//! [`SETTINGS`] is the one table of all of it: the file's reader, its schema, its template and the page in the docs come from
//! there. What a value means, and whether it can be meant, is for those to say who use it.

mod file;
mod page;
mod schema;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

pub use page::{page, template};
pub use schema::schema;
pub use table::{SETTINGS, Setting, Takes};

use crate::failure::Failure;
use file::Values;

/// The name of the file.
pub const FILE: &str = "k1s-gates.toml";
/// The variable that names another one.
const FILE_VARIABLE: &str = "K1S_GATES_CONFIG";

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Nobody set it.
    Default,
    /// A variable of the environment.
    Variable(String),
    /// A line of the file, from 1, and the column in it.
    File(PathBuf, usize, usize),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Variable(name) => f.write_str(name),
            Self::File(file, line, column) => write!(f, "{}:{line}:{column}", file.display()),
        }
    }
}

/// A value, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The value as text; a list's items behind commas.
    pub text: String,
    /// Its source.
    pub source: Source,
    /// Its name in that source.
    name: String,
}

impl Told {
    /// The value as what it is to be, or what it has to be.
    pub fn parse<T: FromStr>(&self, expected: &str) -> Result<T, Failure> {
        self.text.parse().map_err(|_| self.refused(expected))
    }

    /// The items of a list; `none` is the empty one.
    pub fn items(&self) -> impl Iterator<Item = &str> {
        self.text.split(',').map(str::trim).filter(|item| !item.is_empty() && self.text != "none")
    }

    /// A value that cannot be meant is refused, not replaced.
    pub fn refused(&self, expected: &str) -> Failure {
        let (place, how) = match &self.source {
            Source::File(..) => (format!("{}: ", self.source), "take it out"),
            _ => (String::new(), "unset it"),
        };
        Failure::new(format!("{place}{}={} cannot be used", self.name, self.text))
            .expected(expected)
            .seen(&self.text)
            .remedy(format!("correct {}, or {how}", self.name))
    }
}

/// One of several tables of a name.
#[derive(Debug)]
pub struct Table {
    /// The place where it begins.
    pub source: Source,
    /// Its members by their keys.
    pub members: BTreeMap<&'static str, Told>,
}

/// The settings of this process, of which those in a file were read once.
#[derive(Debug, Default)]
pub struct Config {
    file: Option<PathBuf>,
    values: Values,
}

/// The settings of this process: its environment and the file in reach.
pub fn get() -> Result<&'static Config, Failure> {
    static CONFIG: OnceLock<Result<Config, Failure>> = OnceLock::new();
    CONFIG.get_or_init(Config::of_this_process).as_ref().map_err(Clone::clone)
}

/// A variable of the environment; an empty one counts as unset.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Config {
    fn of_this_process() -> Result<Self, Failure> {
        let manifest = variable("CARGO_MANIFEST_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
        let working = std::env::current_dir().ok();
        let named = variable(FILE_VARIABLE).map(|file| working.clone().unwrap_or_default().join(file));
        match named.or_else(|| manifest.iter().chain(&working).find_map(|start| in_reach(start))) {
            Some(file) => Self::read(&file),
            None => Ok(Self::default()),
        }
    }

    /// Reads one file.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::new(format!("{} cannot be read", file.display()))
                .expected("a file of settings, in TOML")
                .seen(error.to_string())
                .remedy(format!("correct {FILE_VARIABLE}, or the file's rights"))
        })?;
        refuse_foreign(file)?;
        Ok(Self { file: Some(file.to_owned()), values: file::parse(file, &text)? })
    }

    /// The file, where there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Returns the value of a variable, or else of the file's key in its place; an error when the setting takes no such
    /// value.
    pub fn told(&self, variable: &str) -> Result<Option<Told>, Failure> {
        let (Some(setting), Some(told)) = (table::of(variable), self.unchecked(variable)) else { return Ok(None) };
        let fits = match setting.takes {
            Takes::Number(_) => told.text.parse::<u64>().is_ok_and(|number| number > 0),
            Takes::Word(words) => words.contains(&told.text.as_str()),
            Takes::Text(_) | Takes::Path | Takes::Profiles(_) | Takes::Tables(_) => true,
        };
        if fits { Ok(Some(told)) } else { Err(told.refused(&setting.words())) }
    }

    /// The same of a number.
    pub fn number<T: FromStr>(&self, variable: &str) -> Result<Option<T>, Failure> {
        let words = || table::of(variable).map(Setting::words).unwrap_or_default();
        self.told(variable)?.map(|told| told.parse(&words())).transpose()
    }

    fn unchecked(&self, variable: &str) -> Option<Told> {
        let set = self::variable(variable).map(|text| {
            let source = Source::Variable(variable.to_owned());
            Told { text, source, name: variable.to_owned() }
        });
        set.or_else(|| self.in_file(variable))
    }

    /// Returns the file's value in a variable's place, whatever the variable is set to.
    pub fn in_file(&self, variable: &str) -> Option<Told> {
        self.values.plain.get(table::of(variable)?.key).cloned()
    }

    /// The tables of one name in the file, such as `[[https]]`.
    pub fn tables(&self, key: &str) -> &[Table] {
        self.values.tables.get(key).map_or(&[], Vec::as_slice)
    }

    /// Every setting with what it is set to: by whom, and to what; the default in words where nobody did.
    pub fn all(&self) -> Vec<(&'static Setting, Told)> {
        let told = |setting: &'static Setting| match setting.takes {
            Takes::Tables(_) => {
                let tables = self.tables(setting.key);
                let source = tables.first().map_or(Source::Default, |table| table.source.clone());
                Told { text: tables.len().to_string(), source, name: setting.key.to_owned() }
            }
            _ => self.unchecked(setting.variable).unwrap_or_else(|| Told {
                text: setting.default.to_owned(),
                source: Source::Default,
                name: setting.variable.to_owned(),
            }),
        };
        SETTINGS.iter().map(|setting| (setting, told(setting))).collect()
    }
}

/// The file of a folder or of one above it, up to the root of its repository. Without a repository the folder's own alone: a
/// file in /tmp is nobody's.
fn in_reach(start: &Path) -> Option<PathBuf> {
    let root = start.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(start);
    let within = start.ancestors().take_while(|folder| folder.starts_with(root));
    within.map(|folder| folder.join(FILE)).find(|file| file.is_file())
}

/// Refuses a file that is neither this user's, nor root's, nor of whoever owns its folder: it decides over a run that
/// may be root's.
fn refuse_foreign(file: &Path) -> Result<(), Failure> {
    let owner = |path: &Path| std::fs::metadata(path).map(|about| about.uid()).ok();
    let Some(of_file) = owner(file) else { return Ok(()) };
    let own = rustix::process::geteuid().as_raw();
    if of_file == 0 || of_file == own || Some(of_file) == file.parent().and_then(owner) {
        return Ok(());
    }
    Err(Failure::new(format!("{} belongs to somebody else", file.display()))
        .expected("a file of yours, of root's, or of whoever owns its folder")
        .seen(format!("it belongs to user {of_file}"))
        .remedy("read it; if it is as it should be, make it yours"))
}

/// The word of several that another one was most likely meant to be.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |other: &str| {
        let last = other.rsplit('.').next().unwrap_or(other);
        let plain = word.rsplit('.').next().unwrap_or(word).replace('_', "-").to_lowercase();
        strsim::jaro_winkler(word, other).max(strsim::jaro_winkler(&plain, last))
    };
    let likely = known.into_iter().map(|other| (likeness(other), other)).filter(|(likeness, _)| *likeness > 0.75);
    likely.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, other)| other)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::of_the_manifest(&["a/.git"], "a/t", &["a/t"], Some("a/t"))]
    #[case::above_it(&["a/.git"], "a/t/u", &["a"], Some("a"))]
    #[case::the_nearest(&["a/.git"], "a/t", &["a", "a/t"], Some("a/t"))]
    #[case::outside_the_repository(&["a/.git"], "a/t", &["."], None)]
    #[case::without_a_repository(&[], "a/t", &["a"], None)]
    fn the_nearest_file_of_the_repository_counts(
        #[case] folders: &[&str],
        #[case] start: &str,
        #[case] files: &[&str],
        #[case] found: Option<&str>,
    ) {
        let place = tempfile::tempdir().unwrap();
        for folder in folders.iter().chain([&start]).chain(files) {
            std::fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        for folder in files {
            std::fs::write(place.path().join(folder).join(FILE), "").unwrap();
        }
        let expected = found.map(|folder| place.path().join(folder).join(FILE));
        assert_eq!(in_reach(&place.path().join(start)), expected);
    }

    #[rstest]
    #[case("lane", "lanes")]
    #[case("limits.start-up", "limits.startup")]
    #[case("startup", "limits.startup")]
    #[case("Project_Base", "project-base")]
    #[case("transports", "transport")]
    fn a_slip_of_the_pen_is_recognized(#[case] word: &str, #[case] meant: &str) {
        assert_eq!(
            nearest(word, SETTINGS.iter().map(|setting| setting.key).filter(|key| !key.is_empty())),
            Some(meant)
        );
    }

    #[test]
    fn what_is_like_nothing_is_taken_for_nothing() {
        assert_eq!(nearest("frobnicate", ["lanes", "keep"]), None);
    }
}
