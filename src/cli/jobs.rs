//! `warren jobs` and `warren tasks`: what the cluster does by itself, on any host that reaches the
//! database, whether or not its daemon runs.

use super::{Failure, chain, database_code, exit, say, status};
use crate::api::reply::Reply;
use crate::api::reply::work::{JobReply, TaskReply};
use crate::base::clock::Clock;
use crate::base::ids::{HostId, JobId};
use crate::base::random::Random;
use crate::bus::Message;
use crate::config::Config;
use crate::internal::work::{Names, job_reply, task_replies};
use crate::node;
use crate::queue;
use crate::store::jobs::{Cancelled, Retry};
use crate::store::{Store, StoreError};
use crate::tasks;
use std::cell::RefCell;

/// What follows `warren jobs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobsCommand {
    List,
    Show(JobId),
    Retry(JobId),
    Cancel(JobId),
}

/// What follows `warren tasks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TasksCommand {
    List,
    Run(String),
}

pub fn jobs(config: &Config, command: JobsCommand, as_json: bool) -> Result<(), Failure> {
    let office = Office::open(config)?;
    let store = &office.store;
    match command {
        JobsCommand::List => {
            let names = office.names()?;
            let jobs = store.jobs_listed().map_err(failure)?;
            let jobs: Vec<JobReply> = jobs.into_iter().map(|job| job_reply(job, &names)).collect();
            show(&jobs, as_json, job_line, "no job waits, runs or has failed")?;
            let unlisted = store.jobs_open().map_err(failure)?.saturating_sub(jobs.len() as u64);
            match !as_json && unlisted > 0 {
                true => say(&format!("and {unlisted} more that wait or have failed")),
                false => Ok(()),
            }
        }
        JobsCommand::Show(id) => {
            let job = store.job_listed(id).map_err(failure)?.ok_or_else(|| no_job(id))?;
            let job = job_reply(job, &office.names()?);
            match as_json {
                true => say_json(&job),
                false => job_lines(&job).iter().try_for_each(|line| say(line)),
            }
        }
        JobsCommand::Retry(id) => {
            match queue::retry(store, id, |message| office.note(message)).map_err(failure)? {
                Retry::Ready => office.done("it is done again as soon as a host is free"),
                Retry::Gone => Err(no_job(id)),
                Retry::Busy => {
                    let text = "other users of that organization are being created; then again";
                    Err(Failure::new(exit::NOT_NOW, text))
                }
                Retry::NotFailed => {
                    let text = format!("job {id} has not failed: `warren jobs show {id}`");
                    Err(Failure::new(exit::FOUND, text))
                }
            }
        }
        JobsCommand::Cancel(id) => {
            match queue::cancel(store, id, |message| office.note(message)).map_err(failure)? {
                Cancelled::Failed { .. } => office.done("cancelled"),
                Cancelled::Removed => office.done("it was over, and is removed"),
                Cancelled::Gone => Err(no_job(id)),
            }
        }
    }
}

pub fn tasks(config: &Config, command: &TasksCommand, as_json: bool) -> Result<(), Failure> {
    let office = Office::open(config)?;
    match command {
        TasksCommand::List => {
            let seen = office.store.tasks().map_err(failure)?;
            let tasks = task_replies(&seen, &office.names()?);
            show(&tasks, as_json, |task| task_line(task, office.clock.cluster_s()), "no tasks")
        }
        TasksCommand::Run(name) => {
            let note = |message| office.note(message);
            match tasks::want(&office.store, name, note).map_err(failure)? {
                true => office.done("it runs as soon as a host is free"),
                false => {
                    let known: Vec<&str> = tasks::TASKS.iter().map(|task| task.name).collect();
                    let text = format!("there is no task {name:?}; there are {}", known.join(", "));
                    Err(Failure::new(exit::FOUND, text))
                }
            }
        }
    }
}

/// The database, and what its hosts are to be told.
struct Office {
    store: Store,
    clock: Clock,
    /// In whose name.
    host: HostId,
    messages: RefCell<Vec<Message>>,
}

