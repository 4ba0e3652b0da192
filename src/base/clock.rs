//! The only place that asks what time it is or sleeps.
//!
//! Three kinds of time never mix: [`Mono`] (this process, for time-outs), wall time (log lines
//! only) and *cluster time* (what clients see: the monotonic clock plus an offset learnt from the
//! database's replies, I4). Pure cores are handed a [`Mono`] and ask nothing.

use std::fmt::Debug;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point of this process's monotonic time, counted from its [`Clock`]'s creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(Duration);

impl Mono {
    pub const ZERO: Mono = Mono(Duration::ZERO);

    /// For tests and simulations, which make their own time.
    pub const fn from_millis(ms: u64) -> Mono {
        Mono(Duration::from_millis(ms))
    }

    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// Time passed since `earlier`; zero if that is still to come.
    pub fn since(self, earlier: Mono) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, d: Duration) -> Mono {
        Mono(self.0.saturating_add(d))
    }
}

impl Sub<Duration> for Mono {
    type Output = Mono;
    fn sub(self, d: Duration) -> Mono {
        Mono(self.0.saturating_sub(d))
    }
}

/// Time that somebody makes: for simulations.
pub trait Time: Debug + Send + Sync {
    fn now(&self) -> Duration;
    /// Lets `d` pass for the caller.
    fn pass(&self, d: Duration);
}

#[derive(Clone, Debug)]
enum Source {
    System(Instant),
    Made(Arc<dyn Time>),
}

/// Handle on the process's clocks; clones share the learnt cluster offset.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    /// Milliseconds between monotonic zero and the Unix epoch, as the database sees it.
    cluster_epoch_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Until the database has answered once, cluster time is this host's own wall time.
    pub fn system() -> Clock {
        let clock = Clock::of(Source::System(Instant::now()));
        clock.learn_cluster_ms(wall_ms());
        clock
    }

    pub fn simulated(time: Arc<dyn Time>) -> Clock {
        Clock::of(Source::Made(time))
    }

    fn of(source: Source) -> Clock {
        Clock { source, cluster_epoch_ms: Arc::new(AtomicI64::new(0)) }
    }

    pub fn mono(&self) -> Mono {
        Mono(match &self.source {
            Source::System(start) => start.elapsed(),
            Source::Made(time) => time.now(),
        })
    }

    /// Milliseconds since the Unix epoch by the database's clock.
    pub fn cluster_ms(&self) -> i64 {
        self.cluster_epoch_ms.load(Ordering::Relaxed) + self.mono_ms()
    }

    /// Seconds since the Unix epoch by the database's clock.
    pub fn cluster_s(&self) -> i64 {
        self.cluster_ms().div_euclid(1000)
    }

    /// The database said it is `now_ms`.
    pub fn learn_cluster_ms(&self, now_ms: i64) {
        self.cluster_epoch_ms.store(now_ms - self.mono_ms(), Ordering::Relaxed);
    }

    /// How far this host's wall clock runs ahead of the database's, in milliseconds.
    pub fn wall_ahead_ms(&self) -> i64 {
        wall_ms() - self.cluster_ms()
    }

    /// Blocks this thread. Only for short fixed pauses that no stop has to interrupt; everything
    /// else waits on its inbox or its [`crate::thread::Stop`].
    pub fn pause(&self, d: Duration) {
        match &self.source {
            Source::System(_) => std::thread::sleep(d),
            Source::Made(time) => time.pass(d),
        }
    }

    fn mono_ms(&self) -> i64 {
        i64::try_from(self.mono().as_millis()).unwrap_or(i64::MAX)
    }
}

/// Wall time of this host in milliseconds since the Unix epoch: for log lines and the doctor only.
pub fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// `YYYY-MM-DD HH:MM:SS` in UTC of seconds since the Unix epoch (civil-from-days, H. Hinnant).
pub fn utc_text(unix_s: i64) -> String {
    let (days, secs) = (unix_s.div_euclid(86_400), unix_s.rem_euclid(86_400));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (h, m, s) = (secs / 3600, secs / 60 % 60, secs % 60);
    format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_text_knows_the_calendar() {
        for (unix_s, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_700_000_000, "2023-11-14 22:13:20"),
            (-1, "1969-12-31 23:59:59"),
        ] {
            assert_eq!(utc_text(unix_s), text);
        }
    }

    #[test]
    fn cluster_time_follows_the_database_and_not_the_wall() {
        let clock = Clock::system();
        clock.learn_cluster_ms(5_000_000);
        let now = clock.cluster_ms();
        assert!((5_000_000..5_001_000).contains(&now), "{now}");
        assert!(clock.clone().wall_ahead_ms() > 0);
    }
}
