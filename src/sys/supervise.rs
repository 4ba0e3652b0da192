//! The one mechanism for long-lived children: start, watch, back off, stop with a deadline.
//!
//! One thread per child, waiting on the child's pidfd and a waker; it lives until the stop, so
//! children may die with it. A child that keeps dying is restarted ever more slowly.
//!
//! ```text
//!            spawn ok               exit
//!   Starting ────────► Running ──────────► Waiting (back-off) ──► Starting
//!      │ spawn failed                            ▲
//!      └─────────────────────────────────────────┘          stop from any state: ends
//! ```

use crate::base::clock::{Clock, Mono};
use crate::limits::{CHILD_BACKOFF_MAX, CHILD_BACKOFF_MIN};
use crate::sys::fd::{self, Waker};
use crate::sys::process::{self, Exit, Process, ProcessError, Spec};
use crate::thread::{self, Thread, ThreadError};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

/// Growing pauses between the starts of something that keeps dying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { next: CHILD_BACKOFF_MIN }
    }
}

impl Backoff {
    /// How long to wait before the next start, after it lived for `lived`.
    pub fn pause(&mut self, lived: Duration) -> Duration {
        if lived >= CHILD_BACKOFF_MAX {
            *self = Backoff::default();
        }
        let pause = self.next;
        self.next = (pause * 2).min(CHILD_BACKOFF_MAX);
        pause
    }
}

/// What to supervise.
pub struct Plan {
    /// Name of the thread and of the child in the log.
    pub name: String,
    /// Where it says why it ended, if not in ours.
    pub log: Option<PathBuf>,
    /// Asked before each start.
    pub spec: Box<dyn FnMut() -> Spec + Send>,
    /// Called with each process that runs, adopted ones included: to record it.
    pub started: Box<dyn FnMut(&Process) + Send>,
    /// One that an earlier life of the daemon left running.
    pub adopted: Option<Process>,
    /// From TERM to KILL at a stop.
    pub stop_max: Duration,
}

/// What happened to the child, for whoever waits for it to be ready.
#[derive(Debug)]
pub enum Event {
    Started { pid: u32 },
    Ended { exit: Exit },
    Failed(ProcessError),
}

/// Events kept for a reader that lags; further ones are dropped: they are hints.
const EVENTS_MAX: usize = 16;

/// A supervised child. Dropping it stops the child too.
#[derive(Debug)]
pub struct Supervisor {
    waker: Waker,
    stopping: Option<Sender<()>>,
    events: Receiver<Event>,
    thread: Option<Thread>,
}

pub fn start(plan: Plan) -> Result<Supervisor, ThreadError> {
    let failed = |source| ThreadError::Spawn { name: plan.name.clone(), source };
    let waker = Waker::new().map_err(failed)?;
    let (stopping, stop) = bounded(0);
    let (events_tx, events) = bounded(EVENTS_MAX);
    let keeper = Keeper {
        plan_name: plan.name.clone(),
        log: plan.log.clone(),
        clock: Clock::system(),
        waker: waker.clone(),
        stop,
        events: events_tx,
        backoff: Backoff::default(),
    };
    let thread = thread::spawn(plan.name.clone(), move || keeper.run(plan))?;
    Ok(Supervisor { waker, stopping: Some(stopping), events, thread: Some(thread) })
}

impl Supervisor {
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// Ends the child (TERM, then KILL after the plan's time) and the thread.
    pub fn stop(mut self, clock: &Clock, deadline: Mono) -> Result<(), ThreadError> {
        self.begin_stop();
        match self.thread.take() {
            Some(thread) => thread.join(clock, deadline),
            None => Ok(()),
        }
    }

    fn begin_stop(&mut self) {
        self.stopping = None;
        self.waker.wake();
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // The thread's own drop then waits for it.
        self.begin_stop();
    }
}

struct Keeper {
    plan_name: String,
    log: Option<PathBuf>,
    clock: Clock,
    waker: Waker,
    stop: Receiver<()>,
    events: Sender<Event>,
    backoff: Backoff,
}

impl Keeper {
    fn run(mut self, mut plan: Plan) {
        let mut next = plan.adopted.take().map(Ok);
        // An adopted child is watched, and thus stopped, even if the stop was quicker than this.
        while next.is_some() || !self.stopping() {
            let started = self.clock.mono();
            match next.take().unwrap_or_else(|| process::spawn((plan.spec)())) {
                Ok(process) => {
                    (plan.started)(&process);
                    self.tell(Event::Started { pid: process.pid() });
                    if !self.watch(process, plan.stop_max) {
                        return;
                    }
                }
                Err(e) => {
                    log::error!("{}: {}", self.plan_name, chain(&e));
                    self.tell(Event::Failed(e));
                }
            }
            let lived = self.clock.mono().since(started);
            let pause = self.backoff.pause(lived);
            self.sleep(pause);
        }
    }

    /// True when the child ended by itself, false when it was stopped.
    fn watch(&self, mut process: Process, stop_max: Duration) -> bool {
        loop {
            if self.stopping() {
                let deadline = self.clock.mono() + stop_max;
                if let Err(e) = process.stop(&self.clock, deadline) {
                    log::error!("{}: {}", self.plan_name, chain(&e));
                }
                return false;
            }
            if let Some(exit) = process.wait(Duration::ZERO) {
                self.lament(&process, exit);
                self.tell(Event::Ended { exit });
                return true;
            }
            fd::poll([process.as_fd(), self.waker.as_fd()], POLL_MAX);
        }
    }

    fn lament(&self, process: &Process, exit: Exit) {
        let text = format!("{} (pid {}) ended: {exit}", self.plan_name, process.pid());
        match &self.log {
            Some(log) => log::warn!("{text}; it may have written why into {}", log.display()),
            None => log::warn!("{text}"),
        }
    }

    fn sleep(&self, pause: Duration) {
        let until = self.clock.mono() + pause;
        while !self.stopping() && self.clock.mono() < until {
            fd::readable(self.waker.as_fd(), until.since(self.clock.mono()));
        }
    }

    fn stopping(&self) -> bool {
        matches!(self.stop.try_recv(), Err(crossbeam_channel::TryRecvError::Disconnected))
    }

    fn tell(&self, event: Event) {
        if let Err(TrySendError::Full(event)) = self.events.try_send(event) {
            log::debug!("{}: nobody reads {event:?}", self.plan_name);
        }
    }
}

/// A poll that only its descriptors end; the bound is there so that no wait is endless.
const POLL_MAX: Duration = Duration::from_secs(3600);

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
