//! A bounded set of threads on which requests are handled that may wait for the database, so that
//! a silent database costs a client a deadline and no more (design section 4).
//!
//! Threads: `<name>-<n>`; they wait for work and end when the desk's [`Handle`] goes. The asker
//! waits until its deadline, then it leaves: work that has not begun is never begun, and what is
//! under way is abandoned to its thread, which comes back when its call of the store ends by
//! itself. While every thread is abandoned, nobody waits at all.
//!
//! ```text
//!   waiting ── a thread takes it ──> running ── done ──> answered
//!      └── deadline ──> left            └── deadline ──> late ── done ──> dropped
//! ```

use crate::base::clock::{Clock, Mono};
use crate::http::Response;
use crate::thread::{self, Stop, StopSource, Thread, ThreadError, guard, stop_pair};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The deadline has passed, or all threads are abandoned.
    Late,
    /// Too many wait already.
    Busy,
    /// The work panicked; it is logged.
    Panicked,
}

/// Bounds of a desk.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub threads: usize,
    pub waiting_max: usize,
    /// From asking to the end of the asker's patience.
    pub deadline: Duration,
}

/// Gives work to the threads; clones share them.
#[derive(Clone)]
pub struct Desk {
    jobs: Sender<Job>,
    /// Threads whose askers have left.
    late: Arc<AtomicUsize>,
    size: Size,
}

/// The running threads. Dropping it stops them.
pub struct Handle {
    // Dropped first, so that the threads end when they are joined.
    stop: StopSource,
    threads: Vec<Thread>,
}

type Work = Box<dyn FnOnce() -> Response + Send>;

struct Job {
    work: Work,
    state: Arc<State>,
    answer: Sender<Result<Response, NoAnswer>>,
}

/// Where a job is; both sides move it on.
#[derive(Default)]
struct State(AtomicU8);

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const DONE: u8 = 2;
const LEFT: u8 = 3;

