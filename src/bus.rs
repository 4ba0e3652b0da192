//! Messages between hosts (design section 6).

use crate::base::clock::{Clock, Mono};
use crate::base::ids::HostId;
use crate::domain::event::Event;
use crate::store::Store;
use crate::thread::{Stop, ThreadError};
use std::time::Duration;

pub use crate::store::bus::Message;

/// Publishes messages and hands out subscriptions; clones share both.
#[derive(Clone)]
pub struct Bus {}

/// What a subscriber hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Message(Message),
    /// Something may have been missed: reconcile from documents.
    Gap,
}

/// The running threads. Dropping it stops them.
pub struct Handle {}

pub fn spawn(_store: Store, _host: HostId, _clock: Clock) -> Result<(Bus, Handle), ThreadError> {
    Ok((Bus {}, Handle {}))
}

impl Bus {
    /// Never waits. To be called after the change it tells of is acknowledged.
    pub fn publish(&self, _message: Message) {}

    pub fn emit(&self, event: Event) {
        self.publish(Message::Event { kind: event.kind().to_owned(), resource: event.resource() });
    }

    /// Everything from now on; the name is for log lines. Dropping it ends it.
    pub fn subscribe(&self, _name: &'static str) -> Subscription {
        Subscription {}
    }
}

/// One subscriber's messages, in natural order; bounded, with a gap flag beside them.
pub struct Subscription {}

impl Subscription {
    /// The next message within `limit`, or `None`; also `None` as soon as `stop` is set.
    pub fn next(&self, stop: &Stop, limit: Duration) -> Option<Heard> {
        stop.wait(limit);
        None
    }
}

impl Handle {
    pub fn stop(self, _clock: &Clock, _deadline: Mono) -> Vec<ThreadError> {
        Vec::new()
    }
}
