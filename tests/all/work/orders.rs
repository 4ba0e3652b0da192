//! What administrators do to jobs and tasks, over the API of a real daemon and in one process.

use super::daemons::child;
use super::rig::{RSA4096, change, children, claim_of, collection, count, document, floors, host};
use crate::needs;
use crate::support::daemon::{Daemon, Home};
use crate::support::http::Http;
use crate::support::mongo::ReplicaSet;
use crate::support::place::{Place, signal};
use crate::support::wait::{seconds, wait_for, wait_until};
use mongodb::bson::doc;
use serde_json::{Value, json};
use std::thread;
use warren::queue;
use warren::store::jobs::{Cancelled, Done, Failed, Retry};

const PASSWORD: &str = "four words of mine";
/// No such thing.
const NOTHING: &str = "65a000000000000000000001";

pub fn enter(home: &Home, daemon: &Daemon<'_>) -> Http {
    let mut http = home.http();
    http.login("admin", &daemon.default_password()).ok();
    http.put("/settings", &json!({ "username": "admin", "password": PASSWORD })).ok();
    http
}

/// The jobs that the console sees.
fn jobs(http: &mut Http) -> Vec<Value> {
    http.get("/job").ok().as_array().expect("a list").clone()
}

/// How often the consoles were told.
fn told(set: &ReplicaSet, kind: &str) -> u64 {
    count(set, "bus", doc! { "topic": "event", "body.kind": kind })
}

#[test]
fn a_cancelled_job_ends_at_once_and_its_requester_is_told() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let place = Place::isolated();
    let home = Home::new(&place, Some(set.uri()));
    let daemon = home.start();
    let mut http = enter(&home, &daemon);
    // Its key is made while it waits; the child can not end by itself.
    let mut waiting = http.clone();
    let creation =
        thread::spawn(move || waiting.post("/organization", &json!({ "name": "nobody" })));
    let (pid, ..) = wait_for("a child", seconds(30), || child(&place));
    place.sh(&format!("kill -STOP {pid}"));
    let job = jobs(&mut http).remove(0);
    assert_eq!((&job["state"], &job["awaited"]), (&json!("running"), &json!(true)));
    let path = format!("/job/{}", job["id"].as_str().expect("an id"));
    assert_eq!(http.get(&path).ok()["kind"], "private-key rsa4096");
    let refused = http.put(&format!("{path}/retry"), &json!({}));
    assert_eq!(refused.error(), (409, "job_not_failed".to_owned()));

    assert_eq!(http.delete(&path).ok(), json!({}));
    wait_until("the child's end", seconds(3), || child(&place).is_none());
    assert_eq!(creation.join().expect("an answer").status, 500);
    let failed = http.get(&path).ok();
    assert_eq!((&failed["state"], &failed["holder"]), (&json!("failed"), &json!(null)));
    assert_eq!(failed["error"], queue::CANCELLED);
    assert!(failed["ended"].is_i64());
    wait_until("an event", seconds(3), || told(&set, "jobs_updated") == 1);

    let again = http.put(&format!("{path}/retry"), &json!({})).ok();
    // A worker may have it already.
    assert_ne!(again["state"], "failed");
    assert!(matches!(again["attempts"].as_i64(), Some(0 | 1)), "they begin anew: {again}");
    wait_until("the key", seconds(90), || http.get(&path).ok()["state"] == "done");
    assert_eq!(count(&set, "pool", doc! { "kind": "rsa4096" }), 1);
    assert_eq!(http.delete(&path).ok(), json!({}));
    for (method, path) in [
        ("GET", path.clone()),
        ("DELETE", path.clone()),
        ("PUT", format!("{path}/retry")),
        ("DELETE", format!("/job/{NOTHING}")),
        ("PUT", "/task/nothing/run".to_owned()),
    ] {
        assert_eq!(http.send(method, &path, None).status, 404, "{method} {path}");
    }
    assert!(daemon.stop().success());
}

