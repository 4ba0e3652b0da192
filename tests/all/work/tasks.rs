//! The calendar and its repairs on a real database.

use super::rig::{
    Host, RSA2048, change, collection, count, dead_host, document, floors, host, register, store,
};
use crate::needs;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{pause, seconds, wait_until};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;
use warren::store::tasks::{Attempt, TaskEnd};
use warren::tasks::{self, TASKS};

fn all_done(set: &ReplicaSet) -> bool {
    count(set, "tasks", doc! { "done_at": { "$type": "date" } }) == TASKS.len() as u64
}

fn task(set: &ReplicaSet, name: &str) -> Document {
    document(set, "tasks", doc! { "_id": name })
}

fn counts(set: &ReplicaSet, name: &str) -> (i64, i64) {
    let task = task(set, name);
    (task.get_i64("found").expect("a count"), task.get_i64("mended").expect("a count"))
}

#[test]
fn a_task_is_run_by_one_of_several_hosts() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let hosts: Vec<Host> = (1..=3).map(|number| host(&set, number)).collect();
    let start = Barrier::new(hosts.len());
    let reserved: Vec<bool> = thread::scope(|scope| {
        let tries: Vec<_> = hosts
            .iter()
            .map(|host| {
                scope.spawn(|| {
                    start.wait();
                    let (store, holder) = (&host.ground.store, host.holder());
                    let fence = store.task_reserve("other", None, holder, Attempt::First);
                    fence.expect("an answer").is_some()
                })
            })
            .collect();
        tries.into_iter().map(|each| each.join().expect("a thread")).collect()
    });
    assert_eq!(reserved.iter().filter(|won| **won).count(), 1, "{reserved:?}");
    collection(&set, "tasks").delete_many(doc! {}).run().expect("a fresh calendar");

    let spawn = |host: &Host| tasks::spawn(host.ground.clone()).expect("tasks");
    let handles: Vec<_> = hosts.iter().map(spawn).collect();
    wait_until("every task", seconds(30), || all_done(&set));
    // Everyone's first look is over, and a second one of some.
    pause(seconds(5));
    for name in ["dangling", "addresses"] {
        let task = task(&set, name);
        let number = |field: &str| task.get_i64(field).expect("a number");
        assert_eq!((number("run"), number("attempts")), (1, 1), "{name}");
        assert_eq!(task.get("holder"), Some(&Bson::Null));
    }
    let clock = &hosts[0].ground.clock;
    for handle in handles {
        assert!(handle.stop(clock, clock.mono() + seconds(10)).is_empty());
    }
}

#[test]
fn the_task_of_a_dead_holder_runs_again_and_is_reported_after_three_attempts() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let lost = |store: &warren::store::Store, name: &str, holder, attempt| {
        let seen = store.tasks().expect("tasks").into_iter().find(|task| task.name == name);
        let fence = store.task_reserve(name, seen.as_ref(), holder, attempt).expect("an answer");
        fence.expect("a fence")
    };
    let mut late = None;
    dead_host(&set, 9, |store, holder| {
        late = Some(lost(store, "addresses", holder, Attempt::First));
        for attempt in [Attempt::First, Attempt::Again, Attempt::Again] {
            lost(store, "dangling", holder, attempt);
        }
    });
    let host = host(&set, 1);
    let _tasks = tasks::spawn(host.ground.clone()).expect("tasks");
    wait_until("every task", seconds(30), || all_done(&set));
    let again = task(&set, "addresses");
    let number = |task: &Document, field: &str| task.get_i64(field).expect("a number");
    assert_eq!((number(&again, "run"), number(&again, "attempts")), (1, 2));
    assert_eq!(again.get("error"), Some(&Bson::Null));
    let given_up = task(&set, "dangling");
    assert_eq!((number(&given_up, "run"), number(&given_up, "attempts")), (1, 3));
    assert_eq!(given_up.get_str("error").expect("an error"), tasks::calendar::HOST_GONE);
    let end = TaskEnd { over: true, ..TaskEnd::default() };
    let ended = host.ground.store.task_end("addresses", late.expect("a fence"), &end);
    assert!(!ended.expect("an answer"), "the dead one came back and ended it");
}

/// What each repair is there for.
struct Faults {
    gone: ObjectId,
    instance: ObjectId,
    server: ObjectId,
    user: ObjectId,
    org: ObjectId,
}

