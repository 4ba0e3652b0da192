//! What the cluster does by itself: pools, jobs, tasks.

use crate::api::reply::work::{JobReply, PoolReply, TaskReply};
use crate::base::ids::HostId;
use crate::internal::answer::{Handled, json};
use crate::internal::app::Asked;
use crate::pool;
use crate::store::StoreError;
use crate::store::jobs::JobSummary;
use crate::store::pool::PoolKind;
use crate::store::tasks::TaskSeen;
use crate::tasks::{TASKS, Task, calendar};
use std::collections::HashMap;

pub fn list_pools(asked: &Asked<'_>) -> Handled {
    let ground = &asked.app.ground;
    let settings = ground.store.pool_settings()?;
    let reply = |kind: PoolKind| {
        let level = pool::level(ground, &settings, kind)?;
        Ok(PoolReply {
            kind: kind.as_str(),
            depth: level.depth,
            target: level.target,
            making: level.making,
            taken_10min: level.taken_10min,
        })
    };
    let replies = PoolKind::ALL.into_iter().map(reply).collect::<Result<Vec<_>, StoreError>>()?;
    json(&replies)
}

pub fn list_jobs(asked: &Asked<'_>) -> Handled {
    let jobs = asked.app.ground.store.jobs_listed()?;
    let names = names(asked, jobs.iter().any(|job| job.holder.is_some()))?;
    json(&jobs.into_iter().map(|job| job_reply(job, &names)).collect::<Vec<_>>())
}

pub fn list_tasks(asked: &Asked<'_>) -> Handled {
    let seen = asked.app.ground.store.tasks()?;
    let names = names(asked, seen.iter().any(|task| task.holder.is_some()))?;
    let reply = |task: &Task| {
        let seen = seen.iter().find(|seen| seen.name == task.name);
        task_reply(task, seen, &names)
    };
    json(&TASKS.iter().map(reply).collect::<Vec<_>>())
}

type Names = HashMap<HostId, String>;

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

fn job_reply(job: JobSummary, names: &Names) -> JobReply {
    JobReply {
        id: job.id.to_string(),
        kind: job.title(),
        state: job.state.as_str(),
        urgency: if job.urgent { "urgent" } else { "normal" },
        progress: job.progress,
        attempts: job.attempts,
        holder: job.holder.map(|holder| name(names, holder.host)),
        created: job.created_s(),
        error: job.error,
    }
}

fn task_reply(task: &Task, seen: Option<&TaskSeen>, names: &Names) -> TaskReply {
    let seconds = |ms: i64| ms.div_euclid(1000);
    TaskReply {
        name: task.name,
        holder: seen.and_then(|seen| seen.holder).map(|holder| name(names, holder.host)),
        done_at: seen.and_then(|seen| seen.done_at_ms).map(seconds),
        duration_ms: seen.and_then(|seen| seen.duration_ms),
        found: seen.map_or(0, |seen| seen.found),
        mended: seen.map_or(0, |seen| seen.mended),
        next_due: calendar::next_due_ms(seen, task.period).map(seconds),
        error: seen.and_then(|seen| seen.error.clone()),
    }
}
