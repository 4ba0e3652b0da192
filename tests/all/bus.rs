//! The bus against a real database: who hears what, in which order, whatever happens meanwhile.

pub mod rig;
mod silence;

use crate::needs;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{pause, seconds, wait_until};
use mongodb::bson::{Document, doc};
use rig::{Ear, Wire, begin, flood, host, natural_order, settle, store, timed, wait_heard};
use std::time::Duration;
use warren::base::clock::Clock;
use warren::base::ids::{EventId, HostId};
use warren::bus::{Heard, Message};
use warren::limits;
use warren::thread::{Stop, Thread};

const PERIOD: Duration = Duration::from_millis(3);

/// What `ear` heard of these speakers, each thing as often as it was heard.
fn heard(ear: &Ear, names: &[&str]) -> Vec<String> {
    ear.keys().into_iter().filter(|key| is_of(names, key)).collect()
}

fn is_of(names: &[&str], key: &str) -> bool {
    names.iter().any(|name| key.starts_with(&format!("{name}/")))
}

/// All heard each of `count` things of each name once, as they stand in the database.
fn assert_one_order(set: &ReplicaSet, ears: &[&Ear], names: &[&str], count: u32) {
    let all = usize::try_from(count).expect("small") * names.len();
    let natural = natural_order(set);
    let natural: Vec<String> = natural.into_iter().filter(|key| is_of(names, key)).collect();
    assert_eq!(natural.len(), all, "each is there once");
    for ear in ears {
        let heard = heard(ear, names);
        assert!(heard == natural, "heard {} of {all}, or in another order", heard.len());
    }
}

/// Both heard the same but for the moment in which the database was lost: what was not acknowledged
/// then, or by members in another order, one may have heard before and the other after it.
fn assert_one_order_but_for_a_moment(ears: [&Ear; 2], names: &[&str]) {
    const MOMENT: usize = 50;
    let [one, other] = ears.map(|ear| heard(ear, names));
    let same = |(a, b): &(&String, &String)| a == b;
    let before = one.iter().zip(&other).take_while(same).count();
    let after = one.iter().rev().zip(other.iter().rev()).take_while(same).count();
    let longest = one.len().max(other.len());
    assert!(before + after + MOMENT >= longest, "of {longest}: {before} before, {after} after");
}

#[test]
fn every_host_hears_everything_in_one_order_whatever_its_clock_says() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let hosts = [host(set.uri(), 1, 0), host(set.uri(), 2, 3600), host(set.uri(), 3, -3600)];
    let ears = [0, 0, 1, 2].map(|n: usize| Ear::on(&hosts[n]));
    let ears: Vec<&Ear> = ears.iter().collect();
    settle(&hosts.iter().collect::<Vec<_>>(), &ears);
    let names = ["a", "b", "c"];
    let speakers: Vec<Thread> =
        hosts.iter().zip(names).map(|(host, name)| host.speak(name, 1000, PERIOD)).collect();
    drop(speakers);
    wait_heard(&ears, &names, 1000, seconds(10));
    assert_one_order(&set, &ears, &names, 1000);
    for ear in &ears {
        assert_eq!((ear.count(), ear.gaps()), (3000, 0), "each thing once");
        for name in names {
            let own = heard(ear, &[name]);
            let said: Vec<String> = (0..1000).map(|n| format!("{name}/{n}")).collect();
            assert!(own == said, "{name} is heard in the order in which it spoke");
        }
    }
}

#[test]
fn a_collection_that_rolls_over_loses_nothing_for_those_who_keep_up() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let (first, second) = (host(set.uri(), 1, 0), host(set.uri(), 2, 3600));
    let (ear1, ear2) = (Ear::on(&first), Ear::on(&second));
    settle(&[&first, &second], &[&ear1, &ear2]);
    let count = flood(&first, "f", &[&ear1, &ear2]);
    wait_heard(&[&ear1, &ear2], &["f"], count, seconds(15));
    assert!(heard(&ear1, &["f"]) == heard(&ear2, &["f"]));
    assert_eq!((ear1.gaps(), ear2.gaps()), (0, 0));
    let left = natural_order(&set).len();
    assert!(left < usize::try_from(count).expect("small"), "{left} of {count} are left");
}

