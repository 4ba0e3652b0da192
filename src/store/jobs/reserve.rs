//! Jobs that somebody waits for, and those that fill a pool for nobody in particular.

use super::{JobDoc, JobState};
use crate::limits;
use crate::store::ops::{Tx, in_time, literal};
use crate::store::pool::{self, PoolCounts, PoolKind};
use crate::store::{Store, StoreError};
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::FindOptions;
use serde::Deserialize;

/// A job that a requester waits for.
#[derive(Clone, Debug, Deserialize)]
pub struct ReservedJob {
    pub state: JobState,
    pub error: Option<String>,
}

const UNRESERVED: Bson = Bson::Null;

fn live() -> Document {
    doc! { "$in": ["ready", "running"] }
}

fn making(pool: PoolKind) -> Document {
    doc! { "pool": pool, "state": live(), "reserved_for": UNRESERVED }
}

impl Store {
    /// Jobs that fill each pool for nobody in particular.
    pub fn jobs_making(&self) -> Result<PoolCounts, StoreError> {
        let making = doc! {
            "pool": { "$in": PoolKind::ALL.to_vec() },
            "state": live(),
            "reserved_for": UNRESERVED,
        };
        let stages = vec![doc! { "$match": making }, pool::each("$pool")];
        Ok(pool::counts(self.aggregate::<JobDoc, _>("count jobs", stages)?))
    }

    /// Reserves the oldest job of the pool's kind for `token`, running ones first. `false`: none.
    pub fn job_reserve(&self, pool: PoolKind, token: &str) -> Result<bool, StoreError> {
        const OP: &str = "reserve a job";
        let set = doc! {
            "reserved_for": literal(token),
            "reserved_until": in_time(limits::POOL_RESERVED_MAX),
            "urgent": true,
        };
        for state in ["running", "ready"] {
            let filter = doc! { "pool": pool, "state": state, "reserved_for": UNRESERVED };
            let update = vec![doc! { "$set": &set }];
            let sort = doc! { "created": 1 };
            if self.modify::<JobDoc>(OP, filter, sort, update)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The jobs that `token` waits for, failed ones included; keeps them for it a while longer.
    pub fn jobs_reserved(&self, token: &str) -> Result<Vec<ReservedJob>, StoreError> {
        let until = vec![doc! { "$set": { "reserved_until": in_time(limits::POOL_RESERVED_MAX) } }];
        let mine = doc! { "reserved_for": token, "state": { "$ne": "done" } };
        self.update_all::<JobDoc>("keep a reservation", mine.clone(), until)?;
        let some = i64::try_from(limits::POOL_TAKE_MAX).unwrap_or(i64::MAX);
        let options = FindOptions::builder().limit(2 * some).build();
        self.find_as::<JobDoc, _>("read reserved jobs", mine, options)
    }

    /// Nobody waits for them any more. Failed ones stay, for whoever asks again.
    pub fn jobs_release(&self, token: &str) -> Result<u64, StoreError> {
        let mine = doc! { "reserved_for": token, "state": live() };
        self.jobs_unreserve("release reserved jobs", mine)
    }

    /// Failed jobs that were reserved for `token`: it asks for others.
    pub fn jobs_release_failed(&self, token: &str) -> Result<u64, StoreError> {
        let failed = doc! { "reserved_for": token, "state": "failed" };
        self.jobs_unreserve("release failed jobs", failed)
    }

    /// Reservations whose requester has not asked for too long.
    pub fn jobs_release_expired(&self) -> Result<u64, StoreError> {
        let expired = doc! {
            "reserved_for": { "$exists": true },
            "state": live(),
            "$expr": { "$lt": ["$reserved_until", "$$NOW"] },
        };
        self.jobs_unreserve("release expired reservations", expired)
    }

    fn jobs_unreserve(&self, op: &'static str, filter: Document) -> Result<u64, StoreError> {
        let update = doc! { "$unset": { "reserved_for": "", "reserved_until": "" } };
        self.update_all::<JobDoc>(op, filter, update)
    }
}

impl Tx<'_> {
    pub fn jobs_making(&mut self, pool: PoolKind) -> Result<u64, StoreError> {
        self.count::<JobDoc>("count jobs", making(pool))
    }
}
