//! An answer that many ask for, kept for a moment and read anew once, whoever asks meanwhile.
//! [`Snapshot`] decides and is pure; [`Shared`] lets threads wait for each other.
//!
//! ```text
//!   look ─┬─ Kept: fresh enough, and nothing has changed since it was begun
//!         ├─ Load: nobody reads it just now, so the asker does ── loaded ──> Kept
//!         └─ Wait: until somebody else's reading ends, then look again
//! ```

use crate::base::clock::{Clock, Mono};
use crate::limits;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub struct Snapshot<T> {
    /// Raised by every change: what was begun before it is outdated.
    version: u64,
    loading: bool,
    /// Readings that failed: those who waited for one of them share its failure.
    failures: u64,
    kept: Option<Kept<T>>,
}

#[derive(Debug)]
struct Kept<T> {
    value: T,
    version: u64,
    begun: Mono,
}

/// What an asker does.
#[derive(Debug, PartialEq, Eq)]
pub enum Look<T> {
    Kept(T),
    /// To be ended by [`Snapshot::loaded`] with this.
    Load(Reading),
    Wait,
}

/// A reading under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    version: u64,
    begun: Mono,
}

impl<T> Default for Snapshot<T> {
    fn default() -> Snapshot<T> {
        Snapshot { version: 0, loading: false, failures: 0, kept: None }
    }
}

impl<T: Clone> Snapshot<T> {
    pub fn look(&mut self, now: Mono) -> Look<T> {
        let fresh = |kept: &&Kept<T>| {
            kept.version == self.version && now.since(kept.begun) < limits::STATUS_AGE_MAX
        };
        if let Some(kept) = self.kept.as_ref().filter(fresh) {
            return Look::Kept(kept.value.clone());
        }
        if self.loading {
            return Look::Wait;
        }
        self.loading = true;
        Look::Load(Reading { version: self.version, begun: now })
    }

    pub fn changed(&mut self) {
        self.version += 1;
    }

    /// `None`: it failed.
    pub fn loaded(&mut self, reading: Reading, value: Option<T>) {
        self.loading = false;
        match value {
            Some(value) => {
                self.kept = Some(Kept { value, version: reading.version, begun: reading.begun });
            }
            None => self.failures += 1,
        }
    }

    pub fn failures(&self) -> u64 {
        self.failures
    }
}

/// A [`Snapshot`] of several threads.
pub struct Shared<T> {
    /// Held by handlers for a look, never while somebody reads or in I/O.
    snapshot: Mutex<Snapshot<T>>,
    /// A reading has ended.
    ended: Condvar,
}

/// What an asker gets.
#[derive(Debug, PartialEq, Eq)]
pub enum Got<T, E> {
    Value(T),
    /// Its own reading failed.
    Failed(E),
    /// The one that it waited for failed, or takes too long.
    OthersFailed,
}

/// A reading that ends however its reader does.
struct Reader<'a, T: Clone> {
    shared: &'a Shared<T>,
    reading: Reading,
    value: Option<T>,
}

impl<T: Clone> Drop for Reader<'_, T> {
    fn drop(&mut self) {
        self.shared.lock().loaded(self.reading, self.value.take());
        self.shared.ended.notify_all();
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Shared<T> {
        Shared { snapshot: Mutex::default(), ended: Condvar::new() }
    }
}

impl<T: Clone> Shared<T> {
    pub fn changed(&self) {
        self.lock().changed();
    }

    pub fn get<E>(&self, clock: &Clock, read: impl FnOnce() -> Result<T, E>) -> Got<T, E> {
        let deadline = clock.mono() + limits::HANDLER_DEADLINE;
        let mut snapshot = self.lock();
        let failures = snapshot.failures();
        loop {
            let now = clock.mono();
            match snapshot.look(now) {
                Look::Kept(value) => return Got::Value(value),
                Look::Load(reading) => {
                    drop(snapshot);
                    return self.read(reading, read);
                }
                Look::Wait if deadline <= now => return Got::OthersFailed,
                Look::Wait => {
                    let woken = self.ended.wait_timeout(snapshot, deadline.since(now));
                    snapshot = woken.unwrap_or_else(PoisonError::into_inner).0;
                    if snapshot.failures() != failures {
                        return Got::OthersFailed;
                    }
                }
            }
        }
    }

