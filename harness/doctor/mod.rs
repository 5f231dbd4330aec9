//! The conditions of a run on this machine: each with what was found and, where it is not met, a command to paste.
//!
//! Nothing is changed, and root is not needed: what only root could find out is asked through `sudo -n` or is itself
//! the condition that is not met.

mod environment;
mod ingress;
mod machine;

use serde::Serialize;

use crate::lane::{Mode, Settings};
use crate::stack::Options;

/// One thing that a run needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// The name of the condition.
    pub name: String,
    /// True when it is met.
    pub ok: bool,
    /// The finding.
    pub seen: String,
    /// The advice, as a command where one does it; empty when it is met.
    pub remedy: String,
}

impl Condition {
    fn met(name: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { name: name.into(), ok: true, seen: seen.into(), remedy: String::new() }
    }

    fn unmet(name: impl Into<String>, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name: name.into(), ok: false, seen: seen.into(), remedy: remedy.into() }
    }

    fn of(name: &str, found: Result<String, (String, String)>) -> Self {
        match found {
            Ok(seen) => Self::met(name, seen),
            Err((seen, remedy)) => Self::unmet(name, seen, remedy),
        }
    }
}

/// Looks at everything that the run would need which the environment asks for.
pub fn examine(options: &Options) -> Vec<Condition> {
    let settings = match Settings::from_env() {
        Ok(settings) => settings,
        // Without settings there is no telling which run it would be.
        Err(failure) => return vec![Condition::unmet("settings", failure.what, failure.remedy)],
    };
    let mut conditions = vec![Condition::met("settings", "every variable can be used")];
    conditions.push(environment::k1s(&settings));
    conditions.extend(environment::names(&settings));
    conditions.push(environment::meeting());
    conditions.push(environment::evidence(&settings));
    conditions.push(environment::ledger());
    conditions.push(environment::room(&settings));
    match &settings.mode {
        Mode::Embedded => {
            conditions.extend(machine::requirements(options));
            conditions.push(machine::stack(options));
            conditions.push(machine::lane(&settings, options));
            conditions.push(machine::memory());
        }
        Mode::External(external) => {
            conditions.extend(environment::external(&settings, external));
            conditions.push(ingress::admin(&external.state_root));
        }
    }
    conditions
}
