//! Who listens. Each subscriber has a bounded channel and a flag beside it: when the channel is
//! full, the flag says that something is missing, and until the subscriber has seen it nothing more
//! is sent. So nobody ever waits for a slow one.

use super::Heard;
use crate::base::ids::EventId;
use crate::limits;
use crate::store::bus::{BusEntry, Message};
use crate::thread::Stop;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// A message with its place in the bus.
#[derive(Debug, PartialEq, Eq)]
pub struct Posted {
    /// The same on every host.
    pub id: EventId,
    /// When the database took it, in seconds since the Unix epoch.
    pub at_s: i64,
    pub message: Message,
}

#[derive(Clone)]
pub enum Item {
    Posted(Arc<Posted>),
    Gap,
}

impl Item {
    /// `None`: an entry that says nothing to this version.
    pub fn of(entry: BusEntry) -> Option<Item> {
        let message = entry.message?;
        let at_s = i64::from(entry.at.seconds);
        Some(Item::Posted(Arc::new(Posted { id: entry.id, at_s, message })))
    }
}

struct Outlet {
    name: &'static str,
    items: Sender<Item>,
    /// Gone when its subscription is.
    missed: Weak<AtomicBool>,
}

/// All subscribers of a host; clones share them.
///
/// The mutex: taken by whoever subscribes, and by the reader's thread while it hands out a message,
/// which never waits.
#[derive(Clone, Default)]
pub struct Fanout(Arc<Mutex<Vec<Outlet>>>);

impl Fanout {
    pub fn subscribe(&self, name: &'static str) -> Subscription {
        let (items, inbox) = bounded(limits::BUS_SUBSCRIBER_MAX);
        let missed = Arc::<AtomicBool>::default();
        let outlet = Outlet { name, items, missed: Arc::downgrade(&missed) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(outlet);
        Subscription { inbox, missed }
    }

    pub fn send(&self, item: &Item) {
        let mut outlets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        outlets.retain(|outlet| outlet.send(item));
    }

    /// Ends every subscription: they hear nothing more.
    pub fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Outlet {
    /// `false`: the subscription is gone.
    fn send(&self, item: &Item) -> bool {
        let Some(missed) = self.missed.upgrade() else { return false };
        // It reconciles after it has seen the flag, and so after this.
        if missed.load(Ordering::SeqCst) || self.items.try_send(item.clone()).is_ok() {
            return true;
        }
        missed.store(true, Ordering::SeqCst);
        log::debug!("{} is behind: it has to look for itself what has changed", self.name);
        // If it emptied its channel just now it may be waiting: this wakes it.
        let _ = self.items.try_send(Item::Gap);
        true
    }
}

/// One subscriber's messages, in natural order; bounded, with a gap flag beside them.
pub struct Subscription {
    inbox: Receiver<Item>,
    missed: Arc<AtomicBool>,
}

impl Subscription {
    /// The next message within `limit`, or `None`; also `None` as soon as `stop` is set.
    pub fn next(&self, stop: &Stop, limit: Duration) -> Option<Heard> {
        Some(match self.next_posted(stop, limit)? {
            Item::Posted(posted) => Heard::Message(posted.message.clone()),
            Item::Gap => Heard::Gap,
        })
    }

    /// The same with its place in the bus.
    pub(crate) fn next_posted(&self, stop: &Stop, limit: Duration) -> Option<Item> {
        if stop.is_set() {
            return None;
        }
        if self.missed.swap(false, Ordering::SeqCst) {
            self.inbox.try_iter().for_each(drop);
            return Some(Item::Gap);
        }
        select! {
            recv(self.inbox) -> item => match item {
                Ok(item) => Some(item),
                Err(_) => {
                    // The bus has ended.
                    stop.wait(limit);
                    None
                }
            },
            recv(stop.channel()) -> _ => None,
            default(limit) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(n: usize) -> Item {
        let message = Message::Wake { key: n.to_string() };
        Item::Posted(Arc::new(Posted { id: EventId::from_bytes([0; 12]), at_s: 0, message }))
    }

    fn hear(subscription: &Subscription) -> Option<Heard> {
        subscription.next(&Stop::never(), Duration::ZERO)
    }

    fn heard(n: usize) -> Option<Heard> {
        Some(Heard::Message(Message::Wake { key: n.to_string() }))
    }

    #[test]
    fn a_full_subscriber_loses_its_backlog_and_nobody_else_does() {
        let fanout = Fanout::default();
        let (slow, quick) = (fanout.subscribe("slow"), fanout.subscribe("quick"));
        let many = 2 * limits::BUS_SUBSCRIBER_MAX;
        for n in 0..many {
            fanout.send(&item(n));
            assert_eq!(hear(&quick), heard(n));
        }
        assert_eq!(hear(&slow), Some(Heard::Gap));
        assert_eq!(hear(&slow), None, "the backlog is gone");
        fanout.send(&item(many));
        assert_eq!(hear(&slow), heard(many));
        assert_eq!(hear(&quick), heard(many));
    }

    #[test]
    fn a_dropped_subscription_is_forgotten_even_when_it_was_full() {
        let fanout = Fanout::default();
        let slow = fanout.subscribe("slow");
        (0..=limits::BUS_SUBSCRIBER_MAX).for_each(|n| fanout.send(&item(n)));
        drop(slow);
        fanout.send(&item(0));
        assert_eq!(fanout.0.lock().expect("unpoisoned").len(), 0);
    }

    #[test]
    fn a_stop_comes_before_what_waits_and_ends_a_wait() {
        let (source, stop) = crate::thread::stop_pair();
        let fanout = Fanout::default();
        let subscription = fanout.subscribe("one");
        fanout.send(&item(1));
        drop(source);
        assert_eq!(subscription.next(&stop, Duration::from_secs(60)), None);
        fanout.close();
        assert_eq!(hear(&subscription), heard(1));
        assert_eq!(hear(&subscription), None);
    }

    #[test]
    fn a_gap_stands_in_its_place() {
        let fanout = Fanout::default();
        let subscription = fanout.subscribe("one");
        [item(1), Item::Gap, item(2)].iter().for_each(|item| fanout.send(item));
        assert_eq!(hear(&subscription), heard(1));
        assert_eq!(hear(&subscription), Some(Heard::Gap));
        assert_eq!(hear(&subscription), heard(2));
    }
}