#[test]
fn a_host_that_was_cut_off_hears_what_it_missed_or_of_a_gap() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let wire = Wire::to(set.members[0].socket().to_owned());
    let (first, second) = (host(set.uri(), 1, 0), host(&wire.uri(), 2, 0));
    let (ear1, ear2) = (Ear::on(&first), Ear::on(&second));
    settle(&[&first, &second], &[&ear1, &ear2]);

    wire.cut();
    for n in 0..200 {
        first.say(&format!("a/{n}"));
        second.say(&format!("b/{n}"));
    }
    wait_heard(&[&ear1], &["a"], 200, seconds(5));
    assert_eq!(ear2.count(), 0, "it is cut off");
    wire.heal();
    wait_heard(&[&ear1, &ear2], &["a", "b"], 200, seconds(15));
    assert_one_order(&set, &[&ear1, &ear2], &["a", "b"], 200);
    assert_eq!((ear1.gaps(), ear2.gaps()), (0, 0), "it found its place");

    wire.cut();
    ear2.clear();
    let count = flood(&first, "f", &[&ear1]);
    wait_heard(&[&ear1], &["f"], count, seconds(15));
    wire.heal();
    wait_until("the gap", seconds(15), || ear2.gaps() == 1);
    settle(&[&first, &second], &[&ear1, &ear2]);
}

#[test]
fn a_subscriber_from_before_the_bus_is_open_hears_of_a_gap() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let wire = Wire::to(set.members[0].socket().to_owned());
    let clock = Clock::system();
    let store = store(&wire.uri(), &clock).expect("a store");
    wire.cut();
    let host = begin(store, 1, clock);
    let early = host.bus.subscribe("early");
    host.say("a/0");
    assert_eq!(early.next(&Stop::never(), Duration::from_millis(100)), None);
    wire.heal();
    assert_eq!(early.next(&Stop::never(), seconds(15)), Some(Heard::Gap));
}

#[test]
fn a_database_killed_in_the_middle_loses_nothing() {
    needs!(Mongod);
    let mut set = ReplicaSet::local();
    let (first, second) = (host(set.uri(), 1, 0), host(set.uri(), 2, 3600));
    let (ear1, ear2) = (Ear::on(&first), Ear::on(&second));
    settle(&[&first, &second], &[&ear1, &ear2]);
    let speakers = [first.speak("a", 1000, PERIOD), second.speak("b", 1000, PERIOD)];
    wait_until("they speak", seconds(5), || ear1.count() > 300);
    set.members[0].kill_9();
    pause(seconds(1));
    set.members[0].restart();
    drop(speakers);
    wait_heard(&[&ear1, &ear2], &["a", "b"], 1000, seconds(30));
    assert_one_order_but_for_a_moment([&ear1, &ear2], &["a", "b"]);
}

#[test]
fn a_change_of_primary_loses_nothing() {
    needs!(Mongod);
    let mut set = ReplicaSet::local_three();
    let (first, second) = (host(set.uri(), 1, 0), host(set.uri(), 2, 3600));
    let (ear1, ear2) = (Ear::on(&first), Ear::on(&second));
    settle(&[&first, &second], &[&ear1, &ear2]);
    for (a, b, is_killed) in [("a", "b", false), ("c", "d", true)] {
        let speakers = [first.speak(a, 500, PERIOD), second.speak(b, 500, PERIOD)];
        let heard = ear1.count();
        wait_until("they speak", seconds(5), || ear1.count() > heard + 100);
        let primary = set.primary();
        match is_killed {
            true => set.members[primary].kill_9(),
            false => set.step_down(),
        }
        drop(speakers);
        wait_heard(&[&ear1, &ear2], &[a, b], 500, seconds(40));
        assert_one_order_but_for_a_moment([&ear1, &ear2], &[a, b]);
    }
}