impl Office {
    fn open(config: &Config) -> Result<Office, Failure> {
        let clock = Clock::system();
        let store = status::open(config, clock.clone(), Random::system())?;
        let host = node::known_host_id(&config.state_dir).unwrap_or(HostId::from_bytes([0; 16]));
        Ok(Office { store, clock, host, messages: RefCell::default() })
    }

    fn names(&self) -> Result<Names, Failure> {
        let hosts = self.store.hosts(0, 0).map_err(failure)?;
        Ok(hosts.into_iter().map(|host| (host.id, host.name)).collect())
    }

    fn note(&self, message: Message) {
        self.messages.borrow_mut().push(message);
    }

    /// Tells the hosts, who would find out by themselves, only later.
    fn done(&self, text: &str) -> Result<(), Failure> {
        let messages = self.messages.take().into_iter();
        let batch: Vec<_> = messages.map(|message| (self.store.new_id(), message)).collect();
        match self.store.bus_publish(self.host, &batch) {
            Ok(()) => say(text),
            Err(error) => {
                say(&format!("{text}; hosts find out within a minute: {}", chain(&error)))
            }
        }
    }
}

fn failure(error: StoreError) -> Failure {
    Failure::new(database_code(&error), chain(&error))
}

fn no_job(id: JobId) -> Failure {
    Failure::new(exit::FOUND, format!("there is no job {id}; `warren jobs` lists them"))
}

fn show<T>(
    items: &[T],
    as_json: bool,
    line: impl Fn(&T) -> String,
    none: &str,
) -> Result<(), Failure>
where
    [T]: Reply,
{
    match as_json {
        true => say_json(items),
        false if items.is_empty() => say(none),
        false => items.iter().try_for_each(|item| say(&line(item))),
    }
}

fn say_json(reply: &(impl Reply + ?Sized)) -> Result<(), Failure> {
    say(&String::from_utf8_lossy(&reply.to_json().unwrap_or_default()))
}

fn job_line(job: &JobReply) -> String {
    let mut line = format!("{}  {:<8} {}", job.id, job.state, job.kind);
    if let Some(holder) = &job.holder {
        line = format!("{line}, on {holder}");
    }
    if let Some(progress) = job.progress {
        line = format!("{line}, {} %", percent(progress));
    }
    match &job.error {
        Some(error) => format!("{line}, attempt {}: {error}", job.attempts),
        None => line,
    }
}

fn job_lines(job: &JobReply) -> Vec<String> {
    let mut lines = vec![
        format!("job       {}", job.id),
        format!("kind      {}", job.kind),
        format!("state     {}, {}", job.state, job.urgency),
        format!("attempts  {}", job.attempts),
    ];
    lines.extend(job.holder.as_ref().map(|host| format!("host      {host}")));
    lines.extend(job.progress.map(|part| format!("progress  {} %", percent(part))));
    lines.extend(job.awaited.then(|| "awaited   somebody waits for its result".to_owned()));
    lines.extend(job.error.as_ref().map(|error| format!("error     {error}")));
    lines
}

fn percent(part: f64) -> String {
    format!("{:.0}", part * 100.0)
}

fn task_line(task: &TaskReply, now_s: i64) -> String {
    let state = match (&task.holder, &task.error) {
        (Some(host), _) => format!("runs on {host}"),
        (None, Some(error)) => format!("failed: {error}"),
        (None, None) => match task.done_at {
            Some(at) => format!("done {} s ago", now_s.saturating_sub(at).max(0)),
            None => "has not run yet".to_owned(),
        },
    };
    let next = match task.next_due.map(|at| at.saturating_sub(now_s)) {
        Some(left) if left > 0 => format!(", due in {left} s"),
        Some(_) => ", due now".to_owned(),
        None => String::new(),
    };
    let TaskReply { name, found, mended, .. } = task;
    format!("{name:<13} {state}{next}; found {found}, mended {mended}")
}
