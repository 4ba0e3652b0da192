//! Tasks: repairs that run by the calendar, on whichever host is first (design section 9).
//!
//! ```text
//!            reserve (fence + 1)        end under the fence
//!   due ─────────────────────► running ────────────────────► done, until its period is over
//!    ▲                            │
//!    └── failed, late, or its ────┴──── for the third time ──► reported, until its period is over
//!        host went away
//! ```
//!
//! Thread: `tasks`. It looks when the next task may be due, after a random delay, or at once when
//! somebody wants one or a host was declared dead; it tries to reserve what is due, and runs it. It
//! ends when the [`Handle`] stops; a repair looks between its batches whether it may go on, and
//! another host runs again what was left.
//!
//! Keeps: I1 (every host tries), I4 (due by the server's clock alone), I5 (only the holder of the
//! newest fence ends a run), I9 (batches). Must never: rest on a task being run once; repairs are
//! idempotent, and two hosts may be at one for a while.

mod addresses;
pub mod calendar;
mod clients;
mod dangling;
mod jobs;
mod organizations;
mod pools;
mod replicas;
mod round;
mod runner;
mod silent_hosts;
mod users;

use crate::base::clock::{Clock, Mono};
use crate::bus::Message;
use crate::domain::event::Event;
use crate::ground::Ground;
use crate::store::{Store, StoreError};
use crate::thread::{self, StopSource, Thread, ThreadError, stop_pair};
pub use round::Round;
pub use runner::Runner;
use std::time::Duration;

/// A repair.
pub struct Task {
    /// Of its document, in the log and the console.
    pub name: &'static str,
    pub period: Duration,
    /// Without a sign of life for this long it is run again, by any host.
    pub timeout: Duration,
    /// Something to do is its daily work, not a damage.
    pub fills: bool,
    pub run: fn(&Round<'_>) -> Result<Report, StoreError>,
}

const MINUTE: Duration = Duration::from_secs(60);

/// The calendar. Some mend what others leave behind, and come after those.
pub const TASKS: &[Task] = &[
    Task {
        name: "pools",
        period: Duration::from_secs(30),
        timeout: MINUTE,
        fills: true,
        run: pools::run,
    },
    Task {
        name: "jobs",
        period: Duration::from_secs(30),
        timeout: MINUTE,
        fills: false,
        run: jobs::run,
    },
    Task {
        name: "silent_hosts",
        period: Duration::from_secs(30),
        timeout: MINUTE,
        fills: false,
        run: silent_hosts::run,
    },
    Task {
        name: "organizations",
        period: Duration::from_secs(30),
        timeout: MINUTE,
        fills: false,
        run: organizations::run,
    },
    Task { name: "replicas", period: MINUTE, timeout: MINUTE, fills: false, run: replicas::run },
    Task {
        name: "clients",
        period: MINUTE,
        timeout: Duration::from_secs(300),
        fills: false,
        run: clients::run,
    },
    Task {
        name: "dangling",
        period: Duration::from_secs(300),
        timeout: Duration::from_secs(300),
        fills: false,
        run: dangling::run,
    },
    Task {
        name: "users",
        period: Duration::from_secs(300),
        timeout: Duration::from_secs(300),
        fills: false,
        run: users::run,
    },
    Task {
        name: "addresses",
        period: Duration::from_secs(900),
        timeout: Duration::from_secs(900),
        fills: false,
        run: addresses::run,
    },
];

/// What a repair found and mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub found: i64,
    pub mended: i64,
}

impl Report {
    pub fn add(&mut self, found: usize, mended: u64) {
        self.found += i64::try_from(found).unwrap_or(i64::MAX);
        self.mended += i64::try_from(mended).unwrap_or(i64::MAX);
    }
}

/// Has a task run now, by whichever host is first; `publish` tells the hosts. `false`: there is
/// none of that name.
pub fn want(store: &Store, name: &str, publish: impl Fn(Message)) -> Result<bool, StoreError> {
    if !TASKS.iter().any(|task| task.name == name) {
        return Ok(false);
    }
    store.task_want(name)?;
    publish(Message::TaskWanted);
    publish(Message::about(Event::Tasks));
    Ok(true)
}

/// The running thread. Dropping it stops it.
pub struct Handle {
    // Dropped first, so that the thread ends when it is joined.
    stop: StopSource,
    thread: Thread,
}

pub fn spawn(ground: Ground) -> Result<Handle, ThreadError> {
    start(Runner::new(ground))
}

/// With another calendar.
pub fn spawn_with(ground: Ground, tasks: &'static [Task]) -> Result<Handle, ThreadError> {
    start(Runner::with(ground, tasks))
}

fn start(runner: Runner) -> Result<Handle, ThreadError> {
    let (source, stop) = stop_pair();
    let thread = thread::spawn("tasks", move || runner.run(&stop))?;
    Ok(Handle { stop: source, thread })
}

impl Handle {
    pub fn stop(self, clock: &Clock, deadline: Mono) -> Vec<ThreadError> {
        drop(self.stop);
        self.thread.join(clock, deadline).err().into_iter().collect()
    }
}
