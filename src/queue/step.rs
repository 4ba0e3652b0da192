//! What a worker does around the work itself: claims a job, gives it back, ends a failed attempt.

use super::policy::{self, Next};
use crate::base::ids::Holder;
use crate::bus::Message;
use crate::ground::{Ground, Held};
use crate::limits;
use crate::pool::wake_key;
use crate::store::StoreError;
use crate::store::jobs::{Claim, Class, Failed, JobDoc};
use std::time::Duration;

/// In how many milliseconds the next job of a class is due; negative: since when one is. No pause
/// puts one off for longer than [`limits::JOB_RETRY_MAX`]: a date far beyond is of a clock that was
/// set back since, or of a primary whose clock is another, and stands for now.
pub fn next_due_ms(ground: &Ground, class: Class) -> Result<Option<i64>, StoreError> {
    let due_ms = ground.store.job_next_due_ms_of(class)?;
    let far = 2 * limits::JOB_RETRY_MAX;
    if due_ms
        .and_then(|ms| u64::try_from(ms).ok())
        .is_none_or(|ms| Duration::from_millis(ms) <= far)
    {
        return Ok(due_ms);
    }
    let hastened = ground.store.jobs_hasten(far)?;
    log::warn!("{hastened} jobs were due at a time far off, and are due now");
    Ok(Some(0))
}

/// A job that has been ready for `age`, if there is one.
pub fn claim(ground: &Ground, urgent_only: bool, age: Duration) -> Option<Held> {
    let status = &ground.status;
    // A copy of this host's identity runs: what it holds would be ours.
    if status.is_replaced() {
        return None;
    }
    let holder = Holder { host: ground.host, epoch: status.epoch() };
    let claimed = ground.store.job_claim(holder, urgent_only, age);
    let claimed = claimed.unwrap_or_else(|error| {
        log::debug!("no job is claimed: {error}");
        None
    });
    claimed.map(|job| ground.hands.hold(job))
}

pub fn give_back(ground: &Ground, job: &JobDoc, claim: Claim) -> Result<(), StoreError> {
    if ground.store.job_give_back(claim)? {
        log::debug!("job {} ({}) is given back", job.id, job.work);
        ground.bus.publish(Message::JobReady);
    }
    Ok(())
}

pub fn fail(ground: &Ground, job: &JobDoc, claim: Claim, error: &str) -> Result<(), StoreError> {
    let retry = match policy::after_failure(job.attempts, policy::bounds(job.work)) {
        Next::RetryAfter(pause) => Some(pause),
        Next::GiveUp => None,
    };
    match ground.store.job_fail(claim, error, retry)? {
        Failed::Lost => log::debug!("job {} is another's by now", job.id),
        Failed::Retried => {
            log::warn!("job {} ({}) failed and is tried again: {error}", job.id, job.work);
            // Every host then knows when it is due.
            ground.bus.publish(Message::JobReady);
        }
        Failed::ForGood { reserved_for } => {
            log::error!("job {} ({}) failed for good: {error}", job.id, job.work);
            if let Some(token) = reserved_for {
                ground.bus.publish(Message::Wake { key: wake_key(&token) });
            }
        }
    }
    Ok(())
}
