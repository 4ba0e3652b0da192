//! Where a reader stands in the bus, and how it finds its place again after a cursor has ended.
//! Pure.
//!
//! A cursor is opened a little before the newest message heard, by the server's stamp. What comes
//! up to the place is skipped. The place is known by the messages heard, not by an order of ids or
//! dates: hosts make ids by clocks of their own, and stamps of neighbours may be swapped. That more
//! than one is remembered matters after the loss of a primary, which may have had the newest ones
//! alone while we had heard them: their hosts write them again, they get other stamps, and perhaps
//! another order. From the first one on that is unknown or was written again, all is told, so that
//! everyone's last hearing of each is in one order. If the database has lost all that we remember,
//! or they made room for others, messages may have been missed: a gap.
//!
//! Members of a replica set may have neighbours, which were written at the same time, in different
//! orders. A new primary's is not told when all that it has was heard before.

use crate::base::ids::EventId;
use crate::limits;
use crate::store::bus::{BusEntry, Stamp};
use std::collections::{HashMap, VecDeque};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Skips what was heard long ago, until something known comes.
    Seeking,
    /// Skips what is known.
    Joining,
    /// All is new.
    Following,
}

/// What is to be told to subscribers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Entry(BusEntry),
    Gap,
}

#[derive(Debug)]
pub struct Place {
    state: State,
    newest: Option<Stamp>,
    /// The newest messages heard, in their order, and the same for looking up.
    heard: VecDeque<(EventId, Stamp)>,
    known: HashMap<EventId, Stamp>,
    /// The newest one skipped by the search under way.
    skipped: Option<BusEntry>,
    gap_due: bool,
}

impl Place {
    /// Behind `newest`, the last message before this reader began. Whoever listens already gets a
    /// gap first: messages may have come before.
    pub fn behind(newest: Option<BusEntry>) -> Place {
        let mut place = Place {
            state: State::Seeking,
            newest: None,
            heard: VecDeque::new(),
            known: HashMap::new(),
            skipped: None,
            gap_due: true,
        };
        newest.iter().for_each(|entry| place.hear(entry));
        place
    }

    /// From where on a cursor has to be opened: a message that was heard so long ago that the
    /// database can not have lost it comes first, if there is one. All unknown ones behind it are
    /// new, wherever they stand.
    pub fn since(&self) -> Stamp {
        let Some(newest) = self.newest else { return Stamp::new(0, 0) };
        let early = newest.earlier(limits::BUS_RESUME_OVERLAP);
        let safe = self.heard.iter().rev().map(|(_, at)| *at).find(|at| *at <= early);
        safe.unwrap_or(early)
    }

    /// A cursor was opened: all from [`Place::since`] on comes again.
    pub fn reopened(&mut self) {
        self.skipped = None;
        // Nothing known after a gap: there was nothing to be heard since that stamp either.
        let is_lost = !self.heard.is_empty();
        self.state = if is_lost { State::Seeking } else { State::Following };
    }

    /// Messages of the open cursor; `at_end`: there were no more at that moment.
    pub fn take(&mut self, entries: Vec<BusEntry>, at_end: bool) -> Vec<Told> {
        let mut told = Vec::new();
        if std::mem::take(&mut self.gap_due) {
            told.push(Told::Gap);
        }
        for entry in entries {
            match (self.state, self.known.get(&entry.id) == Some(&entry.at)) {
                (State::Seeking, false) => self.skipped = Some(entry),
                (State::Seeking, true) => self.state = State::Joining,
                (State::Joining, true) => {}
                (State::Joining | State::Following, _) => {
                    self.state = State::Following;
                    self.hear(&entry);
                    told.push(Told::Entry(entry));
                }
            }
        }
        if at_end && self.state == State::Seeking {
            told.push(Told::Gap);
            self.forget();
        }
        if at_end {
            self.state = State::Following;
        }
        told
    }

    fn hear(&mut self, entry: &BusEntry) {
        self.newest = Some(entry.at);
        self.known.insert(entry.id, entry.at);
        self.heard.push_back((entry.id, entry.at));
        if self.heard.len() > limits::BUS_HEARD_MAX
            && let Some((oldest, at)) = self.heard.pop_front()
            // It may have been heard again since, with another stamp.
            && self.known.get(&oldest) == Some(&at)
        {
            self.known.remove(&oldest);
        }
    }

