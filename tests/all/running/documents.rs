//! Conditional writes of hosts that want the same thing at the same time.

use super::seat::{Seat, plant, seat};
use crate::needs;
use crate::support::mongo::ReplicaSet;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Barrier};
use std::thread;
use warren::base::ids::{InstanceId, ServerId, UserId};
use warren::store::hosts::HostStart;
use warren::store::instances::{Claim, Failed, ServerSlots};
use warren::store::servers::ServerDoc;
use warren::vpn::plan;
use warren::vpn::records::Records;
use warren::vpn::settings::Server;

fn slots(seat: &Seat, id: ServerId) -> ServerSlots {
    let all = seat.store.server_slots(seat.host).expect("a read");
    all.into_iter().find(|slots| slots.id == id).expect("the server")
}

/// All at once, as far as threads can.
fn together<T: Send>(seats: &[Seat], work: impl Fn(usize, &Seat) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(seats.len());
    thread::scope(|scope| {
        let started: Vec<_> = seats
            .iter()
            .enumerate()
            .map(|(number, seat)| {
                let (barrier, work) = (&barrier, &work);
                scope.spawn(move || {
                    barrier.wait();
                    work(number, seat)
                })
            })
            .collect();
        started.into_iter().map(|thread| thread.join().expect("an end")).collect()
    })
}

#[test]
fn one_claim_wins_and_what_was_overtaken_changes_nothing() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let seats: Vec<Seat> = (1..=4).map(|number| seat(&set, number)).collect();
    let id = plant(&seats, "10.8.0.0/24").id;
    let store = &seats[0].store;
    let claim = |seat: &Seat, slots: &ServerSlots, replaced: &[InstanceId]| {
        let instance = seat.store.new_id();
        let claim = Claim { slots, replaced, instance, host: seat.host, epoch: 5, runs: false };
        (seat.store.instance_claim(&claim).expect("an answer"), instance)
    };
    let won = together(&seats, |_, seat| claim(seat, &slots(seat, id), &[]));
    let winners: Vec<InstanceId> = won.iter().filter(|won| won.0).map(|won| won.1).collect();
    assert_eq!(winners.len(), 1, "of four hosts one");
    let seen = slots(&seats[0], id);
    assert_eq!(seen.instances.len(), 1);
    assert_eq!((seen.instances[0].run, seen.instances[0].started), (1, None));

    // Its holder comes back in another life before it is replaced: nobody gets it.
    let first = winners[0];
    assert!(store.instance_restamp(id, first, 5, 6).expect("an answer"));
    assert!(!store.instance_restamp(id, first, 5, 6).expect("an answer"), "once");
    assert!(!claim(&seats[1], &seen, &[first]).0, "it is not as it was seen");
    assert!(store.instance_started(id, first).expect("an answer"));
    assert!(!store.instance_started(id, first).expect("an answer"), "known already");

    // Replaced, it can neither start, fail nor give back what is another's.
    let (won, second) = claim(&seats[2], &slots(&seats[2], id), &[first]);
    assert!(won);
    assert!(!store.instance_started(id, first).expect("an answer"));
    let failed = Failed::Instance(first);
    assert!(!store.server_failed(id, seats[0].host, failed, "late").expect("an answer"));
    assert!(!store.instance_release(id, first).expect("an answer"));
    let left = slots(&seats[0], id);
    assert_eq!(left.instances.iter().map(|i| i.instance_id).collect::<Vec<_>>(), [second]);
    assert_eq!(left.failure, None);

    let cause = "$ports are { taken }";
    let failed = Failed::Instance(second);
    assert!(store.server_failed(id, seats[2].host, failed, cause).expect("an answer"));
    assert_eq!(slots(&seats[0], id).failure.expect("a failure").cause, cause);
    assert!(store.instance_started(id, second).expect("an answer"));
    let started = slots(&seats[0], id);
    assert_eq!(started.failure, None, "the next start that succeeds clears it");
    // It keeps dying, and then answers again: since when it runs stays.
    let failed = Failed::Instance(second);
    assert!(store.server_failed(id, seats[2].host, failed, "dies").expect("an answer"));
    assert!(store.instance_started(id, second).expect("an answer"));
    assert_eq!(slots(&seats[0], id), started);
    assert!(store.instance_release(id, second).expect("an answer"));
    assert!(slots(&seats[0], id).instances.is_empty());
}