fn plant(set: &ReplicaSet, past: DateTime) -> Faults {
    let [gone, instance, server, user, org] = [(); 5].map(|()| ObjectId::new());
    let insert = |name: &str, document: Document| {
        collection(set, name).insert_one(document).run().expect("a document");
    };
    let key = |reserved: &str| {
        doc! { "kind": "rsa2048", "ticket": 1_i64, "content": "key", "reserved_for": reserved,
        "reserved_until": past }
    };
    insert("pool", key("somebody who went away"));
    insert("organizations", doc! { "_id": org });
    insert("users", doc! { "_id": user, "org_id": org });
    let running = doc! { "instance_id": instance, "host_id": "0".repeat(32), "epoch": 1_i64 };
    insert(
        "servers",
        doc! { "_id": server, "organizations": [org, gone], "hosts": ["1".repeat(32)],
        "instances": [running], "primary_organization": gone, "primary_user": gone },
    );
    let client = |instance: ObjectId, server: ObjectId| {
        doc! { "server_id": server, "instance_id": instance, "org_id": org }
    };
    insert("clients", client(instance, server));
    insert("clients", client(gone, server));
    insert("clients", client(gone, gone));
    let address = |server: ObjectId, address: i64, user: Option<ObjectId>| {
        let row = doc! { "server_id": server, "generation": 0_i64, "address": address };
        user.map_or(row.clone(), |user| {
            Document::from_iter([("user_id".into(), user.into())].into_iter().chain(row))
        })
    };
    for (of, number, whose) in
        [(server, 1, Some(user)), (server, 2, Some(gone)), (server, 3, None), (gone, 4, Some(user))]
    {
        insert("addresses", address(of, number, whose));
    }
    Faults { gone, instance, server, user, org }
}

#[test]
fn each_repair_mends_its_fault_and_leaves_the_rest() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 2, 0);
    let host = host(&set, 1);
    dead_host(&set, 9, |store, holder| {
        host.new_job(RSA2048);
        store.job_claim(holder, false, Duration::ZERO).expect("an answer").expect("a job");
    });
    let past = DateTime::from_millis(host.ground.clock.cluster_ms() - 60_000);
    let faults = plant(&set, past);
    // A host whose beat goes on, so that nobody observes its silence, but not by the clock.
    let silent = register(&store(&set), 8);
    let silent = doc! { "_id": silent.host.to_string() };
    change(&set, "hosts", silent.clone(), doc! { "$set": { "beat_at": past } });
    let _tasks = tasks::spawn(host.ground.clone()).expect("tasks");
    wait_until("every task", seconds(30), || {
        change(&set, "hosts", silent.clone(), doc! { "$inc": { "beat": 1_i64 } });
        all_done(&set)
    });

    assert_eq!(counts(&set, "silent_hosts"), (1, 0), "reported only");
    // One key is there again, and the lost job was still under way when pools were looked at.
    assert_eq!(counts(&set, "pools"), (1, 1));
    assert_eq!(host.depth(RSA2048), 1);
    assert_eq!(counts(&set, "jobs"), (1, 1));
    let job = document(&set, "jobs", doc! {});
    assert_eq!(job.get_str("state").expect("a state"), "ready");
    assert_eq!(job.get("holder"), Some(&Bson::Null));

    assert_eq!(counts(&set, "clients"), (2, 2));
    assert_eq!(count(&set, "clients", doc! { "instance_id": faults.instance }), 1);
    assert_eq!(count(&set, "clients", doc! {}), 1);

    assert_eq!(counts(&set, "addresses"), (2, 2));
    assert_eq!(count(&set, "addresses", doc! { "server_id": faults.gone }), 0);
    assert_eq!(count(&set, "addresses", doc! { "user_id": { "$exists": false } }), 2);
    assert_eq!(count(&set, "addresses", doc! { "user_id": faults.user }), 1);

    assert_eq!(counts(&set, "dangling"), (1, 1));
    let server = document(&set, "servers", doc! { "_id": faults.server });
    let list = |field: &str| server.get_array(field).expect("a list").clone();
    assert_eq!(list("organizations"), [Bson::ObjectId(faults.org)]);
    assert_eq!(list("hosts"), [] as [Bson; 0]);
    assert_eq!(server.get("primary_organization"), Some(&Bson::Null));
    assert_eq!(server.get("primary_user"), Some(&Bson::Null));
    assert!(server.get_timestamp("rev").is_ok(), "caches hear of it");
}
