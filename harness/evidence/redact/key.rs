//! The key of a run's placeholders.

use std::fmt;
use std::io::{self, BufRead, Write};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The key that makes a secret's placeholder the same in all processes of one run, and another one in the next run.
///
/// Made by the run's supervisor and handed to each gate's process as the first line of its standard input: never a
/// file, an argument or an environment. With it a short secret could be guessed from its placeholder.
#[derive(Clone)]
pub struct RedactionKey([u8; 32]);

/// Nothing that prints its parts may print the key.
impl fmt::Debug for RedactionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedactionKey")
    }
}

impl RedactionKey {
    /// A new key.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(bytes))
    }

    /// Reads the line that [`Self::write_line`] wrote.
    pub fn read_line(reader: &mut impl BufRead) -> io::Result<Self> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut bytes = [0; 32];
        let read = base16ct::lower::decode(line.trim_end(), &mut bytes).map(<[u8]>::len);
        if read != Ok(32) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no redaction key on standard input"));
        }
        Ok(Self(bytes))
    }

    /// The key as a line of its own.
    pub fn line(&self) -> String {
        base16ct::lower::encode_string(&self.0) + "\n"
    }

    /// Writes the key as a line.
    pub fn write_line(&self, writer: &mut impl Write) -> io::Result<()> {
        writer.write_all(self.line().as_bytes())
    }

    /// Eight digits that stand for a value: enough to see that two are the same, and useless without the key.
    pub(super) fn digits(&self, value: &[u8]) -> String {
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(value);
        base16ct::lower::encode_string(&mac.finalize().into_bytes()[..4])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_handed_over_as_a_line_and_never_printed() {
        let key = RedactionKey::random().unwrap();
        let mut line = Vec::new();
        key.write_line(&mut line).unwrap();
        let read = RedactionKey::read_line(&mut line.as_slice()).unwrap();
        assert_eq!(read.digits(b"S3cret"), key.digits(b"S3cret"));
        assert!(!format!("{key:?}").contains(key.line().trim()));
        assert!(RedactionKey::read_line(&mut b"".as_slice()).is_err());
    }
}
