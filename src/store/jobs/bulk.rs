//! Bulk creation of users: what is to be created, in parts beside their job, and each step of it.
//!
//! A part is a document of its own, so that a step moves little and what was created is not kept
//! twice. Parts are stored first, then their job; those without one expire.

use super::{Claim, JobDoc, NewJob, Work};
use crate::base::ids::{JobId, OrgId};
use crate::store::collections;
use crate::store::ops::{Stored, Tx};
use crate::store::users::{UserDoc, UserSummary};
use crate::store::{Store, StoreError};
use mongodb::bson::{DateTime, Document, doc};
use serde::{Deserialize, Serialize};

/// A user that is to be created; its identity and secrets but for the PIN are made then.
#[derive(Clone, Serialize, Deserialize)]
pub struct PlannedUser {
    /// With the id that it will have: so nobody is created twice.
    pub user: UserSummary,
    /// As an administrator chose it: hashing it takes too long for the request.
    pub pin: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct PartId {
    job: JobId,
    part: i64,
}

#[derive(Serialize, Deserialize)]
struct PartDoc {
    #[serde(rename = "_id")]
    id: PartId,
    at: DateTime,
    users: Vec<PlannedUser>,
}

impl Stored for PartDoc {
    const COLLECTION: &'static str = collections::JOB_PARTS;
}

/// The next users of a bulk creation, ready to be stored.
pub struct Chunk<'a> {
    pub claim: Claim,
    pub org: OrgId,
    /// Of the CA that signed them.
    pub ca_certificate: &'a str,
    pub users: &'a [UserDoc],
    /// How many were created before.
    pub position: i64,
    /// A part that is used up with them.
    pub part_over: Option<i64>,
    /// The job ends with them.
    pub is_last: bool,
}

/// What became of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Done,
    /// The job is another's by now, or cancelled, or this step was done before.
    Lost,
    /// The organization is gone.
    Gone,
    /// Its CA is another one than the given.
    OtherAuthority,
}

/// Ends a transaction without an effect.
enum Undone {
    Store(StoreError),
    Because(Step),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Undone {
        Undone::Store(error)
    }
}

fn guard(org: OrgId) -> String {
    format!("bulk users {org}")
}

fn under_way(org: OrgId) -> Document {
    doc! { "kind": "bulk-users", "payload": org, "state": { "$in": ["ready", "running"] } }
}

fn part_id(job: JobId, part: i64) -> Document {
    doc! { "_id": { "job": job, "part": part } }
}

impl Store {
    /// Whether users of this organization are being created in bulk.
    pub fn bulk_is_busy(&self, org: OrgId) -> Result<bool, StoreError> {
        Ok(self.count::<JobDoc>("look for bulk creations", under_way(org))? > 0)
    }

    /// Stores parts of a job that is to be made.
    pub fn bulk_parts(
        &self,
        job: JobId,
        first: i64,
        parts: &[&[PlannedUser]],
    ) -> Result<(), StoreError> {
        const OP: &str = "store users to be created";
        let at = DateTime::from_millis(self.clock().cluster_ms());
        let docs: Vec<PartDoc> = (first..)
            .zip(parts)
            .map(|(part, users)| PartDoc { id: PartId { job, part }, at, users: users.to_vec() })
            .collect();
        self.transaction(OP, |tx| tx.insert_many(OP, &docs))
    }

    /// Makes the job of stored parts. `false`: the organization has one already (I6).
    pub fn bulk_begin(&self, job: JobId, org: OrgId, total: i64) -> Result<bool, StoreError> {
        const OP: &str = "begin a bulk creation";
        let new = NewJob { id: job, work: Work::BulkUsers(org), reserved_for: None };
        let mut pipeline = new.pipeline(OP)?;
        pipeline.push(doc! { "$set": { "total": total } });
        let begun = self.transaction(OP, |tx| {
            tx.guard(&guard(org))?;
            if tx.count::<JobDoc>(OP, under_way(org))? > 0 {
                return Ok(false);
            }
            tx.upsert::<JobDoc>(OP, new.filter(), pipeline.clone())?;
            Ok(true)
        });
        match begun {
            // Overtaken again and again: by others, one of whom has begun.
            Err(StoreError::Unavailable { .. }) if self.bulk_is_busy(org)? => Ok(false),
            begun => begun,
        }
    }

