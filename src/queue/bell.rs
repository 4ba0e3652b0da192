//! Thread `queue`: hears of jobs, looks for due ones and for lost holders, and rings the workers.

use super::lost;
use crate::base::clock::Mono;
use crate::bus::{Heard, Message};
use crate::domain::event::Event;
use crate::ground::Ground;
use crate::thread::Stop;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::time::Duration;

pub struct Bell {
    ground: Ground,
    period: Duration,
    ropes: Vec<Sender<()>>,
}

/// What the thread heard.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heed {
    Nothing,
    Jobs,
    /// Hosts have come or gone: something may be free.
    Everything,
}

impl Bell {
    pub fn new(ground: Ground, period: Duration) -> Bell {
        Bell { ground, period, ropes: Vec::new() }
    }

    /// What a worker listens to.
    pub fn rope(&mut self) -> Receiver<()> {
        // One ring that was not heard yet says as much as many.
        let (tx, rx) = bounded(1);
        self.ropes.push(tx);
        rx
    }

    pub fn run(&self, stop: &Stop) {
        let news = self.ground.bus.subscribe("queue");
        let mut look_at = self.ground.clock.mono();
        loop {
            let left = look_at.since(self.ground.clock.mono());
            let heed = match news.next(stop, left) {
                _ if stop.is_set() => return,
                None => Heed::Everything,
                Some(heard) => heed(&heard),
            };
            match heed {
                Heed::Nothing => {}
                // The ring comes first: somebody may wait for this job. The look finds out when
                // one that is tried again is due.
                Heed::Jobs => {
                    self.ring();
                    look_at = self.look(|| {});
                }
                Heed::Everything => {
                    if let Err(error) = lost::free_lost(&self.ground) {
                        log::debug!("lost jobs are not looked for: {error}");
                    }
                    look_at = self.look(|| self.ring());
                }
            }
        }
    }

    /// Answers when to look again.
    fn look(&self, if_due: impl FnOnce()) -> Mono {
        let due_ms = self.ground.store.job_next_due_ms().unwrap_or_else(|error| {
            log::debug!("jobs are not looked for: {error}");
            None
        });
        let pause = match due_ms.map(u64::try_from) {
            None => self.period,
            Some(Err(_) | Ok(0)) => {
                if_due();
                self.period
            }
            Some(Ok(ms)) => Duration::from_millis(ms).min(self.period),
        };
        self.ground.clock.mono() + pause
    }

    fn ring(&self) {
        for rope in &self.ropes {
            // Full: it will hear the ring before.
            let _ = rope.try_send(());
        }
    }
}

fn heed(heard: &Heard) -> Heed {
    match heard {
        Heard::Gap => Heed::Everything,
        Heard::Message(Message::JobReady) => Heed::Jobs,
        Heard::Message(Message::Event { kind, .. }) if kind == Event::Hosts(None).kind() => {
            Heed::Everything
        }
        Heard::Message(_) => Heed::Nothing,
    }
}
