//! A bounded set of threads on which requests are handled that may wait for the database, so that
//! a silent database costs a client a deadline and no more (design section 4).
//!
//! Threads: `<name>-<n>`; they wait for work and end when the desk's [`Handle`] goes. The asker
//! waits until its deadline, then it leaves: work that has not begun is never begun, and what is
//! under way is abandoned to its thread, which comes back when its call of the store ends by
//! itself. While every thread has been at the same work for long, nobody waits at all.
//!
//! ```text
//!   waiting ── a thread takes it ──> taken ── done ──> answered
//!      └── deadline ──> left           └── deadline ──> done for nobody
//! ```

use crate::base::clock::{Clock, Mono};
use crate::http::Response;
use crate::thread::{self, Stop, StopSource, Thread, ThreadError, guard, stop_pair};
use crossbeam_channel::{Receiver, Sender, bounded, select};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The deadline has passed, or would: all threads hang, or too many wait for the same.
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
    /// A thread that is at the same work for longer hangs.
    pub hangs_after: Duration,
}

/// Gives work to the threads; clones share them.
#[derive(Clone)]
pub struct Desk {
    jobs: Sender<Job>,
    shared: Arc<Shared>,
    clock: Clock,
    size: Size,
}

/// What askers know of the threads.
struct Shared {
    /// Askers that wait now.
    asking: AtomicUsize,
    /// For each thread the millisecond of [`Mono`] at which it began its work; [`IDLE`] without.
    began_ms: Vec<AtomicU64>,
}

const IDLE: u64 = u64::MAX;

/// The running threads. Dropping it stops them.
pub struct Handle {
    // Dropped first, so that the threads end when they are joined.
    stop: StopSource,
    threads: Vec<Thread>,
}

type Work = Box<dyn FnOnce() -> Response + Send>;

struct Job {
    work: Work,
    claim: Claim,
    answer: Sender<Result<Response, NoAnswer>>,
}

/// Of the thread or of its asker, whoever is first: it takes the job, or it leaves.
#[derive(Clone, Default)]
struct Claim(Arc<AtomicBool>);

