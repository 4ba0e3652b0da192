//! Jobs of the queue (design section 7): what is to be done, who is at it, and under which fence.
//!
//! Dates are the server's. Claiming, ending and reserving a job each write its one document, so
//! that they exclude each other.

mod bulk;
mod change;
mod look;
mod reserve;

pub use bulk::{Chunk, PlannedUser, Step};
pub use change::{Cancelled, Retry};
pub use look::{JobSummary, RunningJob};
pub use reserve::ReservedJob;

use super::ops::{Stored, Tx, in_time, literal, ms};
use super::pool::PoolKind;
use super::{Store, StoreError, collections};
use crate::base::ids::{Fence, Holder, HostId, JobId, OrgId};
use crate::limits;
use crate::pki::{DhSize, KeyKind};
use mongodb::bson::{DateTime, Document, doc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What is to be done: a kind with its payload, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "payload", rename_all = "kebab-case")]
pub enum Work {
    /// A private key for its pool.
    PrivateKey(KeyKind),
    /// DH parameters for a server, or their pool.
    DhParams(DhSize),
    /// New users of an organization, described in parts beside the job.
    BulkUsers(OrgId),
}

impl Work {
    pub const fn class(self) -> Class {
        match self {
            Work::PrivateKey(_) | Work::DhParams(_) => Class::Heavy,
            Work::BulkUsers(_) => Class::Light,
        }
    }

    /// The pool that the result goes to.
    pub const fn pool(self) -> Option<PoolKind> {
        match self {
            Work::PrivateKey(kind) => Some(PoolKind::Key(kind)),
            Work::DhParams(size) => Some(PoolKind::Dh(size)),
            Work::BulkUsers(_) => None,
        }
    }

    pub const fn to_fill(pool: PoolKind) -> Work {
        match pool {
            PoolKind::Key(kind) => Work::PrivateKey(kind),
            PoolKind::Dh(size) => Work::DhParams(size),
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Work::PrivateKey(kind) => write!(f, "private-key {kind}"),
            Work::DhParams(size) => write!(f, "dh-params {}", size.bits()),
            Work::BulkUsers(org) => write!(f, "bulk-users {org}"),
        }
    }
}

/// Where a job runs: heavy ones in a niced child, light ones in the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    Heavy,
    Light,
}

impl Class {
    /// Kinds of this class that this program knows: jobs of a newer one are left to newer hosts.
    const fn kinds(self) -> &'static [&'static str] {
        match self {
            Class::Heavy => &["private-key", "dh-params"],
            Class::Light => &["bulk-users"],
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Class::Heavy => "heavy",
            Class::Light => "light",
        }
    }

    /// Jobs that wait for a worker of this class. A newer version may know other pools, too.
    fn ready(self) -> Document {
        let kinds = doc! { "$in": self.kinds().to_vec() };
        let mut ready = doc! { "state": "ready", "class": self.as_str(), "kind": kinds };
        if self == Class::Heavy {
            let keys = KeyKind::ALL.map(PoolKind::Key).into_iter();
            let known = keys.chain(DhSize::ALL.map(PoolKind::Dh)).map(PoolKind::as_str);
            ready.insert("pool", doc! { "$in": known.collect::<Vec<_>>() });
        }
        ready
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    Ready,
    Running,
    Done,
    Failed,
}

impl JobState {
    pub const fn as_str(self) -> &'static str {
        match self {
            JobState::Ready => "ready",
            JobState::Running => "running",
            JobState::Done => "done",
            JobState::Failed => "failed",
        }
    }
}

/// A [`Holder`] as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderDoc {
    pub host: HostId,
    pub epoch: i64,
}

impl From<HolderDoc> for Holder {
    fn from(doc: HolderDoc) -> Holder {
        Holder { host: doc.host, epoch: doc.epoch }
    }
}

/// A job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobDoc {
    #[serde(rename = "_id")]
    pub id: JobId,
    #[serde(flatten)]
    pub work: Work,
    #[serde(default)]
    pub pool: Option<PoolKind>,
    pub class: Class,
    pub urgent: bool,
    pub state: JobState,
    pub holder: Option<HolderDoc>,
    /// Raised by each claim.
    pub fence: i64,
    /// Claims so far; giving a claim back takes one off.
    pub attempts: i64,
    /// Token of the requester who gets the result, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_for: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_until: Option<DateTime>,
    /// How many things are done of how many, for kinds of several steps.
    #[serde(default)]
    pub position: i64,
    #[serde(default)]
    pub total: i64,
    /// From 0 to 1, for kinds that can tell.
    pub progress: Option<f64>,
    pub error: Option<String>,
    pub created: DateTime,
    /// Ready to be claimed from then on.
    pub due: DateTime,
    /// When it was claimed or got on last.
    pub touched: DateTime,
    /// Of the last claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<DateTime>,
}

