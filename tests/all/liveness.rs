//! Silence and death with a real database: beat threads of several hosts in one process.

use crate::needs;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{pause, seconds, wait_until};
use std::time::Duration;
use warren::base::clock::Clock;
use warren::base::ids::HostId;
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::liveness::{Handle, Identity, spawn};
use warren::store::Store;
use warren::store::hosts::{Beat, Declaration, HostStart};

struct Host {
    id: HostId,
    store: Store,
    identity: Identity,
    beat: Handle,
}

fn host(set: &ReplicaSet, number: u8) -> Host {
    let clock = Clock::system();
    let uri = Secret::new(set.uri().to_owned());
    let store = Store::connect(&uri, clock.clone(), Random::system()).expect("a store");
    let id = HostId::from_bytes([number; 16]);
    let start = HostStart {
        id,
        name: "host".to_owned(),
        public_address: None,
        web_port: 443,
        hostname: format!("host{number}"),
        nonce: format!("{number:032x}"),
        version: "0".to_owned(),
        local_address: None,
        local_networks: Vec::new(),
    };
    let doc = store.host_start(&start).expect("registered");
    let identity = Identity { host: id, epoch: doc.epoch, nonce: start.nonce };
    let beat = spawn(store.clone(), identity.clone(), clock).expect("a beat");
    Host { id, store, identity, beat }
}

fn alive(seer: &Host, id: HostId) -> bool {
    seer.store.host(id).expect("a read").expect("a host").alive
}

fn wait_until_both_beat(first: &Host, second: &Host) {
    let beats = |host: &Host| host.beat.status().acknowledged().is_some();
    wait_until("both beat", seconds(5), || beats(first) && beats(second));
}

#[test]
fn a_silent_host_is_declared_dead_and_a_beating_one_is_not() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let (first, second) = (host(&set, 1), host(&set, 2));
    wait_until_both_beat(&first, &second);
    let Host { id, store, identity, beat } = second;
    drop(beat);
    let took = wait_until("the declaration", seconds(13), || !alive(&first, id));
    // The last beat was up to one period before the drop, which itself may take one.
    assert!(took >= Duration::from_millis(2000), "declared after {took:?}");
    assert!(alive(&first, first.id));
    assert_eq!(first.beat.status().epoch(), first.identity.epoch);
    let dead = store.host(id).expect("a read").expect("a host");
    assert_eq!(dead.epoch, identity.epoch + 1);
    let late = store.host_beat(id, identity.epoch, &identity.nonce).expect("an answer");
    assert_eq!(late, Beat::Replaced);
    assert_eq!(store.hosts_alive_count().expect("a count"), 1);
}

#[test]
fn a_frozen_database_declares_nobody_dead() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let (first, second) = (host(&set, 1), host(&set, 2));
    wait_until_both_beat(&first, &second);
    set.members[0].freeze();
    pause(seconds(6));
    set.members[0].thaw();
    let thawed = (first.beat.status().acknowledged(), second.beat.status().acknowledged());
    wait_until("both beat again", seconds(10), || {
        first.beat.status().acknowledged() > thawed.0
            && second.beat.status().acknowledged() > thawed.1
    });
    pause(seconds(5));
    for host in [&first, &second] {
        let epoch = host.beat.status().epoch();
        assert_eq!(epoch, host.identity.epoch, "host {} was declared dead", host.id);
        assert!(alive(&first, host.id));
    }
}

#[test]
fn a_host_declared_dead_by_mistake_comes_back_with_a_new_epoch_and_a_copy_does_not() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let (first, second) = (host(&set, 1), host(&set, 2));
    wait_until("a declaration between two beats", seconds(5), || {
        let seen = first.store.host(second.id).expect("a read").expect("a host");
        let said = first.store.host_declare_dead(second.id, seen.epoch, seen.beat);
        said.expect("an answer") == Declaration::Declared
    });
    let freed = first.store.host(second.id).expect("a read").expect("a host").epoch;
    assert!(freed > second.identity.epoch, "what it held is free");
    wait_until("its return", seconds(5), || {
        alive(&first, second.id) && second.beat.status().epoch() > freed
    });
    assert!(!second.beat.status().is_replaced());

    let copy = host(&set, 3);
    let start = HostStart {
        id: copy.id,
        name: "copy".to_owned(),
        hostname: "copy".to_owned(),
        public_address: None,
        web_port: 443,
        nonce: "another".to_owned(),
        version: "0".to_owned(),
        local_address: None,
        local_networks: Vec::new(),
    };
    copy.store.host_start(&start).expect("a start");
    wait_until("the loser's notice", seconds(5), || copy.beat.status().is_replaced());
}
