//! What administrators do to jobs: each writes the job's one document, as claims and ends do.

use super::{Claim, JobDoc, Work};
use crate::base::ids::JobId;
use crate::store::ops::{Tx, literal};
use crate::store::{Store, StoreError};
use mongodb::bson::{Bson, doc};

/// What became of the wish that a job is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    Ready,
    /// It runs, is due anyway or is done.
    NotFailed,
    /// Another one does the like, and they exclude each other.
    Busy,
    Gone,
}

/// What became of the wish that a job is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It failed; who waited for it, if somebody did.
    Failed {
        reserved_for: Option<String>,
    },
    /// It was over, and is forgotten.
    Removed,
    Gone,
}

impl Store {
    /// Whether what was claimed is still its claimer's.
    pub fn job_is_held(&self, claim: Claim) -> Result<bool, StoreError> {
        Ok(self.count::<JobDoc>("look after a job", claim.held())? > 0)
    }

    /// A job that failed, or waits after a failure, is ready at once, and its attempts begin anew.
    pub fn job_retry(&self, id: JobId) -> Result<Retry, StoreError> {
        const OP: &str = "retry a job";
        let ready = match self.job(id)? {
            None => return Ok(Retry::Gone),
            Some(JobDoc { work: Work::BulkUsers(org), .. }) => match self.bulk_retry(id, org)? {
                None => return Ok(Retry::Busy),
                Some(ready) => ready,
            },
            Some(_) => self.transaction(OP, |tx| tx.job_retry(id))?,
        };
        Ok(if ready { Retry::Ready } else { Retry::NotFailed })
    }

    /// Ends a job that is not over as failed for `reason`; whoever is at it can not end it any
    /// more. One that is over is removed.
    pub fn job_cancel(&self, id: JobId, reason: &str) -> Result<Cancelled, StoreError> {
        const OP: &str = "cancel a job";
        let open = doc! { "_id": id, "state": { "$in": ["ready", "running"] } };
        let set = doc! {
            "state": "failed",
            "holder": Bson::Null,
            "fence": { "$add": ["$fence", 1_i64] },
            "error": literal(reason),
            "ended": "$$NOW",
        };
        let update = vec![doc! { "$set": set }];
        if let Some(job) = self.modify::<JobDoc>(OP, open, doc! {}, update)? {
            return Ok(Cancelled::Failed { reserved_for: job.reserved_for });
        }
        let over = doc! { "_id": id, "state": { "$in": ["done", "failed"] } };
        Ok(match self.delete::<JobDoc>(OP, over)?.yes() {
            true => Cancelled::Removed,
            false => Cancelled::Gone,
        })
    }
}

impl Tx<'_> {
    /// `false`: it has not failed.
    pub(super) fn job_retry(&mut self, id: JobId) -> Result<bool, StoreError> {
        let waits = doc! { "state": "ready", "error": { "$ne": Bson::Null } };
        let failed = doc! { "_id": id, "$or": [{ "state": "failed" }, waits] };
        let set = doc! {
            "state": "ready",
            "attempts": 0_i64,
            "error": Bson::Null,
            "due": "$$NOW",
            "touched": "$$NOW",
            "ended": "$$REMOVE",
        };
        let update = vec![doc! { "$set": set }];
        Ok(self.modify::<JobDoc>("retry a job", failed, update)?.is_some())
    }
}
