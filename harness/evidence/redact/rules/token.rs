//! The tokens that JSON, Python's and Rust's prints, Ruby's hashes and YAML's flows have in common: strings, words,
//! marks.

use memchr::memchr2;

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// `{`, `[` or `(`.
    Open(u8),
    /// `}`, `]` or `)`.
    Close,
    /// A string, within its quotation marks.
    Text { start: usize, end: usize },
    /// Anything without quotation marks: a number, a word.
    Word { start: usize, end: usize },
    /// `:`, `=` or `=>`: what is before is a name.
    Names,
    /// A separator of members.
    Comma,
}

/// The tokens of a text from a place on.
pub(super) struct Tokens<'a> {
    text: &'a [u8],
    pub(super) at: usize,
    /// Up to where no line closes a mark: `"` and `'`.
    open: [usize; 2],
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at, open: [0; 2] }
    }

    /// Finds the end of a string that begins at `start`, in its own line.
    fn string(&mut self, start: usize, quote: u8) -> Option<usize> {
        let known = &mut self.open[usize::from(quote == b'\'')];
        if start < *known {
            return None;
        }
        let mut at = start;
        while let Some(mark) = memchr2(quote, b'\\', &self.text[at..]).map(|mark| at + mark) {
            if self.text[at..mark].contains(&b'\n') {
                break;
            }
            if self.text[mark] == quote {
                return Some(mark);
            }
            at = (mark + 2).min(self.text.len());
        }
        let line = super::value::line_end(self.text, start);
        *known = line;
        // The end of a text may have been cut off.
        (line == self.text.len()).then_some(line)
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let byte = *self.text.get(self.at)?;
            let start = self.at;
            self.at += 1;
            match byte {
                b'{' | b'[' | b'(' => return Some(Token::Open(byte)),
                b'}' | b']' | b')' => return Some(Token::Close),
                b',' | b';' => return Some(Token::Comma),
                b':' | b'=' => {
                    // Ruby's `:name=>` begins with one, and C++'s paths have two.
                    while self.text.get(self.at).is_some_and(|next| b"=:>".contains(next)) {
                        self.at += 1;
                    }
                    return Some(Token::Names);
                }
                b'"' | b'\'' => {
                    if let Some(end) = self.string(self.at, byte) {
                        let text = Token::Text { start: self.at, end };
                        self.at = (end + 1).min(self.text.len());
                        return Some(text);
                    }
                }
                byte if byte.is_ascii_whitespace() => {}
                _ => {
                    let more = self.text[self.at..].iter().take_while(|byte| is_of_word(**byte)).count();
                    self.at += more;
                    // Before a string: Python's bytes, or nothing that counts.
                    let prefix = more < 2 && self.text.get(self.at).is_some_and(|next| b"\"'".contains(next));
                    if !prefix {
                        return Some(Token::Word { start, end: self.at });
                    }
                }
            }
        }
    }
}

fn is_of_word(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !b"{}[](),;:=\"'".contains(&byte)
}
