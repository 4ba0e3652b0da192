//! What hosts tell each other about servers and users, on its way to those whom it concerns here.
//!
//! One thread. A message makes a reaction quick; without it the same comes about by reconciling
//! (I3). Before a user is cut off, what this host knows of them is forgotten, so that coming again
//! is judged by the database.

use crate::bus::{Heard, Message, Subscription};
use crate::domain::event::Event;
use crate::limits::RECONCILE_PERIOD;
use crate::thread::{self, Stop, Thread, ThreadError};
use crate::vpn::fleet::Line;
use crate::vpn::known::Known;
use crate::vpn::people::People;

/// Starts the thread; it ends with the stop.
pub fn spawn(
    subscription: Subscription,
    fleet: Line,
    people: People,
    known: Known,
    stop: Stop,
) -> Result<Thread, ThreadError> {
    thread::spawn("vpn-hints", move || {
        while !stop.is_set() {
            if let Some(heard) = subscription.next(&stop, RECONCILE_PERIOD) {
                react(heard, &fleet, &people, &known);
            }
        }
    })
}

fn react(heard: Heard, fleet: &Line, people: &People, known: &Known) {
    match heard {
        Heard::Gap => {
            people.look();
            fleet.look();
        }
        Heard::Message(Message::Server { .. }) => fleet.look(),
        Heard::Message(Message::CutUser { user, .. }) => {
            known.forget(user);
            fleet.kick_user(user);
        }
        Heard::Message(Message::CutClient { client }) => fleet.kick_client(client),
        Heard::Message(Message::Settings) => people.look(),
        Heard::Message(Message::Event { kind, .. }) if is_about_users(&kind) => people.look(),
        Heard::Message(_) => {}
    }
}

fn is_about_users(kind: &str) -> bool {
    kind == Event::Users(crate::base::ids::OrgId::from_bytes([0; 12])).kind()
}
