//! Messages between hosts (design section 6): hints that documents have changed, and nothing else
//! (I3). Losing one delays a reaction until its consumer next reconciles; it breaks nothing.
//!
//! Threads: `bus-out` writes what was published, together what came together; `bus-tail` reads one
//! cursor for the whole host and hands every message to every subscriber, in the order in which
//! they stand in the database. Subscribers have bounded channels and can not delay anybody.
//!
//! ```text
//!   publish ── outbox ── bus-out ──▶ capped collection ──▶ bus-tail ── fan-out ── subscribers
//!            (merges equal hints)    (16 MiB, this order)
//!
//!   the reader:
//!             behind the newest                something known comes
//!   (start) ───────────────────▶ Seeking ──────────────────────────▶ Joining
//!      told as a gap              ▲   │ its end without: gap            │ its end
//!                                 │   ▼                                 ▼ or something new
//!          cursor, primary or     └──────────────── Following ◀─────────┘
//!          database gone
//! ```
//!
//! Keeps: I3; I4 (no order of ids or host dates is ever looked at; the server stamps messages); I9
//! (outbox, channels, retries, what is remembered). Every subscriber gets every message at least
//! once or a [`Heard::Gap`]. Own messages are heard like others'.
//!
//! Must never: carry a secret (I10) or state, make a publisher wait, or decide anything.

mod fanout;
mod outbox;
mod place;
mod publisher;
mod tail;

pub use crate::store::bus::Message;
pub use fanout::Subscription;
pub(crate) use fanout::{Item, Posted};

use crate::base::clock::{Clock, Mono};
use crate::base::ids::HostId;
use crate::base::random::Random;
use crate::domain::event::Event;
use crate::limits;
use crate::store::{Store, StoreError};
use crate::thread::{self, StopSource, Thread, ThreadError, stop_pair};
use crossbeam_channel::{Sender, bounded};
use fanout::Fanout;
use outbox::{Outbox, Put};
use publisher::Publisher;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tail::Tail;

/// Publishes messages and hands out subscriptions; clones share both.
///
/// The mutex of the outbox: taken by publishers to put a message in and by `bus-out` to take some
/// out, neither of which waits while holding it.
#[derive(Clone)]
pub struct Bus {
    outbox: Arc<Mutex<Outbox>>,
    signal: Sender<()>,
    fanout: Fanout,
}

/// What a subscriber hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Message(Message),
    /// Something may have been missed: reconcile from documents.
    Gap,
}

/// The running threads. Dropping it stops them.
pub struct Handle {
    // Dropped first, so that the threads end when they are joined.
    stop: StopSource,
    publisher: Thread,
    tail: Thread,
}

pub fn spawn(store: Store, host: HostId, clock: Clock) -> Result<(Bus, Handle), ThreadError> {
    let (signal, signalled) = bounded(1);
    let bus = Bus { outbox: Arc::default(), signal, fanout: Fanout::default() };
    let (source, stop) = stop_pair();
    let backoff = || Backoff { random: store.random().clone(), next: limits::BUS_BACKOFF_MIN };
    let outage = || Outage { clock: clock.clone(), since: None };
    let publisher = Publisher {
        store: store.clone(),
        host,
        outbox: Arc::clone(&bus.outbox),
        signal: signalled,
        _signals: bus.signal.clone(),
        backoff: backoff(),
        outage: outage(),
    };
    let tail = Tail {
        store: store.clone(),
        fanout: bus.fanout.clone(),
        place: None,
        backoff: backoff(),
        outage: outage(),
    };
    let (until, stopped) = (stop.clone(), stop);
    let publisher = thread::spawn("bus-out", move || publisher.run(&until))?;
    match thread::spawn("bus-tail", move || tail.run(&stopped)) {
        Ok(tail) => Ok((bus, Handle { stop: source, publisher, tail })),
        Err(error) => {
            drop(source);
            Err(error)
        }
    }
}

impl Bus {
    /// A bus without threads, for simulations: what is published waits until it is taken.
    pub fn idle() -> Bus {
        let (signal, _) = bounded(1);
        Bus { outbox: Arc::default(), signal, fanout: Fanout::default() }
    }

    /// What waits, if nothing else takes it out.
    pub fn take(&self) -> Vec<Message> {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        outbox.take(limits::BUS_OUTBOX_MAX)
    }

    /// Never waits. To be called after the change it tells of is acknowledged.
    pub fn publish(&self, message: Message) {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        let put = outbox.put(message);
        drop(outbox);
        match put {
            Put::Waits | Put::Displaced => {}
            Put::Covered => return,
            Put::TooLarge => return log::error!("a message is too large and not sent"),
        }
        // Full: the thread is about to look anyway.
        let _ = self.signal.try_send(());
    }

    pub fn emit(&self, event: Event) {
        self.publish(Message::about(event));
    }

    /// Everything from now on; the name is for log lines. Dropping it ends it.
    pub fn subscribe(&self, name: &'static str) -> Subscription {
        self.fanout.subscribe(name)
    }
}

impl Handle {
    /// Writes what waits, once, and ends both threads. One that hangs in the database is left
    /// behind after [`limits::BUS_STOP_MAX`], so that the rest of the host has time to stop.
    pub fn stop(self, clock: &Clock, deadline: Mono) -> Vec<ThreadError> {
        drop(self.stop);
        let deadline = deadline.min(clock.mono() + limits::BUS_STOP_MAX);
        let joined = [self.publisher.join(clock, deadline), self.tail.join(clock, deadline)];
        joined.into_iter().filter_map(Result::err).collect()
    }
}

/// Growing pauses with jitter: hosts do not come back all at once.
struct Backoff {
    random: Random,
    next: Duration,
}

impl Backoff {
    fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(limits::BUS_BACKOFF_MAX);
        let half = u64::try_from(pause.as_millis()).unwrap_or(0) / 2;
        pause - Duration::from_millis(self.random.below(half + 1))
    }

    fn reset(&mut self) {
        self.next = limits::BUS_BACKOFF_MIN;
    }
}

/// Logs an outage once at its begin and once at its end.
struct Outage {
    clock: Clock,
    since: Option<Mono>,
}

impl Outage {
    fn note(&mut self, what: &str, error: &StoreError) {
        match self.since {
            Some(_) => log::debug!("{what}: {error}"),
            None => {
                log::warn!("{what}: {error}");
                self.since = Some(self.clock.mono());
            }
        }
    }

    fn over(&mut self, what: &str) {
        if let Some(since) = self.since.take() {
            let seconds = self.clock.mono().since(since).as_secs_f32();
            log::info!("{what}, after {seconds:.1} s");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_differ() {
        let mut backoff = Backoff { random: Random::seeded(1), next: limits::BUS_BACKOFF_MIN };
        let pauses: Vec<Duration> = (0..40).map(|_| backoff.pause()).collect();
        for pause in &pauses {
            assert!(*pause >= limits::BUS_BACKOFF_MIN / 2 && *pause <= limits::BUS_BACKOFF_MAX);
        }
        let late = &pauses[20..];
        assert!(late.iter().all(|pause| *pause >= limits::BUS_BACKOFF_MAX / 2), "{late:?}");
        assert!(late.windows(2).any(|two| two[0] != two[1]), "{late:?}");
        backoff.reset();
        assert!(backoff.pause() <= limits::BUS_BACKOFF_MIN);
    }
}