    fn read<E>(&self, reading: Reading, read: impl FnOnce() -> Result<T, E>) -> Got<T, E> {
        let mut reader = Reader { shared: self, reading, value: None };
        match read() {
            Ok(value) => {
                reader.value = Some(value.clone());
                Got::Value(value)
            }
            Err(error) => Got::Failed(error),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot<T>> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::guard;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;
    use std::time::Duration;

    fn reading(look: Look<u8>) -> Reading {
        match look {
            Look::Load(reading) => reading,
            other => panic!("{other:?} where a reading was due"),
        }
    }

    #[test]
    fn of_a_burst_one_reads_and_all_get_it_until_it_is_old() {
        let mut snapshot = Snapshot::default();
        let at = Mono::from_millis(5000);
        let first = reading(snapshot.look(at));
        assert_eq!(snapshot.look(at), Look::Wait);
        snapshot.loaded(first, Some(1));
        let age = limits::STATUS_AGE_MAX;
        let last = at + age - std::time::Duration::from_millis(1);
        assert_eq!(snapshot.look(last), Look::Kept(1));
        let second = reading(snapshot.look(at + age));
        snapshot.loaded(second, Some(2));
        assert_eq!(snapshot.look(at + age), Look::Kept(2));
    }

    #[test]
    fn a_change_makes_it_old_at_once_also_while_it_is_read() {
        let mut snapshot = Snapshot::default();
        let first = reading(snapshot.look(Mono::ZERO));
        snapshot.changed();
        snapshot.loaded(first, Some(1));
        let second = reading(snapshot.look(Mono::ZERO));
        snapshot.loaded(second, Some(2));
        assert_eq!(snapshot.look(Mono::ZERO), Look::Kept(2));
        snapshot.changed();
        reading(snapshot.look(Mono::ZERO));
    }

    #[test]
    fn a_failure_is_counted_and_the_next_one_reads_again() {
        let mut snapshot = Snapshot::<u8>::default();
        let first = reading(snapshot.look(Mono::ZERO));
        assert_eq!(snapshot.failures(), 0);
        snapshot.loaded(first, None);
        assert_eq!(snapshot.failures(), 1);
        reading(snapshot.look(Mono::ZERO));
    }

    /// What each of a burst of askers gets, and how often was read.
    fn burst(read: fn(&Clock) -> Result<u8, ()>) -> (Vec<Option<Got<u8, ()>>>, u32) {
        const ASKERS: usize = 8;
        let (shared, clock, reads) = (Shared::default(), Clock::system(), AtomicU32::new(0));
        let together = Barrier::new(ASKERS);
        let ask = || {
            together.wait();
            let read = || {
                reads.fetch_add(1, Ordering::SeqCst);
                read(&clock)
            };
            guard(|| shared.get(&clock, read)).ok()
        };
        let got = thread::scope(|scope| {
            let askers: Vec<_> = (0..ASKERS).map(|_| scope.spawn(ask)).collect();
            askers.into_iter().map(|asker| asker.join().expect("guarded")).collect()
        });
        (got, reads.load(Ordering::SeqCst))
    }

    const SLOW: Duration = Duration::from_millis(300);

    #[test]
    fn threads_that_ask_together_read_once() {
        let (got, reads) = burst(|clock| {
            clock.pause(SLOW);
            Ok(7)
        });
        assert_eq!(reads, 1);
        assert!(got.iter().all(|got| *got == Some(Got::Value(7))), "{got:?}");
    }

    #[test]
    fn a_failed_reading_fails_for_all_who_waited_and_a_panic_leaves_nobody_waiting() {
        let (got, reads) = burst(|clock| {
            clock.pause(SLOW);
            Err(())
        });
        assert_eq!(reads, 1);
        let own = got.iter().filter(|got| **got == Some(Got::Failed(()))).count();
        let others = got.iter().filter(|got| **got == Some(Got::OthersFailed)).count();
        assert_eq!((own, others), (1, got.len() - 1), "{got:?}");

        let (got, reads) = burst(|clock| {
            clock.pause(SLOW);
            panic!("on purpose")
        });
        assert_eq!(reads, 1);
        let others = got.iter().filter(|got| **got == Some(Got::OthersFailed)).count();
        assert_eq!(others, got.len() - 1, "{got:?}");
    }
}
