//! Waiting for a condition, up to a deadline: the only place of the tests that sleeps.

use std::thread::sleep;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(5);

/// Waits until `probe` yields a value; panics with `what` after `limit`.
pub fn wait_for<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for: {what}");
        sleep(POLL);
    }
}

/// Waits until `condition` holds and says how long that took; panics with `what` after `limit`.
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    wait_for(what, limit, || condition().then(|| start.elapsed()))
}

pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The slowness of an actor of the test, such as a client that sends a byte now and then.
/// Never a way to wait for something: that is what `wait_until` is for.
pub fn pause(time: Duration) {
    sleep(time);
}
