//! What the queue decides. Pure.

use crate::base::clock::Mono;
use crate::base::ids::Holder;
use crate::limits::{JOB_FORGOTTEN_AFTER, JOB_RETRY_MAX, JOB_RETRY_MIN};
use crate::pki::{DhSize, KeyKind};
use crate::store::jobs::Work;
use std::time::Duration;

/// Bounds of one kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Claims before a job is given up.
    pub attempts_max: i64,
    /// Longest life of a child; then it is killed, and the attempt has failed.
    pub child_max: Duration,
    /// Without progress for this long a job is taken from its holder, alive or not: long enough for
    /// the holder to have ended it by itself.
    pub silent_max: Duration,
}

/// Many times what it takes on an idle core: children are niced, and the machine may be busy.
pub const fn bounds(work: Work) -> Bounds {
    let (child_s, attempts_max) = match work {
        Work::PrivateKey(KeyKind::Rsa4096) => (300, 5),
        Work::PrivateKey(_) => (120, 5),
        // By chance many times what it takes on average: a prime is looked for.
        Work::DhParams(DhSize::Bits1024 | DhSize::Bits1536) => (600, 5),
        Work::DhParams(DhSize::Bits2048) => (3600, 5),
        Work::DhParams(DhSize::Bits3072) => (4 * 3600, 5),
        Work::DhParams(DhSize::Bits4096) => (12 * 3600, 5),
        // Of one step.
        Work::BulkUsers(_) => (60, 5),
    };
    Bounds {
        attempts_max,
        child_max: Duration::from_secs(child_s),
        silent_max: Duration::from_secs(child_s + 60),
    }
}

/// For running jobs whose kind this program does not know: their own hosts know better.
pub const UNKNOWN: Bounds = Bounds {
    attempts_max: 5,
    child_max: Duration::from_secs(3600),
    silent_max: Duration::from_secs(24 * 3600),
};

/// What becomes of a job whose attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    RetryAfter(Duration),
    GiveUp,
}

/// `attempts`: claims so far, the failed one included.
pub fn after_failure(attempts: i64, bounds: Bounds) -> Next {
    if attempts >= bounds.attempts_max {
        return Next::GiveUp;
    }
    Next::RetryAfter(growing(attempts))
}

/// The pause after so many failures.
fn growing(failures: i64) -> Duration {
    let doublings = u32::try_from(failures - 1).unwrap_or(0).min(16);
    (JOB_RETRY_MIN * 2_u32.pow(doublings)).min(JOB_RETRY_MAX)
}

/// A holder's host as its document says; `None` if there is no such host.
pub type HostNow = Option<(i64, bool)>;

/// Whether what `holder` holds is free: its host has begun another life, was declared dead, left or
/// is unknown. `host` must be read after the holding.
pub fn is_gone(holder: Holder, host: HostNow) -> bool {
    match host {
        None => true,
        Some((epoch, alive)) => epoch > holder.epoch || (epoch == holder.epoch && !alive),
    }
}

/// What an observer does about a running job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Keep,
    /// The attempt has failed, for this reason.
    Free(&'static str),
}

pub const HOLDER_GONE: &str = "its host went away";
pub const NO_PROGRESS: &str = "no progress for too long";
pub const FORGOTTEN: &str = "its host does not know of it";

/// `known`: whether the holder is at it, as far as the observer can tell.
pub fn judge(
    holder: Option<Holder>,
    host: HostNow,
    known: bool,
    idle: Duration,
    bounds: Bounds,
) -> Verdict {
    match holder {
        // A running job without a holder is nobody's.
        None => Verdict::Free(HOLDER_GONE),
        Some(holder) if is_gone(holder, host) => Verdict::Free(HOLDER_GONE),
        Some(_) if !known && idle > JOB_FORGOTTEN_AFTER => Verdict::Free(FORGOTTEN),
        Some(_) if idle > bounds.silent_max => Verdict::Free(NO_PROGRESS),
        Some(_) => Verdict::Keep,
    }
}

/// What this host does and did lately.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    busy: u32,
    /// Seconds of work, those of [`HALF_LIFE`] ago counting half.
    recent_s: f64,
    at: Mono,
    /// Attempts that failed one after the other.
    failures: u32,
}

const HALF_LIFE: Duration = Duration::from_secs(60);
/// Of the wait before a claim: per slot that works, and per doubling of recent work.
const WAIT_PER_SLOT: Duration = Duration::from_millis(10);
const WAIT_PER_DOUBLING: Duration = Duration::from_millis(18);

impl Load {
    pub fn begin(&mut self) {
        self.busy += 1;
    }

    /// The end of a job that took `worked`.
    pub fn end(&mut self, now: Mono, worked: Duration) {
        self.busy = self.busy.saturating_sub(1);
        self.recent_s = self.recent_at(now) + worked.as_secs_f64();
        self.at = now;
    }

    /// How an attempt ended; answers how long the worker rests then. A host on which nothing
    /// succeeds would be the least loaded one, and use up the attempts of all jobs.
    pub fn rest_after(&mut self, failed: bool) -> Duration {
        self.failures = if failed { self.failures.saturating_add(1) } else { 0 };
        match self.failures {
            0 => Duration::ZERO,
            n => growing(i64::from(n)),
        }
    }

    /// How long a host waits before it claims what has just become ready, so that the least loaded
    /// one is first. The logarithm makes a difference of some percent the same time whatever the
    /// load is, well above the time a hint takes.
    pub fn wait(&self, now: Mono) -> Duration {
        let doublings = (1.0 + self.recent_at(now)).log2();
        WAIT_PER_SLOT * self.busy + WAIT_PER_DOUBLING.mul_f64(doublings)
    }

    fn recent_at(&self, now: Mono) -> f64 {
        let halvings = now.since(self.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.recent_s * 0.5_f64.powf(halvings)
    }
}

#[cfg(test)]
mod tests;
