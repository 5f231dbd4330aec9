//! TOML that is added to a file of the user's, key by key, and taken out again. What is there already stays.

use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, Item, Key, Table, TableLike};

/// The additions to a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Added {
    /// Keys with their values, as TOML.
    pub(super) values: Vec<(Vec<String>, String)>,
    /// Tables of an array of tables, such as `[[test]]`, each as TOML.
    pub(super) elements: Vec<(Vec<String>, String)>,
    /// Tables that were not there.
    pub(super) tables: Vec<Vec<String>>,
}

impl Added {
    /// Takes in what was added at another time.
    pub(super) fn extend(&mut self, other: Self) {
        let tables: Vec<_> = other.tables.into_iter().filter(|path| !self.tables.contains(path)).collect();
        self.tables.extend(tables);
        for (known, new) in [(&mut self.values, other.values), (&mut self.elements, other.elements)] {
            let new: Vec<_> = new.into_iter().filter(|one| !known.contains(one)).collect();
            known.extend(new);
        }
    }
}

/// The result of a merge.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) added: Added,
    /// Keys of the user's with another value.
    pub(super) kept: Vec<String>,
}

/// Two things of a name that cannot be one.
#[derive(Debug)]
pub(super) struct Conflict(pub(super) String);

/// Adds to `into` what it lacks of `from`.
pub(super) fn merge(into: &mut DocumentMut, from: &DocumentMut) -> Result<Merged, Conflict> {
    let mut merged = Merged::default();
    tables(into.as_table_mut(), from.as_table(), &mut Vec::new(), &mut merged)?;
    Ok(merged)
}

fn tables(
    into: &mut dyn TableLike,
    from: &dyn TableLike,
    path: &mut Vec<String>,
    merged: &mut Merged,
) -> Result<(), Conflict> {
    for (name, _) in from.iter() {
        let Some((key, item)) = from.get_key_value(name) else { continue };
        path.push(name.to_owned());
        member(into, key, item, path, merged)?;
        path.pop();
    }
    Ok(())
}

fn member(
    into: &mut dyn TableLike,
    formatted: &Key,
    item: &Item,
    path: &mut Vec<String>,
    merged: &mut Merged,
) -> Result<(), Conflict> {
    let key = formatted.get();
    let conflict = |path: &[String], is: &Item| {
        Conflict(format!("`{}` is {} and not {}", path.join("."), a(is.type_name()), a(item.type_name())))
    };
    match item {
        Item::Table(table) => {
            if !into.contains_key(key) {
                let mut empty = Table::new();
                empty.set_implicit(table.is_implicit());
                *empty.decor_mut() = table.decor().clone();
                into.insert(key, Item::Table(empty));
                merged.added.tables.push(path.clone());
            }
            match into.get_mut(key) {
                Some(is) if is.is_table_like() => match is.as_table_like_mut() {
                    Some(inner) => tables(inner, table, path, merged),
                    None => Ok(()),
                },
                Some(is) => Err(conflict(path, is)),
                None => Ok(()),
            }
        }
        Item::ArrayOfTables(elements) => {
            let is = into.entry(key).or_insert_with(|| Item::ArrayOfTables(toml_edit::ArrayOfTables::new()));
            if !is.is_array_of_tables() {
                return Err(conflict(path, is));
            }
            let Some(known) = is.as_array_of_tables_mut() else { return Ok(()) };
            for element in elements {
                let text = plain(element);
                if !known.iter().any(|other| plain(other) == text) {
                    known.push(element.clone());
                    merged.added.elements.push((path.clone(), text));
                }
            }
            Ok(())
        }
        _ => {
            match into.get(key) {
                None => {
                    // With the comment that stands above it.
                    into.entry_format(formatted).or_insert(item.clone());
                    merged.added.values.push((path.clone(), value(item)));
                }
                Some(is) if is.is_table() || is.is_array_of_tables() => return Err(conflict(path, is)),
                Some(is) if value(is) == value(item) => {}
                Some(is) => merged.kept.push(format!("{} = {}", path.join("."), value(is))),
            }
            Ok(())
        }
    }
}

fn a(kind: &str) -> String {
    if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { format!("an {kind}") } else { format!("a {kind}") }
}

/// A value without what surrounds it.
fn value(item: &Item) -> String {
    item.to_string().trim().to_owned()
}

/// The members of a table without comments, whatever its place.
fn plain(table: &Table) -> String {
    let members = table.iter().map(|(key, item)| format!("{key} = {}", value(item)));
    members.collect::<Vec<_>>().join("\n")
}

