//! An answer that many ask for, kept for a moment and read anew once, whoever asks meanwhile. Pure.
//!
//! ```text
//!   look ─┬─ Kept: fresh enough, and nothing has changed since it was begun
//!         ├─ Load: nobody reads it just now, so the asker does ── loaded ──> Kept
//!         └─ Wait: until somebody else's reading ends, then look again
//! ```

use crate::base::clock::Mono;
use crate::limits;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
