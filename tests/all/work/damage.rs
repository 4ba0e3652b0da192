//! One document that is damaged, or of a newer version, keeps nobody from all the others.

use super::rig::{RSA2048, collection, dead_host, document, host, register, store};
use crate::needs;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::{DateTime, Document, doc};
use std::time::Duration;
use warren::queue;
use warren::tasks::{self, Runner};
use warren::thread::Stop;

fn insert(set: &ReplicaSet, name: &str, document: Document) {
    collection(set, name).insert_one(document).run().expect("inserted");
}

#[test]
fn a_damaged_task_keeps_no_other_from_running() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let host = host(&set, 1);
    insert(&set, "tasks", doc! { "_id": "pools", "run": "often" });
    Runner::new(host.ground.clone()).round(&Stop::never()).expect("a round");
    let ran = doc! { "run": 1_i64, "done_at": { "$exists": true } };
    let ran = collection(&set, "tasks").count_documents(ran).run().expect("a count");
    assert_eq!(usize::try_from(ran).expect("few"), tasks::TASKS.len() - 1, "all others");
}

#[test]
fn a_damaged_running_job_keeps_no_other_from_being_freed() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let host = host(&set, 1);
    insert(&set, "jobs", doc! { "state": "running", "kind": "private-key" });
    host.new_job(RSA2048);
    dead_host(&set, 9, |store, holder| {
        store.job_claim(holder, false, Duration::ZERO).expect("an answer").expect("a job");
    });
    assert_eq!(queue::free_lost(&host.ground).expect("a look").freed, 1);
}

#[test]
fn a_job_of_a_newer_version_is_left_to_newer_hosts() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let host = host(&set, 1);
    let early = DateTime::from_millis(host.ground.clock.cluster_ms() - 60_000);
    host.new_job(RSA2048);
    let ours = document(&set, "jobs", doc! {});
    let mut newer = ours.clone();
    let id = host.ground.store.new_id::<()>();
    newer.insert("_id", mongodb::bson::oid::ObjectId::from_bytes(id.bytes()));
    newer.extend(doc! { "payload": "rsa8192", "pool": "rsa8192", "due": early });
    insert(&set, "jobs", newer);
    assert_eq!(host.claim().id.to_string(), ours.get_object_id("_id").expect("an id").to_hex());
    let left = document(&set, "jobs", doc! { "pool": "rsa8192" });
    assert_eq!(left.get_str("state").expect("a state"), "ready");
}

#[test]
fn a_damaged_host_keeps_nobody_from_seeing_who_is_silent() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let host = host(&set, 1);
    insert(&set, "hosts", doc! { "_id": "f".repeat(32), "alive": true, "epoch": 1_i64 });
    let silent = register(&store(&set), 8).host;
    wait_until("a declaration", seconds(15), || {
        let seen = host.ground.store.host(silent).expect("a read").expect("a host");
        !seen.alive
    });
}