impl Stored for JobDoc {
    const COLLECTION: &'static str = collections::JOBS;
}

impl JobDoc {
    /// The claim that the job was read under.
    pub fn claim(&self) -> Claim {
        Claim { job: self.id, fence: Fence(self.fence) }
    }
}

/// A job to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewJob<'a> {
    pub id: JobId,
    pub work: Work,
    /// Who waits for it; it is urgent then.
    pub reserved_for: Option<&'a str>,
}

/// The progress of a job of several steps; null for others.
fn share_done() -> Document {
    let share = doc! { "$divide": [{ "$toDouble": "$position" }, "$total"] };
    doc! { "$cond": [{ "$gt": ["$total", 0_i64] }, share, null] }
}

/// Names a claim: what ends a job carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    pub job: JobId,
    pub fence: Fence,
}

impl Claim {
    fn held(self) -> Document {
        doc! { "_id": self.job, "fence": self.fence.0, "state": "running" }
    }
}

/// What became of an attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The job was another's by then.
    Lost,
    Retried,
    ForGood {
        reserved_for: Option<String>,
    },
}

/// Who gets the result of a job that is done, and until when it is kept for them.
#[derive(Clone, Debug)]
pub struct Reservation {
    pub token: String,
    pub(super) until: DateTime,
}

/// What became of a claim whose work is done.
#[derive(Clone, Debug)]
pub enum Done {
    /// The job is another's by now, or was ended before.
    Lost,
    Ended(Option<Reservation>),
}

impl NewJob<'_> {
    fn filter(&self) -> Document {
        doc! { "_id": self.id }
    }

    fn pipeline(&self, op: &'static str) -> Result<Vec<Document>, StoreError> {
        let epoch = DateTime::from_millis(0);
        let fresh = JobDoc {
            id: self.id,
            work: self.work,
            pool: self.work.pool(),
            class: self.work.class(),
            urgent: self.reserved_for.is_some(),
            state: JobState::Ready,
            holder: None,
            fence: 0,
            attempts: 0,
            reserved_for: self.reserved_for.map(str::to_owned),
            reserved_until: None,
            position: 0,
            total: 0,
            progress: None,
            error: None,
            created: epoch,
            due: epoch,
            touched: epoch,
            claimed: None,
            ended: None,
        };
        let fields = mongodb::bson::serialize_to_document(&fresh);
        let fields = fields.map_err(|e| StoreError::write(op, e.into()))?;
        let mut dates = doc! { "created": "$$NOW", "due": "$$NOW", "touched": "$$NOW" };
        if self.reserved_for.is_some() {
            dates.insert("reserved_until", in_time(limits::POOL_RESERVED_MAX));
        }
        Ok(vec![doc! { "$replaceWith": { "$mergeObjects": [literal(fields), dates] } }])
    }
}

impl Store {
    pub fn job_insert(&self, job: NewJob<'_>) -> Result<(), StoreError> {
        const OP: &str = "create a job";
        self.upsert::<JobDoc>(OP, job.filter(), job.pipeline(OP)?)
    }

    /// Claims the job that has been ready longest, urgent ones first, if it has been so for `age`.
    pub fn job_claim(
        &self,
        holder: Holder,
        urgent_only: bool,
        age: Duration,
    ) -> Result<Option<JobDoc>, StoreError> {
        let mut filter = Class::Heavy.ready();
        if urgent_only {
            filter.insert("urgent", true);
        }
        self.job_claim_of(filter, holder, age)
    }

    /// Claims the light job that has been ready longest, if it has been so for `age`.
    pub fn job_claim_light(
        &self,
        holder: Holder,
        age: Duration,
    ) -> Result<Option<JobDoc>, StoreError> {
        self.job_claim_of(Class::Light.ready(), holder, age)
    }

