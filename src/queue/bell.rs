//! Thread `queue`: hears of jobs, looks for due ones and for lost holders, and rings the workers.

use super::{lost, step};
use crate::bus::{Heard, Message};
use crate::domain::event::Event;
use crate::ground::Ground;
use crate::limits;
use crate::store::jobs::Class;
use crate::sys::fd::Waker;
use crate::thread::Stop;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::time::Duration;

pub struct Bell {
    ground: Ground,
    period: Duration,
    ropes: Vec<Rope>,
}

/// How a worker is reached: idle, and at work.
struct Rope {
    ring: Sender<()>,
    nudge: Waker,
}

/// What the thread heard.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heed {
    Nothing,
    Jobs,
    /// A job was taken away from somebody.
    Taken,
    /// Hosts have come or gone: something may be free.
    Everything,
}

impl Bell {
    pub fn new(ground: Ground, period: Duration) -> Bell {
        Bell { ground, period, ropes: Vec::new() }
    }

    /// What a worker listens to; `nudge` makes it look after what it is at.
    pub fn rope(&mut self, nudge: Waker) -> Receiver<()> {
        // One ring that was not heard yet says as much as many.
        let (ring, rx) = bounded(1);
        self.ropes.push(Rope { ring, nudge });
        rx
    }

    pub fn run(&self, stop: &Stop) {
        let news = self.ground.bus.subscribe("queue");
        let clock = &self.ground.clock;
        let mut look_at = clock.mono();
        loop {
            let heed = match news.next(stop, look_at.since(clock.mono())) {
                _ if stop.is_set() => return,
                // A flood of messages does not put off the look.
                Some(heard) if clock.mono() < look_at => heed(&heard),
                _ => Heed::Everything,
            };
            let (others_work, is_new) = match heed {
                Heed::Nothing => continue,
                Heed::Taken => {
                    self.ropes.iter().for_each(|rope| rope.nudge.wake());
                    continue;
                }
                // Whoever gets it will be at work.
                Heed::Jobs => (true, true),
                Heed::Everything => (self.free_lost(), false),
            };
            let watch = if others_work { limits::JOBS_WATCH_PERIOD } else { self.period };
            let next = clock.mono() + self.look(is_new).min(watch).min(self.period);
            // New jobs do not put off the look for lost ones.
            look_at = if is_new { look_at.min(next) } else { next };
        }
    }

    fn free_lost(&self) -> bool {
        let freed = lost::free_lost(&self.ground).unwrap_or_else(|error| {
            log::debug!("lost jobs are not looked for: {error}");
            lost::Freed::default()
        });
        freed.others_work
    }

    /// Rings if a job is due, and at once for a new one: somebody may wait for it. Answers how long
    /// none is due.
    fn look(&self, is_new: bool) -> Duration {
        if is_new {
            self.ring();
        }
        let due_ms = step::next_due_ms(&self.ground, Class::Heavy).unwrap_or_else(|error| {
            log::debug!("jobs are not looked for: {error}");
            None
        });
        match due_ms.map(u64::try_from) {
            None => self.period,
            Some(Ok(ms)) if ms > 0 => Duration::from_millis(ms),
            Some(_) => {
                if !is_new {
                    self.ring();
                }
                self.period
            }
        }
    }

    fn ring(&self) {
        for rope in &self.ropes {
            // Full: it will hear the ring before.
            let _ = rope.ring.try_send(());
        }
    }
}

fn heed(heard: &Heard) -> Heed {
    match heard {
        Heard::Gap => Heed::Everything,
        Heard::Message(Message::JobReady) => Heed::Jobs,
        Heard::Message(Message::JobTaken { .. }) => Heed::Taken,
        Heard::Message(Message::Event { kind, .. }) if kind == Event::Hosts(None).kind() => {
            Heed::Everything
        }
        Heard::Message(_) => Heed::Nothing,
    }
}