impl State {
    fn step(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Desk {
    pub fn start(name: &str, size: Size) -> Result<(Desk, Handle), ThreadError> {
        let (jobs, inbox) = bounded(size.waiting_max);
        let (source, stop) = stop_pair();
        let late = Arc::<AtomicUsize>::default();
        let mut handle = Handle { stop: source, threads: Vec::new() };
        for n in 0..size.threads {
            let (inbox, stop, late) = (inbox.clone(), stop.clone(), Arc::clone(&late));
            let started = thread::spawn(format!("{name}-{n}"), move || run(&inbox, &stop, &late));
            handle.threads.push(started?);
        }
        Ok((Desk { jobs, late, size }, handle))
    }

    /// Has `work` done and waits for it, within the deadline.
    pub fn ask(
        &self,
        work: impl FnOnce() -> Response + Send + 'static,
    ) -> Result<Response, NoAnswer> {
        if self.late.load(Ordering::Acquire) >= self.size.threads {
            return Err(NoAnswer::Late);
        }
        let state = Arc::<State>::default();
        let (answer, answered) = bounded(1);
        let job = Job { work: Box::new(work), state: Arc::clone(&state), answer };
        self.jobs.try_send(job).map_err(|_| NoAnswer::Busy)?;
        match answered.recv_timeout(self.size.deadline) {
            Ok(done) => done,
            // The desk has stopped.
            Err(RecvTimeoutError::Disconnected) => Err(NoAnswer::Busy),
            Err(RecvTimeoutError::Timeout) => self.leave(&state, &answered),
        }
    }

    fn leave(
        &self,
        state: &State,
        answered: &Receiver<Result<Response, NoAnswer>>,
    ) -> Result<Response, NoAnswer> {
        if state.step(WAITING, LEFT) {
            return Err(NoAnswer::Late);
        }
        // Counted before the state says so: whoever sees it may take it off again.
        self.late.fetch_add(1, Ordering::AcqRel);
        if state.step(RUNNING, LEFT) {
            return Err(NoAnswer::Late);
        }
        self.late.fetch_sub(1, Ordering::AcqRel);
        // Done at the last moment.
        answered.try_recv().unwrap_or(Err(NoAnswer::Late))
    }
}

fn run(inbox: &Receiver<Job>, stop: &Stop, late: &AtomicUsize) {
    loop {
        select! {
            recv(stop.channel()) -> _ => return,
            recv(inbox) -> job => match job {
                Ok(job) => serve(job, late),
                Err(_) => return,
            },
        }
    }
}

fn serve(job: Job, late: &AtomicUsize) {
    if !job.state.step(WAITING, RUNNING) {
        return;
    }
    let done = guard(job.work).map_err(|reason| {
        log::error!("a handler panicked: {reason}");
        NoAnswer::Panicked
    });
    // The answer lies there before the state says that it does.
    let _ = job.answer.try_send(done);
    if !job.state.step(RUNNING, DONE) {
        late.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Handle {
    /// Ends the threads; those that hang in the database are left behind at the deadline.
    pub fn stop(self, clock: &Clock, deadline: Mono) -> Vec<ThreadError> {
        drop(self.stop);
        self.threads.into_iter().filter_map(|thread| thread.join(clock, deadline).err()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    const PATIENCE: Duration = Duration::from_secs(20);
    const ONE: Size = Size { threads: 1, waiting_max: 1, deadline: Duration::from_millis(500) };

    fn ok() -> Response {
        Response::empty(200)
    }

    /// Work that says that it has begun, and hangs until `open` is dropped.
    struct Hanging {
        begun: Receiver<()>,
        open: Sender<()>,
    }

    fn hanging() -> (Hanging, impl FnOnce() -> Response + Send + 'static) {
        let (began, begun) = bounded(1);
        let (open, gate) = bounded::<()>(0);
        let work = move || {
            let _ = began.send(());
            let _ = gate.recv_timeout(PATIENCE);
            ok()
        };
        (Hanging { begun, open }, work)
    }

    fn asker(desk: &Desk, work: impl FnOnce() -> Response + Send + 'static) -> Thread {
        let desk = desk.clone();
        let ask = move || assert_eq!(desk.ask(work).err(), Some(NoAnswer::Late));
        thread::spawn("asker", ask).expect("a thread")
    }

    fn wait_until(what: &str, condition: impl Fn() -> bool) {
        let clock = Clock::system();
        while !condition() {
            assert!(clock.mono() < Mono::ZERO + PATIENCE, "{what}");
            clock.pause(Duration::from_millis(1));
        }
    }

    #[test]
    fn work_is_done_and_a_panic_is_told() {
        let (desk, handle) = Desk::start("t", ONE).expect("a desk");
        assert_eq!(desk.ask(ok).expect("an answer").status, 200);
        assert_eq!(desk.ask(|| panic!("on purpose")).err(), Some(NoAnswer::Panicked));
        assert_eq!(desk.ask(ok).expect("an answer").status, 200, "the thread lives on");
        let clock = Clock::system();
        assert!(handle.stop(&clock, clock.mono() + PATIENCE).is_empty());
    }

    #[test]
    fn late_work_is_abandoned_and_its_thread_comes_back() {
        let clock = Clock::system();
        let (desk, _handle) = Desk::start("t", ONE).expect("a desk");
        let (hanging, work) = hanging();
        assert_eq!(desk.ask(work).err(), Some(NoAnswer::Late));
        let asked = clock.mono();
        assert_eq!(desk.ask(ok).err(), Some(NoAnswer::Late), "its only thread hangs");
        assert!(clock.mono().since(asked) < ONE.deadline, "told at once");
        drop(hanging.open);
        wait_until("the thread comes back", || desk.late.load(Ordering::Acquire) == 0);
        assert_eq!(desk.ask(ok).expect("an answer").status, 200);
    }

    #[test]
    fn work_whose_asker_has_left_is_never_begun() {
        let (desk, _handle) = Desk::start("t", ONE).expect("a desk");
        let (hanging, work) = hanging();
        let _first = asker(&desk, work);
        hanging.begun.recv_timeout(PATIENCE).expect("the first has begun");
        let done = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&done);
        let second = move || {
            flag.store(true, Ordering::Release);
            ok()
        };
        assert_eq!(desk.ask(second).err(), Some(NoAnswer::Late));
        drop(hanging.open);
        wait_until("the thread comes back", || desk.late.load(Ordering::Acquire) == 0);
        assert_eq!(desk.ask(ok).expect("an answer").status, 200);
        assert!(!done.load(Ordering::Acquire));
    }

    #[test]
    fn who_finds_no_place_to_wait_is_told_at_once() {
        let (desk, _handle) = Desk::start("t", ONE).expect("a desk");
        let (hanging, work) = hanging();
        let first = asker(&desk, work);
        hanging.begun.recv_timeout(PATIENCE).expect("the first has begun");
        let second = asker(&desk, ok);
        wait_until("the second waits", || desk.jobs.is_full());
        assert_eq!(desk.ask(ok).err(), Some(NoAnswer::Busy));
        drop((first, second));
        drop(hanging.open);
    }
}
