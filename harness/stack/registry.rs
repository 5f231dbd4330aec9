//! Images from a registry, each by the digest that it is pinned to.

use std::fmt;
use std::path::PathBuf;

use super::error::StackError;
use super::variable;

/// The beginning of the recipe's line that says what a registry does not have as expected.
const REFUSED: &str = "image refused\t";
/// The words of the recipe of an image for which there is no pin.
const NOT_PINNED: &str = "not pinned";

/// The registry to fetch the images from.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// Its address in place of those in the names of the images; empty when those are asked.
    pub address: String,
    /// The file with the digests; none when nothing is pinned yet.
    pub pins: Option<PathBuf>,
}

/// A registry with the digests that are expected of it.
#[derive(Debug, Clone)]
pub(super) struct Pinned {
    pub(super) address: String,
    /// A line per image: its name, and the digest of its manifest.
    pub(super) pins: String,
}

/// An image that a registry does not have as it is pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The name of the image; of several without a pin, all.
    pub image: String,
    /// What was expected.
    pub expected: String,
    /// What was seen, in podman's words where it failed.
    pub seen: String,
}

impl Registry {
    /// Reads `K1S_GATES_IMAGES`, `K1S_GATES_REGISTRY` and `K1S_GATES_IMAGE_PINS`; none unless a registry is wanted.
    pub(super) fn from_env() -> Option<Self> {
        let text = |name: &str| variable(name).map(|value| value.to_string_lossy().trim().to_owned());
        let wanted = text("K1S_GATES_IMAGES").is_some_and(|images| images == "registry");
        wanted.then(|| Self {
            address: text("K1S_GATES_REGISTRY").unwrap_or_default().trim_end_matches('/').to_owned(),
            pins: variable("K1S_GATES_IMAGE_PINS"),
        })
    }

    pub(super) fn pinned(&self) -> Result<Pinned, StackError> {
        let unreadable = |file: &PathBuf| {
            let file = file.clone();
            move |source| StackError::Pins { file, source }
        };
        let read = |file: &PathBuf| std::fs::read_to_string(file).map_err(unreadable(file));
        let pins = self.pins.as_ref().map(read).transpose()?.unwrap_or_default();
        Ok(Pinned { address: self.address.clone(), pins })
    }
}

impl Refused {
    pub(super) fn remedy(&self) -> &'static str {
        if self.seen.starts_with(NOT_PINNED) {
            "see that these are the images that you mean, put them into the file, a line for each, and go on with: \
             k1s-gates stack"
        } else {
            "if the registry answers and the image is meant to be another one by now, pin it to that; then go on with: \
             k1s-gates stack"
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image, expected, seen } = self;
        write!(f, "the registry does not have {image} as expected\n  expected: {expected}\n  seen:     {seen}")
    }
}

