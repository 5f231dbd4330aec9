//! Stand-ins for `WorkerBee`: here, and only here, what is tested is the harness and not `WorkerBee`.
// Not every test needs all of it.
#![allow(dead_code)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A shell script that is called like `WorkerBee`.
pub(crate) fn script(folder: &Path, body: &str) -> PathBuf {
    let file = folder.join("workerbee");
    std::fs::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    file
}

/// Looks again until it is so; what is still not so after ten seconds stays so.
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < Duration::from_secs(10), "still not so: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A namespace that exists is refused by the gate: its images come when `WorkerBee` is about to make it.
pub(crate) const SEEDS: &str = r#"
case " $* " in *' validate '*)
  project=$(echo " $*" | sed -n 's/.* --project \([^ ]*\).*/\1/p')
  namespace=workerbee-$(printf %s "$WORKERBEE_CONTAINERD_STATE_ROOT" | sha1sum | cut -c1-12)-$project
  for image in python-k1s python-app; do
    ctr --address "$WORKERBEE_CONTAINERD_ADDRESS" --namespace "$namespace" images import --no-unpack "$IMAGES/$image.tar" >&2
  done
esac
exec "$REAL" "$@""#;
