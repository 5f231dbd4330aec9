//! The points at which a run is cut short, and how: drawn from a seed, so that a bad draw can be drawn again.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use rustix::process::Signal;

/// The processes that the signal is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    /// One of nextest's processes, each a trial.
    Trial,
    /// The process that runs the gates.
    Supervisor,
    /// nextest itself.
    Nextest,
    /// All of the run's processes outside of lanes, and the lanes' first ones.
    All,
    /// The processes that a terminal sends to: Ctrl-C for an interrupt, closed for a hang-up.
    Terminal,
}

const VICTIMS: [Victim; 5] = [Victim::Trial, Victim::Supervisor, Victim::Nextest, Victim::All, Victim::Terminal];
const SIGNALS: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::KILL];

/// The phases of a gate, each with the number of milliseconds that it may have lasted by then.
const PHASES: [(&str, u64); 8] = [
    ("environment", 300),
    ("mcp-restart", 2000),
    ("validate", 5000),
    ("attestations", 500),
    ("residue while the profile is alive", 50),
    ("profile-stop", 800),
    ("profile-purge", 200),
    ("proof of cleanup", 50),
];

/// One point.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) number: usize,
    pub(crate) victim: Victim,
    pub(crate) signal: Signal,
    pub(crate) phase: &'static str,
    pub(crate) later: Duration,
    pub(crate) seed: u64,
}

impl Point {
    /// Is true when the process that cleans up was killed too: then the next start does it, or a sweep.
    pub(crate) fn leaves_the_sweep(&self) -> bool {
        self.signal == Signal::KILL && matches!(self.victim, Victim::Supervisor | Victim::All)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, victim, signal, phase, later, seed } = self;
        let later = later.as_millis();
        write!(f, "point {number} of seed {seed}: {signal:?} to {victim:?}, {later} ms into `{phase}`")
    }
}

/// Returns the number of points: 5 have each victim and each signal, 20 each signal for each victim.
pub(crate) fn number() -> usize {
    variable("K1S_GATES_KILL_POINTS").unwrap_or(5)
}

/// The points of a run. nextest gives each a process of its own: what they share is the name of its run.
pub(crate) fn all() -> Vec<Point> {
    let seed = variable("K1S_GATES_KILL_SEED").unwrap_or_else(|| match std::env::var("NEXTEST_RUN_ID") {
        Ok(run) => {
            let mut hasher = DefaultHasher::new();
            run.hash(&mut hasher);
            hasher.finish()
        }
        Err(_) => fastrand::u64(..),
    });
    let mut random = fastrand::Rng::with_seed(seed);
    let shift = random.usize(..SIGNALS.len());
    let mut phases = PHASES;
    random.shuffle(&mut phases);
    let mut point = |n: usize| {
        let (victim, round) = (n % VICTIMS.len(), n / VICTIMS.len());
        let (phase, length) = phases[n % PHASES.len()];
        Point {
            number: n + 1,
            victim: VICTIMS[victim],
            signal: SIGNALS[(victim + round + shift) % SIGNALS.len()],
            phase,
            later: Duration::from_millis(random.u64(..=length)),
            seed,
        }
    };
    (0..number()).map(&mut point).collect()
}

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    let number = value.parse().ok();
    assert!(number.is_some(), "{name}={value} is no number");
    number
}
