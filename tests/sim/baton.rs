//! Activities of many hosts, one step at a time: each is a thread that runs only while it holds the
//! baton, so that a seed decides every interleaving. Time passes when nobody has anything to do.
//!
//! A step ends where an activity waits: for the database, or on its clock. A crash is a wait that
//! never returns: the activity unwinds from there.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use warren::base::random::Random;

/// Nobody: the run is over.
pub const NOBODY: usize = usize::MAX;

/// What an activity unwinds with when its host crashes.
struct Crash;

/// What an activity sleeps through unless it hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    Jobs,
    Pool,
    Key(String),
}

#[derive(Debug)]
pub struct Activity {
    pub host: usize,
    pub name: &'static str,
    ready_ms: u64,
    crashed: bool,
    topic: Option<Topic>,
    /// Messages that come late, or once more.
    wakes: Vec<u64>,
}

/// Who may run, and when.
pub struct Schedule {
    pub now_ms: u64,
    pub random: Random,
    pub steps: u64,
    pub activities: Vec<Activity>,
    pub current: usize,
    live: BTreeSet<usize>,
    pub failure: Option<String>,
    /// Folded over all that happens: two runs of a seed must agree.
    pub print: u64,
    pub trace: Option<Vec<String>>,
    ended: bool,
}

impl Schedule {
    pub fn new(seed: u64, trace: bool) -> Schedule {
        Schedule {
            now_ms: 0,
            random: Random::seeded(seed),
            steps: 0,
            activities: Vec::new(),
            current: NOBODY,
            live: BTreeSet::new(),
            failure: None,
            print: 0,
            trace: trace.then(Vec::new),
            ended: false,
        }
    }

    pub fn below(&self, n: u64) -> u64 {
        self.random.below(n)
    }

    /// Once in `n` times.
    pub fn once_in(&self, n: u64) -> bool {
        self.random.below(n) == 0
    }

    pub fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let who = self.activities.get(self.current);
            let who = who.map_or("-".to_owned(), |who| format!("h{} {}", who.host, who.name));
            trace.push(format!("{:>8} {who:<12} {}", self.now_ms, what()));
        }
    }

    pub fn fold(&mut self, number: u64) {
        self.print = (self.print ^ number).wrapping_mul(0x0100_0000_01B3).rotate_left(17);
    }

    pub fn fail(&mut self, what: String) {
        self.note(|| format!("FAILURE {what}"));
        self.failure.get_or_insert(what);
    }

    pub fn crash(&mut self, host: usize) {
        for activity in self.activities.iter_mut().filter(|a| a.host == host && a.name != "host") {
            (activity.crashed, activity.ready_ms) = (true, self.now_ms);
        }
    }

    pub fn pause(&mut self, host: usize, until_ms: u64) {
        for activity in self.activities.iter_mut().filter(|a| a.host == host && a.name != "host") {
            activity.ready_ms = activity.ready_ms.max(until_ms);
        }
    }

    pub fn is_live(&self, host: usize) -> bool {
        self.live.iter().any(|id| {
            let activity = &self.activities[*id];
            activity.host == host && activity.name != "host"
        })
    }

    /// Tells whoever sleeps on `topic`, `in_ms` from now.
    pub fn wake(&mut self, topic: &Topic, in_ms: u64) {
        let at = self.now_ms + in_ms;
        let names = |name: &str| match topic {
            Topic::Jobs => name.starts_with("work") || name == "look",
            Topic::Pool => name == "refill",
            Topic::Key(_) => false,
        };
        for id in self.live.clone() {
            let activity = &mut self.activities[id];
            if activity.topic.as_ref() == Some(topic) {
                activity.ready_ms = activity.ready_ms.min(at);
            } else if names(activity.name) {
                activity.wakes.push(at);
            }
        }
    }

    pub fn is_running(&self, id: usize) -> bool {
        self.live.contains(&id)
    }

    fn pick(&mut self) -> usize {
        if self.failure.is_some() || self.ended {
            return NOBODY;
        }
        self.steps += 1;
        let Some(first) = self.live.iter().map(|id| self.activities[*id].ready_ms).min() else {
            return NOBODY;
        };
        self.now_ms = self.now_ms.max(first);
        let now = self.now_ms;
        let ready = self.live.iter().filter(|id| self.activities[**id].ready_ms <= now);
        let ready: Vec<usize> = ready.copied().collect();
        let chosen = ready[usize::try_from(self.below(ready.len() as u64)).expect("few")];
        self.now_ms += self.below(3);
        self.fold(chosen as u64);
        chosen
    }
}

