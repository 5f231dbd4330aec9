//! Targets that break or kill what is real are started by name alone.

use libtest_mimic::Arguments;

/// Is true when somebody asked for this target: nextest leaves it out unless its profile says otherwise, and `cargo
/// test` starts all targets alike, without a word about which.
pub(crate) fn is_asked_for(target: &str, arguments: &Arguments) -> bool {
    let named = arguments.list || arguments.filter.is_some() || arguments.ignored || arguments.include_ignored;
    let asked = named || std::env::var_os("NEXTEST").is_some();
    if !asked {
        eprintln!("{target}: not started, for it runs real gates for minutes; start it with `make {target}`");
    }
    asked
}
