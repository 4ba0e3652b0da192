//! Who waits for what. Pure.
//!
//! A change between the internal tier's "nothing yet" and the parking is not lost: its answer says
//! how many wake-ups it had published (`seq`), each wake-up carries its number, and the newest
//! number of each key is remembered here. A key that had to be forgotten counts as woken up to the
//! highest forgotten number.

use crate::http::tiers::EVERYONE;
use crate::limits;
use std::collections::{HashMap, VecDeque};

/// A connection that waits; the loop knows which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    pub slot: usize,
    /// Tells a connection from a later one in the same slot.
    pub serial: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Parking {
    /// Wait for a wake-up.
    Stay,
    /// Something happened meanwhile.
    AskAgain,
}

#[derive(Debug, Default)]
pub struct Parked {
    waiting: HashMap<String, Vec<Ticket>>,
    /// Newest wake-up of each key, and the same in order of arrival.
    seen: HashMap<String, u64>,
    order: VecDeque<(u64, String)>,
    forgotten: u64,
}

impl Parked {
    pub fn park(&mut self, key: &str, seq: u64, ticket: Ticket) -> Parking {
        let newest = self.seen.get(key).copied().unwrap_or(0).max(self.forgotten);
        if newest > seq {
            return Parking::AskAgain;
        }
        self.waiting.entry(key.to_owned()).or_default().push(ticket);
        Parking::Stay
    }

    /// Takes a connection out that ended, or whose time is up.
    pub fn leave(&mut self, key: &str, ticket: Ticket) {
        if let Some(tickets) = self.waiting.get_mut(key) {
            tickets.retain(|waiting| *waiting != ticket);
            if tickets.is_empty() {
                self.waiting.remove(key);
            }
        }
    }

    /// Wake-up number `n`: who waits no longer.
    pub fn wake(&mut self, n: u64, key: &str) -> Vec<Ticket> {
        if key == EVERYONE {
            return self.wake_everyone(n);
        }
        let newest = self.seen.entry(key.to_owned()).or_default();
        *newest = n.max(*newest);
        self.order.push_back((n, key.to_owned()));
        if self.order.len() > limits::PARK_SEEN_MAX {
            self.forget_oldest();
        }
        self.waiting.remove(key).unwrap_or_default()
    }

    /// Everything up to `n` may have been missed.
    fn wake_everyone(&mut self, n: u64) -> Vec<Ticket> {
        self.forgotten = self.forgotten.max(n);
        self.waiting.drain().flat_map(|(_, tickets)| tickets).collect()
    }

    fn forget_oldest(&mut self) {
        if let Some((n, key)) = self.order.pop_front()
            && self.seen.get(&key) == Some(&n)
        {
            self.seen.remove(&key);
            self.forgotten = self.forgotten.max(n);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(slot: usize) -> Ticket {
        Ticket { slot, serial: 1 }
    }

    #[test]
    fn a_wake_up_frees_those_of_its_key_once() {
        let mut parked = Parked::default();
        assert_eq!(parked.park("a", 0, ticket(1)), Parking::Stay);
        assert_eq!(parked.park("a", 0, ticket(2)), Parking::Stay);
        assert_eq!(parked.park("b", 0, ticket(3)), Parking::Stay);
        parked.leave("a", ticket(1));
        assert_eq!(parked.wake(1, "a"), [ticket(2)]);
        assert_eq!(parked.wake(2, "a"), []);
        assert_eq!(parked.wake(3, EVERYONE), [ticket(3)]);
    }

    #[test]
    fn a_wake_up_between_the_look_and_the_parking_is_not_lost() {
        let mut parked = Parked::default();
        parked.wake(7, "a");
        assert_eq!(parked.park("a", 6, ticket(1)), Parking::AskAgain);
        assert_eq!(parked.park("a", 7, ticket(1)), Parking::Stay);
        assert_eq!(parked.park("b", 6, ticket(2)), Parking::Stay);
    }

    #[test]
    fn what_was_missed_or_forgotten_counts_as_something() {
        let mut parked = Parked::default();
        parked.wake(9, EVERYONE);
        assert_eq!(parked.park("a", 8, ticket(1)), Parking::AskAgain);
        assert_eq!(parked.park("a", 9, ticket(1)), Parking::Stay);
        let mut parked = Parked::default();
        for n in 1..=(limits::PARK_SEEN_MAX as u64 + 1) {
            parked.wake(n, &format!("k{n}"));
        }
        assert_eq!(parked.park("k1", 0, ticket(1)), Parking::AskAgain);
        assert_eq!(parked.park("k1", 1, ticket(1)), Parking::Stay);
        assert!(parked.seen.len() <= limits::PARK_SEEN_MAX);
    }
}
