//! The queue: expensive work, shared evenly between the hosts, each effect once (design section 7).
//!
//! ```text
//!            claim (fence + 1)           commit under the fence
//!   ready ─────────────────────► running ──────────────────────► done
//!     ▲                             │
//!     ├── failed, tried again ──────┤
//!     ├── holder dead or silent ────┤       too many attempts
//!     ├── given back at a stop ─────┴──────────────────────────► failed
//!     └────────────────── tried again by an administrator ─────────┘
//! ```
//! A cancelled job has failed, whatever it was at: its fence moves, and its child is killed.
//!
//! Threads: `queue` (hears of jobs, looks for due ones and lost holders, rings the workers),
//! `queue-heavy-<n>` (one job each, in a niced child that is killed with its thread),
//! `queue-urgent`, the same for jobs that somebody waits for, and `queue-light`, for what needs no
//! child. All end when the [`Handle`] stops.
//! Claims under way are given back then.
//!
//! Keeps: I3 (a lost hint delays a job by [`limits::RECONCILE_PERIOD`] at most), I4 (ages are the
//! server's), I5 (claim and commit carry the fence), I6 (a result is applied in the transaction
//! that ends its job), I10 (a child answers through a pipe). Must never: decide outside [`policy`].

mod bell;
mod bulk;
mod change;
pub mod child;
pub mod effect;
mod light;
mod lost;
pub mod policy;
pub mod step;
mod worker;

pub use change::{CANCELLED, cancel, retry};
pub use light::{LightHandle, spawn_light};
pub use lost::{Freed, free_lost};

use crate::base::clock::{Clock, Mono};
use crate::ground::Ground;
use crate::limits;
use crate::sys::fd::Waker;
use crate::thread::{self, StopSource, Thread, ThreadError, stop_pair};
use bell::Bell;
use policy::Load;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use worker::Worker;

/// How a host works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Our own program, for children.
    pub program: PathBuf,
    /// Workers beside the urgent one.
    pub heavy: usize,
    /// Longest time between two looks for jobs.
    pub period: Duration,
}

impl Default for Options {
    fn default() -> Options {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Options {
            program: "/proc/self/exe".into(),
            heavy: (cores / 2).clamp(1, limits::HEAVY_WORKERS_MAX),
            period: limits::RECONCILE_PERIOD,
        }
    }
}

/// The running threads. Dropping it stops them.
pub struct Handle {
    // Dropped first, so that the threads end when they are joined.
    stopping: Stopping,
    threads: Vec<Thread>,
}

struct Stopping {
    source: Option<StopSource>,
    waker: Waker,
}

impl Drop for Stopping {
    fn drop(&mut self) {
        self.source = None;
        self.waker.wake();
    }
}

pub fn spawn(ground: Ground) -> Result<Handle, ThreadError> {
    spawn_with(ground, Options::default())
}

pub fn spawn_with(ground: Ground, options: Options) -> Result<Handle, ThreadError> {
    let failed = |source| ThreadError::Spawn { name: "queue".to_owned(), source };
    let waker = Waker::new().map_err(failed)?;
    let (source, stop) = stop_pair();
    let mut handle = Handle {
        stopping: Stopping { source: Some(source), waker: waker.clone() },
        threads: vec![],
    };
    // Held for a few instructions at a time, by workers only, and nothing else meanwhile.
    let load = Arc::new(Mutex::new(Load::default()));
    let names = (1..=options.heavy).map(|n| format!("queue-heavy-{n}"));
    let mut bell = Bell::new(ground.clone(), options.period);
    for name in names.chain(["queue-urgent".to_owned()]) {
        let nudge = Waker::new().map_err(failed)?;
        let worker = Worker {
            ground: ground.clone(),
            program: options.program.clone(),
            urgent_only: name == "queue-urgent",
            ring: bell.rope(nudge.clone()),
            nudge,
            stop: stop.clone(),
            waker: waker.clone(),
            load: Arc::clone(&load),
        };
        handle.threads.push(thread::spawn(name, move || worker.run())?);
    }
    handle.threads.push(thread::spawn("queue", move || bell.run(&stop))?);
    Ok(handle)
}

impl Handle {
    /// Ends the threads; running children are killed and their jobs given back.
    pub fn stop(self, clock: &Clock, deadline: Mono) -> Vec<ThreadError> {
        drop(self.stopping);
        self.threads.into_iter().filter_map(|thread| thread.join(clock, deadline).err()).collect()
    }
}
