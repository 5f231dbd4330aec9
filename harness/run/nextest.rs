//! What nextest was asked for, as far as its command line says so.
//!
//! With few threads of nextest's (by default one per processor) trials come one gate after the other. A run that was asked for
//! everything need not wait for them: its first trial asks for all gates, and they run side by side.

/// So many threads hold all trials of several gates at once.
const ENOUGH: usize = 32;

/// Options of `cargo nextest run` that leave out no trial of a test target that runs, and whether a value follows.
const HARMLESS: [(&str, bool); 40] = [
    ("--test", true),
    ("--tests", false),
    ("--all-targets", false),
    ("--workspace", false),
    ("--all", false),
    ("-p", true),
    ("--package", true),
    ("-P", true),
    ("--profile", true),
    ("--cargo-profile", true),
    ("-r", false),
    ("--release", false),
    ("-F", true),
    ("--features", true),
    ("--all-features", false),
    ("--no-default-features", false),
    ("--target", true),
    ("--target-dir", true),
    ("--manifest-path", true),
    ("--config-file", true),
    ("-j", true),
    ("--jobs", true),
    ("--test-threads", true),
    ("--build-jobs", true),
    ("--offline", false),
    ("--locked", false),
    ("--frozen", false),
    ("--no-fail-fast", false),
    ("--nff", false),
    ("--fail-fast", false),
    ("--ff", false),
    ("--no-input-handler", false),
    ("--retries", true),
    ("--status-level", true),
    ("--final-status-level", true),
    ("--failure-output", true),
    ("--success-output", true),
    ("--hide-progress-bar", false),
    ("--color", true),
    ("-v", false),
];

/// Whether the run's trials come one by one although every gate will be asked for.
pub(super) fn asks_for_all_one_by_one(owner: i32) -> bool {
    let threads = std::env::var("NEXTEST_TEST_THREADS").ok().and_then(|threads| threads.parse::<usize>().ok());
    // Without a number it is a nextest of before there was one.
    if threads.is_some_and(|threads| threads >= ENOUGH) || std::env::var_os("NEXTEST_RUN_ID").is_none() {
        return false;
    }
    let line = std::fs::read(format!("/proc/{owner}/cmdline")).unwrap_or_default();
    let words: Vec<String> =
        line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    asks_for_all(&words) && !has_filter_of_its_own()
}

/// Whether a command line of nextest's names no trials and leaves out none. What is not known may leave out some.
fn asks_for_all(words: &[String]) -> bool {
    let nextest = words.windows(2).position(|pair| pair[0] == "nextest" && ["run", "r"].contains(&pair[1].as_str()));
    let Some(nextest) = nextest else { return false };
    let mut options = words[nextest + 2..].iter().filter(|word| !word.is_empty());
    while let Some(option) = options.next() {
        let name = option.split_once('=').map_or(option.as_str(), |(name, _)| name);
        match HARMLESS.iter().find(|(known, _)| *known == name) {
            Some((_, true)) if name == option => drop(options.next()),
            Some(_) => {}
            None => return false,
        }
    }
    true
}

/// Whether nextest's configuration may leave out trials.
fn has_filter_of_its_own() -> bool {
    let Some(root) = std::env::var_os("NEXTEST_WORKSPACE_ROOT") else { return true };
    let file = std::path::Path::new(&root).join(".config/nextest.toml");
    match std::fs::read_to_string(file) {
        Ok(text) => text.contains("default-filter"),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("cargo-nextest nextest run", true)]
    #[case::by_its_short_name("/x/cargo-nextest nextest r", true)]
    #[case::one_target("cargo-nextest nextest run --test gates --profile=ci --no-fail-fast -j 2", true)]
    #[case::names("cargo-nextest nextest run inventory", false)]
    #[case::an_expression("cargo-nextest nextest run -E test(x)", false)]
    #[case::a_partition("cargo-nextest nextest run --partition count:1/2", false)]
    #[case::behind_dashes("cargo-nextest nextest run -- --skip x", false)]
    #[case::unknown("cargo-nextest nextest run --some-new-option", false)]
    #[case::no_run("cargo-nextest nextest list", false)]
    #[case::no_nextest("cargo test", false)]
    fn a_command_line_asks_for_all_or_may_not(#[case] line: &str, #[case] all: bool) {
        assert_eq!(asks_for_all(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()), all);
    }
}