/// The schedule and a world beside it, under one lock that is never held in a wait.
pub struct Baton<W> {
    state: Mutex<(Schedule, W)>,
    changed: Vec<Condvar>,
    over: Condvar,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
}

/// Activities of one run, those of hosts that start again included.
const ACTIVITIES_MAX: usize = 1024;

impl<W: Send + 'static> Baton<W> {
    pub fn new(schedule: Schedule, world: W) -> Arc<Baton<W>> {
        Arc::new(Baton {
            state: Mutex::new((schedule, world)),
            changed: (0..ACTIVITIES_MAX).map(|_| Condvar::new()).collect(),
            over: Condvar::new(),
            threads: Mutex::default(),
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, (Schedule, W)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(&self, schedule: &mut Schedule) {
        schedule.current = schedule.pick();
        match self.changed.get(schedule.current) {
            Some(next) => next.notify_one(),
            None => self.over.notify_one(),
        }
    }

    /// Lets time pass for the activity that calls. Where its host crashes meanwhile it unwinds,
    /// and `at_crash` is what it leaves behind.
    pub fn pass(
        &self,
        ms: u64,
        topic: Option<Topic>,
        at_crash: impl FnOnce(&mut Schedule, &mut W),
    ) {
        if std::thread::panicking() {
            return;
        }
        let mut state = self.lock();
        let schedule = &mut state.0;
        let me = schedule.current;
        let now = schedule.now_ms;
        let activity = &mut schedule.activities[me];
        activity.ready_ms = now + ms;
        if topic.is_some() {
            let wakes = std::mem::take(&mut activity.wakes);
            let earliest = wakes.into_iter().min().unwrap_or(u64::MAX);
            activity.ready_ms = activity.ready_ms.min(earliest.max(now));
        }
        activity.topic = topic;
        self.hand_over(schedule);
        while state.0.current != me {
            let woken = self.changed[me].wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        let (schedule, world) = &mut *state;
        schedule.activities[me].topic = None;
        if schedule.activities[me].crashed {
            at_crash(schedule, world);
            drop(state);
            resume_unwind(Box::new(Crash));
        }
    }

    pub fn start(
        self: &Arc<Self>,
        host: usize,
        name: &'static str,
        body: impl FnOnce() + Send + 'static,
    ) {
        let mut state = self.lock();
        let schedule = &mut state.0;
        let id = schedule.activities.len();
        assert!(id < ACTIVITIES_MAX, "hosts crash too often");
        let ready_ms = schedule.now_ms;
        schedule.live.insert(id);
        schedule.activities.push(Activity {
            host,
            name,
            ready_ms,
            crashed: false,
            topic: None,
            wakes: Vec::new(),
        });
        drop(state);
        let baton = Arc::clone(self);
        let thread = std::thread::spawn(move || baton.run(id, body));
        self.threads.lock().expect("nobody panics with it").push(thread);
    }

    fn run(&self, id: usize, body: impl FnOnce()) {
        let mut state = self.lock();
        while state.0.current != id {
            state = self.changed[id].wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let crashed = state.0.activities[id].crashed;
        drop(state);
        let end = if crashed { Ok(()) } else { catch_unwind(AssertUnwindSafe(body)) };
        let mut state = self.lock();
        let schedule = &mut state.0;
        if let Err(reason) = end
            && !reason.is::<Crash>()
        {
            let text = reason.downcast_ref::<String>().cloned();
            let text = text.or(reason.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            schedule.fail(text.unwrap_or_else(|| "a panic".to_owned()));
        }
        schedule.live.remove(&id);
        self.hand_over(schedule);
    }

    /// Runs until nobody is left, something failed, or somebody called `end`.
    pub fn run_all(&self) {
        let mut state = self.lock();
        self.hand_over(&mut state.0);
        while state.0.current != NOBODY {
            state = self.over.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // Unwinds what is left, one after the other.
        while let Some(id) = state.0.live.first().copied() {
            state.0.ended = true;
            state.0.activities[id].crashed = true;
            state.0.current = id;
            self.changed[id].notify_one();
            while state.0.current != NOBODY {
                state = self.over.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        drop(state);
        let threads = std::mem::take(&mut *self.threads.lock().expect("nobody panics with it"));
        threads.into_iter().for_each(|thread| thread.join().expect("its panic was caught"));
    }

    /// Ends the run at the next step.
    pub fn end(&self) {
        self.lock().0.ended = true;
    }
}
