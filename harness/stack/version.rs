//! Versions, as tools print them.

/// The version in what a tool prints when asked for it: the first word that starts with a number and has a dot.
pub(super) fn in_text(text: &str) -> Option<String> {
    text.split_whitespace().find_map(|word| {
        let word = word.strip_prefix("go").unwrap_or(word);
        let word = word.strip_prefix('v').unwrap_or(word).trim_end_matches([',', ';']);
        (word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.')).then(|| word.to_owned())
    })
}

/// Is true when `found` is `wanted` or newer. Numbers count, whatever follows them (`~ds1`, `rc1`) does not.
pub(super) fn at_least(found: &str, wanted: &str) -> bool {
    numbers(found) >= numbers(wanted)
}

fn numbers(version: &str) -> [u64; 3] {
    let mut numbers = [0; 3];
    for (number, part) in numbers.iter_mut().zip(version.split('.')) {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        *number = part[..digits].parse().unwrap_or(0);
        if digits < part.len() {
            break;
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("workerbee 0.1.7", Some("0.1.7"))]
    #[case("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3", Some("1.6.20~ds1"))]
    #[case("containerd containerd.io v2.1.4 75cb2b71", Some("2.1.4"))]
    #[case("runc version 1.1.5+ds1\ncommit: 1.1.5", Some("1.1.5+ds1"))]
    #[case("go version go1.26.8 linux/amd64", Some("1.26.8"))]
    #[case("Docker version 27.3.1, build ce12230", Some("27.3.1"))]
    #[case("pyenv: python3.13: command not found", None)]
    #[case("", None)]
    fn the_version_is_found(#[case] text: &str, #[case] version: Option<&str>) {
        assert_eq!(in_text(text).as_deref(), version);
    }

    #[rstest]
    #[case("1.26.8", "1.25.8", true)]
    #[case("1.25.8", "1.25.8", true)]
    #[case("1.25", "1.25.8", false)]
    #[case("1.9.9", "1.25.8", false)]
    #[case("2.0", "1.25.8", true)]
    #[case("1.26rc1", "1.25.8", true)]
    #[case("devel", "1.25.8", false)]
    fn versions_compare_as_numbers(#[case] found: &str, #[case] wanted: &str, #[case] enough: bool) {
        assert_eq!(at_least(found, wanted), enough);
    }
}
