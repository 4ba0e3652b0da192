//! The thread that reads messages: one cursor for the whole host, whatever becomes of it.

use super::fanout::{Fanout, Item};
use super::place::{Place, Told};
use super::{Backoff, Outage};
use crate::store::bus::{BusBatch, Message};
use crate::store::{Store, StoreError};
use crate::thread::Stop;

pub struct Tail {
    pub store: Store,
    pub fanout: Fanout,
    /// `None` until the bus was reached once.
    pub place: Option<Place>,
    pub backoff: Backoff,
    pub outage: Outage,
}

/// Why a cursor was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Stopped,
    /// It may be at a server that is primary no more.
    PrimaryChanged,
    /// The server ended it.
    Ended,
}

impl Tail {
    pub fn run(mut self, stop: &Stop) {
        while !stop.is_set() {
            match self.follow(stop) {
                Ok(Left::Stopped) => break,
                Ok(Left::PrimaryChanged) => continue,
                Ok(Left::Ended) => log::debug!("the cursor on the bus has ended"),
                Err(error) => self.outage.note("no messages are heard for now", &error),
            }
            stop.wait(self.backoff.pause());
        }
        self.fanout.close();
    }

    /// Opens a cursor and hands out what it yields, to its end.
    fn follow(&mut self, stop: &Stop) -> Result<Left, StoreError> {
        let primaries = self.store.primary_changes();
        let place = match &mut self.place {
            Some(place) => place,
            none => none.insert(Place::behind(self.store.bus_newest()?)),
        };
        let (mut tail, mut batch) = self.store.bus_open(place.since())?;
        place.reopened();
        loop {
            let ended = batch.ended;
            self.hand_out(batch);
            if ended {
                return Ok(Left::Ended);
            }
            self.backoff.reset();
            self.outage.over("messages are heard again");
            let left = match stop.is_set() {
                true => Some(Left::Stopped),
                false if self.store.primary_changes() == primaries => None,
                false => Some(Left::PrimaryChanged),
            };
            if let Some(left) = left {
                self.store.bus_close(tail);
                return Ok(left);
            }
            batch = self.store.bus_more(&mut tail)?;
        }
    }

    fn hand_out(&mut self, batch: BusBatch) {
        let Some(place) = &mut self.place else { return };
        for told in place.take(batch.entries, batch.at_end) {
            let item = match told {
                Told::Entry(entry) if is_goodbye(entry.message.as_ref()) => None,
                Told::Entry(entry) => Item::of(entry),
                Told::Gap => Some(Item::Gap),
            };
            item.iter().for_each(|item| self.fanout.send(item));
        }
    }
}

/// It has woken whom it should by being read: nobody else has to know.
fn is_goodbye(message: Option<&Message>) -> bool {
    matches!(message, Some(Message::Goodbye { .. }))
}
