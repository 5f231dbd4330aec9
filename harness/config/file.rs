//! `k1s-gates.toml`, read key by key against the table: whatever is wrong is told with its line, its column and, of a key
//! that there is not, the one that was meant.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, TableLike, Value};

use super::table::{SETTINGS, Setting, Takes};
use super::{Source, Table, Told, nearest};
use crate::failure::Failure;

/// The values in a file.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// By key.
    pub(super) plain: BTreeMap<&'static str, Told>,
    /// By the name that the tables have in common.
    pub(super) tables: BTreeMap<&'static str, Vec<Table>>,
}

/// Reads a file's text.
pub(super) fn parse(file: &Path, text: &str) -> Result<Values, Failure> {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let reader = Reader { text, folder: file.parent().map(Path::to_owned).unwrap_or_default(), file };
    let document = Document::parse(text).map_err(|error| {
        let what = error.message().lines().next().unwrap_or_default().to_owned();
        reader.failure(error.span(), &what, "TOML", &what)
    })?;
    let mut values = Values::default();
    reader.read(document.as_table(), "", &SETTINGS, &mut values)?;
    Ok(values)
}

/// A file that is being read.
struct Reader<'a> {
    file: PathBuf,
    folder: PathBuf,
    text: &'a str,
}

type Span = Option<std::ops::Range<usize>>;

impl Reader<'_> {
    fn read(
        &self,
        table: &dyn TableLike,
        within: &str,
        rows: &'static [Setting],
        values: &mut Values,
    ) -> Result<(), Failure> {
        for (name, item) in table.iter() {
            let key = if within.is_empty() { name.to_owned() } else { format!("{within}.{name}") };
            let span = table.get_key_value(name).and_then(|(key, _)| key.span());
            let below = format!("{key}.");
            match rows.iter().find(|row| row.key == key) {
                Some(row) => self.take(row, item, span, values)?,
                None if rows.iter().any(|row| row.key.starts_with(&below)) => match item.as_table_like() {
                    Some(inner) => self.read(inner, &key, rows, values)?,
                    None => return Err(self.failure(span, &format!("`{key}` is no table"), "a table", kind(item))),
                },
                None => return Err(self.unknown(&key, span, rows)),
            }
        }
        Ok(())
    }

    fn unknown(&self, key: &str, span: Span, rows: &'static [Setting]) -> Failure {
        let known: Vec<&str> = rows.iter().map(|row| row.key).filter(|key| !key.is_empty()).collect();
        let tables = known.iter().filter_map(|key| key.split_once('.')).map(|(table, _)| table);
        let meant = nearest(key, tables.chain(known.iter().copied()));
        let of_a_variable = SETTINGS.iter().find(|row| row.variable == key && !row.key.is_empty()).map(|row| row.key);
        let meant = of_a_variable.or(meant).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        self.failure(span, &format!("there is no key `{key}`{meant}"), &format!("one of {}", known.join(", ")), key)
    }

    fn take(&self, row: &'static Setting, item: &Item, span: Span, values: &mut Values) -> Result<(), Failure> {
        let Takes::Tables(members) = row.takes else {
            let text = self.text_of(row, item).ok_or_else(|| {
                let wanted = row.words();
                self.failure(
                    item.span().or(span.clone()),
                    &format!("`{}` is not {wanted}", row.key),
                    &wanted,
                    kind(item),
                )
            })?;
            let source = self.place(span);
            values.plain.insert(row.key, Told { text, source, name: row.key.to_owned() });
            return Ok(());
        };
        let tables = item.as_array_of_tables().ok_or_else(|| {
            let wanted = format!("a table `[[{}]]`", row.key);
            self.failure(span, &format!("`{}` is no list of tables", row.key), &wanted, kind(item))
        })?;
        for table in tables {
            let mut one = Values::default();
            self.read(table, "", members, &mut one)?;
            let one = Table { source: self.place(table.span()), members: one.plain };
            values.tables.entry(row.key).or_default().push(one);
        }
        Ok(())
    }

    /// A value as text, when it is one that the setting takes.
    fn text_of(&self, row: &Setting, item: &Item) -> Option<String> {
        let value = item.as_value()?;
        match row.takes {
            Takes::Number(_) => value.as_integer().filter(|number| *number > 0).map(|number| number.to_string()),
            Takes::Path => value.as_str().map(|path| self.folder.join(path).display().to_string()),
            Takes::Word(words) => value.as_str().filter(|word| words.contains(word)).map(str::to_owned),
            Takes::Profiles(_) => {
                let items: Option<Vec<&str>> = value.as_array()?.iter().map(Value::as_str).collect();
                let items = items?;
                Some(if items.is_empty() { "none".to_owned() } else { items.join(",") })
            }
            Takes::Text(_) | Takes::Tables(_) => value.as_str().map(str::to_owned),
        }
    }

    fn place(&self, span: Span) -> Source {
        let before = self.text.get(..span.map_or(0, |span| span.start)).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Source::File(self.file.clone(), before.matches('\n').count() + 1, line.chars().count() + 1)
    }

    fn failure(&self, span: Span, what: &str, expected: &str, seen: &str) -> Failure {
        let place = self.place(span);
        Failure::new(format!("{place}: {what}"))
            .expected(expected)
            .seen(seen)
            .remedy(format!("correct {}; docs/settings.md has every key with an example", self.file.display()))
    }
}

