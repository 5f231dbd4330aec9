//! The part of the user's environment that a recipe is given.
//!
//! It says who and where the user is, and how the network is reached. Variables that decide what is built (`GOFLAGS`,
//! `GOPRIVATE`, `PIP_CONSTRAINT`, `RUSTFLAGS` and the like) stay outside. What is fetched is held to sums, wherever it comes from.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::tool;

const NAMES: [&str; 12] = [
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TMPDIR",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    // Mirrors, and the certificates of whoever stands before them.
    "GOPROXY",
    "PIP_INDEX_URL",
    PIP_CERT,
    "XDG_CACHE_HOME",
];
const STARTS: [&str; 4] = ["SSL_CERT_", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_"];
/// pip brings certificates of its own, to which a company's are unknown.
const PIP_CERT: &str = "PIP_CERT";
const SYSTEM_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The variables that a recipe is given.
pub(super) fn kept() -> Vec<(OsString, OsString)> {
    let mut kept: Vec<_> = std::env::vars_os().filter(|(name, _)| is_kept(name)).collect();
    if !kept.iter().any(|(name, _)| name == PIP_CERT) && Path::new(SYSTEM_CERTIFICATES).is_file() {
        kept.push((PIP_CERT.into(), SYSTEM_CERTIFICATES.into()));
    }
    kept
}

fn is_kept(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    NAMES.contains(&name.as_ref())
        || name.to_lowercase().ends_with("_proxy")
        || STARTS.iter().any(|start| name.starts_with(start))
}

/// PATH, and behind it the folders of system tools.
pub(super) fn path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    for folder in tool::SYSTEM_FOLDERS {
        path.push(":");
        path.push(folder);
    }
    path
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("HTTPS_PROXY", true)]
    #[case("no_proxy", true)]
    #[case("SSL_CERT_FILE", true)]
    #[case("PIP_INDEX_URL", true)]
    #[case("PIP_FIND_LINKS", false)]
    #[case("PIP_CONSTRAINT", false)]
    #[case("PIP_REQUIRE_HASHES", false)]
    #[case("GOFLAGS", false)]
    #[case("GOSUMDB", false)]
    #[case("GOPRIVATE", false)]
    #[case("GONOSUMDB", false)]
    #[case("PYTHONPATH", false)]
    #[case("RUSTFLAGS", false)]
    #[case("LD_PRELOAD", false)]
    fn what_decides_what_is_built_stays_outside(#[case] name: &str, #[case] kept: bool) {
        assert_eq!(is_kept(OsStr::new(name)), kept);
    }
}
