//! Jobs whose holders are gone or silent are ready again, or given up.

use super::policy::{self, Bounds, Next, Verdict};
use crate::base::ids::{Fence, Holder, HostId};
use crate::bus::Message;
use crate::ground::Ground;
use crate::pool::wake_key;
use crate::store::StoreError;
use crate::store::jobs::{Claim, Failed, RunningJob};
use std::collections::HashMap;
use std::time::Duration;

/// What came of a look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    pub found: i64,
    /// Fewer than found if others were faster.
    pub freed: i64,
    /// Other hosts are at work.
    pub others_work: bool,
}

/// Looks at every running job, once.
pub fn free_lost(ground: &Ground) -> Result<Freed, StoreError> {
    let mut freed = Freed::default();
    let own = Holder { host: ground.host, epoch: ground.status.epoch() };
    let running = ground.store.jobs_running()?;
    if running.is_empty() {
        return Ok(freed);
    }
    // Read after the jobs: a holding can not be newer than what is said of its host.
    let hosts = ground.store.hosts(0, 0)?;
    let hosts: HashMap<HostId, (i64, bool)> =
        hosts.into_iter().map(|host| (host.id, (host.epoch, host.alive))).collect();
    for job in running {
        let holder = job.holder.map(Holder::from);
        let host = holder.and_then(|holder| hosts.get(&holder.host).copied());
        let bounds = job.work().map_or(policy::UNKNOWN, policy::bounds);
        let claim = Claim { job: job.id, fence: Fence(job.fence) };
        // Of others' jobs only their hosts know.
        let known = holder != Some(own) || ground.hands.are_at(claim);
        let idle = Duration::from_millis(match known {
            true => u64::try_from(job.idle_ms).unwrap_or(0),
            // A clock that was set back since says as much of what nobody is at.
            false => job.idle_ms.unsigned_abs(),
        });
        match policy::judge(holder, host, known, idle, bounds) {
            Verdict::Keep => freed.others_work |= holder.is_some_and(|h| h.host != ground.host),
            Verdict::Free(reason) => {
                freed.found += 1;
                freed.freed += i64::from(free(ground, &job, claim, reason, bounds)?);
            }
        }
    }
    Ok(freed)
}

fn free(
    ground: &Ground,
    job: &RunningJob,
    claim: Claim,
    reason: &str,
    bounds: Bounds,
) -> Result<bool, StoreError> {
    let retry = match policy::after_failure(job.attempts, bounds) {
        // The next host can not be blamed for the one before.
        Next::RetryAfter(_) => Some(Duration::ZERO),
        Next::GiveUp => None,
    };
    let failed = ground.store.job_fail(claim, reason, retry)?;
    match &failed {
        Failed::Lost => {}
        Failed::Retried => {
            log::info!("job {} ({}) is free again: {reason}", job.id, job.kind);
            ground.bus.publish(Message::JobReady);
        }
        Failed::ForGood { reserved_for } => {
            log::error!("job {} ({}) is given up: {reason}", job.id, job.kind);
            if let Some(token) = reserved_for {
                ground.bus.publish(Message::Wake { key: wake_key(token) });
            }
        }
    }
    Ok(failed != Failed::Lost)
}
