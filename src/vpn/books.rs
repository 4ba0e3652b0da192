//! Writing down what happens, so that no running server ever waits for the database.
//!
//! One thread. Notes wait in a bounded queue and go in batches, at most one per second, sooner if
//! somebody waits for one of them. While the database is away they are kept up to the bound, and
//! byte counts of a client replace each other.

use crate::base::clock::{Clock, Mono};
use crate::limits::{BOOKS_HURRY, BOOKS_NOTES_MAX, BOOKS_PERIOD};
use crate::thread::{self, Stop, Thread, ThreadError};
use crate::vpn::records::{Note, Records};
use crossbeam_channel::{Receiver, Sender, bounded, never};
use std::sync::Arc;
use std::time::Duration;

/// For those who have something to be written down.
#[derive(Clone, Debug)]
pub struct Pen(Sender<Box<Note>>);

impl Pen {
    /// At the bound the note is lost, which is logged: books lag, tunnels do not.
    pub fn note(&self, note: Note) {
        if self.0.try_send(Box::new(note)).is_err() {
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
    // All places of the queue are there from the start: small ones, then.
    let (tx, rx) = bounded(BOOKS_NOTES_MAX);
    let thread = thread::spawn("vpn-books", move || run(&*records, &clock, &rx, &stop))?;
    Ok((Pen(tx), thread))
}

fn run(records: &dyn Records, clock: &Clock, inbox: &Receiver<Box<Note>>, stop: &Stop) {
    let (mut batch, mut due, mut away) = (Vec::new(), clock.mono(), false);
    loop {
        let stopped = gather(&mut batch, clock, inbox, stop, (due, away));
        // A database that was away a moment ago is not waited for at the end.
        if stopped && away && clock.mono() < due {
            return;
        }
        if !batch.is_empty() {
            away = records.write(&batch).is_err();
            if !away {
                batch.clear();
            }
            due = clock.mono() + BOOKS_PERIOD;
        }
        if stopped {
            return;
        }
    }
}

/// Takes in notes until it is time to write them; `due` is a second after the last time. `true`:
/// this is the last time.
fn gather(
    batch: &mut Vec<Note>,
    clock: &Clock,
    inbox: &Receiver<Box<Note>>,
    stop: &Stop,
    (mut due, away): (Mono, bool),
) -> bool {
    let closed = never();
    let mut inbox = inbox;
    loop {
        let now = clock.mono();
        if !batch.is_empty() && now >= due {
            return false;
        }
        // Nothing to write: only a note or the stop ends the wait.
        let wait = if batch.is_empty() { BOOKS_IDLE } else { due.since(now) };
        let full = batch.len() >= BOOKS_NOTES_MAX;
        crossbeam_channel::select! {
            recv(stop.channel()) -> _ => {
                inbox.try_iter().take(BOOKS_NOTES_MAX).for_each(|note| add(batch, *note));
                return true;
            }
            recv(if full { &closed } else { inbox }) -> note => match note {
                Ok(note) => {
                    let soon = clock.mono() + BOOKS_HURRY;
                    if note.is_urgent() && !away {
                        due = due.min(soon);
                    }
                    if batch.is_empty() {
                        // What comes together is to go together.
                        due = due.max(soon);
                    }
                    add(batch, *note);
                }
                // Nobody writes any more.
                Err(_) => inbox = &closed,
            },
            default(wait) => {}
        }
    }
}

/// A wait that only a note or the stop ends.
const BOOKS_IDLE: Duration = Duration::from_secs(3600);

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
    use crate::base::ids::{ClientId, InstanceId, ServerId};

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

    #[test]
    fn what_somebody_waits_for_is_written_soon_and_the_rest_in_a_second() {
        let clock = Clock::system();
        let (tx, rx) = bounded(8);
        let (_source, stop) = thread::stop_pair();
        let server = ServerId::from_bytes([1; 12]);
        let output = || Note::Output { server, line: "x".to_owned() };
        let started = || Note::Started { server, instance: InstanceId::from_bytes([1; 12]) };
        // Notes, whether the database was away, and for how long they wait at most.
        let rows = [
            (vec![output()], false, BOOKS_PERIOD),
            (vec![output(), started()], false, BOOKS_HURRY),
            (vec![started()], true, BOOKS_PERIOD),
        ];
        for (notes, away, want) in rows {
            let begin = clock.mono();
            let count = notes.len();
            notes.into_iter().for_each(|note| tx.send(Box::new(note)).expect("room"));
            let mut batch = Vec::new();
            assert!(!gather(&mut batch, &clock, &rx, &stop, (begin + BOOKS_PERIOD, away)));
            let took = clock.mono().since(begin);
            assert_eq!(batch.len(), count);
            assert!(took >= want && took < want + BOOKS_PERIOD / 2, "{took:?} of {want:?}");
        }
    }
}
