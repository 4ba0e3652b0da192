//! Looking at jobs: what is due, what runs, what the console shows.

use super::{Class, HolderDoc, JobDoc, JobState, Work};
use crate::base::ids::JobId;
use crate::limits;
use crate::store::ops::in_time;
use crate::store::{Store, StoreError, read};
use mongodb::bson::{Bson, DateTime, doc};
use mongodb::options::FindOptions;
use serde::Deserialize;
use std::collections::HashSet;
use std::time::Duration;

/// A running job as those see it who look for lost holders.
#[derive(Clone, Debug, Deserialize)]
pub struct RunningJob {
    #[serde(rename = "_id")]
    pub id: JobId,
    pub kind: String,
    #[serde(default)]
    payload: Option<Bson>,
    pub fence: i64,
    pub attempts: i64,
    pub holder: Option<HolderDoc>,
    /// Since it was claimed or got on last, by the server's clock.
    pub idle_ms: i64,
}

impl RunningJob {
    /// `None`: of a newer version.
    pub fn work(&self) -> Option<Work> {
        let stored = doc! { "kind": &self.kind, "payload": self.payload.clone() };
        read::parts(&stored).ok()
    }
}

/// A job for the console; kinds of newer versions included.
#[derive(Clone, Debug, Deserialize)]
pub struct JobSummary {
    #[serde(rename = "_id")]
    pub id: JobId,
    kind: String,
    #[serde(default)]
    payload: Option<Bson>,
    pub urgent: bool,
    pub state: JobState,
    pub holder: Option<HolderDoc>,
    pub attempts: i64,
    pub progress: Option<f64>,
    #[serde(default)]
    pub position: i64,
    #[serde(default)]
    pub total: i64,
    pub error: Option<String>,
    created: DateTime,
    due: DateTime,
    #[serde(default)]
    ended: Option<DateTime>,
    #[serde(default)]
    reserved_for: Option<String>,
}

impl JobSummary {
    /// The kind, with its payload where that is a word, a number or an id.
    pub fn title(&self) -> String {
        match &self.payload {
            Some(Bson::String(word)) => format!("{} {word}", self.kind),
            Some(Bson::Int64(number)) => format!("{} {number}", self.kind),
            Some(Bson::ObjectId(id)) => format!("{} {}", self.kind, id.to_hex()),
            _ => self.kind.clone(),
        }
    }

    /// Times are seconds since the Unix epoch.
    pub fn created_s(&self) -> i64 {
        seconds(self.created)
    }

    pub fn due_s(&self) -> i64 {
        seconds(self.due)
    }

    pub fn ended_s(&self) -> Option<i64> {
        self.ended.map(seconds)
    }

    /// Whether somebody waits for its result.
    pub fn is_awaited(&self) -> bool {
        self.reserved_for.is_some()
    }
}

fn seconds(date: DateTime) -> i64 {
    date.timestamp_millis().div_euclid(1000)
}

impl Store {
    /// In how many milliseconds the next heavy job is due; negative: since when one is.
    pub fn job_next_due_ms(&self) -> Result<Option<i64>, StoreError> {
        self.job_next_due_ms_of(Class::Heavy)
    }

    pub fn job_next_due_ms_of(&self, class: Class) -> Result<Option<i64>, StoreError> {
        #[derive(Deserialize)]
        struct Next {
            due_ms: i64,
        }
        let stages = vec![
            doc! { "$match": class.ready() },
            doc! { "$sort": { "due": 1 } },
            doc! { "$limit": 1 },
            doc! { "$project": { "due_ms": { "$subtract": ["$due", "$$NOW"] } } },
        ];
        let next = self.aggregate::<JobDoc, Next>("look for jobs", stages)?;
        Ok(next.first().map(|next| next.due_ms))
    }

    /// Makes jobs due that would not be for longer than this; answers how many there were.
    pub fn jobs_hasten(&self, far: Duration) -> Result<u64, StoreError> {
        let late = doc! { "$gt": ["$due", in_time(far)] };
        let far_off = doc! { "state": "ready", "$expr": late };
        let now = vec![doc! { "$set": { "due": "$$NOW" } }];
        self.update_all::<JobDoc>("hasten jobs", far_off, now)
    }

    /// Running jobs, the longest without progress first.
    pub fn jobs_running(&self) -> Result<Vec<RunningJob>, StoreError> {
        let stages = vec![
            doc! { "$match": { "state": "running" } },
            doc! { "$sort": { "touched": 1 } },
            doc! { "$limit": limits::JOBS_LOOKED_AT_MAX },
            doc! { "$project": { "kind": 1, "payload": 1, "fence": 1, "attempts": 1, "holder": 1,
            "idle_ms": { "$subtract": ["$$NOW", "$touched"] } } },
        ];
        self.aggregate::<JobDoc, _>("look at running jobs", stages)
    }

    /// What is not done, for the console: running, failed, ready; some of each, newest first.
    pub fn jobs_listed(&self) -> Result<Vec<JobSummary>, StoreError> {
        let mut listed = Vec::new();
        // A job may get another state between two of the reads.
        let mut seen = HashSet::new();
        // What somebody ordered is not hidden by a crowd that fills pools.
        for of_state in [
            doc! { "state": "running" },
            doc! { "state": "failed" },
            doc! { "state": "ready", "pool": Bson::Null },
            doc! { "state": "ready", "pool": { "$ne": Bson::Null } },
        ] {
            let sort = doc! { "urgent": -1, "created": -1 };
            let options = FindOptions::builder().sort(sort).limit(limits::JOBS_LISTED_MAX).build();
            let found = self.find_as::<JobDoc, JobSummary>("list jobs", of_state, options)?;
            listed.extend(found.into_iter().filter(|job| seen.insert(job.id)));
        }
        Ok(listed)
    }

    /// How many jobs wait, run or have failed.
    pub fn jobs_open(&self) -> Result<u64, StoreError> {
        self.count::<JobDoc>("count open jobs", doc! { "state": { "$ne": "done" } })
    }

    /// Any job, for the console.
    pub fn job_listed(&self, id: JobId) -> Result<Option<JobSummary>, StoreError> {
        let options = FindOptions::builder().limit(1).build();
        let found = self.find_as::<JobDoc, _>("read a job", doc! { "_id": id }, options)?;
        Ok(found.into_iter().next())
    }
}
