//! Evidence within the page: the beginning of a file, whatever is in it, and a link to all of it.

use std::cell::Cell;
use std::io::Read as _;
use std::path::Path;

use maud::{Markup, html};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use serde_json::Value;

use super::run::RunReport;
use crate::evidence::{Reading, Redactor, folder, outline};
use crate::failure::misleads;

/// The size up to which a file is shown.
const BEGINNING: usize = 20_000;
/// The size up to which a part that a check has read is shown.
const PART: usize = 4_000;
/// A larger file is not searched for parts.
const SEARCHED: u64 = 2_000_000;
/// The size of all evidence that a page holds: beyond it, links alone.
const ALL: usize = 6_000_000;

/// Characters that would end the path of a link, or may not be in one.
const RESERVED: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');

/// The room that is left for evidence in a page.
#[derive(Debug)]
pub(super) struct Room(Cell<usize>);

impl Default for Room {
    fn default() -> Self {
        Self(Cell::new(ALL))
    }
}

impl Room {
    fn take(&self, bytes: usize) -> bool {
        let left = self.0.get().checked_sub(bytes);
        self.0.set(left.unwrap_or_default());
        left.is_some()
    }
}

/// A link to a file of the run, relative to the page.
pub(super) fn link(run: &RunReport, file: &Path) -> Markup {
    use std::os::unix::ffi::OsStrExt as _;
    let Some(inside) = run.relative(file) else {
        return html! { code { (visible(&file.display().to_string())) } };
    };
    let path = percent_encode(inside.as_os_str().as_bytes(), RESERVED).to_string();
    html! { a href={ "./" (path) } { code { (visible(&inside.display().to_string())) } } }
}

/// The beginning of a file, folded.
pub(super) fn file(run: &RunReport, room: &Room, path: &Path) -> Markup {
    let name = run.relative(path).unwrap_or(path);
    folded(&html! { code { (visible(&name.display().to_string())) } }, &beginning(run, room, path))
}

/// The part of a file that a check has read, folded: all of it when it is no JSON.
pub(super) fn part(run: &RunReport, room: &Room, reading: &Reading) -> Markup {
    let name = visible(&reading.file.display().to_string());
    let title =
        html! { code { (name) } @if !reading.pointer.is_empty() { " at " code { (visible(&reading.pointer)) } } };
    let Some(value) = value(run, reading).filter(|_| !reading.pointer.is_empty()) else {
        return folded(&title, &beginning(run, room, &reading.file));
    };
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    folded(&title, &shown(run, room, &reading.file, text.as_bytes(), text.len() as u64, PART))
}

/// Returns what a check saw, in one line.
pub(super) fn seen(run: &RunReport, reading: &Reading) -> Option<String> {
    value(run, reading).map(|value| visible(&outline(&value)))
}

fn folded(title: &Markup, content: &Markup) -> Markup {
    html! { details.evidence { summary { "Evidence: " (title) } (content) } }
}

fn value(run: &RunReport, reading: &Reading) -> Option<Value> {
    let file = folder::open(&run.dir, run.relative(&reading.file)?).ok()?;
    if file.metadata().ok()?.len() > SEARCHED {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(SEARCHED).read_to_end(&mut bytes).ok()?;
    let json: Value = serde_json::from_slice(&bytes).ok()?;
    json.pointer(&reading.pointer).cloned()
}

fn beginning(run: &RunReport, room: &Room, path: &Path) -> Markup {
    let Some(inside) = run.relative(path) else {
        return html! { p.note { "Not in the run's folder: " code { (visible(&path.display().to_string())) } } };
    };
    let read = || -> std::io::Result<(Vec<u8>, u64)> {
        let file = folder::open(&run.dir, inside)?;
        let length = file.metadata()?.len();
        let mut bytes = Vec::new();
        file.take(BEGINNING as u64 + 4).read_to_end(&mut bytes)?;
        Ok((bytes, length))
    };
    match read() {
        Ok((bytes, length)) => shown(run, room, inside, &bytes, length, BEGINNING),
        Err(error) => html! { p.note { "It cannot be read: " (visible(&error.to_string())) } },
    }
}

fn shown(run: &RunReport, room: &Room, file: &Path, bytes: &[u8], length: u64, limit: usize) -> Markup {
    let (text, whole) = cut(bytes, limit);
    let fits = room.take(text.len());
    html! {
        @if fits && length > 0 {
            // What is longer than its box is scrolled, also by who has no mouse.
            pre tabindex="0" { (text) }
        }
        p.note {
            @if length == 0 { "It is empty. " }
            @else if !fits { "Not shown: the page holds enough evidence already. " }
            @else if !whole || length > bytes.len() as u64 { "The first " (kilobytes(text.len() as u64)) " of " (kilobytes(length)) ". " }
            "Whole file: " (link(run, file))
        }
    }
}

/// The beginning of bytes as text, and whether that is all of it.
fn cut(bytes: &[u8], limit: usize) -> (String, bool) {
    let text = visible(&String::from_utf8_lossy(bytes));
    if bytes.len() <= limit {
        return (text, true);
    }
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    (text[..end].to_owned(), false)
}

/// Text in which nothing hides: control characters and those that turn the direction of writing become signs. Secrets
/// are replaced here too: escaped, they would no longer be known as such when the page is written.
pub(crate) fn visible(text: &str) -> String {
    let sign = |c: char| match c {
        '\n' | '\t' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        '\u{80}'..='\u{9f}' => '\u{fffd}',
        sign if misleads(sign) => '\u{fffd}',
        other => other,
    };
    Redactor::default().text(text).replace("\r\n", "\n").chars().map(sign).collect()
}

fn kilobytes(bytes: u64) -> String {
    if bytes < 1000 { format!("{bytes} bytes") } else { format!("{} kB", bytes.div_ceil(1000)) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(b"a\nb\tc", "a\nb\tc")]
    #[case(b"a\r\nb", "a\nb")]
    #[case(b"\x1b[31mred\x07\x00", "\u{241b}[31mred\u{2407}\u{2400}")]
    #[case(b"\xff\xfe", "\u{fffd}\u{fffd}")]
    #[case("admin\u{202e}gnp.exe".as_bytes(), "admin\u{fffd}gnp.exe")]
    #[case("no\u{200b}thing\u{ffff}".as_bytes(), "no\u{fffd}thing\u{fffd}")]
    fn nothing_hides(#[case] bytes: &[u8], #[case] text: &str) {
        assert_eq!(cut(bytes, 100), (text.to_owned(), true));
    }

    #[rstest]
    #[case("ääää", 5, "ää")]
    #[case("abc", 2, "ab")]
    #[case("abc", 3, "abc")]
    fn a_cut_is_between_characters(#[case] text: &str, #[case] limit: usize, #[case] kept: &str) {
        assert_eq!(cut(text.as_bytes(), limit).0, kept);
    }

    #[test]
    fn a_page_holds_only_so_much() {
        let room = Room::default();
        assert!(room.take(ALL) && !room.take(1));
    }
}