impl Claim {
    fn make(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

impl Desk {
    pub fn start(name: &str, size: Size, clock: Clock) -> Result<(Desk, Handle), ThreadError> {
        let (jobs, inbox) = bounded(size.waiting_max);
        let (source, stop) = stop_pair();
        let began_ms = (0..size.threads).map(|_| AtomicU64::new(IDLE)).collect();
        let shared = Arc::new(Shared { asking: AtomicUsize::new(0), began_ms });
        let mut handle = Handle { stop: source, threads: Vec::new() };
        for n in 0..size.threads {
            let (inbox, stop, clock) = (inbox.clone(), stop.clone(), clock.clone());
            let shared = Arc::clone(&shared);
            let body = move || run(&inbox, &stop, &shared.began_ms[n], &clock);
            handle.threads.push(thread::spawn(format!("{name}-{n}"), body)?);
        }
        Ok((Desk { jobs, shared, clock, size }, handle))
    }

    /// Has `work` done and waits for it, within the deadline; not at all if `company_max` others
    /// wait already.
    pub fn ask(
        &self,
        company_max: usize,
        work: impl FnOnce() -> Response + Send + 'static,
    ) -> Result<Response, NoAnswer> {
        let asking = Asking::new(&self.shared.asking);
        if asking.others >= company_max || self.hangs() {
            return Err(NoAnswer::Late);
        }
        let claim = Claim::default();
        let (answer, answered) = bounded(1);
        let job = Job { work: Box::new(work), claim: claim.clone(), answer };
        self.jobs.try_send(job).map_err(|_| NoAnswer::Busy)?;
        answered.recv_timeout(self.size.deadline).unwrap_or_else(|_| {
            claim.make();
            Err(NoAnswer::Late)
        })
    }

    /// Whether all threads do.
    fn hangs(&self) -> bool {
        let now_ms = self.clock.mono().as_millis();
        let hangs = |began: &AtomicU64| match began.load(Ordering::Acquire) {
            IDLE => false,
            ms => Duration::from_millis(now_ms.saturating_sub(ms)) >= self.size.hangs_after,
        };
        self.shared.began_ms.iter().all(hangs)
    }
}

/// Counts an asker as long as it lives.
struct Asking<'a> {
    count: &'a AtomicUsize,
    others: usize,
}

impl<'a> Asking<'a> {
    fn new(count: &'a AtomicUsize) -> Asking<'a> {
        Asking { count, others: count.fetch_add(1, Ordering::AcqRel) }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

fn run(inbox: &Receiver<Job>, stop: &Stop, began_ms: &AtomicU64, clock: &Clock) {
    loop {
        select! {
            recv(stop.channel()) -> _ => return,
            recv(inbox) -> job => {
                let Ok(job) = job else { return };
                began_ms.store(clock.mono().as_millis(), Ordering::Release);
                serve(job);
                began_ms.store(IDLE, Ordering::Release);
            }
        }
    }
}

fn serve(job: Job) {
    if !job.claim.make() {
        return;
    }
    let done = guard(job.work).map_err(|reason| {
        log::error!("a handler panicked: {reason}");
        NoAnswer::Panicked
    });
    // Nobody may be there to hear it.
    let _ = job.answer.try_send(done);
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

    const MANY: usize = 100;
    const PATIENCE: Duration = Duration::from_secs(20);
    const ONE: Size = Size {
        threads: 1,
        waiting_max: 1,
        deadline: Duration::from_millis(500),
        hangs_after: Duration::from_millis(400),
    };

    fn start(size: Size) -> (Desk, Handle) {
        Desk::start("t", size, Clock::system()).expect("a desk")
    }

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
        let ask = move || assert_eq!(desk.ask(MANY, work).err(), Some(NoAnswer::Late));
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
        let (desk, handle) = start(ONE);
        assert_eq!(desk.ask(MANY, ok).expect("an answer").status, 200);
        assert_eq!(desk.ask(MANY, || panic!("on purpose")).err(), Some(NoAnswer::Panicked));
        assert_eq!(desk.ask(MANY, ok).expect("an answer").status, 200, "the thread lives on");
        let clock = Clock::system();
        assert!(handle.stop(&clock, clock.mono() + PATIENCE).is_empty());
    }

    #[test]
    fn late_work_is_abandoned_and_its_thread_comes_back() {
        let clock = Clock::system();
        let (desk, _handle) = start(ONE);
        let (hanging, work) = hanging();
        assert_eq!(desk.ask(MANY, work).err(), Some(NoAnswer::Late));
        let asked = clock.mono();
        assert_eq!(desk.ask(MANY, ok).err(), Some(NoAnswer::Late), "its only thread hangs");
        assert!(clock.mono().since(asked) < ONE.deadline, "told at once");
        drop(hanging.open);
        wait_until("the thread comes back", || !desk.hangs());
        assert_eq!(desk.ask(MANY, ok).expect("an answer").status, 200);
    }

    #[test]
    fn where_company_is_unwanted_only_few_wait() {
        let (desk, _handle) = start(Size { threads: 3, ..ONE });
        let (hanging, work) = hanging();
        let first = asker(&desk, work);
        hanging.begun.recv_timeout(PATIENCE).expect("the first has begun");
        assert_eq!(desk.ask(1, ok).err(), Some(NoAnswer::Late));
        assert_eq!(desk.ask(2, ok).expect("an answer").status, 200);
        drop(first);
        assert_eq!(desk.ask(1, ok).expect("an answer").status, 200, "it waits no more");
        drop(hanging.open);
    }

    #[test]
    fn work_whose_asker_has_left_is_never_begun() {
        let (desk, _handle) = start(ONE);
        let (hanging, work) = hanging();
        let first = asker(&desk, work);
        hanging.begun.recv_timeout(PATIENCE).expect("the first has begun");
        let done = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&done);
        let second = move || {
            flag.store(true, Ordering::Release);
            ok()
        };
        assert_eq!(desk.ask(MANY, second).err(), Some(NoAnswer::Late));
        // It is late too: seen before the work may end after all.
        drop(first);
        drop(hanging.open);
        wait_until("the thread comes back", || !desk.hangs());
        assert_eq!(desk.ask(MANY, ok).expect("an answer").status, 200);
        assert!(!done.load(Ordering::Acquire));
    }

    #[test]
    fn who_finds_no_place_to_wait_is_told_at_once() {
        let (desk, _handle) = start(ONE);
        let (hanging, work) = hanging();
        let first = asker(&desk, work);
        hanging.begun.recv_timeout(PATIENCE).expect("the first has begun");
        let second = asker(&desk, ok);
        wait_until("the second waits", || desk.jobs.is_full());
        assert_eq!(desk.ask(MANY, ok).err(), Some(NoAnswer::Busy));
        drop((first, second));
        drop(hanging.open);
    }
}
