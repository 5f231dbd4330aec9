//! The pinned Python packages.

/// `WorkerBee`, its runtime and everything below them, with hashes.
pub(super) const WORKERBEE: &str = include_str!("recipes/workerbee.lock");
/// The Go toolchain.
pub(super) const GO: &str = include_str!("recipes/go.lock");

/// The packages that pip builds and installs with.
pub(super) const BUILD: &str = include_str!("recipes/build.lock");

/// The lock as constraints: `name==version` lines, without hashes or markers.
pub(super) fn constraints(lock: &str) -> String {
    pins(lock).fold(String::new(), |text, (name, version)| text + name + "==" + version + "\n")
}

/// The version that the lock holds a package to.
pub(super) fn pinned<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    pins(lock).find(|(name, _)| *name == package).map(|(_, version)| version)
}

fn pins(lock: &str) -> impl Iterator<Item = (&str, &str)> {
    lock.lines().filter(|line| !line.starts_with(['#', ' '])).filter_map(|line| {
        let (name, rest) = line.split_once("==")?;
        Some((name.trim(), rest.split_whitespace().next()?.trim_end_matches([';', '\\'])))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn constraints_have_neither_hashes_nor_markers() {
        let lock = "# made by hand==1\nattrs==26.1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n\
                    uvicorn==0.54.0 ; sys_platform != 'emscripten' \\\n    --hash=sha256:02\n";
        assert_eq!(constraints(lock), "attrs==26.1.0\nuvicorn==0.54.0\n");
    }

    #[rstest]
    #[case("k1s-workerbee", Some("0.1.7"))]
    #[case("k1s-workerbee-runtime", Some("0.1.7"))]
    #[case("workerbee", None)]
    fn the_lock_pins(#[case] package: &str, #[case] version: Option<&str>) {
        assert_eq!(pinned(WORKERBEE, package), version);
    }

    #[test]
    fn no_package_is_pinned_twice() {
        // Constraints without markers would contradict each other.
        let mut names: Vec<_> = pins(WORKERBEE).map(|(name, _)| name).collect();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn every_pin_has_a_hash_and_the_mcp_sdk_is_of_the_first_series() {
        for lock in [WORKERBEE, GO, BUILD] {
            assert_eq!(
                pins(lock).count(),
                lock.lines().filter(|line| line.contains("==") && line.ends_with('\\')).count()
            );
        }
        assert!(pinned(WORKERBEE, "mcp").is_some_and(|version| version.starts_with("1.")));
    }
}
