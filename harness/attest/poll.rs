//! Observing again until something has settled.

use std::time::{Duration, Instant};

/// Observes until what is seen has settled or the limit is over. What was seen last is what is kept, either way: the
/// check judges it.
pub(super) async fn until<T>(limit: Duration, observe: impl AsyncFn() -> T, settled: impl Fn(&T) -> bool) -> T {
    let begin = Instant::now();
    loop {
        let seen = observe().await;
        if settled(&seen) || begin.elapsed() >= limit {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
