//! The only place that spawns threads.
//!
//! Every thread has a name, which is in each of its log lines. A thread whose loop panics takes the
//! process with it ([`EXIT_PANIC`]): half a daemon is worse than a restart, and tunnels outlive it
//! (I7). Work whose panic is an answer (a request) uses [`guard`].
//!
//! A stop is structural: dropping a [`StopSource`] ends every wait on its [`Stop`]s; loops return,
//! [`Thread::join`] collects them. ARCHITECTURE.md lists every thread with its stop path.

use crate::base::clock::{Clock, Mono};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, never};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Exit code of a process that ended because one of its loops panicked (documented in README).
pub const EXIT_PANIC: i32 = 70;

/// A running thread. Dropping it detaches nothing: it joins, so give loops their stop first.
#[derive(Debug)]
pub struct Thread {
    name: String,
    done: Receiver<()>,
    join: Option<std::thread::JoinHandle<()>>,
}

/// What went wrong with a thread.
#[derive(Debug)]
pub enum ThreadError {
    Spawn {
        name: String,
        source: std::io::Error,
    },
    /// It did not end in time; it is left behind.
    Stuck {
        name: String,
    },
}

impl std::fmt::Display for ThreadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ThreadError::Spawn { name, .. } => write!(f, "could not start thread {name}"),
            ThreadError::Stuck { name } => write!(f, "thread {name} did not stop in time"),
        }
    }
}

impl std::error::Error for ThreadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ThreadError::Spawn { source, .. } => Some(source),
            ThreadError::Stuck { .. } => None,
        }
    }
}

/// Starts `body` on a thread called `name`.
pub fn spawn(
    name: impl Into<String>,
    body: impl FnOnce() + Send + 'static,
) -> Result<Thread, ThreadError> {
    let name = name.into();
    let (done_tx, done) = bounded(0);
    let inner = name.clone();
    let run = move || {
        let _done: Sender<()> = done_tx;
        if let Err(reason) = guard(body) {
            log::error!("thread {inner} panicked: {reason}");
            std::process::exit(EXIT_PANIC);
        }
    };
    let spawned = std::thread::Builder::new().name(name.clone()).spawn(run);
    match spawned {
        Ok(join) => Ok(Thread { name, done, join: Some(join) }),
        Err(source) => Err(ThreadError::Spawn { name, source }),
    }
}

/// Runs `body`; a panic becomes its message.
pub fn guard<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| panic_text(payload.as_ref()))
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "?".to_owned())
}

impl Thread {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn is_finished(&self) -> bool {
        self.join.as_ref().is_none_or(std::thread::JoinHandle::is_finished)
    }

    /// Waits for the end until `deadline`.
    pub fn join(mut self, clock: &Clock, deadline: Mono) -> Result<(), ThreadError> {
        let left = deadline.since(clock.mono());
        if let Err(RecvTimeoutError::Timeout) = self.done.recv_timeout(left) {
            self.join = None;
            return Err(ThreadError::Stuck { name: std::mem::take(&mut self.name) });
        }
        self.wait();
        Ok(())
    }

    fn wait(&mut self) {
        if let Some(join) = self.join.take() {
            // A panic already ended the process.
            let _ = join.join();
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.wait();
    }
}

/// Dropping it stops whoever holds one of its [`Stop`]s.
#[derive(Debug)]
pub struct StopSource {
    _alive: Sender<()>,
}

/// Cloneable "please end" signal; every sleep of a loop is a wait on it.
#[derive(Clone, Debug)]
pub struct Stop {
    channel: Receiver<()>,
    /// Waits pass on this one instead of the system's.
    clock: Option<Clock>,
}

pub fn stop_pair() -> (StopSource, Stop) {
    let (tx, rx) = bounded(0);
    (StopSource { _alive: tx }, Stop { channel: rx, clock: None })
}

impl Stop {
    /// A stop that never comes (tests, one-shot commands).
    pub fn never() -> Stop {
        Stop { channel: never(), clock: None }
    }

    /// One that never comes and whose waits pass on `clock`: for simulations.
    pub fn on(clock: Clock) -> Stop {
        Stop { channel: never(), clock: Some(clock) }
    }

    pub fn is_set(&self) -> bool {
        matches!(self.channel.try_recv(), Err(crossbeam_channel::TryRecvError::Disconnected))
    }

    /// Sleeps for `d`; true as soon as the stop is set.
    pub fn wait(&self, d: Duration) -> bool {
        if let Some(clock) = &self.clock {
            clock.pause(d);
            return self.is_set();
        }
        matches!(self.channel.recv_timeout(d), Err(RecvTimeoutError::Disconnected))
    }

    /// For `select!`: becomes ready (disconnected) when the stop is set.
    pub fn channel(&self) -> &Receiver<()> {
        &self.channel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_the_source_ends_every_wait() {
        let clock = Clock::system();
        let (source, stop) = stop_pair();
        let waiter = stop.clone();
        let thread = spawn("waiter", move || {
            assert!(waiter.wait(Duration::from_secs(60)));
        });
        let thread = thread.expect("a thread");
        assert!(!stop.is_set());
        drop(source);
        assert!(stop.is_set());
        thread.join(&clock, clock.mono() + Duration::from_secs(5)).expect("ends at once");
    }

    #[test]
    fn a_stuck_thread_is_named() {
        let clock = Clock::system();
        let (source, stop) = stop_pair();
        let body = move || {
            stop.wait(Duration::from_secs(60));
        };
        let thread = spawn("stuck", body).expect("a thread");
        let error = thread.join(&clock, clock.mono()).expect_err("not in time");
        assert_eq!(error.to_string(), "thread stuck did not stop in time");
        drop(source);
    }

    #[test]
    fn guard_turns_a_panic_into_its_message() {
        assert_eq!(guard(|| 1), Ok(1));
        assert_eq!(guard(|| -> u8 { panic!("no {}", 2) }), Err("no 2".to_owned()));
    }
}
