//! Each repair against a damage done by hand: it is found and mended, what was sound is left alone,
//! and a second run finds nothing.

use super::estate::{
    client, insert, oid, organization, people, read, server, shows_certificate_of, slot,
};
use super::rig::{
    Host, RSA2048, change, collection, count, dead_host, declare_dead, document, floors, host,
    register, store,
};
use crate::needs;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{DateTime, Document, doc};
use std::net::Ipv4Addr;
use std::time::Duration;
use warren::base::ids::{HostId, ServerId, UserId};
use warren::store::organizations::DeletionStep;
use warren::succession;
use warren::tasks::{Report, Round, TASKS};
use warren::thread::Stop;

/// What a repair says of one run.
fn run(host: &Host, name: &str) -> (i64, i64) {
    let task = TASKS.iter().find(|task| task.name == name).expect("a task");
    let stop = Stop::never();
    let report = (task.run)(&Round::by_hand(&host.ground, &stop)).expect("a run");
    let Report { found, mended } = report;
    (found, mended)
}

/// Everything found is mended, and nothing is left.
fn mends(host: &Host, name: &str, damages: i64) {
    assert_eq!(run(host, name), (damages, damages), "{name}");
    assert_eq!(run(host, name), (0, 0), "{name}, again");
}

fn ago(host: &Host, seconds: i64) -> DateTime {
    DateTime::from_millis(host.ground.clock.cluster_ms() - seconds * 1000)
}

#[test]
fn every_repair_finds_nothing_wrong_with_a_sound_database() {
    needs!(Mongod);
    let set = super::rig::set();
    floors(&set, 0, 0);
    let host = host(&set, 1);
    let org = organization(&host.ground, "sound");
    let users = people(&host.ground, &org, 3);
    let id = server(&host, "10.8.0.0/24", &[&org]);
    change(&set, "servers", doc! {}, doc! { "$set": { "online": true } });
    let instance = slot(&set, id, host.ground.host, host.holder().epoch);
    for (user, address) in users.iter().zip(2..) {
        give(&host, id, *user, address);
        client(&set, id, instance, org.id, *user, &format!("10.8.0.{address}"));
    }
    for task in TASKS {
        assert_eq!(run(&host, task.name), (0, 0), "{}", task.name);
    }
}

#[test]
fn users_of_an_organization_that_is_gone_go_too() {
    needs!(Mongod);
    let set = super::rig::set();
    let host = host(&set, 1);
    let (lost, other) = (organization(&host.ground, "lost"), organization(&host.ground, "other"));
    let users = people(&host.ground, &lost, 250);
    people(&host.ground, &other, 3);
    let id = server(&host, "10.8.0.0/16", &[&other]);
    give(&host, id, users[0], 7);
    let gone = doc! { "_id": oid(lost.id) };
    collection(&set, "organizations").delete_one(gone).run().expect("a damage");

    mends(&host, "users", 250);
    assert_eq!(count(&set, "users", doc! { "type": "client" }), 3);
    assert_eq!(count(&set, "tombstones", doc! {}), 250, "caches hear of it");
    assert_eq!(count(&set, "addresses", doc! { "user_id": { "$exists": false } }), 1);
}

#[test]
fn a_deletion_whose_host_died_is_completed() {
    needs!(Mongod);
    let set = super::rig::set();
    let host = host(&set, 1);
    let (gone, other) = (organization(&host.ground, "gone"), organization(&host.ground, "other"));
    people(&host.ground, &gone, 250);
    let signed = server(&host, "10.8.0.0/24", &[&gone, &other]);
    let alone = server(&host, "10.9.0.0/24", &[&gone]);
    change(&set, "servers", doc! {}, doc! { "$set": { "online": true } });
    let store = &host.ground.store;
    assert!(store.org_begin_deletion(gone.id).expect("a write"));
    let first = succession::deletion_step(&host.ground, gone.id).expect("a step");
    assert!(matches!(first, DeletionStep::Detached(_)));
    // There its host died.
    mends(&host, "organizations", 1);
    assert_eq!(count(&set, "organizations", doc! {}), 1);
    assert_eq!(count(&set, "users", doc! { "type": "client" }), 0);
    let (signed_now, alone) = (read(&host.ground, signed), read(&host.ground, alone));
    assert_eq!((signed_now.organizations, signed_now.run), (vec![other.id], 1), "it runs anew");
    assert!(signed_now.online && !alone.online);
    assert_eq!(alone.primary(), None);
    shows_certificate_of(&host.ground, signed, &other);
    assert_eq!(count(&set, "users", doc! {}), 1, "the holder of that certificate");
}

