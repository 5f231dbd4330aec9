//! The order of the gates: as many side by side as there are lanes, the one with the highest priority first.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::plan::GateKey;

/// The trials of a run start within a moment of each other: once none has come for this long, the queue is complete.
const GATHER: Duration = Duration::from_millis(500);
/// The interval at which a waiting gate asks whether it is its turn: a gate takes seconds at least.
const INTERVAL: Duration = Duration::from_millis(50);

/// The gates that wait.
#[derive(Debug)]
pub(super) struct Queue {
    lanes: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting: BTreeSet<(u8, GateKey)>,
    running: usize,
    last_arrival: Instant,
}

/// A gate's turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Queue);

impl Queue {
    pub(super) fn new(lanes: usize) -> Self {
        Self { lanes, state: Mutex::new(State { waiting: BTreeSet::new(), running: 0, last_arrival: Instant::now() }) }
    }

    /// Waits for the gate's turn.
    pub(super) async fn turn(&self, key: GateKey) -> Turn<'_> {
        let place = (key.gate.priority(), key);
        self.with(|state| {
            state.waiting.insert(place);
            state.last_arrival = Instant::now();
        });
        while !self.with(|state| state.admit(place, self.lanes)) {
            tokio::time::sleep(INTERVAL).await;
        }
        Turn(self)
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // Nothing in here can panic half-way: a poisoned state is a whole one.
        change(&mut self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl State {
    fn admit(&mut self, place: (u8, GateKey), lanes: usize) -> bool {
        let mine = self.waiting.first() == Some(&place);
        if !mine || self.running >= lanes || self.last_arrival.elapsed() < GATHER {
            return false;
        }
        self.waiting.remove(&place);
        self.running += 1;
        true
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.with(|state| state.running -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Gate, Profile, Transport};

    #[tokio::test(start_paused = true)]
    async fn the_longest_gate_goes_first_whoever_came_first() {
        let queue = Queue::new(1);
        let order = Mutex::new(Vec::new());
        let go = async |gate: Gate| {
            let _turn = queue.turn(GateKey::first(gate, Transport::Cli)).await;
            order.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(gate);
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        let workload = Gate::Workload(Profile::HaMin);
        tokio::join!(go(Gate::Preflight), go(Gate::Startup(Profile::HaMin)), go(workload));
        let order = order.into_inner().unwrap_or_default();
        assert_eq!(order, [workload, Gate::Startup(Profile::HaMin), Gate::Preflight]);
    }
}
