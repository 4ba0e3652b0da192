//! How much of a scarce thing one client may use at once, so that it leaves room for others.
//!
//! Threads: none; shared by those of the internal tier. Bounded by the requests that are under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts what is under way, by client.
#[derive(Debug)]
pub struct Turns {
    max: usize,
    /// Held for a moment each, never across I/O.
    taken: Mutex<HashMap<String, usize>>,
}

/// One of them; given back on drop.
#[derive(Debug)]
pub struct Turn {
    turns: Arc<Turns>,
    client: String,
}

impl Turns {
    pub fn new(max: usize) -> Arc<Turns> {
        Arc::new(Turns { max, taken: Mutex::default() })
    }

    /// `None`: the client has as many as it may.
    pub fn take(self: &Arc<Turns>, client: String) -> Option<Turn> {
        let mut taken = self.lock();
        let count = taken.get(&client).copied().unwrap_or(0);
        if count >= self.max {
            return None;
        }
        taken.insert(client.clone(), count + 1);
        Some(Turn { turns: Arc::clone(self), client })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        // Every change is one call: a panic leaves nothing half done.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = self.turns.lock();
        match taken.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.client)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_and_gives_them_back() {
        let turns = Turns::new(2);
        let take = |client: &str| turns.take(client.to_owned());
        let (one, two) = (take("a"), take("a"));
        assert!(one.is_some() && two.is_some());
        assert!(take("a").is_none());
        assert!(take("b").is_some());
        drop(one);
        let three = take("a");
        assert!(three.is_some() && take("a").is_none());
        drop((two, three));
        assert!(turns.lock().is_empty(), "nothing is kept");
    }
}
