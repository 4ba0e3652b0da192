//! What administrators do to jobs, and who hears of it.

use crate::base::ids::JobId;
use crate::bus::Message;
use crate::domain::event::Event;
use crate::ground::Ground;
use crate::pool::wake_key;
use crate::store::StoreError;
use crate::store::jobs::{Cancelled, Retry};

/// Of jobs that were cancelled.
pub const CANCELLED: &str = "cancelled by an administrator";

/// A job that failed is done at once, as if it were new.
pub fn retry(ground: &Ground, id: JobId) -> Result<Retry, StoreError> {
    let retried = ground.store.job_retry(id)?;
    if retried == Retry::Ready {
        ground.bus.publish(Message::JobReady);
        ground.bus.emit(Event::Jobs);
    }
    Ok(retried)
}

/// A job that is not over has failed: its child ends, and who waits for it is told. One that is
/// over is forgotten.
pub fn cancel(ground: &Ground, id: JobId) -> Result<Cancelled, StoreError> {
    let cancelled = ground.store.job_cancel(id, CANCELLED)?;
    if let Cancelled::Failed { reserved_for } = &cancelled {
        log::info!("job {id} is cancelled");
        ground.bus.publish(Message::JobTaken { job: id });
        if let Some(token) = reserved_for {
            ground.bus.publish(Message::Wake { key: wake_key(token) });
        }
    }
    if cancelled != Cancelled::Gone {
        ground.bus.emit(Event::Jobs);
    }
    Ok(cancelled)
}
