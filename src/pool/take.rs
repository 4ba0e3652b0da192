//! Taking several keys, or more than there are: everything is first kept for the requester's token.

use super::{Taken, ticket, wake_key};
use crate::base::secret::Secret;
use crate::bus::Message;
use crate::ground::Ground;
use crate::limits;
use crate::store::StoreError;
use crate::store::jobs::{JobState, NewJob, ReservedJob, Work};
use crate::store::pool::PoolKind;

const TOKEN_LENGTH: usize = 24;

pub fn is_token(text: &str) -> bool {
    text.len() == TOKEN_LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The first call of a request.
pub fn fresh(ground: &Ground, kind: PoolKind, count: usize) -> Result<Taken, StoreError> {
    match count {
        0 => return Ok(Taken::Keys(Vec::new())),
        1 => {
            if let Some(key) = ground.store.pool_take(kind, ticket(&ground.random))? {
                return Ok(Taken::Keys(vec![key]));
            }
        }
        _ => {}
    }
    reserved(ground, kind, count, &ground.random.alphanumeric(TOKEN_LENGTH))
}

/// A call with a token: whatever is there already is counted, so that asking again costs nothing.
pub fn reserved(
    ground: &Ground,
    kind: PoolKind,
    count: usize,
    token: &str,
) -> Result<Taken, StoreError> {
    // Jobs first: one that ends meanwhile is then found in both and not in none.
    let jobs = ground.store.jobs_reserved(token)?;
    if let Some(error) = failure(&jobs) {
        release(ground, kind, token)?;
        return Ok(Taken::Failed { error });
    }
    let kept = usize::try_from(ground.store.pool_reserved(kind, token)?).unwrap_or(usize::MAX);
    let missing = count.saturating_sub(kept.saturating_add(jobs.len()));
    let got = reserve(ground, kind, missing.min(limits::POOL_RESERVE_MAX), token)?;
    let kept = kept.saturating_add(got);
    if kept >= count {
        let Some(keys) = collect(ground, kind, count, token)? else {
            // Somebody else asked with this token at the same time and has them.
            return Ok(Taken::Making { token: token.to_owned() });
        };
        if kept > count || !jobs.is_empty() {
            release(ground, kind, token)?;
        }
        return Ok(Taken::Keys(keys));
    }
    if missing > limits::POOL_RESERVE_MAX {
        // Nothing else would make them ask again.
        ground.bus.publish(Message::Wake { key: wake_key(token) });
    }
    Ok(Taken::Making { token: token.to_owned() })
}

fn failure(jobs: &[ReservedJob]) -> Option<String> {
    let failed = jobs.iter().find(|job| job.state == JobState::Failed)?;
    Some(failed.error.clone().unwrap_or_else(|| "the job failed".to_owned()))
}

/// Reserves `missing` more, in the pool or in the making; answers how many are in the pool.
fn reserve(
    ground: &Ground,
    kind: PoolKind,
    missing: usize,
    token: &str,
) -> Result<usize, StoreError> {
    let mut got = 0;
    while got < missing && ground.store.pool_reserve(kind, token, ticket(&ground.random))? {
        got += 1;
    }
    for _ in got..missing {
        if !ground.store.job_reserve(kind, token)? {
            let work = Work::to_fill(kind);
            let id = ground.store.new_id();
            ground.store.job_insert(NewJob { id, work, reserved_for: Some(token) })?;
        }
    }
    if got < missing {
        // New or urgent from now on: the slot for urgent work may be free.
        ground.bus.publish(Message::JobReady);
    }
    Ok(got)
}

/// Takes what is kept. `None`: it is not all there any more.
fn collect(
    ground: &Ground,
    kind: PoolKind,
    count: usize,
    token: &str,
) -> Result<Option<Vec<Secret>>, StoreError> {
    if count == 1 {
        let key = ground.store.pool_take_reserved(kind, token)?;
        return Ok(key.map(|key| vec![key]));
    }
    let mut keys = Vec::with_capacity(count);
    while keys.len() < count {
        let some = (count - keys.len()).min(limits::TRANSACTION_DOCUMENTS_MAX);
        let taken = ground
            .store
            .transaction("take from a pool", |tx| tx.pool_take_reserved(kind, token, some))?;
        match taken {
            Some(taken) => keys.extend(taken),
            None => return Ok(None),
        }
    }
    Ok(Some(keys))
}

/// The token's keys and jobs are anybody's.
fn release(ground: &Ground, kind: PoolKind, token: &str) -> Result<(), StoreError> {
    ground.store.jobs_release(token)?;
    ground.store.pool_release(kind, token).map(drop)
}