fn number(server: ServerId, host: &Host, n: u32) -> i64 {
    let network = read(&host.ground, server).options.network;
    let base = network.split('/').next().expect("a base");
    let base: Ipv4Addr = base.parse().expect("an address");
    i64::from(base.to_bits() + n)
}

/// The n-th address of a server's network.
fn give(host: &Host, server: ServerId, user: UserId, n: u32) {
    let address = number(server, host, n);
    host.ground.store.address_insert(server, 1, user, address).expect("an address");
}

#[test]
fn addresses_are_put_right() {
    needs!(Mongod);
    let set = super::rig::set();
    let host = host(&set, 1);
    let org = organization(&host.ground, "o");
    let users = people(&host.ground, &org, 12);
    let id = server(&host, "10.8.0.0/24", &[&org]);
    let instance = slot(&set, id, host.ground.host, host.holder().epoch);
    for index in ["address", "user"] {
        collection(&set, "addresses").drop_index(index).run().expect("no index");
    }
    let row = |server: ObjectId, generation: i64, n: u32, user: Option<UserId>| {
        let address = number(id, &host, n);
        let mut row = doc! { "server_id": server, "generation": generation, "address": address };
        row.extend(user.map(|user| ("user_id".to_owned(), oid(user).into())));
        insert(&set, "addresses", row);
    };
    let mine = oid(id);
    row(mine, 1, 2, Some(users[0])); // sound
    row(mine, 1, 3, Some(users[1])); // doubled: it stays
    row(mine, 1, 3, Some(users[2])); // doubled
    row(mine, 1, 4, Some(users[3])); // the user has two: it stays
    row(mine, 1, 5, Some(users[3])); // the user has two
    row(mine, 1, 300, Some(users[4])); // outside
    row(mine, 1, 1, Some(users[5])); // the server's own
    row(mine, 0, 6, Some(users[6])); // of an earlier network
    row(ObjectId::new(), 1, 7, Some(users[7])); // of no server
    row(mine, 1, 8, Some(UserId::from_bytes([9; 12]))); // of nobody
    row(mine, 1, 9, None); // free
    row(mine, 1, 10, None); // somebody who is connected has it
    let connected =
        |user: UserId, n: u32| client(&set, id, instance, org.id, user, &format!("10.8.0.{n}"));
    connected(users[0], 2); // sound
    connected(users[8], 10);
    connected(users[9], 11); // missing
    let cut = connected(users[10], 2); // another's
    mends(&host, "addresses", 7 + 3);

    let user_of = |n: u32| {
        let row = doc! { "server_id": mine, "address": number(id, &host, n) };
        document(&set, "addresses", row).get_object_id("user_id").ok()
    };
    for (n, user) in [
        (2, Some(users[0])),
        (3, Some(users[1])),
        (4, Some(users[3])),
        (5, None),
        (8, None),
        (9, None),
        (10, Some(users[8])),
        (11, Some(users[9])),
    ] {
        assert_eq!(user_of(n), user.map(oid), "address {n}");
    }
    assert_eq!(count(&set, "addresses", doc! {}), 8);
    let cuts = collection(&set, "clients").distinct("_id", doc! { "cut": true }).run();
    assert_eq!(cuts.expect("a read"), [cut.into()], "it comes again, with an address of its own");
}