#[test]
fn a_slow_subscriber_hears_of_a_gap_and_delays_nobody() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let (first, second) = (host(set.uri(), 1, 0), host(set.uri(), 2, 0));
    let slow = second.bus.subscribe("slow");
    let (ear1, ear2) = (Ear::on(&first), Ear::on(&second));
    settle(&[&first, &second], &[&ear1, &ear2]);
    let next = || slow.next(&Stop::never(), Duration::ZERO);
    while next().is_some() {}

    let count = u32::try_from(limits::BUS_SUBSCRIBER_MAX).expect("small") + 200;
    drop(first.speak("a", count, Duration::from_millis(1)));
    wait_heard(&[&ear1, &ear2], &["a"], count, seconds(10));
    assert_eq!((ear1.gaps(), ear2.gaps()), (0, 0), "the others hear everything");
    assert_eq!(next(), Some(Heard::Gap));
    assert_eq!(next(), None, "its backlog is gone");
    settle(&[&first], &[&ear2]);
    assert!(matches!(next(), Some(Heard::Message(_))), "it hears on");
}

#[test]
fn a_stop_wakes_its_reader_at_once_or_waits_for_no_database() {
    needs!(Mongod);
    let mut set = ReplicaSet::local();
    let mut total = Duration::ZERO;
    for number in 1..=5 {
        let host = host(set.uri(), number, 0);
        let ear = Ear::on(&host);
        settle(&[&host], &[&ear]);
        let (stuck, took) = timed(|| host.stop());
        assert!(stuck.is_empty(), "{stuck:?}");
        total += took;
    }
    // Each reader was about to wait for nearly all of its time.
    assert!(total < limits::BUS_AWAIT * 5 / 2, "{total:?} for five stops");

    let host = host(set.uri(), 6, 0);
    set.members[0].kill_9();
    let (stuck, took) = timed(|| host.stop());
    assert!(stuck.is_empty(), "{stuck:?} after {took:?}");
    set.members[0].restart();
}

#[test]
fn a_stop_writes_what_waits() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let (listener, speaker) = (host(set.uri(), 1, 0), host(set.uri(), 2, 0));
    let ear = Ear::on(&listener);
    settle(&[&listener], &[&ear]);
    let count = 4 * u32::try_from(limits::BUS_WRITE_MAX).expect("small");
    (0..count).for_each(|n| speaker.say(&format!("a/{n}")));
    assert!(speaker.stop().is_empty());
    wait_heard(&[&ear], &["a"], count, seconds(5));
    assert_one_order(&set, &[&ear], &["a"], count);
}

#[test]
fn what_is_written_again_stands_there_once() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let store = store(set.uri(), &Clock::system()).expect("a store");
    let batch: Vec<(EventId, Message)> = (0..4)
        .map(|n| (EventId::from_bytes([n + 1; 12]), Message::Wake { key: format!("a/{n}") }))
        .collect();
    for part in [&batch[1..2], &batch[..3], &batch[..]] {
        store.bus_publish(HostId::from_bytes([1; 16]), part).expect("written");
    }
    assert_eq!(natural_order(&set), ["a/1", "a/0", "a/2", "a/3"]);
}

#[test]
fn a_bus_that_can_not_serve_is_refused_and_an_empty_one_gets_its_first_message() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let database = set.client().database("warren");
    let bus = || database.collection::<Document>("bus");
    let refused = || store(set.uri(), &Clock::system()).expect_err("refused").to_string();
    database.create_collection("bus").run().expect("a plain one");
    assert!(refused().contains("bus is not capped"), "{}", refused());
    bus().drop().run().expect("gone");
    database.create_collection("bus").capped(true).size(1 << 20).run().expect("a small one");
    assert!(refused().contains("bus is capped at 1048576 bytes"), "{}", refused());
    bus().drop().run().expect("gone");
    let size = u64::try_from(limits::BUS_BYTES).expect("positive");
    database.create_collection("bus").capped(true).size(size).run().expect("an empty one");
    for _ in 0..2 {
        store(set.uri(), &Clock::system()).expect("a store");
        assert_eq!(bus().count_documents(doc! {}).run().expect("a count"), 1);
    }
}
