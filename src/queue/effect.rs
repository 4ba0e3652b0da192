//! The effect of a job: applied in the transaction that ends it, under its fence.

use crate::base::secret::Secret;
use crate::bus::Message;
use crate::ground::Ground;
use crate::limits;
use crate::pool::wake_key;
use crate::store::StoreError;
use crate::store::jobs::{Claim, Done, JobDoc, JobState};
use crate::store::pool::{NewPooled, PoolKind};
use crate::thread::Stop;

/// Ends the job with its result. While the database is away it is tried on: the work is done, and
/// nobody else's commit can come between, thanks to the fence.
pub fn apply(
    ground: &Ground,
    job: &JobDoc,
    claim: Claim,
    kind: PoolKind,
    result: &Secret,
    stop: &Stop,
) -> Result<(), StoreError> {
    // The same in every attempt, so that one whose fate is unknown is not doubled.
    let (id, ticket) = (ground.store.new_id(), crate::pool::ticket(&ground.random));
    let mut tries = 1;
    let done = loop {
        let new = NewPooled { id, kind, ticket, content: result };
        match commit(ground, claim, &new) {
            Err(error) if error.is_passing() && tries < limits::JOB_COMMITS_MAX => {
                tries += 1;
                if stop.wait(limits::JOB_COMMIT_PAUSE) {
                    return Err(error);
                }
            }
            done => break done?,
        }
    };
    match done {
        Done::Ended(reserved) => {
            log::debug!("job {} ({}) is done", job.id, job.work);
            if let Some(reserved) = reserved {
                ground.bus.publish(Message::Wake { key: wake_key(&reserved.token) });
            }
        }
        Done::Lost if tries > 1 && is_ours(ground, claim)? => {}
        Done::Lost => log::info!("job {} ({}) is another's by now", job.id, job.work),
    }
    Ok(())
}

fn commit(ground: &Ground, claim: Claim, new: &NewPooled<'_>) -> Result<Done, StoreError> {
    ground.store.transaction("end a job", |tx| {
        let done = tx.job_done(claim)?;
        if let Done::Ended(reserved) = &done {
            let given = match new.kind {
                PoolKind::Key(_) => false,
                PoolKind::Dh(size) => tx.dh_give_any(size, new.content.expose())?,
            };
            if !given {
                tx.pool_put(new, reserved.as_ref())?;
            }
        }
        Ok(done)
    })
}

/// Whether a commit whose answer was lost had come through.
fn is_ours(ground: &Ground, claim: Claim) -> Result<bool, StoreError> {
    let job = ground.store.job(claim.job)?;
    let Some(job) = job.filter(|job| job.state == JobState::Done && job.fence == claim.fence.0)
    else {
        return Ok(false);
    };
    if let Some(token) = job.reserved_for {
        ground.bus.publish(Message::Wake { key: wake_key(&token) });
    }
    Ok(true)
}
