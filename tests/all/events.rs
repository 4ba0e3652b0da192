//! The console's events on several hosts: what clients of each are told, and who is woken.

mod clients;

use crate::bus::rig::{Ear, Host, Wire, flood, host};
use crate::needs;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{seconds, wait_for, wait_until};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use warren::api::reply::event::EventReply;
use warren::base::ids::{OrgId, ServerId};
use warren::bus::Message;
use warren::domain::event::Event;
use warren::http::Body;
use warren::http::wakeups::{Sending, Wakeups};
use warren::internal::{Events, Feed, Look};
use warren::limits;

/// A host, and the part of its internal tier that clients of events meet.
struct Inside {
    host: Host,
    events: Events,
    wakeups: Wakeups,
    _feed: Feed,
    _sending: Sending,
}

fn inside(uri: &str, number: u8) -> Inside {
    fill(host(uri, number, 0))
}

fn fill(host: Host) -> Inside {
    let (wakeups, sending) = Wakeups::start().expect("a thread");
    let feed = Feed::start(host.store.clone(), &host.bus, host.clock.clone(), wakeups.clone());
    let (events, feed) = feed.expect("a thread");
    let inside = Inside { host, events, wakeups, _feed: feed, _sending: sending };
    // Without a database it takes a few seconds to find out.
    wait_until("its first reload", seconds(15), || inside.wakeups.published() > 0);
    inside
}

impl Inside {
    /// Where a client stands that asks for the first time.
    fn position(&self) -> u64 {
        match self.events.look(None, None) {
            Look::Nothing(position) => position,
            Look::News(items) => panic!("{items:?} without a cursor"),
        }
    }

    /// At least `count` things since `position`.
    fn news(&self, position: u64, count: usize) -> Vec<EventReply> {
        wait_for("news", seconds(15), || match self.events.look(Some(position), None) {
            Look::News(items) if items.len() >= count => Some(items),
            _ => None,
        })
    }

    fn after(&self, cursor: &str) -> Option<Vec<EventReply>> {
        match self.events.look(None, Some(cursor.parse().expect("an id"))) {
            Look::News(items) => Some(items),
            Look::Nothing(_) => None,
        }
    }
}

/// Kinds and resources.
fn about(items: &[EventReply]) -> Vec<(&str, Option<&str>)> {
    items.iter().map(|item| (item.kind.as_str(), item.resource_id.as_deref())).collect()
}

fn id(byte: u8) -> String {
    OrgId::from_bytes([byte; 12]).to_string()
}

#[test]
fn an_event_means_the_same_on_every_host() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let (first, second) = (inside(set.uri(), 1), inside(set.uri(), 2));
    let places = (first.position(), second.position());
    first.host.bus.emit(Event::Servers);
    let here = first.news(places.0, 1);
    second.host.bus.emit(Event::Users(OrgId::from_bytes([7; 12])));
    let (here, there) = ([here, first.news(places.0, 2)], second.news(places.1, 2));
    assert_eq!(about(&here[0]), [("servers_updated", None)]);
    assert_eq!(here[1], there);
    let org = id(7);
    let rest = [("users_updated", Some(org.as_str()))];
    for host in [&first, &second] {
        assert_eq!(about(&host.after(&there[0].id).expect("news")), rest);
        assert_eq!(host.after(&there[1].id), None);
    }

    let late = inside(set.uri(), 3);
    let known = late.after(&there[0].id).expect("a host that starts later knows it too");
    assert_eq!(about(&known[..1]), rest);
    assert_eq!(late.after(&id(0xee)), None, "and nobody knows this one");
}

#[test]
fn clients_are_woken_on_every_host_but_not_for_every_single_event() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let (first, second) = (inside(set.uri(), 1), inside(set.uri(), 2));
    let lines = Lines::of(&second.wakeups);
    let (position, before) = (second.position(), second.wakeups.published());
    first.host.bus.publish(Message::Wake { key: "no key".to_owned() });
    first.host.bus.publish(Message::Wake { key: "job/1".to_owned() });
    lines.wait(" job/1\n");
    assert_eq!(second.wakeups.published(), before + 1, "what is no key wakes nobody");

    let begun = Instant::now();
    for n in 0..200 {
        first.host.bus.emit(Event::ServerOutput(ServerId::from_bytes([n; 12])));
    }
    assert_eq!(second.news(position, 200).len(), 200);
    lines.wait(" events\n");
    let woken = u128::from(second.wakeups.published() - before - 1);
    let periods = begun.elapsed().as_millis() / limits::EVENT_WAKE_PERIOD.as_millis();
    assert!(woken <= periods + 2, "{woken} times in {periods} periods");
}

#[test]
fn after_a_gap_clients_are_told_to_load_everything() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let wire = Wire::to(set.members[0].socket().to_owned());
    let (first, second) = (inside(set.uri(), 1), inside(&wire.uri(), 2));
    add(&set, "organizations", 1);
    add(&set, "servers", 2);
    let lines = Lines::of(&second.wakeups);
    let position = second.position();
    wire.cut();
    flood(&first.host, "f", &[&Ear::on(&first.host)]);
    wire.heal();
    let (org, server) = (id(1), id(2));
    let expected = [
        ("settings_updated", None),
        ("administrators_updated", None),
        ("organizations_updated", None),
        ("log_updated", None),
        ("hosts_updated", None),
        ("servers_updated", None),
        ("jobs_updated", None),
        ("tasks_updated", None),
        ("users_updated", Some(org.as_str())),
        ("server_routes_updated", Some(&server)),
        ("server_organizations_updated", Some(&server)),
        ("server_hosts_updated", Some(&server)),
        ("server_output_updated", Some(&server)),
    ];
    assert_eq!(about(&second.news(position, expected.len())), expected);
    lines.wait("\n2 *\n");
}

#[test]
fn a_host_that_finds_no_database_tells_to_load_the_rest_when_it_is_back() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    add(&set, "organizations", 1);
    let wire = Wire::to(set.members[0].socket().to_owned());
    let host = host(&wire.uri(), 1, 0);
    wire.cut();
    let inside = fill(host);
    let known = inside.news(0, 8);
    assert!(known.iter().all(|item| item.kind != "users_updated"), "{known:?}");
    wire.heal();
    let all = inside.news(0, 9);
    assert!(about(&all).contains(&("users_updated", Some(&id(1)))), "{all:?}");
}

/// Something that events are about.
fn add(set: &ReplicaSet, collection: &str, byte: u8) {
    let collection = set.client().database("warren").collection::<Document>(collection);
    let document = doc! { "_id": ObjectId::from_bytes([byte; 12]) };
    collection.insert_one(document).run().expect("written");
}

/// The stream of wake-ups as an edge reads it.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn of(wakeups: &Wakeups) -> Lines {
        let lines = Lines::default();
        let Body::HandOver(take) = wakeups.stream().body else { panic!("no stream") };
        take(Box::new(lines.clone()));
        lines.wait(" *\n");
        lines
    }

    fn wait(&self, part: &str) {
        let has = || {
            let bytes = self.0.lock().expect("unpoisoned");
            String::from_utf8_lossy(&bytes).contains(part)
        };
        wait_until(&format!("{part:?} in the stream"), seconds(15), has);
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("unpoisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
