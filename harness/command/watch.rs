//! `k1s-gates watch`: a run while it goes on, a line for each gate.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use k1s_profile_gates::evidence::{REPORT, kept_project_hint};
use k1s_profile_gates::ledger::is_kept;
use k1s_profile_gates::report::{self, RunReport};
use k1s_profile_gates::run;
use k1s_profile_gates::summary::{State, Summary};
use serde_json::json;

use super::print;

/// The interval at which the run is read: a gate takes seconds.
const INTERVAL: Duration = Duration::from_millis(500);
/// The time within which a step that ends gets no line of its own.
const MOMENT: Duration = Duration::from_secs(3);
/// Without a terminal that is redrawn, how long a gate may say nothing new.
const SILENCE: Duration = Duration::from_secs(30);

#[derive(Args)]
#[command(after_help = "\
Ends when the run ends: with 0 when it passed, with 1 when it failed or was cut short.

Examples:
  k1s-gates watch
  k1s-gates watch --json /tmp/run | jq -r 'select(.state == \"failed\") | .gate'")]
pub(crate) struct Watch {
    /// The run's folder; by default that of this user's newest run.
    run_dir: Option<PathBuf>,
    /// A line for each change, also on a terminal.
    #[arg(long)]
    lines: bool,
    /// The same as JSON, one object a line.
    #[arg(long, conflicts_with = "lines")]
    json: bool,
}

impl Watch {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let none = "there is no run of this user; name its folder: k1s-gates watch RUN_DIR";
        let run_dir = self.run_dir.clone().or_else(run::newest).ok_or(none)?;
        follow(&run_dir, &mut *self.teller())
    }

    fn teller(&self) -> Box<dyn Teller> {
        if self.json {
            Box::new(Json::default())
        } else if !self.lines && std::io::stderr().is_terminal() {
            Box::new(Bars::default())
        } else {
            Box::new(Lines::default())
        }
    }
}

/// Tells how a run stands until it ends.
fn follow(run_dir: &Path, teller: &mut dyn Teller) -> Result<ExitCode, Box<dyn Error>> {
    loop {
        // Looked at before the run is read: what it writes last is not missed.
        let alive = run::is_alive(run_dir);
        match RunReport::load(run_dir) {
            Ok(run) => {
                teller.tell(&run);
                if !alive {
                    teller.end(&run);
                    let passed = run.summary.verdict() == State::Passed;
                    return Ok(if passed {
                        ExitCode::SUCCESS
                    } else {
                        print::not_good(run.summary.is_of_the_environment())
                    });
                }
            }
            // Its first file comes a moment after its start.
            Err(_) if alive => {}
            Err(error) => return Err(error.into()),
        }
        std::thread::sleep(INTERVAL);
    }
}

/// Waits for a run to begin in the folder, and tells it in lines on standard error until it ends.
pub(crate) fn lines(run_dir: &Path) {
    let since = jiff::Timestamp::now();
    // What lives in the folder already is somebody else's run.
    let begun = || Summary::load(run_dir).is_ok_and(|run| run.parts.last().is_some_and(|part| part.started >= since));
    while !begun() {
        std::thread::sleep(INTERVAL);
    }
    let _ = follow(run_dir, &mut Lines::default());
}

/// Tells on standard error how a run has ended.
pub(crate) fn end(run_dir: &Path) -> Result<(), Box<dyn Error>> {
    follow(run_dir, &mut End).map(drop)
}

/// A way to show a run.
trait Teller {
    /// Shows how the run stands.
    fn tell(&mut self, run: &RunReport);
    /// Its end, after the last time that it was told how it stands.
    fn end(&mut self, run: &RunReport);
}

