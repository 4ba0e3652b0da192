//! Pools, jobs and tasks (ours). Times are seconds since the Unix epoch.

use serde::Serialize;

/// Of `GET /pool`.
#[derive(Debug, Serialize)]
pub struct PoolReply {
    pub kind: &'static str,
    pub depth: i64,
    pub target: i64,
    /// Jobs under way that fill it.
    pub making: i64,
    pub taken_10min: i64,
}

/// Of `GET /job`: what is not done.
#[derive(Debug, Serialize)]
pub struct JobReply {
    pub id: String,
    pub kind: String,
    /// `ready`, `running` or `failed`.
    pub state: &'static str,
    /// `urgent` or `normal`.
    pub urgency: &'static str,
    /// From 0 to 1, for kinds that can tell.
    pub progress: Option<f64>,
    pub attempts: i64,
    /// Name of the host that works on it.
    pub holder: Option<String>,
    pub error: Option<String>,
    pub created: i64,
}

/// Of `GET /task`.
#[derive(Debug, Serialize)]
pub struct TaskReply {
    pub name: &'static str,
    /// Name of the host that is at it.
    pub holder: Option<String>,
    pub done_at: Option<i64>,
    pub duration_ms: Option<i64>,
    pub found: i64,
    pub mended: i64,
    /// `None` while it runs, or before its first run.
    pub next_due: Option<i64>,
    pub error: Option<String>,
}