/// What a recipe refused, when the end of its output says so.
pub(super) fn refused(tail: &str) -> Option<Refused> {
    let mut parts = tail.lines().rev().find_map(|line| line.strip_prefix(REFUSED))?.splitn(3, '\t').map(str::to_owned);
    Some(Refused { image: parts.next()?, expected: parts.next()?, seen: parts.next()? })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::path::Path;
    use std::sync::Arc;

    use rstest::rstest;
    use serde_json::{Value, json};
    use sha2::{Digest as _, Sha256};

    use super::super::cache::Cache;
    use super::super::image::Role;
    use super::super::parts;
    use super::super::privilege::Privilege;
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const NATS: &str = "docker.io/library/nats:2.10.18-alpine";

    /// What a registry has, by the path at which it is asked for.
    #[derive(Default)]
    struct Contents {
        files: BTreeMap<String, Vec<u8>>,
        /// The digest of each image's manifest, by its name.
        digests: BTreeMap<&'static str, String>,
    }

    impl Contents {
        /// An image of one file for each use; `salt` makes them others.
        fn of_all(salt: &str) -> Result<Self, Box<dyn std::error::Error>> {
            let mut contents = Self::default();
            for role in Role::ALL {
                let mut layer = tar::Builder::new(Vec::new());
                let text = format!("{salt}{}", role.name());
                let mut header = tar::Header::new_gnu();
                header.set_size(text.len() as u64);
                header.set_mode(0o644);
                layer.append_data(&mut header, "role", text.as_bytes())?;
                contents.image(role.original(), layer.into_inner()?)?;
            }
            Ok(contents)
        }

        fn image(&mut self, name: &'static str, layer: Vec<u8>) -> Outcome {
            let (repository, tag) = path(name)?;
            let diff = sha256(&layer);
            let config = json!({
                "architecture": "amd64", "os": "linux", "config": {},
                "rootfs": { "type": "layers", "diff_ids": [diff] },
            });
            let layer = self.blob(repository, layer, "application/vnd.oci.image.layer.v1.tar");
            let config = config.to_string().into_bytes();
            let config = self.blob(repository, config, "application/vnd.oci.image.config.v1+json");
            let manifest =
                json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] }).to_string();
            let digest = sha256(manifest.as_bytes());
            for reference in [tag, &digest] {
                self.files.insert(format!("/v2/{repository}/manifests/{reference}"), manifest.clone().into());
            }
            self.digests.insert(name, digest);
            Ok(())
        }

        fn blob(&mut self, repository: &str, bytes: Vec<u8>, kind: &str) -> Value {
            let (digest, size) = (sha256(&bytes), bytes.len());
            self.files.insert(format!("/v2/{repository}/blobs/{digest}"), bytes);
            json!({ "mediaType": kind, "digest": digest, "size": size })
        }

        fn pins(&self) -> String {
            self.digests.iter().map(|(name, digest)| format!("{name} {digest}")).collect::<Vec<_>>().join("\n")
        }

        /// Serves it on loopback until the process ends, and returns the address.
        fn serve(self) -> std::io::Result<String> {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = format!("http://{}", listener.local_addr()?);
            let files = Arc::new(self.files);
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let files = Arc::clone(&files);
                    std::thread::spawn(move || answer(stream, &files));
                }
            });
            Ok(address)
        }
    }

    fn answer(mut stream: TcpStream, files: &BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        for line in lines {
            if line?.is_empty() {
                break;
            }
        }
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let none = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#.as_slice();
        let (status, body) = match files.get(path) {
            Some(bytes) => ("200 OK", bytes.as_slice()),
            None if path == "/v2/" => ("200 OK", b"{}".as_slice()),
            None => ("404 Not Found", none),
        };
        let kind =
            if path.contains("/manifests/") && status.starts_with("200") { MANIFEST } else { "application/json" };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        )?;
        if method == "GET" { stream.write_all(body) } else { Ok(()) }
    }

    fn path(name: &str) -> Result<(&str, &str), String> {
        let (_, path) = name.split_once('/').ok_or(name)?;
        path.rsplit_once(':').ok_or_else(|| name.to_owned())
    }

    fn sha256(bytes: &[u8]) -> String {
        format!("sha256:{}", base16ct::lower::encode_string(&Sha256::digest(bytes)))
    }

    /// Has the recipe fetch from the registry; what comes of it.
    fn fetched(address: &str, pins: &str) -> Result<StackError, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let (cache, root) = (Cache::new(&folder.path().join("cache")), folder.path());
        std::fs::write(root.join("requirements.txt"), "")?;
        let pinned = Pinned { address: address.to_owned(), pins: pins.to_owned() };
        let step = parts::fetched_images(&cache, Path::new(root), true, &pinned)?;
        let held = cache.hold(&mut |_| ())?;
        let ensured = step.ensure(&cache, &held, Privilege::detect(), &[], &mut |_| ());
        drop(held);
        // It may be of root, who made it.
        drop(cache.clean(Privilege::detect(), &mut |_| ()));
        ensured.err().ok_or_else(|| "an image of one file passed for etcd".into())
    }

    fn refused_by(address: &str, pins: &str) -> Result<Refused, Box<dyn std::error::Error>> {
        match fetched(address, pins)? {
            StackError::Image { refused, .. } => Ok(refused),
            other => Err(other.into()),
        }
    }

    #[test]
    fn what_is_as_it_is_pinned_is_taken() -> Outcome {
        let contents = Contents::of_all("")?;
        let pins = contents.pins();
        // All are there; that of etcd has no program, which the next step of the recipe finds.
        match fetched(&contents.serve()?, &pins)? {
            StackError::StepFailed { tail, .. } if tail.contains("etcd") => Ok(()),
            other => Err(other.into()),
        }
    }

    #[test]
    fn images_that_nobody_has_pinned_are_named_with_what_the_registry_has() -> Outcome {
        let contents = Contents::of_all("")?;
        let digests = contents.digests.clone();
        let refused = refused_by(&contents.serve()?, "")?;
        for (name, digest) in digests {
            assert!(refused.image.contains(name) && refused.seen.contains(&format!("{name} {digest}")), "{refused}");
        }
        assert!(refused.remedy().contains("put them into the file"), "{refused}");
        Ok(())
    }

    #[rstest]
    #[case::a_digest_that_is_not_there(|_: &mut Contents| {}, Some("9"), "manifest unknown")]
    #[case::other_bytes_under_the_digest(other_bytes, None, "does not match")]
    #[case::a_tag_that_was_moved(move_tag, None, "the tag was moved, to sha256:")]
    fn another_image_than_the_pinned_one_is_refused(
        #[case] change: fn(&mut Contents),
        #[case] pinned: Option<&str>,
        #[case] seen: &str,
    ) -> Outcome {
        let mut contents = Contents::of_all("")?;
        let digest = contents.digests[NATS].clone();
        let pin = pinned.map_or_else(|| digest.clone(), |digit| format!("sha256:{}", digit.repeat(64)));
        let pins = contents.pins().replace(&digest, &pin);
        change(&mut contents);
        let refused = refused_by(&contents.serve()?, &pins)?;
        assert_eq!(refused.image, NATS);
        assert!(refused.expected.contains(&pin) && refused.seen.contains(seen), "{refused}");
        Ok(())
    }

    fn other_bytes(contents: &mut Contents) {
        let at = format!("/v2/library/nats/manifests/{}", contents.digests[NATS]);
        contents.files.entry(at).and_modify(|bytes| bytes.push(b' '));
    }

    fn move_tag(contents: &mut Contents) {
        let moved = Contents::of_all("moved").map(|moved| moved.files).unwrap_or_default();
        let of_nats = moved.into_iter().filter(|(path, _)| path.starts_with("/v2/library/nats/"));
        contents.files.extend(of_nats);
    }

    #[test]
    fn a_registry_that_does_not_answer_is_named() -> Outcome {
        let address = format!("http://{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?);
        let refused = refused_by(&address, &Contents::of_all("")?.pins())?;
        assert!(refused.seen.contains("connection refused") && refused.expected.contains("sha256:"), "{refused}");
        Ok(())
    }

    #[test]
    fn pins_that_are_not_there_are_named_with_their_setting() {
        let registry = Registry { address: String::new(), pins: Some("/nonexistent/pins".into()) };
        let error = registry.pinned().map(drop).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("/nonexistent/pins") && text.contains("K1S_GATES_IMAGE_PINS")));
    }
}