#[test]
fn what_servers_name_in_vain_goes() {
    needs!(Mongod);
    let set = super::rig::set();
    let host = host(&set, 1);
    let [first, second, gone] =
        ["first", "second", "gone"].map(|name| organization(&host.ground, name));
    let sound = server(&host, "10.7.0.0/24", &[&first]);
    let signed = server(&host, "10.8.0.0/24", &[&gone, &second]);
    let alone = server(&host, "10.9.0.0/24", &[&gone]);
    let bare = server(&host, "10.10.0.0/24", &[&first]);
    let hosts = server(&host, "10.11.0.0/24", &[&first]);
    change(&set, "servers", doc! {}, doc! { "$set": { "online": true } });
    let before = document(&set, "servers", doc! { "_id": oid(sound) });
    let lost = doc! { "_id": oid(gone.id) };
    collection(&set, "organizations").delete_one(lost).run().expect("a damage");
    let holder = read(&host.ground, bare).primary_user.expect("a holder");
    collection(&set, "users").delete_one(doc! { "_id": oid(holder) }).run().expect("a damage");
    let unknown = doc! { "$push": { "hosts": "1".repeat(32) } };
    change(&set, "servers", doc! { "_id": oid(hosts) }, unknown);

    mends(&host, "dangling", 4);
    assert_eq!(document(&set, "servers", doc! { "_id": oid(sound) }), before);
    for (server, org) in [(signed, &second), (bare, &first), (hosts, &first)] {
        let now = read(&host.ground, server);
        assert_eq!((now.organizations, now.hosts), (vec![org.id], vec![host.ground.host]));
        assert!(now.online);
        shows_certificate_of(&host.ground, server, org);
    }
    let runs = [signed, bare, hosts].map(|server| read(&host.ground, server).run);
    assert_eq!(runs, [1, 1, 0], "anew where it has another certificate to show");
    let alone = read(&host.ground, alone);
    assert_eq!(
        (alone.organizations.as_slice(), alone.online, alone.primary()),
        (&[][..], false, None)
    );
}

#[test]
fn slots_and_clients_of_the_dead_are_forgotten() {
    needs!(Mongod);
    let set = super::rig::set();
    let host = host(&set, 1);
    let org = organization(&host.ground, "o");
    let user = people(&host.ground, &org, 1)[0];
    let (mut dead, mut epoch) = (HostId::from_bytes([0; 16]), 0);
    dead_host(&set, 9, |_, holder| (dead, epoch) = (holder.host, holder.epoch));
    let live = server(&host, "10.7.0.0/24", &[&org]);
    let stopped = server(&host, "10.8.0.0/24", &[&org]);
    let waits = server(&host, "10.9.0.0/24", &[&org]);
    let online = doc! { "$set": { "online": true } };
    change(&set, "servers", doc! { "_id": { "$ne": oid(stopped) } }, online);
    let kept = slot(&set, live, host.ground.host, host.holder().epoch);
    let left = slot(&set, stopped, dead, epoch);
    let unknown = slot(&set, stopped, HostId::from_bytes([8; 16]), 1);
    let may_return = slot(&set, waits, dead, epoch);
    slot(&set, waits, host.ground.host, host.holder().epoch);
    for (server, instance) in [
        (live, kept),
        (stopped, left),
        (stopped, unknown),
        (waits, may_return),
        (live, ObjectId::new()),
    ] {
        client(&set, server, instance, org.id, user, "10.0.0.2");
    }
    let instances = |server| read(&host.ground, server).instances.len();
    mends(&host, "replicas", 2);
    assert_eq!((instances(live), instances(stopped), instances(waits)), (1, 0, 2));
    mends(&host, "clients", 3);
    let left = doc! { "instance_id": { "$in": [kept, may_return] } };
    assert_eq!((count(&set, "clients", left), count(&set, "clients", doc! {})), (2, 2));

    // It does not come back.
    let long_ago = doc! { "$set": { "beat_at": ago(&host, 601) } };
    change(&set, "hosts", doc! { "_id": dead.to_string() }, long_ago);
    mends(&host, "replicas", 1);
    assert_eq!(instances(waits), 1);
    mends(&host, "clients", 1);
}

