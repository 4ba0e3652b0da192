//! Thread `tasks`: looks, reserves, runs, records.

use super::calendar::{self, Due, FORGOTTEN, HOST_GONE, Hold};
use super::{Report, Round, TASKS, Task};
use crate::base::ids::{Fence, Holder};
use crate::bus::{Heard, Message, Subscription};
use crate::ground::Ground;
use crate::limits;
use crate::queue::policy;
use crate::store::StoreError;
use crate::store::tasks::{Attempt, TaskEnd, TaskSeen};
use crate::thread::Stop;
use std::collections::HashMap;
use std::time::Duration;

/// What the thread does.
pub struct Runner {
    ground: Ground,
    tasks: &'static [Task],
}

impl Runner {
    pub fn new(ground: Ground) -> Runner {
        Runner::with(ground, TASKS)
    }

    pub fn with(ground: Ground, tasks: &'static [Task]) -> Runner {
        Runner { ground, tasks }
    }

    pub fn run(&self, stop: &Stop) {
        let news = self.ground.bus.subscribe("tasks");
        let mut pause = Duration::ZERO;
        // Everyone's delay is another: most find that somebody else was faster.
        while self.wait(&news, stop, pause + self.delay()) {
            pause = self.round(stop).unwrap_or_else(|error| {
                log::debug!("no tasks for now: {error}");
                limits::RECONCILE_PERIOD
            });
        }
    }

    /// Until it is time, somebody wants a task now, or what a host held is free. `false`: the end.
    fn wait(&self, news: &Subscription, stop: &Stop, time: Duration) -> bool {
        let clock = &self.ground.clock;
        let until = clock.mono() + time;
        loop {
            let heard = news.next(stop, until.since(clock.mono()));
            if stop.is_set() {
                return false;
            }
            let wanted = matches!(
                heard,
                Some(Heard::Message(Message::TaskWanted | Message::HostGone { .. }))
            );
            if wanted || until <= clock.mono() {
                return true;
            }
        }
    }

    fn delay(&self) -> Duration {
        let most = u64::try_from(limits::TASK_DELAY_MAX.as_millis()).unwrap_or(0);
        Duration::from_millis(self.ground.random.below(most))
    }

    /// Runs what is due; answers how long nothing else will be.
    pub fn round(&self, stop: &Stop) -> Result<Duration, StoreError> {
        let Ground { store, host, status, .. } = &self.ground;
        // This thread runs one task at a time and none now: what is held by this life was reserved
        // or ended without an answer.
        let own = Holder { host: *host, epoch: status.epoch() };
        let seen = store.tasks()?;
        let gone = self.gone(&seen)?;
        let mut pause = limits::RECONCILE_PERIOD;
        for task in self.tasks {
            if stop.is_set() {
                break;
            }
            let at = seen.iter().find(|seen| seen.name == task.name);
            let hold = match at.and_then(|seen| seen.holder) {
                Some(held) if held == own => Hold::Void(FORGOTTEN),
                Some(held) if gone.contains(&held) => Hold::Void(HOST_GONE),
                _ => Hold::Held,
            };
            match calendar::judge(at, hold, task.period, task.timeout) {
                Due::In(time) => pause = pause.min(time),
                Due::Now(attempt) => self.try_to_run(task, at, attempt, stop)?,
                Due::GiveUp(why) => self.give_up(task, at, why)?,
            }
        }
        Ok(pause)
    }

    /// Holders that hold nothing any more. Hosts are read after the tasks: a holding can not be
    /// newer than what is said of its host.
    fn gone(&self, seen: &[TaskSeen]) -> Result<Vec<Holder>, StoreError> {
        let holders: Vec<Holder> = seen.iter().filter_map(|task| task.holder).collect();
        if holders.is_empty() {
            return Ok(Vec::new());
        }
        let hosts = self.ground.store.hosts(0, 0)?;
        let hosts: HashMap<_, _> =
            hosts.into_iter().map(|host| (host.id, (host.epoch, host.alive))).collect();
        let is_gone = |held: &Holder| policy::is_gone(*held, hosts.get(&held.host).copied());
        Ok(holders.into_iter().filter(is_gone).collect())
    }

    fn try_to_run(
        &self,
        task: &Task,
        seen: Option<&TaskSeen>,
        attempt: Attempt,
        stop: &Stop,
    ) -> Result<(), StoreError> {
        let Ground { store, clock, host, status, .. } = &self.ground;
        // A copy of this host's identity runs: what it holds would be ours.
        if status.is_replaced() {
            return Ok(());
        }
        let holder = Holder { host: *host, epoch: status.epoch() };
        let Some(fence) = store.task_reserve(task.name, seen, holder, attempt)? else {
            return Ok(());
        };
        let attempts = match attempt {
            Attempt::First => 1,
            Attempt::Again => seen.map_or(1, |seen| seen.attempts + 1),
        };
        let started = clock.mono();
        let round = Round::held(&self.ground, stop, task, fence, started);
        let result = (task.run)(&round);
        let took = clock.mono().since(started);
        let end = end(task, result, attempts, took, stop.is_set());
        self.end(task, fence, &end)
    }

    fn give_up(&self, task: &Task, seen: Option<&TaskSeen>, why: &str) -> Result<(), StoreError> {
        let Some(seen) = seen else { return Ok(()) };
        let end = TaskEnd { over: true, error: Some(why.to_owned()), ..TaskEnd::default() };
        if self.ground.store.task_give_up(seen, &end)? {
            log::error!("task {} is given up until its next period: {why}", task.name);
        }
        Ok(())
    }

    fn end(&self, task: &Task, fence: Fence, end: &TaskEnd) -> Result<(), StoreError> {
        if !self.ground.store.task_end(task.name, fence, end)? {
            log::info!("task {} is another host's by now", task.name);
        }
        Ok(())
    }
}

/// What to record of an attempt, and what to log of it.
fn end(
    task: &Task,
    result: Result<Report, StoreError>,
    attempts: i64,
    took: Duration,
    stopped: bool,
) -> TaskEnd {
    let duration_ms = i64::try_from(took.as_millis()).ok();
    match result {
        Ok(Report { found, mended }) => {
            if task.fills && mended > 0 {
                log::debug!("task {}: {mended} to be filled", task.name);
            } else if found > 0 {
                log::info!("task {}: found {found}, mended {mended}", task.name);
            }
            // What a stop has left undone is for the next host, at once.
            TaskEnd { over: !stopped, duration_ms, found, mended, error: None }
        }
        Err(error) => {
            let over = calendar::is_last(attempts);
            let rest = if over { "given up until its next period" } else { "tried again" };
            log::warn!("task {} failed and is {rest}: {error}", task.name);
            let error = Some(error.to_string());
            TaskEnd { over, duration_ms, found: 0, mended: 0, error }
        }
    }
}
