//! The thread that writes messages: what came together goes together, and what could not be
//! written is written again under the same ids until it is.

use super::outbox::Outbox;
use super::{Backoff, Outage};
use crate::base::ids::{EventId, HostId};
use crate::limits;
use crate::store::Store;
use crate::store::bus::Message;
use crate::thread::Stop;
use crossbeam_channel::{Receiver, Sender, select};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub struct Publisher {
    pub store: Store,
    pub host: HostId,
    /// The mutex: see [`super::Bus`].
    pub outbox: Arc<Mutex<Outbox>>,
    /// Something was put into the outbox.
    pub signal: Receiver<()>,
    /// Its other end, so that it stays connected.
    pub _signals: Sender<()>,
    pub backoff: Backoff,
    pub outage: Outage,
}

type Batch = Vec<(EventId, Message)>;

/// Whether a batch is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Done,
    /// The database is away.
    Again,
}

impl Publisher {
    pub fn run(mut self, stop: &Stop) {
        let mut batch = Batch::new();
        while !stop.is_set() {
            if batch.is_empty() {
                batch = self.take();
            }
            if batch.is_empty() {
                select! {
                    recv(stop.channel()) -> _ => {}
                    recv(self.signal) -> _ => {}
                }
            } else if self.send(&batch) == Sent::Done {
                batch.clear();
            } else if stop.is_set() {
                // That was the last attempt: the next one would take as long.
                return self.give_up(&batch);
            } else {
                stop.wait(self.backoff.pause());
            }
        }
        self.finish(batch);
    }

    /// One last attempt for what is left; behind it the message that wakes our own reader.
    fn finish(mut self, mut batch: Batch) {
        self.outbox().put(Message::Goodbye { host: self.host });
        // Whoever publishes still is not waited for.
        for _ in 0..=limits::BUS_OUTBOX_MAX / limits::BUS_WRITE_MAX + 1 {
            if !batch.is_empty() && self.send(&batch) == Sent::Again {
                return self.give_up(&batch);
            }
            batch = self.take();
            if batch.is_empty() {
                return;
            }
        }
    }

    fn give_up(&self, batch: &Batch) {
        let left = batch.len() + self.outbox().take(usize::MAX).len();
        log::warn!("{left} messages could not be written any more");
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Batch {
        let messages = self.outbox().take(limits::BUS_WRITE_MAX);
        messages.into_iter().map(|message| (self.store.new_id(), message)).collect()
    }

    fn send(&mut self, batch: &Batch) -> Sent {
        match self.store.bus_publish(self.host, batch) {
            Ok(()) => {
                self.backoff.reset();
                self.outage.over("messages are written again");
                match self.outbox().take_lost() {
                    0 => {}
                    lost => log::warn!("{lost} messages found no room while they waited"),
                }
                Sent::Done
            }
            Err(error) if error.is_passing() => {
                self.outage.note("no messages are written for now", &error);
                Sent::Again
            }
            Err(error) => {
                // Trying for ever would keep all later ones back.
                log::error!("{} messages are lost: {error}", batch.len());
                Sent::Done
            }
        }
    }
}
