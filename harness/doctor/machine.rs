//! The conditions that lanes and the embedded stack ask of the machine.

use super::Condition;
use crate::lane::{self, Settings};
use crate::stack::{self, Options, StackError, Unmet};

/// A workload's lane keeps about this much in memory, in kilobytes.
const LANE: u64 = 1_500_000;

/// Tools, Python, cargo, and what the user has named.
pub(super) fn requirements(options: &Options) -> Vec<Condition> {
    let tools = stack::missing_tools(options);
    let mut conditions: Vec<Condition> = tools
        .iter()
        .map(|(tool, package)| {
            let remedy = format!("sudo apt-get install -y --no-install-recommends {package}");
            Condition::unmet(tool.clone(), "not found", remedy)
        })
        .collect();
    if conditions.is_empty() {
        conditions.push(Condition::met("tools", "containerd, runc, CNI plugins, podman and the like are there"));
    }
    // The tools are told one by one already, and the k1s root is a condition of its own.
    let told = |unmet: &Unmet| matches!(unmet, Unmet::Tools { .. } | Unmet::K1sRoot { .. });
    let rest = stack::unmet(options).into_iter().filter(|unmet| !told(unmet));
    conditions.extend(rest.map(|unmet| {
        let name = match &unmet {
            Unmet::Root { .. } => "root, to prepare the stack",
            Unmet::K1sRoot { .. } => "K1S_ROOT",
            Unmet::Program { variable, .. } => variable,
            Unmet::Python { .. } => "Python",
            Unmet::Cargo { .. } => "cargo",
            Unmet::Tools { .. } => "tools",
        };
        Condition::unmet(name, unmet.to_string(), unmet.remedy())
    }));
    conditions
}

/// The stack, complete; what is not is built by the command of the remedy.
pub(super) fn stack(options: &Options) -> Condition {
    let name = "stack";
    match stack::missing(options).and_then(|todo| stack::check_owners(options).map(|()| todo)) {
        Ok(todo) if todo.is_empty() => Condition::met(name, options.cache.display().to_string()),
        Ok(todo) => {
            let steps: Vec<String> = todo.iter().map(ToString::to_string).collect();
            Condition::unmet(name, format!("not built yet: {}", steps.join("; ")), "k1s-gates stack")
        }
        Err(StackError::OfOthers { seen, remedy }) => Condition::unmet(name, seen, remedy),
        Err(error) => {
            let another = matches!(error, StackError::NotACache { .. } | StackError::Io { .. });
            let remedy = if another { "export K1S_GATES_CACHE=<a folder of your own>" } else { "k1s-gates stack" };
            Condition::unmet(name, error.to_string().lines().next().unwrap_or_default(), remedy)
        }
    }
}

/// A lane, tried out: root, its namespaces, its mounts over this machine's, cgroups.
pub(super) fn lane(settings: &Settings, options: &Options) -> Condition {
    let mut folders = lane::folders_of_a_run(settings);
    folders.push(options.cache.clone());
    let name = "a lane";
    match lane::can_hold(&folders) {
        Ok(()) => Condition::met(name, "can be made ready: namespaces, mounts, cgroups"),
        Err(failure) if failure.what.contains(&failure.seen) => Condition::unmet(name, failure.what, failure.remedy),
        Err(failure) => Condition::unmet(name, format!("{}: {}", failure.what, failure.seen), failure.remedy),
    }
}

/// Memory for one lane at least.
pub(super) fn memory() -> Condition {
    let name = "memory";
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let free: u64 = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default();
    let seen = format!("{:.1} GB available", f64::from(u32::try_from(free / 1000).unwrap_or(u32::MAX)) / 1000.0);
    if free >= LANE {
        return Condition::met(name, seen);
    }
    Condition::unmet(
        name,
        format!("{seen}, a workload takes 1.5"),
        "ps aux --sort=-rss | head # and end what is not needed",
    )
}