    fn forget(&mut self) {
        self.heard.clear();
        self.known.clear();
        if let Some(last) = self.skipped.take() {
            self.hear(&last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Message number `id`, stamped at `second`.
    fn entry(id: u16, second: u32) -> BusEntry {
        let mut bytes = [0; 12];
        bytes[..2].copy_from_slice(&id.to_be_bytes());
        BusEntry { id: EventId::from_bytes(bytes), at: Stamp::new(second, 1), message: None }
    }

    fn entries(ids: &[u16]) -> Vec<BusEntry> {
        ids.iter().map(|id| entry(*id, 100)).collect()
    }

    /// The numbers told, 0 for a gap.
    fn numbers(told: &[Told]) -> Vec<u16> {
        let number = |entry: &BusEntry| {
            let bytes = entry.id.bytes();
            u16::from_be_bytes([bytes[0], bytes[1]])
        };
        told.iter().map(|t| if let Told::Entry(e) = t { number(e) } else { 0 }).collect()
    }

    /// Has heard `ids` of a cursor that was at its end.
    fn reader(ids: &[u16]) -> Place {
        let mut place = Place::behind(Some(entry(1000, 100)));
        place.reopened();
        let mut all = entries(&[1000]);
        all.extend(entries(ids));
        assert_eq!(place.take(all, true)[0], Told::Gap, "at the beginning");
        place
    }

    #[test]
    fn a_reader_finds_its_place_again() {
        // What was heard; what the next cursor yields; what is told of it.
        type Row = (&'static str, &'static [u16], &'static [u16], &'static [u16]);
        let rows: [Row; 10] = [
            ("nothing new", &[1, 2, 3], &[1, 2, 3], &[]),
            ("news", &[1, 2, 3], &[1, 2, 3, 4, 5], &[4, 5]),
            ("a part of the past", &[1, 2, 3], &[3, 4], &[4]),
            ("a longer past", &[7, 8], &[2, 3, 1000, 7, 8, 9], &[9]),
            ("ids in no order", &[30, 10, 20], &[30, 10, 20, 5, 15], &[5, 15]),
            ("the newest were lost", &[1, 2, 3, 4], &[1, 2, 5, 6], &[5, 6]),
            ("and are written again", &[1, 2, 3, 4], &[1, 2, 5, 4, 3, 6], &[5, 4, 3, 6]),
            ("neighbours of another primary", &[1, 3], &[1, 2, 3, 4], &[2, 3, 4]),
            ("their order alone", &[1, 2, 3, 4], &[1, 3, 2, 4], &[]),
            ("all made room", &[1, 2, 3], &[8, 9], &[0]),
        ];
        for (name, heard, yields, expected) in rows {
            let mut place = reader(heard);
            place.reopened();
            assert_eq!(numbers(&place.take(entries(yields), true)), expected, "{name}");
            let next = place.take(entries(&[77]), true);
            assert_eq!(numbers(&next), [77], "{name}: follows");
        }
    }

    #[test]
    fn a_search_goes_on_over_several_replies() {
        let mut place = reader(&[1, 2, 3]);
        place.reopened();
        assert_eq!(place.take(entries(&[90, 91]), false), []);
        assert_eq!(place.take(entries(&[1, 2]), false), []);
        assert_eq!(numbers(&place.take(entries(&[3, 4]), false)), [4]);
        assert_eq!(numbers(&place.take(entries(&[5]), true)), [5]);

        place.reopened();
        assert_eq!(place.take(entries(&[90, 91]), false), []);
        assert_eq!(place.take(entries(&[92]), true), [Told::Gap]);
        place.reopened();
        let news = place.take(entries(&[91, 92, 93]), true);
        assert_eq!(numbers(&news), [93], "after a gap the place is behind what was skipped");
    }

    #[test]
    fn swapped_stamps_of_neighbours_hide_nothing() {
        let mut place = reader(&[]);
        let told = place.take(vec![entry(1, 105), entry(2, 104)], true);
        assert_eq!(numbers(&told), [1, 2]);
        assert_eq!(place.since(), Stamp::new(94, 0), "ten seconds before the last one");
        place.reopened();
        let again = vec![entry(1, 105), entry(2, 104), entry(3, 103), entry(4, 106)];
        assert_eq!(numbers(&place.take(again, true)), [3, 4]);
    }

    #[test]
    fn what_a_lost_primary_had_is_told_again_when_it_is_written_again() {
        let again = |ids: &[u16]| ids.iter().map(|id| entry(*id, 101)).collect::<Vec<_>>();
        let mut place = reader(&[1, 2, 3]);
        place.reopened();
        assert_eq!(place.take(entries(&[1]), true), [], "the others are lost");
        assert_eq!(numbers(&place.take(again(&[3, 2]), true)), [3, 2]);
        // The same found by a cursor that is opened later.
        let mut place = reader(&[1, 2, 3]);
        place.reopened();
        let now = [entries(&[1]), again(&[3, 2, 4])].concat();
        assert_eq!(numbers(&place.take(now.clone(), true)), [3, 2, 4]);
        place.reopened();
        assert_eq!(place.take(now, true), [], "heard as it stands there");
    }

    #[test]
    fn news_before_a_lone_message_of_a_lost_primary_is_not_skipped() {
        // Silence, then one message, which the primary took with it; then another one in its place.
        let mut place = reader(&[]);
        place.take(vec![entry(1, 150), entry(2, 200)], true);
        assert_eq!(place.since(), Stamp::new(150, 1), "where something is known for sure");
        place.reopened();
        let again = vec![entry(1, 150), entry(3, 201), entry(2, 202)];
        assert_eq!(numbers(&place.take(again, true)), [3, 2]);
    }

    #[test]
    fn an_empty_bus_is_followed_from_its_first_message() {
        let mut place = Place::behind(None);
        assert_eq!(place.since(), Stamp::new(0, 0));
        place.reopened();
        assert_eq!(numbers(&place.take(entries(&[1]), true)), [0, 1]);
    }

    #[test]
    fn after_a_gap_with_nothing_there_all_that_comes_is_new() {
        let mut place = reader(&[1]);
        place.reopened();
        assert_eq!(place.take(Vec::new(), true), [Told::Gap]);
        place.reopened();
        assert_eq!(numbers(&place.take(entries(&[2]), true)), [2]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut place = reader(&[]);
        let last = u16::try_from(limits::BUS_HEARD_MAX).expect("small") + 2000;
        for id in 1..=last {
            place.take(vec![entry(id, 100)], true);
        }
        assert_eq!(place.heard.len(), limits::BUS_HEARD_MAX);
        assert_eq!(place.known.len(), limits::BUS_HEARD_MAX);
        place.reopened();
        assert_eq!(place.take(entries(&[1, 2]), true), [Told::Gap], "long forgotten");
    }
}
