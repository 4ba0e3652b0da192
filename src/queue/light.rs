//! Thread `queue-light`: does what is light, in the daemon, one job at a time.

use super::bulk::{Bulk, Ended};
use super::policy::{self, Load, Next};
use super::step;
use crate::base::clock::{Clock, Mono};
use crate::base::ids::Holder;
use crate::bus::{Heard, Message, Subscription};
use crate::domain::event::Event;
use crate::ground::{Ground, Held};
use crate::limits;
use crate::pool::Pools;
use crate::store::StoreError;
use crate::store::jobs::{Claim, Class, Failed, JobDoc, Work};
use crate::thread::{self, Stop, StopSource, Thread, ThreadError, stop_pair};
use std::time::Duration;

/// The running thread. Dropping it stops it.
pub struct LightHandle {
    // Dropped first, so that the thread ends when it is joined.
    stop: StopSource,
    thread: Thread,
}

/// Beside [`super::spawn`], for what needs the pools.
pub fn spawn_light(ground: Ground, pools: Pools) -> Result<LightHandle, ThreadError> {
    let (source, stop) = stop_pair();
    let worker = Light { ground, pools };
    let thread = thread::spawn("queue-light", move || worker.run(&stop))?;
    Ok(LightHandle { stop: source, thread })
}

impl LightHandle {
    /// Ends the thread after the step it is at; its job is given back.
    pub fn stop(self, clock: &Clock, deadline: Mono) -> Vec<ThreadError> {
        drop(self.stop);
        self.thread.join(clock, deadline).err().into_iter().collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    ByTime,
    ByNews,
}

struct Light {
    ground: Ground,
    pools: Pools,
}

impl Light {
    fn run(&self, stop: &Stop) {
        let news = self.ground.bus.subscribe("queue-light");
        let (mut load, mut pause) = (Load::default(), Duration::ZERO);
        while let Some(woken) = self.wait(&news, stop, pause) {
            // To look costs the database less than to claim nothing.
            if woken == Woken::ByTime {
                pause = self.next_due();
                if pause > Duration::ZERO {
                    continue;
                }
            }
            // What has just become ready belongs to the least loaded host.
            if stop.wait(self.before_claim(&load)) {
                return;
            }
            let mut claimed = self.claim(Duration::ZERO);
            while let Some(job) = claimed {
                self.work(&job, &mut load, stop);
                if stop.is_set() {
                    return;
                }
                // At once what less loaded hosts have left for long enough; the rest after a look
                // at when it is due.
                claimed = self.claim(self.before_claim(&load));
            }
            pause = self.next_due();
        }
    }

    fn before_claim(&self, load: &Load) -> Duration {
        let jitter = Duration::from_micros(self.ground.random.below(2000));
        load.wait(self.ground.clock.mono()) + jitter
    }

    /// Until it is time, or there may be something new. `None`: the end.
    fn wait(&self, news: &Subscription, stop: &Stop, time: Duration) -> Option<Woken> {
        let clock = &self.ground.clock;
        let until = clock.mono() + time;
        loop {
            let heard = news.next(stop, until.since(clock.mono()));
            if stop.is_set() {
                return None;
            }
            if matches!(heard, Some(Heard::Message(Message::JobReady) | Heard::Gap)) {
                return Some(Woken::ByNews);
            }
            if until <= clock.mono() {
                return Some(Woken::ByTime);
            }
        }
    }

    /// In which time a job is due, at most until the next look.
    fn next_due(&self) -> Duration {
        let due = step::next_due_ms(&self.ground, Class::Light).unwrap_or_else(|error| {
            log::debug!("light jobs are not looked for: {error}");
            None
        });
        let due = due.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
        due.unwrap_or(limits::RECONCILE_PERIOD).min(limits::RECONCILE_PERIOD)
    }

    /// A job that has been ready for `age`, if there is one.
    fn claim(&self, age: Duration) -> Option<Held> {
        let Ground { store, status, host, hands, .. } = &self.ground;
        // A copy of this host's identity runs: what it holds would be ours.
        if status.is_replaced() {
            return None;
        }
        let holder = Holder { host: *host, epoch: status.epoch() };
        let claimed = store.job_claim_light(holder, age).unwrap_or_else(|error| {
            log::debug!("no light job is claimed: {error}");
            None
        });
        claimed.map(|job| hands.hold(job))
    }

    fn work(&self, job: &JobDoc, load: &mut Load, stop: &Stop) {
        let clock = &self.ground.clock;
        let started = clock.mono();
        load.begin();
        if let Err(error) = self.go_on(job, stop) {
            log::warn!("job {} ({}) has to be gone on with: {error}", job.id, job.work);
        }
        let now = clock.mono();
        load.end(now, now.since(started));
    }

    fn go_on(&self, job: &JobDoc, stop: &Stop) -> Result<(), StoreError> {
        let claim = job.claim();
        let Ground { store, bus, .. } = &self.ground;
        let Work::BulkUsers(org) = job.work else {
            // INVARIANT: only kinds of the class are claimed, and this is the only one.
            unreachable!("{} is no light work", job.work)
        };
        let bulk = Bulk { ground: &self.ground, pools: &self.pools, stop, claim, org };
        match bulk.go_on(job.position, job.total)? {
            Ended::Done => log::info!("job {} ({}) is done", job.id, job.work),
            Ended::Taken => log::info!("job {} ({}) was taken away", job.id, job.work),
            Ended::Waits => drop(store.job_put_off(claim, limits::BULK_WAIT)?),
            Ended::Stopped => {
                if store.job_give_back(claim)? {
                    bus.publish(Message::JobReady);
                }
            }
            Ended::Failed(error) => self.fail(job, claim, &error, false)?,
            Ended::Hopeless(error) => self.fail(job, claim, &error, true)?,
        }
        Ok(())
    }

    fn fail(
        &self,
        job: &JobDoc,
        claim: Claim,
        error: &str,
        for_good: bool,
    ) -> Result<(), StoreError> {
        let Ground { store, bus, .. } = &self.ground;
        let retry = match policy::after_failure(job.attempts, policy::bounds(job.work)) {
            Next::RetryAfter(pause) if !for_good => Some(pause),
            _ => None,
        };
        match store.job_fail(claim, error, retry)? {
            Failed::Lost => log::debug!("job {} is another's by now", job.id),
            Failed::Retried => {
                log::warn!("job {} ({}) failed and is tried again: {error}", job.id, job.work);
                bus.publish(Message::JobReady);
            }
            Failed::ForGood { .. } => {
                log::error!("job {} ({}) failed for good: {error}", job.id, job.work);
            }
        }
        bus.emit(Event::Jobs);
        Ok(())
    }
}
