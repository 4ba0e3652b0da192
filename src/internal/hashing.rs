//! Password hashes, at most [`limits::PASSWORD_HASHES_MAX`] at once: each costs 28 ms and 19 MiB by
//! intent.

use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::domain::password::{self, StoredHash, Use, Verdict};
use crate::limits;
use crossbeam_channel::{Receiver, Sender, bounded};

/// As many places as hashes at once: who makes one stands in one.
pub struct Hashing {
    enter: Sender<()>,
    leave: Receiver<()>,
}

impl Default for Hashing {
    fn default() -> Hashing {
        let (enter, leave) = bounded(limits::PASSWORD_HASHES_MAX);
        Hashing { enter, leave }
    }
}

/// A place taken; left when dropped.
struct Place<'a>(&'a Hashing);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let _ = self.0.leave.try_recv();
    }
}

impl Hashing {
    /// Takes as long for nobody (`None`) as for somebody.
    pub fn check(&self, stored: Option<&str>, password: &Secret) -> Verdict {
        let stored = match stored {
            Some(text) => StoredHash::parse(&Secret::new(text.to_owned()), Use::Password),
            None => StoredHash::of_nobody(),
        };
        let _place = self.place();
        stored.check(password)
    }

    pub fn check_pin(&self, stored: &str, pin: &Secret) -> Verdict {
        let stored = StoredHash::parse(&Secret::new(stored.to_owned()), Use::Pin);
        let _place = self.place();
        stored.check(pin)
    }

    pub fn hash(&self, password: &Secret, random: &Random) -> Secret {
        let _place = self.place();
        password::hash(password, random)
    }

    /// Waits for the end of those before: nobody stays longer than one hash takes.
    fn place(&self) -> Place<'_> {
        let _ = self.enter.send(());
        Place(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread;
    use std::sync::Arc;

    #[test]
    fn places_are_bounded_and_come_back() {
        let hashing = Arc::new(Hashing::default());
        let held: Vec<_> = (0..limits::PASSWORD_HASHES_MAX).map(|_| hashing.place()).collect();
        assert!(hashing.enter.is_full());
        let other = Arc::clone(&hashing);
        let waiting = thread::spawn("waiting", move || drop(other.place())).expect("a thread");
        assert!(!waiting.is_finished());
        drop(held);
        drop(waiting);
        assert!(hashing.enter.is_empty());
    }
}
