//! The newest events, and what of them a client has not seen. Pure.

use crate::api::reply::event::EventReply;
use crate::base::ids::EventId;
use crate::limits;
use std::collections::{HashMap, VecDeque};

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub id: EventId,
    pub at_s: i64,
    pub kind: String,
    pub resource: Option<String>,
}

/// How many events this host had kept at some moment: a client's place, for this process only.
pub type Position = u64;

/// What a client gets.
#[derive(Debug, PartialEq)]
pub enum Look {
    News(Vec<EventReply>),
    /// Nothing after this place.
    Nothing(Position),
}

#[derive(Debug, Default)]
pub struct Ring {
    kept: VecDeque<Kept>,
    /// Position behind each event that is kept.
    known: HashMap<EventId, Position>,
    newest: Position,
}

impl Ring {
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// `false`: it was there already.
    pub fn push(&mut self, event: Kept) -> bool {
        if self.known.contains_key(&event.id) {
            return false;
        }
        self.newest += 1;
        self.known.insert(event.id, self.newest);
        self.kept.push_back(event);
        if self.kept.len() > limits::EVENT_RING_MAX
            && let Some(oldest) = self.kept.pop_front()
        {
            self.known.remove(&oldest.id);
        }
        true
    }

    /// `resumed`: where an earlier look ended that found nothing. `cursor`: the newest event the
    /// client has. A client without either, or with a cursor nobody knows any more, gets what comes
    /// from now on (contract 2.7).
    pub fn look(&self, resumed: Option<Position>, cursor: Option<EventId>) -> Look {
        let known = || self.known.get(&cursor?).copied();
        let from = resumed.or_else(known).unwrap_or(self.newest).min(self.newest);
        match from == self.newest {
            true => Look::Nothing(from),
            false => Look::News(merged(self.after(from))),
        }
    }

    fn after(&self, position: Position) -> impl Iterator<Item = &Kept> {
        let count = usize::try_from(self.newest - position).unwrap_or(usize::MAX);
        self.kept.iter().skip(self.kept.len().saturating_sub(count))
    }
}

/// Of equal ones the first one's place, and the last one's id and time (contract 2.7).
fn merged<'a>(events: impl Iterator<Item = &'a Kept>) -> Vec<EventReply> {
    let mut merged: Vec<EventReply> = Vec::new();
    let mut places: HashMap<(&str, Option<&str>), usize> = HashMap::new();
    for event in events {
        let reply = reply(event);
        let key = (event.kind.as_str(), event.resource.as_deref());
        let place = *places.entry(key).or_insert(merged.len());
        match merged.get_mut(place) {
            Some(earlier) => *earlier = reply,
            None => merged.push(reply),
        }
    }
    merged
}

#[expect(clippy::cast_precision_loss, reason = "seconds are far below 2^52")]
fn reply(event: &Kept) -> EventReply {
    EventReply {
        id: event.id.to_string(),
        timestamp: event.at_s as f64,
        kind: event.kind.clone(),
        resource_id: event.resource.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> EventId {
        let mut bytes = [0; 12];
        bytes[8..].copy_from_slice(&n.to_be_bytes());
        EventId::from_bytes(bytes)
    }

    fn event(n: u32, kind: &str, resource: Option<&str>) -> Kept {
        let (kind, resource) = (kind.to_owned(), resource.map(str::to_owned));
        Kept { id: id(n), at_s: i64::from(n), kind, resource }
    }

    fn ring(events: &[(u32, &str, Option<&str>)]) -> Ring {
        let mut ring = Ring::default();
        events.iter().for_each(|(n, kind, about)| assert!(ring.push(event(*n, kind, *about))));
        ring
    }

    /// Kind, resource and id of each.
    fn news(look: Look) -> Vec<(String, Option<String>, String)> {
        let Look::News(items) = look else { panic!("nothing") };
        let ids = items.iter().map(|item| item.id.clone());
        let pairs = items.iter().map(|item| (item.kind.clone(), item.resource_id.clone()));
        pairs.zip(ids).map(|((kind, resource), id)| (kind, resource, id)).collect()
    }

    fn row(kind: &str, resource: Option<&str>, n: u32) -> (String, Option<String>, String) {
        (kind.to_owned(), resource.map(str::to_owned), id(n).to_string())
    }

    #[test]
    fn a_client_gets_what_is_newer_than_its_cursor() {
        // Ids in no order: only places count.
        let ring = ring(&[(9, "a", None), (5, "b", None), (7, "c", None)]);
        let rest = [row("b", None, 5), row("c", None, 7)];
        assert_eq!(news(ring.look(None, Some(id(9)))), rest);
        assert_eq!(ring.look(None, Some(id(7))), Look::Nothing(3));
        assert_eq!(news(ring.look(Some(2), Some(id(9)))), rest[1..], "its place goes first");
    }

    #[test]
    fn a_client_without_a_known_cursor_gets_what_comes_from_now_on() {
        let mut ring = ring(&[(1, "a", None), (2, "b", None)]);
        for cursor in [None, Some(id(99))] {
            assert_eq!(ring.look(None, cursor), Look::Nothing(2));
        }
        ring.push(event(3, "c", None));
        for cursor in [None, Some(id(99))] {
            assert_eq!(news(ring.look(Some(2), cursor)), [row("c", None, 3)]);
        }
        assert_eq!(ring.look(Some(77), None), Look::Nothing(3), "of another process");
    }

    #[test]
    fn duplicates_are_merged_in_the_first_place_with_the_last_id() {
        let ring = ring(&[
            (1, "x", None),
            (2, "users_updated", Some("o1")),
            (3, "servers_updated", None),
            (4, "users_updated", Some("o2")),
            (5, "users_updated", Some("o1")),
            (6, "users_updated", None),
        ]);
        let Look::News(items) = ring.look(None, Some(id(1))) else { panic!("nothing") };
        assert_eq!(items[0].timestamp.to_bits(), 5f64.to_bits());
        let expected = [
            row("users_updated", Some("o1"), 5),
            row("servers_updated", None, 3),
            row("users_updated", Some("o2"), 4),
            row("users_updated", None, 6),
        ];
        assert_eq!(news(Look::News(items)), expected);
    }

    #[test]
    fn an_event_is_kept_once_and_the_oldest_go() {
        let mut ring = Ring::default();
        let max = u32::try_from(limits::EVENT_RING_MAX).expect("small");
        for n in 0..=max {
            assert!(ring.push(event(n, "k", Some(&n.to_string()))));
        }
        assert!(!ring.push(event(max, "k", None)), "heard twice");
        assert_eq!(ring.kept.len(), limits::EVENT_RING_MAX);
        assert_eq!(ring.known.len(), limits::EVENT_RING_MAX);
        let newest = u64::from(max) + 1;
        assert_eq!(ring.look(None, Some(id(0))), Look::Nothing(newest), "expired");
        assert_eq!(news(ring.look(None, Some(id(1)))).len(), limits::EVENT_RING_MAX - 1);
        assert_eq!(news(ring.look(Some(0), None)).len(), limits::EVENT_RING_MAX, "all there is");
    }
}