    fn job_claim_of(
        &self,
        mut filter: Document,
        holder: Holder,
        age: Duration,
    ) -> Result<Option<JobDoc>, StoreError> {
        let since = doc! { "$subtract": ["$$NOW", ms(age)] };
        filter.insert("$expr", doc! { "$lte": ["$due", since] });
        let set = doc! {
            "state": "running",
            "holder": literal(doc! { "host": holder.host, "epoch": holder.epoch }),
            "fence": { "$add": ["$fence", 1_i64] },
            "attempts": { "$add": ["$attempts", 1_i64] },
            "progress": share_done(),
            "touched": "$$NOW",
            "claimed": "$$NOW",
        };
        let first = doc! { "urgent": -1, "due": 1 };
        self.modify("claim a job", filter, first, vec![doc! { "$set": set }])
    }

    /// Undoes a claim: ready again, as if it had not been. `false`: it is another's by now.
    pub fn job_give_back(&self, claim: Claim) -> Result<bool, StoreError> {
        let update = doc! {
            "$set": { "state": "ready", "holder": null },
            "$inc": { "attempts": -1_i64 },
        };
        Ok(self.update::<JobDoc>("give a job back", claim.held(), update)?.yes())
    }

    /// The same for one that can not go on now: ready again in a while.
    pub fn job_put_off(&self, claim: Claim, pause: Duration) -> Result<bool, StoreError> {
        let set = doc! {
            "state": "ready",
            "holder": null,
            "attempts": { "$subtract": ["$attempts", 1_i64] },
            "due": in_time(pause),
        };
        let update = vec![doc! { "$set": set }];
        Ok(self.modify::<JobDoc>("put a job off", claim.held(), doc! {}, update)?.is_some())
    }

    /// Ends an attempt that failed: another one after `retry`, or none.
    pub fn job_fail(
        &self,
        claim: Claim,
        error: &str,
        retry: Option<Duration>,
    ) -> Result<Failed, StoreError> {
        let progress = share_done();
        let mut set = doc! { "holder": null, "progress": progress, "error": literal(error) };
        match retry {
            Some(pause) => set.extend(doc! { "state": "ready", "due": in_time(pause) }),
            None => set.extend(doc! { "state": "failed", "ended": "$$NOW" }),
        }
        let update = vec![doc! { "$set": set }];
        let job = self.modify("record a failed job", claim.held(), doc! {}, update)?;
        Ok(match job {
            None => Failed::Lost,
            Some(JobDoc { state: JobState::Failed, reserved_for, .. }) => {
                Failed::ForGood { reserved_for }
            }
            Some(_) => Failed::Retried,
        })
    }

    pub fn job(&self, id: JobId) -> Result<Option<JobDoc>, StoreError> {
        self.find_one("read a job", doc! { "_id": id })
    }
}

impl Tx<'_> {
    pub fn job_insert(&mut self, job: NewJob<'_>) -> Result<(), StoreError> {
        const OP: &str = "create a job";
        self.upsert::<JobDoc>(OP, job.filter(), job.pipeline(OP)?)
    }

    /// Ends a job; the same transaction applies its result.
    pub fn job_done(&mut self, claim: Claim) -> Result<Done, StoreError> {
        let awaited = doc! { "$gt": ["$reserved_until", "$$NOW"] };
        // Its holder stays: who did it.
        let set = doc! {
            "state": "done",
            "progress": 1.0,
            "error": null,
            "ended": "$$NOW",
            "reserved_for": { "$cond": [awaited, "$reserved_for", "$$REMOVE"] },
        };
        let update = vec![doc! { "$set": set }];
        let job: Option<JobDoc> = self.modify("end a job", claim.held(), update)?;
        let Some(JobDoc { reserved_for, reserved_until, .. }) = job else { return Ok(Done::Lost) };
        let reserved = reserved_for.zip(reserved_until);
        Ok(Done::Ended(reserved.map(|(token, until)| Reservation { token, until })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_stored_under_a_known_name() {
        for kind in KeyKind::ALL {
            let work = Work::PrivateKey(kind);
            let stored = mongodb::bson::serialize_to_document(&work).expect("a document");
            assert!(work.class().kinds().contains(&stored.get_str("kind").expect("a kind")));
            assert_eq!(stored.get_str("payload").expect("a name"), kind.as_str());
            let read: Work = mongodb::bson::deserialize_from_document(stored).expect("work");
            assert_eq!(read, work);
        }
        let params = DhSize::ALL.map(Work::DhParams);
        for work in params.into_iter().chain([Work::BulkUsers(OrgId::from_bytes([1; 12]))]) {
            let stored = mongodb::bson::serialize_to_document(&work).expect("a document");
            assert!(work.class().kinds().contains(&stored.get_str("kind").expect("a kind")));
            let read: Work = mongodb::bson::deserialize_from_document(stored).expect("work");
            assert_eq!(read, work);
        }
    }
}
