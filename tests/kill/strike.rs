//! The ways to cut a run short.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::point::Victim;
use crate::support::nested::Nested;

impl Nested {
    /// Sends the signal.
    pub(crate) fn strike(&mut self, victim: Victim, signal: Signal) -> Result<(), String> {
        let nextest = i32::try_from(self.nextest.id()).ok().and_then(Pid::from_raw).ok_or("nextest has no number")?;
        let mut struck = match victim {
            Victim::Nextest => vec![nextest],
            Victim::Supervisor => self.players(&["__supervisor"]),
            Victim::Trial => fastrand::choice(self.players(&["--exact"])).into_iter().collect(),
            Victim::All => self.players(&["__supervisor", "__lane", "__gate", "--exact"]),
            Victim::Terminal => return self.strike_terminal(nextest, signal),
        };
        if struck.is_empty() {
            return Err(format!("no {victim:?} to send {signal:?} to"));
        }
        if victim == Victim::All {
            struck.push(nextest);
        }
        // One that has ended just now is no obstacle.
        for process in struck {
            let _ = kill_process(process, signal);
        }
        Ok(())
    }

    fn strike_terminal(&mut self, nextest: Pid, signal: Signal) -> Result<(), String> {
        let struck = match signal {
            Signal::HUP => {
                drop(self.terminal.take());
                return Ok(());
            }
            Signal::INT => {
                let terminal = self.terminal.as_ref().ok_or("the terminal is closed")?;
                rustix::io::write(terminal, b"\x03").map(drop)
            }
            signal => kill_process_group(nextest, signal),
        };
        struck.map_err(|error| format!("{signal:?} could not be sent: {error}"))
    }

    /// The run's processes that have one of these words on their command line.
    fn players(&self, words: &[&str]) -> Vec<Pid> {
        let marked = crate::residue::processes(self.folder(), &self.project);
        let players = marked.into_iter().filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        players.filter_map(|(pid, _)| Pid::from_raw(pid)).collect()
    }
}