/// The verdict, and where its page is.
fn said_at_the_end(run: &RunReport) {
    // A run that is over and has not said so was killed.
    let verdict = match run.summary.verdict() {
        State::Running | State::Waiting => State::CutShort,
        verdict => verdict,
    };
    let mut lines: Vec<String> = run.summary.resumes().iter().map(|resume| format!("resumed at {resume}")).collect();
    for gate in run.gates.iter().filter(|gate| gate.kept) {
        lines.push(format!("kept from part {}: {}", gate.summary.part, gate.name));
    }
    for gate in &run.gates {
        for cause in &gate.summary.diagnosis.causes {
            let read = &gate.summary.diagnosis.read;
            lines.push(format!("{}: {}\n  {}", gate.name, cause.headline(), cause.second_line(read)));
        }
    }
    let kept = |gate: &&report::GateReport| gate.summary.project_kept && is_kept(&gate.summary.project);
    for gate in run.gates.iter().filter(kept) {
        let project = &gate.summary.project;
        lines.push(format!("the project {project} of {} is kept: {}", gate.name, kept_project_hint(project)));
    }
    lines.push(format!("{}: {}\n", report::word(verdict), run.dir.join(REPORT).display()));
    let _ = std::io::stderr().write_all(lines.join("\n").as_bytes());
}

/// The end alone.
struct End;

impl Teller for End {
    fn tell(&mut self, _run: &RunReport) {}

    fn end(&mut self, run: &RunReport) {
        said_at_the_end(run);
    }
}

/// Plain lines on standard error, one write each: beside nextest they stand between its own.
#[derive(Default)]
struct Lines {
    known: BTreeMap<String, Known>,
}

/// The last known state of a gate.
struct Known {
    said: String,
    since: Instant,
    told: Option<Instant>,
}

impl Teller for Lines {
    fn tell(&mut self, run: &RunReport) {
        for gate in &run.gates {
            let said = gate.standing();
            let new = || Known { said: said.clone(), since: Instant::now(), told: None };
            let known = self.known.entry(gate.name.clone()).or_insert_with(new);
            if known.said != said {
                *known = new();
            }
            let running = gate.state == State::Running;
            // A gate passes through many things in a moment, and stays at some.
            let due = known
                .told
                .map_or(!running || known.since.elapsed() > MOMENT, |told| running && told.elapsed() > SILENCE);
            if due {
                known.told = Some(Instant::now());
                let line = format!("{:>9}  {}  {said}\n", gate.elapsed(), gate.name);
                let _ = anstream::stderr().write_all(line.as_bytes());
            }
        }
    }

    fn end(&mut self, run: &RunReport) {
        // What a run that was killed was at.
        for gate in run.gates.iter().filter(|gate| gate.summary.ended.is_none()) {
            let line = format!("{:>9}  {}  not ended: {}\n", gate.elapsed(), gate.name, gate.standing());
            let _ = anstream::stderr().write_all(line.as_bytes());
        }
        said_at_the_end(run);
    }
}

/// JSON on standard output.
#[derive(Default)]
struct Json {
    told: BTreeMap<String, String>,
}

impl Teller for Json {
    fn tell(&mut self, run: &RunReport) {
        for gate in &run.gates {
            let doing = gate.doing().map(|(_, doing)| doing);
            let failed: Vec<&str> = gate.summary.failures().map(|(check, _)| check).collect();
            // The part of the run that it is kept from.
            let kept = gate.kept.then_some(gate.summary.part);
            let line =
                json!({ "gate": gate.name, "state": gate.state, "doing": doing, "failed": failed, "kept": kept });
            let line = line.to_string();
            if self.told.get(&gate.name) != Some(&line) {
                let _ = writeln!(std::io::stdout(), "{line}");
                self.told.insert(gate.name.clone(), line);
            }
        }
    }

    fn end(&mut self, run: &RunReport) {
        let line = json!({ "verdict": run.summary.verdict(), "report": run.dir.join(REPORT) });
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

/// A terminal: one line for each gate, redrawn.
#[derive(Default)]
struct Bars {
    bars: MultiProgress,
    gates: BTreeMap<String, ProgressBar>,
}

impl Teller for Bars {
    fn tell(&mut self, run: &RunReport) {
        let width = run.gates.iter().map(|gate| gate.name.chars().count()).max().unwrap_or_default();
        for gate in &run.gates {
            let bars = &self.bars;
            let bar = self.gates.entry(gate.name.clone()).or_insert_with(|| {
                let plain = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
                bars.add(ProgressBar::new_spinner().with_style(plain))
            });
            bar.set_message(format!("{:>9}  {:width$}  {}", gate.elapsed(), gate.name, gate.standing()));
            bar.tick();
        }
    }

    fn end(&mut self, run: &RunReport) {
        for bar in self.gates.values() {
            bar.abandon();
        }
        said_at_the_end(run);
    }
}
