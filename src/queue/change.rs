//! What administrators do to jobs, and who hears of it: over the API, or on a host's command line,
//! which reaches the database without a daemon.

use crate::base::ids::JobId;
use crate::bus::Message;
use crate::domain::event::Event;
use crate::pool::wake_key;
use crate::store::jobs::{Cancelled, Retry};
use crate::store::{Store, StoreError};

/// Of jobs that were cancelled.
pub const CANCELLED: &str = "cancelled by an administrator";

/// A job that failed is done at once, as if it were new; `publish` tells the hosts.
pub fn retry(store: &Store, id: JobId, publish: impl Fn(Message)) -> Result<Retry, StoreError> {
    let retried = store.job_retry(id)?;
    if retried == Retry::Ready {
        publish(Message::JobReady);
        publish(Message::about(Event::Jobs));
    }
    Ok(retried)
}

/// A job that is not over has failed: its child ends, and who waits for it is told. One that is
/// over is forgotten.
pub fn cancel(
    store: &Store,
    id: JobId,
    publish: impl Fn(Message),
) -> Result<Cancelled, StoreError> {
    let cancelled = store.job_cancel(id, CANCELLED)?;
    if let Cancelled::Failed { reserved_for } = &cancelled {
        log::info!("job {id} is cancelled");
        publish(Message::JobTaken { job: id });
        if let Some(token) = reserved_for {
            publish(Message::Wake { key: wake_key(token) });
        }
    }
    if cancelled == Cancelled::Removed {
        store.bulk_forget(id)?;
    }
    if cancelled != Cancelled::Gone {
        publish(Message::about(Event::Jobs));
    }
    Ok(cancelled)
}