#[test]
fn a_server_that_nobody_took_is_hinted_at_and_one_that_nobody_can_take_reported() {
    needs!(Mongod);
    let set = super::rig::set();
    let host = host(&set, 1);
    let org = organization(&host.ground, "o");
    let free = server(&host, "10.8.0.0/24", &[&org]);
    let lonely = server(&host, "10.9.0.0/24", &[&org]);
    change(&set, "servers", doc! {}, doc! { "$set": { "online": true } });
    let mut dead = None;
    dead_host(&set, 9, |_, holder| dead = Some(holder.host.to_string()));
    let elsewhere = doc! { "$set": { "hosts": [dead.expect("a host")] } };
    change(&set, "servers", doc! { "_id": oid(lonely) }, elsewhere);
    let news = host.ground.bus.subscribe("test");
    assert_eq!(run(&host, "replicas"), (2, 1));
    let hint = warren::bus::Message::Server { server: free };
    let hint = warren::bus::Heard::Message(hint);
    let stop = Stop::never();
    wait_until("the hint", seconds(10), || {
        news.next(&stop, Duration::from_millis(100)).is_some_and(|heard| heard == hint)
    });
    // It was heard.
    slot(&set, free, host.ground.host, host.holder().epoch);
    change(&set, "servers", doc! { "_id": oid(lonely) }, doc! { "$set": { "online": false } });
    assert_eq!(run(&host, "replicas"), (0, 0));
}

#[test]
fn pools_jobs_and_silent_hosts() {
    needs!(Mongod);
    let set = super::rig::set();
    floors(&set, 2, 0);
    let host = host(&set, 1);
    let past = ago(&host, 60);
    let kept = doc! {
        "kind": "rsa2048", "ticket": 1_i64, "content": "key", "reserved_until": past,
        "reserved_for": "somebody who went away",
    };
    insert(&set, "pool", kept);
    // That key is there again, and one more is to be made.
    assert_eq!(run(&host, "pools"), (2, 2));
    assert_eq!((host.depth(RSA2048), host.making(RSA2048)), (1, 1));
    assert_eq!(run(&host, "pools"), (0, 0));

    dead_host(&set, 9, |store, holder| {
        store.job_claim(holder, false, Duration::ZERO).expect("an answer").expect("a job");
    });
    mends(&host, "jobs", 1);
    let job = document(&set, "jobs", doc! {});
    assert_eq!(job.get_str("state").expect("a state"), "ready");
    host.claim();
    // Nobody is at it, and the clock under which it was claimed was ahead.
    assert_eq!(run(&host, "jobs"), (0, 0), "it may just have been claimed");
    change(&set, "jobs", doc! {}, doc! { "$set": { "touched": ago(&host, -3600) } });
    mends(&host, "jobs", 1);

    let silent = register(&store(&set), 8);
    let beaten = |at| {
        let id = doc! { "_id": silent.host.to_string() };
        change(&set, "hosts", id, doc! { "$set": { "beat_at": at }, "$inc": { "beat": 1_i64 } });
    };
    beaten(past);
    assert_eq!(run(&host, "silent_hosts"), (1, 0), "only observation declares anybody dead");
    beaten(ago(&host, 0));
    assert_eq!(run(&host, "silent_hosts"), (0, 0));
    beaten(past);
    declare_dead(&host.ground.store, silent.host);
    assert_eq!(run(&host, "silent_hosts"), (0, 0));
}

/// What the database removes by itself, and its date.
const RETAINED: [(&str, &str, i64); 6] = [
    ("jobs", "ended", 7 * 86_400),
    ("admin_sessions", "expires", 0),
    ("auth_limiter", "since", 600),
    ("auth_nonces", "at", 86_400),
    ("otp", "at", 120),
    ("tombstones", "at", 86_400),
];

#[test]
fn what_is_old_goes_by_itself() {
    needs!(Mongod);
    let mut set = ReplicaSet::local();
    let member = &mut set.members[0];
    member.set_parameter("ttlMonitorSleepSecs=1");
    member.kill_9();
    member.restart();
    set.primary();
    let host = host(&set, 1);
    for (name, field, lives_s) in RETAINED {
        let dated = |id: &str, seconds: i64| -> Document {
            let state = if name == "jobs" { "done" } else { "" };
            doc! { "_id": id, field: ago(&host, seconds), "nonce": id, "token": id, "state": state }
        };
        insert(&set, name, dated("old", lives_s + 60));
        insert(&set, name, dated("new", lives_s - 60));
        // What has no such date yet stays: a job that has not ended.
        insert(&set, name, doc! { "_id": "undated", "nonce": "-", "token": "-" });
    }
    for (name, ..) in RETAINED {
        let there = |id: &str| count(&set, name, doc! { "_id": id }) == 1;
        wait_until(name, seconds(30), || !there("old"));
        assert!(there("new") && there("undated"), "{name}");
    }
}