/// Takes out of `from` what was added to it. Returns what was changed since, and is left.
pub(super) fn unmerge(from: &mut DocumentMut, added: &Added) -> Vec<String> {
    let mut left = Vec::new();
    for (path, text) in &added.values {
        let Some((key, folder)) = path.split_last() else { continue };
        let Some(table) = find(from, folder) else { continue };
        match table.get(key).map(value) {
            Some(is) if is == *text => drop(table.remove(key)),
            Some(is) => left.push(format!("{} = {is}", path.join("."))),
            None => {}
        }
    }
    for (path, text) in &added.elements {
        let Some((key, folder)) = path.split_last() else { continue };
        let Some(table) = find(from, folder) else { continue };
        let Some(elements) = table.get_mut(key).and_then(Item::as_array_of_tables_mut) else { continue };
        let at = elements.iter().position(|element| plain(element) == *text);
        match at {
            Some(at) => drop(elements.remove(at)),
            None => left.push(format!("[[{}]] {}", path.join("."), text.replace('\n', ", "))),
        }
        if elements.is_empty() {
            table.remove(key);
        }
    }
    for path in added.tables.iter().rev() {
        let Some((key, folder)) = path.split_last() else { continue };
        let Some(table) = find(from, folder) else { continue };
        if table.get(key).and_then(Item::as_table_like).is_some_and(TableLike::is_empty) {
            table.remove(key);
        }
    }
    left
}

fn find<'a>(document: &'a mut DocumentMut, path: &[String]) -> Option<&'a mut dyn TableLike> {
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for key in path {
        table = table.get_mut(key)?.as_table_like_mut()?;
    }
    Some(table)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use rstest::rstest;

    use super::*;

    const FROM: &str = "\
[dev-dependencies]
gates = { path = \"../gates\" }

# Says why.
[profile.ci]
retries = 1

[[test]]
name = \"gates\"
harness = false
";

    #[rstest]
    #[case::nothing("")]
    #[case::a_package("[package]\nname = \"a\" # mine\nversion = \"0.1.0\"\n\n[dependencies]\nb = \"1\"\n")]
    #[case::the_same_tables(
        "[dev-dependencies]\n# mine\nb = \"1\"\n\n[profile.ci]\nfail-fast = true\n\n[[test]]\nname = \"own\"\n"
    )]
    #[case::dotted("dev-dependencies.b = \"1\"\nprofile.dev.debug = 1\n")]
    #[case::without_a_line_end("[package]\nname = \"a\"")]
    fn what_is_added_is_taken_out_again(#[case] own: &str) {
        let mut document: DocumentMut = own.parse().unwrap();
        let from: DocumentMut = FROM.parse().unwrap();
        let merged = merge(&mut document, &from).unwrap();
        let text = document.to_string();
        let again: DocumentMut = text.parse().unwrap();
        assert_eq!(again["profile"]["ci"]["retries"].as_integer(), Some(1), "{text}");
        assert!(again["test"].as_array_of_tables().unwrap().iter().any(|one| one["name"].as_str() == Some("gates")));
        for line in own.lines() {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        // Once more there is nothing to add.
        let mut twice = again.clone();
        assert_eq!(merge(&mut twice, &from).unwrap().added, Added::default());
        assert_eq!(twice.to_string(), text);
        let mut back = again;
        assert!(unmerge(&mut back, &merged.added).is_empty());
        assert_eq!(back.to_string().trim_end(), own.trim_end());
    }

    #[test]
    fn a_value_of_the_users_stays() {
        let mut document: DocumentMut = "[profile.ci]\nretries = 5\n".parse().unwrap();
        let merged = merge(&mut document, &FROM.parse().unwrap()).unwrap();
        assert_eq!(merged.kept, ["profile.ci.retries = 5"]);
        assert_eq!(document["profile"]["ci"]["retries"].as_integer(), Some(5));
    }

    #[test]
    fn what_was_changed_since_is_left() {
        let mut document = DocumentMut::new();
        let merged = merge(&mut document, &FROM.parse().unwrap()).unwrap();
        document["profile"]["ci"]["retries"] = toml_edit::value(3);
        assert_eq!(unmerge(&mut document, &merged.added), ["profile.ci.retries = 3"]);
        assert_eq!(document["profile"]["ci"]["retries"].as_integer(), Some(3));
        assert!(document.get("test").is_none() && document.get("dev-dependencies").is_none());
    }

    #[rstest]
    #[case::a_value_for_a_table("profile = 3", "`profile` is an integer and not a table")]
    #[case::a_value_for_tables("test = [{ name = 'a' }]", "`test` is an array and not an array of tables")]
    #[case::a_table_for_a_value(
        "[profile.ci.retries]\ncount = 1",
        "`profile.ci.retries` is a table and not an integer"
    )]
    fn what_cannot_be_one_is_a_conflict(#[case] own: &str, #[case] says: &str) {
        let error = merge(&mut own.parse().unwrap(), &FROM.parse().unwrap()).unwrap_err();
        assert_eq!(error.0, says);
    }
}