    /// Like [`Store::job_retry`] for a bulk creation: `None` if the organization has another one.
    pub fn bulk_retry(&self, job: JobId, org: OrgId) -> Result<Option<bool>, StoreError> {
        const OP: &str = "retry a bulk creation";
        let mut others = under_way(org);
        others.insert("_id", doc! { "$ne": job });
        let ready = self.transaction(OP, |tx| {
            tx.guard(&guard(org))?;
            if tx.count::<JobDoc>(OP, others.clone())? > 0 {
                return Ok(None);
            }
            tx.job_retry(job).map(Some)
        });
        match ready {
            Err(StoreError::Unavailable { .. }) if self.count::<JobDoc>(OP, others)? > 0 => {
                Ok(None)
            }
            ready => ready,
        }
    }

    /// The users of a part; `None` if it is used up or has expired.
    pub fn bulk_part(&self, job: JobId, part: i64) -> Result<Option<Vec<PlannedUser>>, StoreError> {
        let found = self.find_one::<PartDoc>("read users to be created", part_id(job, part))?;
        Ok(found.map(|part| part.users))
    }

    /// Forgets what a job has left.
    pub fn bulk_forget(&self, job: JobId) -> Result<u64, StoreError> {
        let (first, last) =
            (doc! { "job": job, "part": 0_i64 }, doc! { "job": job, "part": i64::MAX });
        let of_job = doc! { "_id": { "$gte": first, "$lte": last } };
        self.delete_all::<PartDoc>("forget users to be created", of_job)
    }

    /// Creates the users of a chunk and moves their job, or does neither.
    pub fn bulk_step(&self, chunk: &Chunk<'_>) -> Result<Step, StoreError> {
        let done = self.transaction("create users", |tx: &mut Tx<'_>| {
            if !tx.bulk_advance(chunk)? {
                return Err(Undone::Because(Step::Lost));
            }
            if let Some(part) = chunk.part_over {
                let of_part = part_id(chunk.claim.job, part);
                tx.delete::<PartDoc>("forget users to be created", of_part)?;
            }
            tx.users_insert(chunk.users)?;
            // The counter last: others wait for it as shortly as can be.
            let count = i64::try_from(chunk.users.len()).unwrap_or(i64::MAX);
            match tx.org_count_users(chunk.org, count)? {
                None => Err(Undone::Because(Step::Gone)),
                Some(signer) if signer.ca_certificate != chunk.ca_certificate => {
                    Err(Undone::Because(Step::OtherAuthority))
                }
                Some(_) => Ok(Step::Done),
            }
        });
        match done {
            Ok(step) | Err(Undone::Because(step)) => Ok(step),
            Err(Undone::Store(error)) => Err(error),
        }
    }
}

impl Tx<'_> {
    fn bulk_advance(&mut self, chunk: &Chunk<'_>) -> Result<bool, StoreError> {
        let count = i64::try_from(chunk.users.len()).unwrap_or(i64::MAX);
        let position = chunk.position.saturating_add(count);
        let mut held = chunk.claim.held();
        held.insert("position", chunk.position);
        // Whoever gets on may fail again.
        let set = doc! { "position": position, "touched": "$$NOW", "attempts": 1_i64 };
        let share = doc! { "$set": { "progress": super::share_done() } };
        let mut update = vec![doc! { "$set": set }, share];
        if chunk.is_last {
            let ended = doc! { "state": "done", "error": null, "ended": "$$NOW" };
            update.push(doc! { "$set": ended });
        }
        Ok(self.modify::<JobDoc>("move a bulk creation", held, update)?.is_some())
    }
}
