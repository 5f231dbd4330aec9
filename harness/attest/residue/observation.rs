//! The three looks side by side, and what they say.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Kind, Scan, Thing, files, firewall, mounts};
use crate::failure::{Failure, Mismatch};

/// The things of one kind before the project, while its profile was alive, and after its purge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Observation {
    /// True when everything that appears is the project's; else only what is tied to it is, and only that is kept.
    pub alone: bool,
    /// Before the project was made.
    pub before: Vec<Thing>,
    /// While its profile was alive.
    pub alive: Vec<Thing>,
    /// After its purge.
    pub after: Vec<Thing>,
}

impl Observation {
    /// Puts the looks at one kind side by side; whichever could not be taken says why.
    pub fn new(kind: Kind, in_lane: bool, [before, alive, after]: [&Scan; 3]) -> Result<Self, Failure> {
        let seen = |scan: &Scan| {
            scan.get(&kind).cloned().unwrap_or_else(|| {
                Err(Failure::new("an observation of residue is missing")
                    .expected(format!("{kind:?} observed before the project, during it and after"))
                    .seen("no such observation")
                    .to_be_reported())
            })
        };
        let mut observation = Self {
            alone: in_lane && kind.is_the_lanes_own(),
            before: seen(before)?,
            alive: seen(alive)?,
            after: seen(after)?,
        };
        // What made it the project's may be gone while it is not: the container of an address, the parent of a process.
        let tied = observation.alive.iter().filter_map(|thing| Some((thing.what.clone(), thing.tie.clone()?)));
        let known: BTreeMap<String, String> = tied.collect();
        // Not a port on a host of others': somebody else may have taken it at once.
        let inherits = observation.alone || kind != Kind::Ports;
        for thing in observation.after.iter_mut().filter(|thing| inherits && thing.tie.is_none()) {
            thing.tie = known.get(&thing.what).cloned();
        }
        if !observation.alone {
            observation.before.retain(|thing| thing.tie.is_some() || known.contains_key(&thing.what));
            observation.alive.retain(|thing| thing.tie.is_some());
            observation.after.retain(|thing| thing.tie.is_some());
        }
        Ok(observation)
    }

    /// Returns the residue: everything that the project made and that is still there, except what stays by design.
    pub fn leftover(&self, kind: Kind) -> Vec<&Thing> {
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
            let wrong = "nothing of the project was observed while its profile was alive, so finding nothing after the purge proves nothing";
            return Err(Mismatch::new(wrong, &self.alive));
        }
        let left = self.leftover(kind);
        let Some(first) = left.first() else { return Ok(()) };
        let more = if left.len() > 1 { format!(" and {} more", left.len() - 1) } else { String::new() };
        let first: String = first.what.chars().take(160).collect();
        Err(Mismatch::new(format!("left after the purge: {first}{more}"), &left))
    }
}

/// Is true for a thing that a purge leaves by design; nothing else may be left. `others` are the other things that are
/// there.
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

    fn scan(things: &[(&str, Option<&str>)]) -> Scan {
        let things = things.iter().map(|(what, tie)| Thing::new(*what, tie.map(str::to_owned)));
        Scan::from([(Kind::Bridges, Ok(things.collect()))])
    }

    #[test]
    fn what_was_once_tied_stays_the_projects() -> Result<(), Failure> {
        let scans = [
            scan(&[("lo", None)]),
            scan(&[("veth1", Some("on br-1")), ("x", None)]),
            scan(&[("veth1", None), ("x", None)]),
        ];
        let [before, alive, after] = &scans;
        let shared = Observation::new(Kind::Bridges, false, [before, alive, after])?;
        // On a host of others' only what is tied is kept at all.
        assert_eq!(shared.leftover(Kind::Bridges).iter().map(ToString::to_string).collect::<Vec<_>>(), ["veth1"]);
        assert!(shared.before.is_empty() && shared.after.len() == 1);
        let lane = Observation::new(Kind::Bridges, true, [before, alive, after])?;
        assert_eq!(lane.leftover(Kind::Bridges).len(), 2);
        // What the purge itself has made, too.
        let made = scan(&[("lo", None), ("y", None)]);
        let lane = Observation::new(Kind::Bridges, true, [before, alive, &made])?;
        assert_eq!(lane.leftover(Kind::Bridges).len(), 1);
        Ok(())
    }

    #[test]
    fn a_look_that_was_not_taken_is_no_sight() {
        let seen = scan(&[("br-1", Some("named"))]);
        let unseen = Scan::from([(Kind::Bridges, Err(Failure::new("no `ip`")))]);
        let failed = |scans| Observation::new(Kind::Bridges, true, scans).err().map(|failure| failure.what);
        assert_eq!(failed([&seen, &unseen, &seen]).as_deref(), Some("no `ip`"));
        assert!(failed([&seen, &seen, &Scan::new()]).is_some());
    }
}
