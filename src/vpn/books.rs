//! Writing down what happens, so that no running server ever waits for the database.
//!
//! One thread. Notes wait in a bounded queue and go in batches, at most one per second; while the
//! database is away they are kept up to the bound, and byte counts of a client replace each other.

use crate::base::clock::Clock;
use crate::limits::{BOOKS_NOTES_MAX, BOOKS_PERIOD};
use crate::thread::{self, Stop, Thread, ThreadError};
use crate::vpn::records::{Note, Records};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;

/// For those who have something to be written down.
#[derive(Clone, Debug)]
pub struct Pen(Sender<Note>);

impl Pen {
    /// At the bound the note is lost, which is logged: books lag, tunnels do not.
    pub fn note(&self, note: Note) {
        if self.0.try_send(note).is_err() {
            log::warn!("the database lags behind: something was not recorded");
        }
    }
}

/// Starts the thread; it ends after `stop` and a last attempt.
pub fn spawn(
    records: Arc<dyn Records>,
    clock: Clock,
    stop: Stop,
) -> Result<(Pen, Thread), ThreadError> {
    let (tx, rx) = bounded(BOOKS_NOTES_MAX);
    let thread = thread::spawn("vpn-books", move || run(&*records, &clock, &rx, &stop))?;
    Ok((Pen(tx), thread))
}

fn run(records: &dyn Records, clock: &Clock, inbox: &Receiver<Note>, stop: &Stop) {
    let mut batch = Vec::new();
    loop {
        let stopped = stop.is_set();
        let begin = clock.mono();
        while batch.len() < BOOKS_NOTES_MAX
            && let Ok(note) = inbox.try_recv()
        {
            add(&mut batch, note);
        }
        if !batch.is_empty() && records.write(&batch).is_ok() {
            batch.clear();
        }
        if stopped {
            return;
        }
        stop.wait(BOOKS_PERIOD.saturating_sub(clock.mono().since(begin)));
    }
}

/// A newer total of a client takes the place of the older one.
fn add(batch: &mut Vec<Note>, note: Note) {
    if let Note::Bytes { client: new, .. } = &note {
        let same = |old: &&mut Note| matches!(old, Note::Bytes { client, .. } if client == new);
        if let Some(old) = batch.iter_mut().rev().take(MERGE_LOOK_BACK).find(same) {
            *old = note;
            return;
        }
    }
    batch.push(note);
}

/// How far back a total is looked for, so that merging stays cheap with thousands of clients.
const MERGE_LOOK_BACK: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{ClientId, ServerId};

    #[test]
    fn totals_replace_each_other_and_order_stays() {
        let server = ServerId::from_bytes([1; 12]);
        let bytes = |n: u8, received| Note::Bytes {
            client: ClientId::from_bytes([n; 12]),
            server,
            received,
            sent: 0,
        };
        let gone = Note::Gone { client: ClientId::from_bytes([1; 12]), server };
        let mut batch = Vec::new();
        for note in [bytes(1, 10), bytes(2, 5), bytes(1, 20), gone.clone()] {
            add(&mut batch, note);
        }
        assert_eq!(batch, [bytes(1, 20), bytes(2, 5), gone]);
    }
}
