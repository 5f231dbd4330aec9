//! The envelope of a statement (DSSE 1.0), and the keys that sign it.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePublicKey as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A payload and its signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The type of the payload.
    pub payload_type: String,
    /// The payload, in base64.
    pub payload: String,
    /// Signatures over type and payload; none when there was no key.
    pub signatures: Vec<Signed>,
    /// Set when nobody has signed: then the envelope is a container and proves nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsigned: bool,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The id of the key: a hint, by which nothing is decided. The SHA-256 of the public key (DER,
    /// `SubjectPublicKeyInfo`).
    #[serde(default)]
    pub keyid: String,
    /// The signature, in base64.
    pub sig: String,
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Its file cannot be read.
    #[error("the key {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is no Ed25519 key in PEM.
    #[error("{} is no {wanted}: {seen}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The kind of key that was expected.
        wanted: &'static str,
        /// The parser's message.
        seen: String,
    },
}

/// A private key (Ed25519).
pub struct Signer(SigningKey);

/// A public key (Ed25519).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// Nothing that prints its parts may print the key.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public().id())
    }
}

impl Signer {
    /// Reads a private key: PEM, PKCS#8, as `openssl genpkey -algorithm ed25519` writes it.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        SigningKey::from_pkcs8_pem(&pem(path)?).map(Self).map_err(|error| KeyError::Unknown {
            path: path.to_owned(),
            wanted: "private Ed25519 key (PEM, PKCS#8)",
            seen: error.to_string(),
        })
    }

    /// Its public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }
}

impl PublicKey {
    /// Reads a public key: PEM, as `openssl pkey -pubout` writes it.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        VerifyingKey::from_public_key_pem(&pem(path)?).map(Self).map_err(|error| KeyError::Unknown {
            path: path.to_owned(),
            wanted: "public Ed25519 key (PEM)",
            seen: error.to_string(),
        })
    }

    /// Returns its id in envelopes.
    pub fn id(&self) -> String {
        let der = self.0.to_public_key_der().map(|der| der.as_bytes().to_vec()).unwrap_or_default();
        base16ct::lower::encode_string(&Sha256::digest(&der))
    }
}

fn pem(path: &Path) -> Result<String, KeyError> {
    std::fs::read_to_string(path).map_err(|source| KeyError::Unreadable { path: path.to_owned(), source })
}

impl Envelope {
    pub(crate) fn new(payload_type: &str, payload: &[u8], signer: Option<&Signer>) -> Self {
        let sign = |signer: &Signer| Signed {
            keyid: signer.public().id(),
            sig: STANDARD.encode(signer.0.sign(&authenticated(payload_type, payload)).to_bytes()),
        };
        let signatures: Vec<Signed> = signer.into_iter().map(sign).collect();
        Self {
            payload_type: payload_type.to_owned(),
            payload: STANDARD.encode(payload),
            unsigned: signatures.is_empty(),
            signatures,
        }
    }

    /// The payload as bytes.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.payload).ok()
    }

    /// Is true when one of the signatures is that of a key.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let Some(payload) = self.bytes() else { return false };
        let text = authenticated(&self.payload_type, &payload);
        let good = |signed: &Signed| {
            let signature = STANDARD.decode(&signed.sig).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
            // Strict: no key and no signature that more than one message would fit.
            signature.is_some_and(|signature| key.0.verify_strict(&text, &signature).is_ok())
        };
        self.signatures.iter().any(good)
    }
}

/// Returns the bytes that are signed: type and payload with their lengths (DSSE's pre-authentication encoding).
fn authenticated(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut text = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    text.extend_from_slice(payload);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_that_of_the_specification() {
        // The example of DSSE's protocol.md.
        let text = authenticated("http://example.com/HelloWorld", b"hello world");
        assert_eq!(text, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }
}