#[test]
fn a_new_life_keeps_what_still_runs_and_was_not_taken() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let seats: Vec<Seat> = (1..=2).map(|number| seat(&set, number)).collect();
    let store = &seats[0].store;
    let start = HostStart {
        id: seats[0].host,
        name: "h1".to_owned(),
        hostname: "h1".to_owned(),
        public_address: None,
        web_port: 443,
        nonce: "1".to_owned(),
        version: "0".to_owned(),
        local_address: None,
        local_networks: Vec::new(),
    };
    let instance = store.new_id();
    let first = store.host_begin(&start, &[instance]).expect("a first life").epoch;
    let ids = ["10.8.0.0/24", "10.9.0.0/24", "10.10.0.0/24"].map(|net| plant(&seats, net).id);
    let take = |seat: &Seat, id: ServerId, epoch: i64| {
        let (slots, instance) = (slots(seat, id), seat.store.new_id());
        let (host, runs) = (seat.host, true);
        let claim = Claim { slots: &slots, replaced: &[], instance, host, epoch, runs };
        assert!(seat.store.instance_claim(&claim).expect("an answer"));
        instance
    };
    // One lives on, one has died with the daemon, one is another host's by now.
    let lives = take(&seats[0], ids[0], first);
    take(&seats[0], ids[1], first);
    let lost = store.new_id();
    take(&seats[1], ids[2], 1);
    let second = store.host_begin(&start, &[lives, lost]).expect("a second life").epoch;
    assert!(second > first);
    let epochs = ids.map(|id| slots(&seats[0], id).instances[0].epoch);
    assert_eq!(epochs, [second, first, 1]);
}

fn server(doc: &ServerDoc) -> Arc<Server> {
    Arc::new(plan::server(doc).expect("a valid server"))
}

fn user(number: usize) -> UserId {
    let mut bytes = [7; 12];
    bytes[0] = u8::try_from(number).expect("a small number");
    UserId::from_bytes(bytes)
}

#[test]
fn every_user_gets_one_address_and_no_two_the_same() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let seats: Vec<Seat> = (1..=4).map(|number| seat(&set, number)).collect();
    let doc = plant(&seats, "10.8.0.0/27");
    let server = server(&doc);
    let ask = |seat: &Seat, n: usize| seat.database.address(&server, user(n)).expect("reached");

    // The same user on four hosts at once.
    let same: BTreeSet<_> = together(&seats, |_, seat| ask(seat, 0)).into_iter().collect();
    assert_eq!(same, [Some(Ipv4Addr::new(10, 8, 0, 2))].into());

    // Others, several on each host, until the network of 30 is full but for its gateway.
    let given = together(&seats, |number, seat| -> Vec<_> {
        (0..7).map(|n| ask(seat, 1 + number * 7 + n).expect("room")).collect()
    });
    let given: BTreeSet<Ipv4Addr> = given.into_iter().flatten().collect();
    assert_eq!(given.len(), 28, "each a different one");
    assert!(given.iter().all(|address| (3..=30).contains(&address.octets()[3])), "{given:?}");
    assert_eq!(ask(&seats[0], 40), None, "the network is full");

    // A freed one goes to somebody else; everybody keeps what they have.
    let freed = ask(&seats[1], 5).expect("an address");
    let client = set.client();
    let rows = client.database("warren").collection::<mongodb::bson::Document>("addresses");
    let filter = mongodb::bson::doc! { "address": i64::from(freed.to_bits()) };
    let unset = mongodb::bson::doc! { "$unset": { "user_id": "" } };
    assert_eq!(rows.update_one(filter, unset).run().expect("written").matched_count, 1);
    let again = together(&seats, |number, seat| ask(seat, 50 + number));
    let got: Vec<_> = again.into_iter().flatten().collect();
    assert_eq!(got, [freed], "one of four");
    assert_eq!(ask(&seats[3], 0), Some(Ipv4Addr::new(10, 8, 0, 2)));
}

#[test]
fn a_mark_that_lags_gives_no_address_twice() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let seats = [seat(&set, 1)];
    let doc = plant(&seats, "10.8.0.0/24");
    let server = server(&doc);
    let ask = |n: usize| seats[0].database.address(&server, user(n)).expect("reached");
    assert_eq!((ask(1), ask(2)), (Some([10, 8, 0, 2].into()), Some([10, 8, 0, 3].into())));
    // A host that died between the row and the mark.
    let client = set.client();
    let servers = client.database("warren").collection::<mongodb::bson::Document>("servers");
    let reset = mongodb::bson::doc! { "$set": { "address_high": 0_i64 } };
    servers.update_one(mongodb::bson::doc! {}, reset).run().expect("written");
    assert_eq!(ask(3), Some([10, 8, 0, 4].into()));
}