fn kind(item: &Item) -> &str {
    match item.as_str() {
        Some(text) if !text.is_empty() => text,
        _ => item.type_name(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(text: &str) -> Result<Values, Failure> {
        parse(Path::new("/r/k1s-gates.toml"), text)
    }

    #[rstest]
    #[case::no_key(
        "lanes = 2\nlimit.startup = 3",
        "k1s-gates.toml:2:1: there is no key `limit`; did you mean `limits`?"
    )]
    #[case::below_a_table(
        "[limits]\n  start-up = 3",
        "k1s-gates.toml:2:3: there is no key `limits.start-up`; did you mean `limits.startup`?"
    )]
    #[case::like_nothing("frobnicate = 1", "k1s-gates.toml:1:1: there is no key `frobnicate`")]
    #[case::a_variable(
        "K1S_GATES_LANES = 1",
        "k1s-gates.toml:1:1: there is no key `K1S_GATES_LANES`; did you mean `lanes`?"
    )]
    #[case::of_the_environment_alone("run-dir = \"x\"", "k1s-gates.toml:1:1: there is no key `run-dir`")]
    #[case::another_kind(
        "lanes = \"two\"",
        "k1s-gates.toml:1:9: `lanes` is not a whole number of gates side by side, 1 at least"
    )]
    #[case::too_small(
        "limits = { startup = 0 }",
        "k1s-gates.toml:1:22: `limits.startup` is not a whole number of seconds"
    )]
    #[case::no_such_word("transport = 'smtp'", "k1s-gates.toml:1:13: `transport` is not `cli` or `mcp` or `both`")]
    #[case::no_list("profiles = 'k1s-ha-min'", "k1s-gates.toml:1:12: `profiles` is not a list of profiles")]
    #[case::no_table("limits = 3", "k1s-gates.toml:1:1: `limits` is no table")]
    #[case::twice("lanes = 1\nlanes = 2", "k1s-gates.toml:2:1: duplicate key")]
    #[case::no_toml("lanes: 1", "k1s-gates.toml:1:")]
    fn what_is_wrong_is_told_with_its_place(#[case] text: &str, #[case] says: &str) {
        let failure = read(text).unwrap_err();
        assert!(failure.what.contains(says), "{failure}");
        assert!(!failure.expected.is_empty() && !failure.remedy.is_empty(), "{failure}");
    }

    #[test]
    fn every_example_of_the_table_is_a_value() {
        for row in SETTINGS.iter().filter(|row| !row.key.is_empty() && !matches!(row.takes, Takes::Tables(_))) {
            let values = read(&format!("{} = {}", row.key, row.example)).unwrap();
            assert!(values.plain.contains_key(row.key), "{}", row.key);
        }
    }

    #[test]
    fn a_value_knows_its_place_and_a_path_counts_from_the_file() {
        let values = read("# mine\nk1s-root = '../k1s'\nworkloads = []\n").unwrap();
        let root = &values.plain["k1s-root"];
        assert_eq!((root.text.as_str(), root.source.to_string()), ("/r/../k1s", "/r/k1s-gates.toml:2:1".to_owned()));
        assert_eq!(values.plain["workloads"].items().count(), 0);
    }
}
