//! Messages that wait to be written. Pure.
//!
//! A hint equal to a waiting one is covered by it: the waiting one will be heard after whatever
//! both tell of. One that is being written already covers nothing: it may have been heard before.

use crate::limits;
use crate::store::bus::Message;
use std::collections::{HashSet, VecDeque};

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    Waits,
    /// An equal one waits already.
    Covered,
    /// There was no room: the oldest is lost, and everyone finds out by reconciling.
    Displaced,
    /// A bug of its publisher.
    TooLarge,
}

#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Message>,
    known: HashSet<Message>,
    lost: u64,
}

impl Outbox {
    pub fn put(&mut self, message: Message) -> Put {
        if message.text_bytes() > limits::BUS_MESSAGE_BYTES_MAX {
            return Put::TooLarge;
        }
        if !self.known.insert(message.clone()) {
            return Put::Covered;
        }
        self.waiting.push_back(message);
        if self.waiting.len() <= limits::BUS_OUTBOX_MAX {
            return Put::Waits;
        }
        self.pop();
        self.lost += 1;
        Put::Displaced
    }

    /// The oldest ones, at most `max`.
    pub fn take(&mut self, max: usize) -> Vec<Message> {
        std::iter::from_fn(|| self.pop()).take(max).collect()
    }

    /// How many were displaced since this was last asked.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    fn pop(&mut self) -> Option<Message> {
        let message = self.waiting.pop_front()?;
        self.known.remove(&message);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wake(n: usize) -> Message {
        Message::Wake { key: n.to_string() }
    }

    #[test]
    fn equal_hints_are_merged_while_they_wait_and_only_then() {
        let mut outbox = Outbox::default();
        let put: Vec<Put> = [1, 2, 1, 2, 3].into_iter().map(|n| outbox.put(wake(n))).collect();
        assert_eq!(put, [Put::Waits, Put::Waits, Put::Covered, Put::Covered, Put::Waits]);
        assert_eq!(outbox.take(2), [wake(1), wake(2)]);
        assert_eq!(outbox.put(wake(1)), Put::Waits, "the first one is on its way already");
        assert_eq!(outbox.take(9), [wake(3), wake(1)]);
        assert_eq!(outbox.take(9), []);
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut outbox = Outbox::default();
        for n in 0..limits::BUS_OUTBOX_MAX {
            assert_eq!(outbox.put(wake(n)), Put::Waits);
        }
        assert_eq!(outbox.put(wake(99_999)), Put::Displaced);
        assert_eq!(outbox.put(wake(0)), Put::Displaced, "it waits no longer");
        let left = outbox.take(usize::MAX);
        assert_eq!(left.len(), limits::BUS_OUTBOX_MAX);
        assert_eq!((left.first(), left.last()), (Some(&wake(2)), Some(&wake(0))));
        assert!(outbox.known.is_empty());
        assert_eq!((outbox.take_lost(), outbox.take_lost()), (2, 0));
    }

    #[test]
    fn a_message_too_large_is_refused() {
        let mut outbox = Outbox::default();
        let key = "k".repeat(limits::BUS_MESSAGE_BYTES_MAX);
        assert_eq!(outbox.put(Message::Wake { key: key.clone() }), Put::Waits);
        assert_eq!(outbox.put(Message::Wake { key: key + "k" }), Put::TooLarge);
    }
}
