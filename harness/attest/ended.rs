//! The components that have ended for good. Whoever asks one of them, or waits for it, gives up at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::exits::Tally;

/// How often it is looked whether a component has ended.
const LOOK: Duration = Duration::from_millis(100);
/// The components that what is seen from outside passes through; k1s-ha-min goes on without another one.
const WAY_IN: [&str; 2] = ["controller-0", "apishim"];

/// What the watch over a gate's components knows of their ends. Without a watch nothing has ended.
#[derive(Debug, Clone, Default)]
pub struct Ended(Option<Arc<Mutex<Tally>>>);

impl Ended {
    pub(super) fn known_to(tally: Arc<Mutex<Tally>>) -> Self {
        Self(Some(tally))
    }

    /// How a component ended, in words, when nothing will undo that.
    pub(super) fn of(&self, component: &str) -> Option<String> {
        let tally = locked(self.0.as_ref()?);
        tally
            .final_ends(Instant::now())
            .find(|exit| exit.component == component && exit.status.is_some())
            .map(ToString::to_string)
    }

    /// Whether any component has ended for good.
    pub fn any(&self) -> bool {
        self.0.as_ref().is_some_and(|tally| locked(tally).final_ends(Instant::now()).next().is_some())
    }

    /// The same of the components that everything from outside passes through.
    pub(super) fn of_the_way_in(&self) -> Option<String> {
        WAY_IN.into_iter().find_map(|component| self.of(component))
    }

    /// What a component is asked for, or how it ended.
    pub(super) async fn or<T>(&self, component: &str, asked: impl Future<Output = T>) -> Result<T, String> {
        let ended = async {
            loop {
                if let Some(how) = self.of(component) {
                    return how;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            biased;
            how = ended => Err(how),
            answer = asked => Ok(answer),
        }
    }
}

pub(super) fn locked(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::super::events::TaskEvent;
    use super::super::exits::Known;
    use super::*;

    /// `controller-0` and `apishim`, of which the first has exited.
    fn one_of_two() -> Ended {
        let now = Instant::now();
        let mut tally = Tally::new(now);
        for component in ["controller-0", "apishim"] {
            let known = Known { component: component.to_owned(), is_restarted: false };
            tally.known.insert(component.to_owned(), Some(known));
            tally.note(&TaskEvent::Started(component.to_owned()), now);
        }
        let exited = TaskEvent::Exited { container: "controller-0".to_owned(), status: 0, at: None };
        tally.note(&exited, now);
        Ended::known_to(Arc::new(Mutex::new(tally)))
    }

    #[tokio::test]
    async fn who_asks_what_has_ended_gives_up() {
        let ended = one_of_two();
        let how = "controller-0 exited with status 0 after 0.0 s".to_owned();
        assert_eq!(ended.or("controller-0", pending::<()>()).await, Err(how.clone()));
        assert_eq!(ended.of_the_way_in(), Some(how));
        assert_eq!(ended.or("apishim", async { 1 }).await, Ok(1));
        assert_eq!((ended.of("apishim"), ended.of("controller-1")), (None, None));
    }

    #[tokio::test]
    async fn without_a_watch_nothing_has_ended() {
        let ended = Ended::default();
        assert_eq!((ended.or("controller-0", async { 1 }).await, ended.of_the_way_in()), (Ok(1), None));
    }
}