#[test]
fn a_task_runs_at_once_when_somebody_wants_it() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let daemon = home.start();
    let mut http = enter(&home, &daemon);
    // The longest period: it does not come round by itself.
    let run =
        || document(&set, "tasks", doc! { "_id": "addresses" }).get_i64("run").expect("a run");
    wait_until("its first run", seconds(30), || {
        count(&set, "tasks", doc! { "_id": "addresses", "done_at": { "$type": "date" } }) == 1
    });
    assert_eq!(run(), 1);
    assert_eq!(http.put("/task/addresses/run", &json!({})).ok(), json!({}));
    wait_until("its second run", seconds(3), || run() == 2);
    wait_until("an event", seconds(3), || told(&set, "tasks_updated") == 1);
    let mut task = || {
        let tasks = http.get("/task").ok();
        let found = tasks.as_array().expect("a list").iter().find(|t| t["name"] == "addresses");
        found.expect("the task").clone()
    };
    let done = wait_for("its end", seconds(5), || Some(task()).filter(|t| t["holder"].is_null()));
    let host = http.get("/host").ok();
    assert_eq!(done["done_by"], host[0]["name"], "and who did it");
    let next = done["next_due"].as_i64().expect("a time");
    assert_eq!(next - done["done_at"].as_i64().expect("a time"), 900, "then by its period again");
    assert!(daemon.stop().success());
}

#[test]
fn who_holds_a_cancelled_job_can_not_end_it() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let host = host(&set, 1);
    host.new_job(RSA4096);
    let (store, held) = (&host.ground.store, host.claim());
    let cancelled = queue::cancel(store, held.id, |_| ()).expect("an answer");
    assert_eq!(cancelled, Cancelled::Failed { reserved_for: None });
    assert!(matches!(host.commit(&held, "late"), Done::Lost));
    assert_eq!(store.job_fail(claim_of(&held), "late", None).expect("an answer"), Failed::Lost);
    assert!(!store.job_give_back(claim_of(&held)).expect("an answer"));
    assert!(!store.job_is_held(claim_of(&held)).expect("an answer"));
    assert_eq!(count(&set, "pool", doc! {}), 0);

    assert_eq!(queue::retry(store, held.id, |_| ()).expect("an answer"), Retry::Ready);
    let again = host.claim();
    assert_eq!((again.id, again.attempts, again.error.as_deref()), (held.id, 1, None));
    assert!(again.fence > held.fence);
    assert!(matches!(host.commit(&held, "late"), Done::Lost), "nor after it was tried again");
    // What waits after a failure need not wait.
    let pause = Some(seconds(3600));
    store.job_fail(claim_of(&again), "no luck", pause).expect("an answer");
    assert_eq!(queue::retry(store, held.id, |_| ()).expect("an answer"), Retry::Ready);
    assert!(matches!(host.commit(&host.claim(), "good"), Done::Ended(None)));
}

#[test]
fn what_is_over_is_kept_for_a_week() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let host = host(&set, 1);
    let jobs = collection(&set, "jobs");
    let indexes = jobs.list_indexes().run().expect("indexes").map(|index| index.expect("one"));
    let by_end = doc! { "ended": 1 };
    let expiry = indexes.filter(|index| index.keys == by_end);
    let expiry: Vec<_> = expiry.filter_map(|index| index.options?.expire_after).collect();
    assert_eq!(expiry, [seconds(7 * 86_400)]);
    // The date it goes by is set by every end, and taken away when it is tried again.
    for _ in 0..2 {
        host.new_job(RSA4096);
    }
    let (done, failed) = (host.claim(), host.claim());
    host.commit(&done, "key");
    let store = &host.ground.store;
    store.job_fail(claim_of(&failed), "no luck", None).expect("an answer");
    let ended = doc! { "ended": { "$type": "date" } };
    assert_eq!(count(&set, "jobs", ended.clone()), 2);
    queue::retry(store, failed.id, |_| ()).expect("an answer");
    assert_eq!(count(&set, "jobs", ended), 1);
}

#[test]
fn a_holder_that_hears_nothing_finds_out_by_itself() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let host = host(&set, 1);
    host.new_job(RSA4096);
    let _queue = host.work(1);
    let child = wait_for("a child", seconds(10), || children().first().copied());
    signal(child, libc::SIGSTOP);
    // As if another host had taken it: no message says so.
    change(&set, "jobs", doc! {}, doc! { "$inc": { "fence": 1_i64 } });
    wait_until("the child's end", seconds(45), || children().is_empty());
}
