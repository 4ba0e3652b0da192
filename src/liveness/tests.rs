//! The rules of silence, one table row each, against an observer that beats and reads each second.

mod simulation;

use super::observer::{Event, Observer, Seen};
use crate::base::clock::Mono;
use crate::base::ids::HostId;

const OWN: HostId = HostId::from_bytes([1; 16]);
const OTHER: HostId = HostId::from_bytes([2; 16]);

/// One second of the observer: what it saw, and what went wrong.
#[derive(Clone, Copy)]
struct Second {
    beat: i64,
    own_acknowledged: bool,
    own_ms: u64,
    read_ms: u64,
    read_failed: bool,
    primary: u64,
}

const QUIET: Second = Second {
    beat: 7,
    own_acknowledged: true,
    own_ms: 5,
    read_ms: 5,
    read_failed: false,
    primary: 1,
};

/// The read, counted from zero, after which the other host was declared dead.
fn decided(seconds: impl IntoIterator<Item = Second>) -> Option<usize> {
    let mut observer = Observer::new(OWN);
    let mut now_ms = 0;
    for (index, second) in seconds.into_iter().enumerate() {
        let started = Mono::from_millis(now_ms);
        now_ms += second.own_ms;
        let acknowledged = second.own_acknowledged;
        let event = Event::Beat { started, acknowledged };
        assert!(observer.step(Mono::from_millis(now_ms), event).is_empty());
        let started = Mono::from_millis(now_ms);
        now_ms += second.read_ms;
        let other = Seen { host: OTHER, epoch: 3, beat: second.beat };
        let own = Seen { host: OWN, epoch: 1, beat: 7 };
        let seen = (!second.read_failed).then(|| vec![own, other]);
        let event = Event::Read { started, primary_changes: second.primary, seen };
        let dead = observer.step(Mono::from_millis(now_ms), event);
        if !dead.is_empty() {
            assert_eq!(dead, [other], "never itself");
            return Some(index);
        }
        now_ms += 1000;
    }
    None
}

/// Twenty quiet seconds, the third of which is `odd`.
fn with(odd: Second) -> impl Iterator<Item = Second> {
    (0..20).map(move |index| if index == 2 { odd } else { QUIET })
}

#[test]
fn the_third_read_after_first_sight_decides() {
    assert_eq!(decided([QUIET; 20]), Some(3));
}

#[test]
fn a_moving_beat_is_never_declared_dead() {
    let each_second = (0..1000).map(|beat| Second { beat, ..QUIET });
    assert_eq!(decided(each_second), None);
    let every_third = (0..1000).map(|index| Second { beat: index / 3, ..QUIET });
    assert_eq!(decided(every_third), None, "two unmoved reads prove nothing");
}

#[test]
fn whatever_proves_nothing_starts_the_window_anew() {
    for (odd, decides, why) in [
        (Second { read_ms: 500, ..QUIET }, 3, "just fast enough"),
        (Second { read_ms: 501, ..QUIET }, 6, "a slow read"),
        (Second { read_failed: true, ..QUIET }, 6, "a failed read"),
        (Second { own_acknowledged: false, ..QUIET }, 5, "an own beat without answer"),
        (Second { own_ms: 501, ..QUIET }, 5, "a slow own beat"),
        (Second { beat: 8, ..QUIET }, 6, "a beat, and back to the older number"),
    ] {
        assert_eq!(decided(with(odd)), Some(decides), "{why}");
    }
}

#[test]
fn after_a_change_of_primary_everyone_waits() {
    let change = (0..30).map(|index| Second { primary: u64::from(index >= 2), ..QUIET });
    // The change is seen by read 2; read 12 is the first one ten seconds later.
    assert_eq!(decided(change), Some(15));
}

#[test]
fn time_alone_is_not_enough_without_own_beats() {
    let mut observer = Observer::new(OWN);
    let other = Seen { host: OTHER, epoch: 3, beat: 7 };
    for second in 0..10 {
        let now = Mono::from_millis(second * 1000);
        let event = Event::Read { started: now, primary_changes: 1, seen: Some(vec![other]) };
        assert!(observer.step(now, event).is_empty());
    }
}
