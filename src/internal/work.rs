//! What the cluster does by itself: pools, jobs, tasks.

use crate::api::reply::work::{JobReply, PoolReply, TaskReply};
use crate::base::ids::{HostId, JobId};
use crate::ground::Ground;
use crate::internal::answer::{Failure, Handled, NOT_FOUND, done, json};
use crate::internal::app::Asked;
use crate::internal::users;
use crate::pool::{self, Level};
use crate::queue;
use crate::store::StoreError;
use crate::store::jobs::{Cancelled, JobSummary, Retry};
use crate::store::pool::PoolKind;
use crate::store::tasks::TaskSeen;
use crate::tasks::{self, TASKS, Task, calendar};
use std::collections::HashMap;

pub fn list_pools(asked: &Asked<'_>) -> Handled {
    let reply = |(kind, level): (PoolKind, Level)| PoolReply {
        kind: kind.as_str(),
        depth: level.depth,
        target: level.target,
        making: level.making,
        taken_10min: level.taken_10min,
    };
    let levels = pool::levels(&asked.app.ground.store)?;
    let replies: Vec<PoolReply> = levels.into_iter().map(reply).collect();
    json(&replies)
}

pub fn list_jobs(asked: &Asked<'_>) -> Handled {
    let jobs = asked.app.ground.store.jobs_listed()?;
    let names = names(asked, jobs.iter().any(|job| job.holder.is_some()))?;
    json(&jobs.into_iter().map(|job| job_reply(job, &names)).collect::<Vec<_>>())
}

pub fn get_job(asked: &Asked<'_>, id: JobId) -> Handled {
    let job = asked.app.ground.store.job_listed(id)?.ok_or(NOT_FOUND)?;
    let names = names(asked, job.holder.is_some())?;
    json(&job_reply(job, &names))
}

pub fn retry_job(asked: &Asked<'_>, id: JobId) -> Handled {
    let Ground { store, bus, .. } = &asked.app.ground;
    match queue::retry(store, id, |message| bus.publish(message))? {
        Retry::Ready => get_job(asked, id),
        Retry::Gone => Err(NOT_FOUND),
        Retry::Busy => Err(users::BUSY),
        Retry::NotFailed => Err(Failure::Named {
            status: 409,
            id: "job_not_failed",
            message: "This job has not failed; it is done, or will be without help.",
        }),
    }
}

pub fn delete_job(asked: &Asked<'_>, id: JobId) -> Handled {
    let Ground { store, bus, .. } = &asked.app.ground;
    match queue::cancel(store, id, |message| bus.publish(message))? {
        Cancelled::Gone => Err(NOT_FOUND),
        Cancelled::Failed { .. } | Cancelled::Removed => done(),
    }
}

pub fn run_task(asked: &Asked<'_>, name: &str) -> Handled {
    let Ground { store, bus, .. } = &asked.app.ground;
    match tasks::want(store, name, |message| bus.publish(message))? {
        true => done(),
        false => Err(NOT_FOUND),
    }
}

pub fn list_tasks(asked: &Asked<'_>) -> Handled {
    let seen = asked.app.ground.store.tasks()?;
    let names = names(asked, !seen.is_empty())?;
    json(&task_replies(&seen, &names))
}

pub type Names = HashMap<HostId, String>;

/// Names of hosts, if any are needed.
fn names(asked: &Asked<'_>, needed: bool) -> Result<Names, StoreError> {
    if !needed {
        return Ok(Names::new());
    }
    let hosts = asked.app.ground.store.hosts(0, 0)?;
    Ok(hosts.into_iter().map(|host| (host.id, host.name)).collect())
}

fn name(names: &Names, host: HostId) -> String {
    names.get(&host).cloned().unwrap_or_else(|| host.to_string())
}

pub fn job_reply(job: JobSummary, names: &Names) -> JobReply {
    JobReply {
        id: job.id.to_string(),
        kind: job.title(),
        state: job.state.as_str(),
        urgency: if job.urgent { "urgent" } else { "normal" },
        progress: job.progress,
        position: job.position,
        total: job.total,
        attempts: job.attempts,
        holder: job.holder.map(|holder| name(names, holder.host)),
        created: job.created_s(),
        due: job.due_s(),
        ended: job.ended_s(),
        awaited: job.is_awaited(),
        error: job.error,
    }
}

/// All tasks of the calendar.
pub fn task_replies(seen: &[TaskSeen], names: &Names) -> Vec<TaskReply> {
    let seen_of = |task: &Task| seen.iter().find(|seen| seen.name == task.name);
    TASKS.iter().map(|task| task_reply(task, seen_of(task), names)).collect()
}

fn task_reply(task: &Task, seen: Option<&TaskSeen>, names: &Names) -> TaskReply {
    let seconds = |ms: i64| ms.div_euclid(1000);
    TaskReply {
        name: task.name,
        holder: seen.and_then(|seen| seen.holder).map(|holder| name(names, holder.host)),
        done_at: seen.and_then(|seen| seen.done_at_ms).map(seconds),
        done_by: seen.and_then(|seen| seen.done_by).map(|host| name(names, host)),
        duration_ms: seen.and_then(|seen| seen.duration_ms),
        found: seen.map_or(0, |seen| seen.found),
        mended: seen.map_or(0, |seen| seen.mended),
        next_due: calendar::next_due_ms(seen, task.period).map(seconds),
        error: seen.and_then(|seen| seen.error.clone()),
    }
}
