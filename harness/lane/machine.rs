//! The machine that a run ran on, for those who read its report later, elsewhere.

use std::collections::BTreeMap;
use std::path::Path;

/// The machine, and where the parts are.
pub(super) fn of(workerbee: &Path) -> BTreeMap<String, String> {
    let system = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut found = BTreeMap::from([
        ("harness".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("kernel".into(), format!("{} {}", text(system.sysname()), text(system.release()))),
        ("machine".into(), format!("{}, {cores} cores{}", text(system.machine()), memory())),
        ("WorkerBee at".into(), workerbee.display().to_string()),
    ]);
    found.extend(sdk(workerbee).map(|version| ("WorkerBee's MCP SDK".to_owned(), version)));
    found.extend(distribution().map(|name| ("system".to_owned(), name)));
    found
}

/// The version of the MCP SDK in `WorkerBee`'s environment, as pip names the folder of what it has installed: `WorkerBee`
/// takes any from 1.8 on, and does not work with each.
fn sdk(workerbee: &Path) -> Option<String> {
    let environment = workerbee.canonicalize().ok()?.parent()?.parent()?.to_owned();
    let packages = std::fs::read_dir(environment.join("lib")).ok()?.flatten();
    let packages = packages.filter_map(|python| std::fs::read_dir(python.path().join("site-packages")).ok());
    packages.flatten().flatten().find_map(|package| {
        let name = package.file_name().into_string().ok()?;
        Some(name.strip_prefix("mcp-")?.strip_suffix(".dist-info")?.to_owned())
    })
}

fn distribution() -> Option<String> {
    let text = std::fs::read_to_string("/etc/os-release").ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned())
}

fn memory() -> String {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = total.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.map(|kilobytes| format!(", {} GB memory", kilobytes / 1_000_000)).unwrap_or_default()
}
