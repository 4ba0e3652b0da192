//! Tasks of the calendar: when each ran, who is at it, and under which fence (design section 9).
//!
//! Dates are the server's, and come out as milliseconds beside the server's own *now*, so that the
//! calendar compares nothing with a clock of a host (I4).

mod addresses;
mod repairs;

pub use addresses::{AddressRow, ConnectedClient, ServerNet};
pub use repairs::{ClientRow, HostPulse, ServerRefs, ServerRun, SilentHost};

use super::jobs::HolderDoc;
use super::ops::{Stored, literal};
use super::{Store, StoreError, collections};
use crate::base::ids::{Fence, Holder, HostId};
use mongodb::bson::{Bson, DateTime, Document, doc};
use serde::{Deserialize, Serialize};

/// A task.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct TaskDoc {
    #[serde(rename = "_id")]
    name: String,
    /// Raised by each run, not by its further attempts.
    run: i64,
    /// Raised by each reservation.
    fence: i64,
    #[serde(default)]
    attempts: i64,
    #[serde(default)]
    holder: Option<HolderDoc>,
    #[serde(default)]
    started: Option<DateTime>,
    /// When somebody last wanted it to run.
    #[serde(default)]
    wanted: Option<DateTime>,
    /// The newest sign of life of the attempt under way, after its begin.
    #[serde(default)]
    kept: Option<DateTime>,
    #[serde(default)]
    done_at: Option<DateTime>,
    /// Who ended the newest run.
    #[serde(default)]
    done_by: Option<HostId>,
    #[serde(default)]
    duration_ms: Option<i64>,
    #[serde(default)]
    found: i64,
    #[serde(default)]
    mended: i64,
    /// Of all runs.
    #[serde(default)]
    found_total: i64,
    #[serde(default)]
    mended_total: i64,
    #[serde(default)]
    error: Option<String>,
}

impl Stored for TaskDoc {
    const COLLECTION: &'static str = collections::TASKS;
}

/// A task as it stood when the server's clock said `now_ms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSeen {
    pub name: String,
    pub now_ms: i64,
    pub run: i64,
    pub fence: Fence,
    pub attempts: i64,
    pub holder: Option<Holder>,
    pub started_ms: Option<i64>,
    pub wanted_ms: Option<i64>,
    /// The newest sign of life of the attempt under way, after its begin.
    pub kept_ms: Option<i64>,
    pub done_at_ms: Option<i64>,
    pub done_by: Option<HostId>,
    pub duration_ms: Option<i64>,
    pub found: i64,
    pub mended: i64,
    /// Of all runs.
    pub found_total: i64,
    pub mended_total: i64,
    pub error: Option<String>,
}

/// Which attempt a reservation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    First,
    Again,
}

/// How an attempt ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskEnd {
    /// Whether the run is over; if not, it is tried again.
    pub over: bool,
    pub duration_ms: Option<i64>,
    pub found: i64,
    pub mended: i64,
    pub error: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(flatten)]
    task: TaskDoc,
    now: DateTime,
}

impl From<Row> for TaskSeen {
    fn from(row: Row) -> TaskSeen {
        let Row { task, now } = row;
        TaskSeen {
            name: task.name,
            now_ms: now.timestamp_millis(),
            run: task.run,
            fence: Fence(task.fence),
            attempts: task.attempts,
            holder: task.holder.map(Holder::from),
            wanted_ms: task.wanted.map(DateTime::timestamp_millis),
            started_ms: task.started.map(DateTime::timestamp_millis),
            kept_ms: task.kept.map(DateTime::timestamp_millis),
            done_at_ms: task.done_at.map(DateTime::timestamp_millis),
            done_by: task.done_by,
            duration_ms: task.duration_ms,
            found: task.found,
            mended: task.mended,
            found_total: task.found_total,
            mended_total: task.mended_total,
            error: task.error,
        }
    }
}

impl Store {
    pub fn tasks(&self) -> Result<Vec<TaskSeen>, StoreError> {
        let stages = vec![doc! { "$limit": 100 }, doc! { "$set": { "now": "$$NOW" } }];
        let rows = self.aggregate::<TaskDoc, Row>("look at the tasks", stages)?;
        Ok(rows.into_iter().map(TaskSeen::from).collect())
    }

