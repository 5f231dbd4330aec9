//! Interventions: settings of a lane with which WorkerBee and k1s run otherwise than they would by themselves.
//!
//! Each is written down with the run's inputs, and in what is signed. `K1S_GATES_PLAIN=1` does without those that are no
//! necessity.

use super::settings::{Mode, Settings};
use crate::stack::{Role, Stack};

/// An intervention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intervention {
    ControllerWeight,
    RefusedNames,
    SeededImages,
    OtherImages,
    BaseOfApplications,
    BuiltTools,
    LeanNerdctl,
    LateCollection,
}

/// Each intervention with its name and what is done.
const TABLE: [(Intervention, &str, &str); 8] = [
    (
        Intervention::ControllerWeight,
        "CPU weight of controller 0",
        "in k1s-ha-min it is 20 times that of each other container of the project until the lease is held",
    ),
    (
        Intervention::RefusedNames,
        "name queries",
        "a name server of the lane's own refuses each at once; there is no way out of a lane, and the host's would not answer",
    ),
    (
        Intervention::SeededImages,
        "images",
        "are imported before WorkerBee asks for them: no registry can be reached from a lane",
    ),
    (Intervention::OtherImages, "images in place of others", ""),
    (
        Intervention::BaseOfApplications,
        "base of WorkerBee's applications",
        "podman finds the repository `python` of their `FROM python:3.11-alpine` at ",
    ),
    (Intervention::BuiltTools, "tools", ""),
    (Intervention::LeanNerdctl, "nerdctl", "was built without its compose commands"),
    (
        Intervention::LateCollection,
        "garbage of containerd and nerdctl",
        "is collected when their memory has grown to five times what is in use, not twice (GOGC=400)",
    ),
];

impl Intervention {
    /// Is true when it is done. One that makes a gate possible at all where nothing can be fetched is done always.
    pub(crate) fn is_done(self, settings: &Settings) -> bool {
        let embedded = matches!(settings.mode, Mode::Embedded);
        match self {
            Self::ControllerWeight | Self::RefusedNames | Self::LeanNerdctl | Self::LateCollection => {
                embedded && !settings.plain
            }
            _ => embedded,
        }
    }

    /// More about it, where that depends on the stack; none when nothing is done.
    fn detail(self, stack: &Stack) -> Option<String> {
        match self {
            Self::OtherImages => {
                let others = stack.image_list.iter().filter(|image| image.role.variable().is_some());
                let others =
                    others.filter_map(|image| Some(format!("{} for {}", image.name, image.instead_of.as_ref()?)));
                Some(others.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
            }
            Self::BaseOfApplications => {
                let base = stack.image(Role::PythonApp)?;
                base.instead_of.as_ref()?;
                Some(format!("{}, whose Python is Debian's {}", base.repository(), base.version))
            }
            Self::BuiltTools => {
                let built = ["nerdctl", "sops"].into_iter().filter(|tool| stack.has_built(tool));
                let built = built.map(|tool| format!("{tool} was built from its Go module")).collect::<Vec<_>>();
                Some(built.join(", ")).filter(|text| !text.is_empty())
            }
            Self::LeanNerdctl => stack.has_built("nerdctl").then(String::new),
            _ => Some(String::new()),
        }
    }
}

/// Lists the interventions in this run's lanes; there are none on a host of the user's own.
pub(crate) fn done(settings: &Settings, stack: Option<&Stack>) -> Vec<(String, String)> {
    let Some(stack) = stack else { return Vec::new() };
    let done = TABLE.iter().filter(|(one, ..)| one.is_done(settings));
    done.filter_map(|(one, name, what)| Some(((*name).to_owned(), format!("{what}{}", one.detail(stack)?)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_in_the_table_once() {
        let all = [
            Intervention::ControllerWeight,
            Intervention::RefusedNames,
            Intervention::SeededImages,
            Intervention::OtherImages,
            Intervention::BaseOfApplications,
            Intervention::BuiltTools,
            Intervention::LeanNerdctl,
            Intervention::LateCollection,
        ];
        assert_eq!(TABLE.map(|(one, ..)| one), all);
    }
}
