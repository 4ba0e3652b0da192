//! The console's events (contract 2.7): a topic of the bus, kept in one ring in memory.
//!
//! Thread: `events` ([`Feed`]), which fills the ring and passes the bus's wake-ups on. Requests
//! look into the ring and are answered at once; with nothing to tell the front parks the client.
//! An event's id is its message's in the bus, so that a cursor means the same on every host.
//!
//! ```text
//!   bus ── events ──▶ ring ◀── look ── GET /event[/cursor] ── news, or park
//!             └─────▶ wake-ups ──▶ edge, which asks again for whom it has parked
//! ```
//!
//! After a gap everything that clients may show counts as changed.

mod feed;
mod ring;

pub use feed::Feed;
pub use ring::{Look, Position};

use crate::base::ids::EventId;
use crate::internal::answer::{self, Handled};
use crate::internal::app::Asked;
use crate::limits;
use ring::Ring;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What clients wait for.
const KEY: &str = "events";

/// The events of this host; clones share them.
///
/// The mutex: taken by `events` to keep some and by requests to look, neither of which waits while
/// holding it.
#[derive(Clone, Default)]
pub struct Events(Arc<Mutex<Ring>>);

impl Events {
    /// What a client gets ([`Ring::look`]).
    pub fn look(&self, resumed: Option<Position>, cursor: Option<EventId>) -> Look {
        self.ring().look(resumed, cursor)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub fn get_events(asked: &Asked<'_>) -> Handled {
    answer(asked, None)
}

pub fn get_events_after(asked: &Asked<'_>, cursor: EventId) -> Handled {
    answer(asked, Some(cursor))
}

fn answer(asked: &Asked<'_>, cursor: Option<EventId>) -> Handled {
    let seq = asked.app.wakeups.published();
    let resumed = asked.resume().and_then(|position| position.parse().ok());
    match asked.app.events.look(resumed, cursor) {
        Look::News(items) => answer::json(&items),
        Look::Nothing(position) => {
            let (late, key) = (answer::json::<[(); 0]>(&[])?, KEY.to_owned());
            let resume = position.to_string();
            Ok(answer::park(late, key, limits::EVENT_POLL_MAX, seq, resume))
        }
    }
}
