//! A probe: what is observed of a live profile, when and how, and the checks that judge it. One value per probe, in one
//! file; [`PROBES`](super::PROBES) lists them.

use futures_util::future::LocalBoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::known::{Deviation, Release, left_out};
use super::scene::Scene;
use crate::checks::{Check, observed};
use crate::evidence::pretty;
use crate::failure::{Failure, Mismatch};
use crate::plan::{Gate, Profile};

/// An observation of the type `T`, with the checks that judge it.
pub struct Probe<T: 'static> {
    /// The name under which the observation is kept.
    pub name: &'static str,
    /// Is true of the gates that make it.
    pub of: fn(Gate) -> bool,
    /// The moment at which it is made.
    pub moment: Moment,
    /// The probes that must have been observed before, of those of its moment.
    pub after: After,
    /// How it is made.
    pub observe: Observe<T>,
    /// The checks that judge it.
    pub checks: &'static [Rule<T>],
    /// The files of a triage that tell most when one of its checks is red, the best one first; none for what is read first
    /// of any check.
    pub triage: &'static [&'static str],
}

/// The moment at which a probe is observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// As soon as the profile is up.
    Alive,
    /// Beside all others that only look, when those before have been observed.
    Look,
    /// Beside those that look: it changes what is deployed, and says after whom.
    Change,
    /// When all others have been observed.
    Last,
    /// When the profile is about to be stopped.
    Stop,
}

/// The probes that another one waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// None.
    Nobody,
    /// Those of these names.
    These(&'static [&'static str]),
    /// All that look.
    AllThatLook,
}

/// The way in which an observation is made.
pub enum Observe<T: 'static> {
    /// By asking.
    Ask(for<'a> fn(&'a Scene) -> LocalBoxFuture<'a, Result<T, Failure>>),
    /// By a watch of the gate's, which it begins before the profile and keeps at its end.
    Watch,
}

/// One check of a probe.
pub struct Rule<T> {
    check: &'static str,
    of: fn(Gate) -> bool,
    expected: &'static str,
    remedy: &'static str,
    judge: fn(&T, Case) -> Result<(), Mismatch>,
    deviations: Option<Deviations<T>>,
}

/// Lists the deviations that an observation shows, with the release that shows them; none where too little was asked to
/// know which there are.
pub type Deviations<T> = fn(&T) -> Option<(&Release, Vec<Deviation>)>;

/// What a rule is applied to, besides the observation.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// The name of the check.
    pub check: &'static str,
    /// The gate.
    pub gate: Gate,
    /// The gate's profile.
    pub profile: Profile,
}

impl<T> Rule<T> {
    /// A check by its name, what it expects, what to do when it is red, and how it judges.
    pub const fn new(
        check: &'static str,
        expected: &'static str,
        remedy: &'static str,
        judge: fn(&T, Case) -> Result<(), Mismatch>,
    ) -> Self {
        Self { check, of: Gate::starts_profile, expected, remedy, judge, deviations: None }
    }

    /// Leaves it to some of the gates that make the observation.
    #[must_use]
    pub const fn of(mut self, of: fn(Gate) -> bool) -> Self {
        self.of = of;
        self
    }

    /// Says how the deviations are listed: of those that are known, a gate notices which are no longer seen.
    #[must_use]
    pub const fn deviations(mut self, deviations: Deviations<T>) -> Self {
        self.deviations = Some(deviations);
        self
    }
}

/// An observation as it is kept.
#[derive(Debug)]
pub struct Observed {
    /// It, as JSON.
    pub json: Vec<u8>,
    /// The known deviations of the release that it does not show.
    pub cured: Vec<String>,
}

/// A probe of any type.
pub trait AnyProbe: Sync {
    /// The name under which its observation is kept.
    fn name(&self) -> &'static str;
    /// Is true when the gate makes it.
    fn is_of(&self, gate: Gate) -> bool;
    /// The moment at which it is made.
    fn moment(&self) -> Moment;
    /// The probes that it waits for.
    fn after(&self) -> After;
    /// Observes; none where a watch does.
    fn observe<'a>(&self, scene: &'a Scene) -> Option<LocalBoxFuture<'a, Result<Observed, Failure>>>;
    /// Its checks in a gate that makes it.
    fn checks(&self, gate: Gate) -> Vec<Check>;
    /// The files of a triage to read first when the check of that name is red; none when it is no check of this probe's.
    fn triage(&self, check: &str) -> Option<&'static [&'static str]>;
}

impl<T: Serialize + DeserializeOwned + 'static> AnyProbe for Probe<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_of(&self, gate: Gate) -> bool {
        (self.of)(gate)
    }

    fn moment(&self) -> Moment {
        self.moment
    }

    fn after(&self) -> After {
        self.after
    }

    fn observe<'a>(&self, scene: &'a Scene) -> Option<LocalBoxFuture<'a, Result<Observed, Failure>>> {
        let Observe::Ask(ask) = self.observe else { return None };
        let (name, checks) = (self.name, self.checks);
        Some(Box::pin(async move {
            let seen = ask(scene).await?;
            let listed = checks.iter().filter_map(|rule| Some((rule.check, rule.deviations?(&seen)?)));
            let cured = listed.flat_map(|(check, (release, deviations))| release.cured(check, &deviations)).collect();
            let json = pretty(&seen).map_err(|error| {
                Failure::new(format!("the observation `{name}` cannot be written"))
                    .expected("an observation that is JSON")
                    .seen(error.to_string())
                    .to_be_reported()
            })?;
            Ok(Observed { json, cured })
        }))
    }

    fn checks(&self, gate: Gate) -> Vec<Check> {
        let Some(profile) = gate.profile().filter(|_| self.is_of(gate)) else { return Vec::new() };
        let rules = self.checks.iter().filter(|rule| (rule.of)(gate));
        rules
            .map(|rule| {
                let (case, judge) = (Case { check: rule.check, gate, profile }, rule.judge);
                let expected = format!("{}{}", rule.expected, left_out(rule.check));
                observed(rule.check, self.name, expected, rule.remedy, move |seen: &T| judge(seen, case))
            })
            .collect()
    }

    fn triage(&self, check: &str) -> Option<&'static [&'static str]> {
        self.checks.iter().any(|rule| rule.check == check).then_some(self.triage)
    }
}
