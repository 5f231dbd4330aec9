//! Observing again until something has settled.

use std::time::{Duration, Instant};

use super::Ended;

/// Observes until what is seen has settled, the limit is over, or a component has ended that all of it passes through. What was seen last is what is kept, either way: the
/// check judges it.
pub(super) async fn until<T>(
    limit: Duration,
    ended: &Ended,
    observe: impl AsyncFn() -> T,
    settled: impl Fn(&T) -> bool,
) -> T {
    let begin = Instant::now();
    loop {
        let seen = observe().await;
        if settled(&seen) || begin.elapsed() >= limit || ended.of_the_way_in().is_some() {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