    /// Makes a task due now. One that has never run is so already.
    pub fn task_want(&self, name: &str) -> Result<(), StoreError> {
        let update = vec![doc! { "$set": { "wanted": "$$NOW" } }];
        let wanted =
            self.modify::<TaskDoc>("ask for a task", doc! { "_id": name }, doc! {}, update);
        wanted.map(drop)
    }

    /// Reserves a task that nobody has touched since it was `seen`; `None` stands for one that has
    /// never run. Answers its fence; `None`: another host was faster.
    pub fn task_reserve(
        &self,
        name: &str,
        seen: Option<&TaskSeen>,
        holder: Holder,
        attempt: Attempt,
    ) -> Result<Option<Fence>, StoreError> {
        const OP: &str = "reserve a task";
        let (run, fence) = seen.map_or((0, 0), |seen| (seen.run, seen.fence.0));
        let (run_more, attempts) = match attempt {
            Attempt::First => (1_i64, Bson::Int64(1)),
            Attempt::Again => (0, doc! { "$add": ["$attempts", 1_i64] }.into()),
        };
        let set = doc! {
            "run": { "$add": ["$run", run_more] },
            "fence": { "$add": ["$fence", 1_i64] },
            "attempts": attempts,
            "holder": literal(doc! { "host": holder.host, "epoch": holder.epoch }),
            "started": "$$NOW",
            "kept": Bson::Null,
        };
        let mut unmoved = doc! { "_id": name, "run": run, "fence": fence };
        let update = vec![doc! { "$set": set }];
        let reserved = match seen {
            Some(seen) => {
                // Its holder may have given a sign of life meanwhile.
                unmoved.insert("kept", seen.kept_ms.map(DateTime::from_millis));
                self.modify::<TaskDoc>(OP, unmoved, doc! {}, update)?.is_some()
            }
            None => match self.upsert::<TaskDoc>(OP, unmoved, update) {
                Err(StoreError::Duplicate { .. }) => false,
                done => done.map(|()| true)?,
            },
        };
        Ok(reserved.then_some(Fence(fence + 1)))
    }

    /// A sign of life of an attempt. `false`: the task is another's by now.
    pub fn task_keep(&self, name: &str, fence: Fence) -> Result<bool, StoreError> {
        let held = doc! { "_id": name, "fence": fence.0 };
        let update = vec![doc! { "$set": { "kept": "$$NOW" } }];
        Ok(self.modify::<TaskDoc>("go on with a task", held, doc! {}, update)?.is_some())
    }

    /// Ends an attempt. `false`: the task is another's by now.
    pub fn task_end(&self, name: &str, fence: Fence, end: &TaskEnd) -> Result<bool, StoreError> {
        self.task_finish(doc! { "_id": name, "fence": fence.0 }, end)
    }

    /// Ends the attempt of a holder that is no more, or is late. `false`: the task is not as it was
    /// `seen`, and its holder may have given a sign of life.
    pub fn task_give_up(&self, seen: &TaskSeen, end: &TaskEnd) -> Result<bool, StoreError> {
        let kept = seen.kept_ms.map(DateTime::from_millis);
        self.task_finish(doc! { "_id": &seen.name, "fence": seen.fence.0, "kept": kept }, end)
    }

    fn task_finish(&self, held: Document, end: &TaskEnd) -> Result<bool, StoreError> {
        let mut set = doc! {
            "holder": Bson::Null,
            "duration_ms": end.duration_ms,
            "found": end.found,
            "mended": end.mended,
            "found_total": { "$add": [{ "$ifNull": ["$found_total", 0_i64] }, end.found] },
            "mended_total": { "$add": [{ "$ifNull": ["$mended_total", 0_i64] }, end.mended] },
            "error": literal(end.error.clone()),
        };
        if end.over {
            set.insert("done_at", "$$NOW");
            set.insert("done_by", "$holder.host");
        }
        // One more, so that whoever held it can not end it any more.
        set.insert("fence", doc! { "$add": ["$fence", 1_i64] });
        let update = vec![doc! { "$set": set }];
        Ok(self.modify::<TaskDoc>("end a task", held, doc! {}, update)?.is_some())
    }
}
