//! The three looks side by side, and what they say.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Kind, Look, Thing, files, firewall, mounts};
use crate::failure::{Failure, Mismatch};

/// What was there of one kind before the project, while its profile was alive, and after its purge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sight {
    /// Whether everything that appears is the project's; else only what is tied to it, and only that is kept.
    pub alone: bool,
    /// Before the project was made.
    pub before: Vec<Thing>,
    /// While its profile was alive.
    pub alive: Vec<Thing>,
    /// After its purge.
    pub after: Vec<Thing>,
}

impl Sight {
    /// Puts the looks at one kind side by side; whichever could not be taken says why.
    pub fn new(kind: Kind, in_lane: bool, [before, alive, after]: [&Look; 3]) -> Result<Self, Failure> {
        let seen = |look: &Look| {
            look.get(&kind).cloned().unwrap_or_else(|| {
                Err(Failure::new("a look was not taken")
                    .expected(format!("{kind:?} looked at before, while and after"))
                    .seen("no such look")
                    .remedy("report this"))
            })
        };
        let mut sight = Self {
            alone: in_lane && kind.is_the_lanes_own(),
            before: seen(before)?,
            alive: seen(alive)?,
            after: seen(after)?,
        };
        // What made it the project's may be gone while it is not: the container of an address, the parent of a process.
        let tied = sight.alive.iter().filter_map(|thing| Some((thing.what.clone(), thing.tie.clone()?)));
        let known: BTreeMap<String, String> = tied.collect();
        // Not a port on a host of others': somebody else may have taken it at once.
        let inherits = sight.alone || kind != Kind::Ports;
        for thing in sight.after.iter_mut().filter(|thing| inherits && thing.tie.is_none()) {
            thing.tie = known.get(&thing.what).cloned();
        }
        if !sight.alone {
            sight.before.retain(|thing| thing.tie.is_some() || known.contains_key(&thing.what));
            sight.alive.retain(|thing| thing.tie.is_some());
            sight.after.retain(|thing| thing.tie.is_some());
        }
        Ok(sight)
    }

    /// What is left: everything that the project made and that is still there, but what stays by design.
    pub fn left(&self, kind: Kind) -> Vec<&Thing> {
        let names = |things: &[Thing]| things.iter().map(|thing| thing.what.clone()).collect::<BTreeSet<String>>();
        let before = names(&self.before);
        let is_ours = |thing: &&Thing| thing.tie.is_some() || self.alone;
        self.after
            .iter()
            .filter(|thing| !before.contains(&thing.what))
            .filter(is_ours)
            .filter(|thing| !stays(kind, thing, &self.after))
            .collect()
    }

    /// The rule of the kind's check.
    pub fn judge(&self, kind: Kind) -> Result<(), Mismatch> {
        let is_new = |thing: &Thing| !self.before.iter().any(|before| before.what == thing.what);
        // What stays anyway proves nothing either: a lock is there also when no network is.
        let proves = |thing: &&Thing| thing.tie.is_some() && is_new(thing) && !stays(kind, thing, &self.alive);
        if !self.alive.iter().any(|thing| proves(&thing)) {
            let wrong =
                "nothing of the project was seen while its profile was alive: that nothing is left proves nothing";
            return Err(Mismatch::new(wrong, &self.alive));
        }
        let left = self.left(kind);
        let Some(first) = left.first() else { return Ok(()) };
        let more = if left.len() > 1 { format!(" and {} more", left.len() - 1) } else { String::new() };
        let first: String = first.what.chars().take(160).collect();
        Err(Mismatch::new(format!("left after the purge: {first}{more}"), &left))
    }
}

/// Whether a purge leaves a thing by design; nothing else may be left. `others` is what there is beside it.
fn stays(kind: Kind, thing: &Thing, others: &[Thing]) -> bool {
    match kind {
        // Layers of images: WorkerBee's purge of a profile leaves images (`profiles.py`, `K1sProfileRunner.stop`), and
        // the harness removes them with the namespace, which containerd refuses while anything is in it.
        Kind::Snapshots => thing.what.contains(" committed sha256:"),
        Kind::Networks => files::network_stays(thing),
        Kind::StateFolder => files::state_stays(thing),
        Kind::Mounts => mounts::stays(thing),
        Kind::Firewall => firewall::stays(thing, others),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(things: &[(&str, Option<&str>)]) -> Look {
        let things = things.iter().map(|(what, tie)| Thing::new(*what, tie.map(str::to_owned)));
        Look::from([(Kind::Bridges, Ok(things.collect()))])
    }

    #[test]
    fn what_was_once_tied_stays_the_projects() -> Result<(), Failure> {
        let looks = [
            look(&[("lo", None)]),
            look(&[("veth1", Some("on br-1")), ("x", None)]),
            look(&[("veth1", None), ("x", None)]),
        ];
        let [before, alive, after] = &looks;
        let shared = Sight::new(Kind::Bridges, false, [before, alive, after])?;
        // On a host of others' only what is tied is kept at all.
        assert_eq!(shared.left(Kind::Bridges).iter().map(ToString::to_string).collect::<Vec<_>>(), ["veth1"]);
        assert!(shared.before.is_empty() && shared.after.len() == 1);
        let lane = Sight::new(Kind::Bridges, true, [before, alive, after])?;
        assert_eq!(lane.left(Kind::Bridges).len(), 2);
        // What the purge itself has made, too.
        let made = look(&[("lo", None), ("y", None)]);
        let lane = Sight::new(Kind::Bridges, true, [before, alive, &made])?;
        assert_eq!(lane.left(Kind::Bridges).len(), 1);
        Ok(())
    }

    #[test]
    fn a_look_that_was_not_taken_is_no_sight() {
        let seen = look(&[("br-1", Some("named"))]);
        let unseen = Look::from([(Kind::Bridges, Err(Failure::new("no `ip`")))]);
        let failed = |looks| Sight::new(Kind::Bridges, true, looks).err().map(|failure| failure.what);
        assert_eq!(failed([&seen, &unseen, &seen]).as_deref(), Some("no `ip`"));
        assert!(failed([&seen, &seen, &Look::new()]).is_some());
    }
}
