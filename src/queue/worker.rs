//! Threads `queue-heavy-<n>` and `queue-urgent`: claim a job, have it done, end it.

use super::child::{self, Made, Watch};
use super::policy::{self, Load};
use super::{effect, step};
use crate::ground::{Ground, Held};
use crate::store::jobs::{Claim, JobDoc};
use crate::sys::fd::Waker;
use crate::thread::Stop;
use crossbeam_channel::{Receiver, select};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub struct Worker {
    pub ground: Ground,
    pub program: PathBuf,
    pub urgent_only: bool,
    pub ring: Receiver<()>,
    /// Readable when what is under way may have been taken away.
    pub nudge: Waker,
    pub stop: Stop,
    /// Readable as soon as the queue stops.
    pub waker: Waker,
    pub load: Arc<Mutex<Load>>,
}

impl Worker {
    pub fn run(&self) {
        while self.wait_for_ring() {
            // What has just become ready belongs to the least loaded host.
            if self.stop.wait(self.wait()) {
                return;
            }
            let mut claimed = self.claim(Duration::ZERO);
            while let Some(job) = claimed {
                let rest = self.work(&job);
                drop(job);
                if self.stop.wait(rest) {
                    return;
                }
                // At once what less loaded hosts have left for long enough, then the rest.
                let wait = self.wait();
                claimed = self.claim(wait);
                if claimed.is_none() {
                    if self.stop.wait(wait) {
                        return;
                    }
                    claimed = self.claim(Duration::ZERO);
                }
            }
        }
    }

    fn wait_for_ring(&self) -> bool {
        select! {
            recv(self.stop.channel()) -> _ => false,
            recv(self.ring) -> ring => ring.is_ok(),
        }
    }

    fn wait(&self) -> Duration {
        let jitter = Duration::from_micros(self.ground.random.below(2000));
        self.load().wait(self.ground.clock.mono()) + jitter
    }

    fn load(&self) -> MutexGuard<'_, Load> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim(&self, age: Duration) -> Option<Held> {
        step::claim(&self.ground, self.urgent_only, age)
    }

    /// Answers how long it rests then.
    fn work(&self, job: &JobDoc) -> Duration {
        let claim = job.claim();
        let Some(kind) = job.work.pool() else {
            // INVARIANT: heavy kinds fill pools; only those are claimed here.
            unreachable!("{} is no heavy work", job.work)
        };
        log::debug!("job {} ({}), attempt {}", job.id, job.work, job.attempts);
        let started = self.ground.clock.mono();
        self.load().begin();
        let bounds = policy::bounds(job.work);
        let watch = Watch {
            clock: &self.ground.clock,
            deadline: started + bounds.child_max,
            stop: &self.waker,
            nudge: &self.nudge,
        };
        let made = child::run(&self.program, kind, &watch, || self.is_ours(claim));
        let now = self.ground.clock.mono();
        self.load().end(now, now.since(started));
        let rest = match made {
            Made::Done(_) | Made::Failed(_) => {
                self.load().rest_after(matches!(made, Made::Failed(_)))
            }
            // Says nothing of this host.
            Made::Stopped | Made::Taken => Duration::ZERO,
        };
        let ended = match made {
            Made::Done(result) => {
                effect::apply(&self.ground, job, claim, kind, &result, &self.stop)
            }
            Made::Stopped => step::give_back(&self.ground, job, claim),
            Made::Taken => {
                log::info!("job {} ({}) was taken away", job.id, job.work);
                Ok(())
            }
            Made::Failed(error) => step::fail(&self.ground, job, claim, &error),
        };
        if let Err(error) = ended {
            log::warn!("job {} ({}) has to be done again: {error}", job.id, job.work);
        }
        rest
    }

    /// If the database does not say, the fence will, when the job ends.
    fn is_ours(&self, claim: Claim) -> bool {
        self.ground.store.job_is_held(claim).unwrap_or(true)
    }
}
