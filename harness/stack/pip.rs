//! What pip said when it could not install what k1s requires.

/// The line of a recipe's output after which pip installs k1s's requirements.
const BEGINS: &str = "installing k1s's requirements";
/// The beginning of pip's lines that tell of what went wrong.
const ERROR: &str = "ERROR: ";
/// Lines of pip's that only accompany the one that names the requirement.
const BESIDES: [&str; 2] = ["Could not find a version that satisfies", "ResolutionImpossible"];
/// Words with which pip says that it did not reach its index: it then calls every package missing.
const UNREACHED: [&str; 3] = ["Retrying (Retry(", "Could not fetch URL", "connection error"];
/// Words with which pip says that the requirements themselves are at fault.
const OF_THE_REQUIREMENT: [&str; 7] = [
    "No matching distribution found",
    "Cannot install",
    "conflicting dependencies",
    "Invalid requirement",
    "Failed building wheel",
    "Could not build wheels",
    "requires a different Python",
];

/// pip's reason and the party at fault, when the end of a recipe's output says that pip refused k1s's requirements.
pub(super) fn refused(tail: &str) -> Option<(String, &'static str)> {
    let said = tail.split_once(BEGINS)?.1;
    let errors = || said.lines().filter_map(|line| line.trim().strip_prefix(ERROR));
    let reason =
        errors().rfind(|line| !BESIDES.iter().any(|words| line.starts_with(words))).or_else(|| errors().next_back())?;
    if UNREACHED.iter().any(|words| said.contains(words)) {
        return Some((format!("the package index was not reached, and so: {reason}"), "host"));
    }
    OF_THE_REQUIREMENT.iter().any(|words| reason.contains(words)).then(|| (reason.to_owned(), "k1s"))
}

/// What to do about it.
pub(super) fn remedy(fault: &str) -> &'static str {
    if fault == "k1s" {
        "correct requirements.txt of the k1s root; then go on with: k1s-gates stack"
    } else {
        "see that pip reaches its package index (PIP_INDEX_URL, proxies); then go on with: k1s-gates stack"
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const MISSING: &str = "ERROR: Could not find a version that satisfies the requirement x==9 (from versions: none)\n\
                           ERROR: No matching distribution found for x==9";

    #[rstest]
    #[case::missing(MISSING, Some(("No matching distribution found for x==9", "k1s")))]
    #[case::conflict(
        "ERROR: Cannot install a==1 and b==2 because these package versions have conflicting dependencies.\n\
         ERROR: ResolutionImpossible: for help visit the documentation",
        Some(("Cannot install a==1 and b==2 because these package versions have conflicting dependencies.", "k1s"))
    )]
    #[case::no_requirement("ERROR: Invalid requirement: 'a b': Expected end", Some(("Invalid requirement: 'a b': Expected end", "k1s")))]
    #[case::a_full_disk(
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        None
    )]
    #[case::another_failure("mv: cannot stat 'x'", None)]
    fn the_requirement_is_named(#[case] said: &str, #[case] expected: Option<(&str, &str)>) {
        let tail = format!("images: fetching\nimages: {BEGINS}\n{said}");
        let seen = refused(&tail);
        assert_eq!(seen.as_ref().map(|(reason, fault)| (reason.as_str(), *fault)), expected);
    }

    #[test]
    fn without_an_index_no_requirement_is_at_fault() {
        let retrying = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError': /simple/x/";
        let seen = refused(&format!("images: {BEGINS}\n{retrying}\n{MISSING}"));
        assert_eq!(seen.map(|(_, fault)| fault), Some("host"));
    }

    #[test]
    fn pip_elsewhere_is_none_of_k1s() {
        assert_eq!(refused(MISSING), None);
    }
}
