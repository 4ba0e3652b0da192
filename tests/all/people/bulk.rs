//! More users than are created while their client waits: by a job that survives its host.

use super::{Rig, create_org, id, names, oid};
use crate::needs;
use crate::support::daemon::Home;
use crate::support::http::Http;
use crate::support::place::Place;
use crate::support::wait::{seconds, wait_for, wait_until};
use mongodb::bson::{Bson, Document, doc};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Barrier;
use std::thread;
use warren::base::ids::OrgId;
use warren::pki::KeyKind;
use warren::store::jobs::Retry;

fn people(count: usize) -> Value {
    (0..count).map(|n| json!({ "name": format!("u{n:05}") })).collect()
}

/// The job of an organization.
fn job(rig: &Rig, org: &str) -> Document {
    let of_org = doc! { "kind": "bulk-users", "payload": oid(org) };
    rig.collection("jobs").find_one(of_org).run().expect("a read").expect("a job")
}

fn is_done(rig: &Rig, org: &str) -> bool {
    let job = job(rig, org);
    let state = job.get_str("state").expect("a state");
    assert_ne!(state, "failed", "{job}");
    state == "done"
}

/// Each of `count` users once, with a key and an identity of its own.
fn check_all(rig: &Rig, http: &mut Http, org: &str, count: usize) {
    // The daemon reads what a majority has, a little after the test sees it.
    let mut listed = wait_for("all in the list", seconds(5), || {
        let listed = names(&http.get(&format!("/user/{org}")).ok());
        Some(listed).filter(|listed| listed.len() >= count)
    });
    listed.sort();
    let expected: Vec<String> = (0..count).map(|n| format!("u{n:05}")).collect();
    assert_eq!(listed, expected);
    for field in ["private_key", "certificate", "otp_secret", "sync_token", "sync_secret"] {
        assert_eq!(rig.texts("users", field).len(), count, "{field}");
    }
    assert_eq!(http.get(&format!("/organization/{org}")).ok()["user_count"], count);
    assert_eq!(rig.count("job_parts", doc! {}), 0, "nothing is kept of what was created");
}

#[test]
fn many_users_are_created_in_the_background_by_the_same_rules() {
    needs!(Namespaces, Mongod);
    let rig = Rig::new();
    rig.fill(KeyKind::Rsa4096, 1);
    rig.fill(KeyKind::Rsa2048, 140);
    let daemon = rig.home.start();
    let mut http = rig.enter(&daemon);
    let org = create_org(&mut http, "many");
    let path = format!("/user/{org}/multi");
    let mut bodies = people(130);
    bodies[11]["pin"] = json!("12");
    assert_eq!(http.post(&path, &bodies).error(), (400, "pin_too_short".to_owned()));
    assert_eq!(rig.count("jobs", doc! { "class": "light" }), 0, "nothing is begun");
    bodies[11]["pin"] = json!("123456");
    bodies[12]["email"] = json!("anna@example.com");
    let begun = http.post(&path, &bodies);
    assert_eq!((begun.status, &begun.json()["status"]), (202, &json!("users_background")));
    assert!(begun.json()["status_msg"].is_string());
    wait_until("all users", seconds(60), || is_done(&rig, &org));
    check_all(&rig, &mut http, &org, 130);
    let listed = http.get(&format!("/user/{org}")).ok();
    let users = listed.as_array().expect("a list");
    let [with_pin, with_email] = ["u00011", "u00012"]
        .map(|name| users.iter().find(|user| user["name"] == name).expect("a user"));
    assert_eq!((&with_pin["pin"], &users[0]["pin"]), (&json!(true), &json!(false)));
    assert_eq!(with_email["email"], "anna@example.com");
    let stored = doc! { "_id": oid(&id(with_pin)) };
    let stored = rig.collection("users").find_one(stored).run().expect("a read").expect("one");
    assert!(stored.get_str("pin").expect("a hash").starts_with("$argon2id$"));

    let shown = http.get(&format!("/job/{}", job(&rig, &org).get_object_id("_id").unwrap())).ok();
    assert_eq!((&shown["position"], &shown["total"]), (&json!(130), &json!(130)));
    assert_eq!((&shown["progress"], &shown["state"]), (&json!(1.0), &json!("done")));
    let told = doc! { "topic": "event", "body.kind": "users_updated", "body.resource": &org };
    assert!(rig.count("bus", told) >= 3, "consoles hear of each step");
    let nobody = "/user/65a000000000000000000001/multi";
    assert_eq!(http.post(nobody, &people(11)).status, 404);
    assert!(daemon.stop().success());
}

#[test]
fn ten_thousand_are_taken_at_once_one_lot_at_a_time_and_cancelled() {
    needs!(Namespaces, Mongod);
    let rig = Rig::new();
    rig.fill(KeyKind::Rsa4096, 1);
    let daemon = rig.home.start();
    let mut http = rig.enter(&daemon);
    let org = create_org(&mut http, "huge");
    let path = format!("/user/{org}/multi");
    let too_many = http.post(&path, &people(10_001));
    assert_eq!(too_many.error(), (400, "users_too_many".to_owned()));
    let body = |n: usize| {
        json!({
            "name": format!("u{n:05}"), "email": format!("u{n:05}@example.com"), "pin": "123456",
            "groups": ["staff", "berlin"], "auth_type": "local", "disabled": false,
            "bypass_secondary": false, "client_to_client": false, "dns_servers": ["9.9.9.9"],
            "network_links": null, "mac_addresses": ["aa:bb:cc:dd:ee:ff"],
        })
    };
    let bodies: Value = (0..10_000).map(body).collect();
    println!("a body of {} bytes", bodies.to_string().len());
    let begun = http.post(&path, &bodies);
    assert_eq!(begun.status, 202, "{}", begun.text());
    // No key is there, and none is made: it waits without holding anybody up.
    let mut agents: Vec<Http> = (0..8).map(|_| http.clone()).collect();
    let others: Vec<_> = agents
        .drain(..)
        .map(|mut agent| {
            let path = path.clone();
            thread::spawn(move || agent.post(&path, &people(11)).error())
        })
        .collect();
    for other in others {
        let error = other.join().expect("an answer");
        assert_eq!(error, (429, "users_background_busy".to_owned()));
    }
    let largest = rig.collection("job_parts").find_one(doc! {}).run().expect("a read");
    let largest = mongodb::bson::serialize_to_vec(&largest.expect("a part")).expect("bytes");
    assert!(largest.len() < 100_000, "{} bytes in a part", largest.len());
    let job = format!("/job/{}", job(&rig, &org).get_object_id("_id").expect("an id"));
    assert_eq!(http.delete(&job).ok(), json!({}));
    assert_eq!(http.get(&job).ok()["error"], warren::queue::CANCELLED);
    // Another one may begin now, and the first one not again meanwhile.
    assert_eq!(http.post(&path, &people(11)).status, 202);
    let busy = http.put(&format!("{job}/retry"), &json!({}));
    assert_eq!(busy.error(), (429, "users_background_busy".to_owned()));
    assert_eq!(http.delete(&job).ok(), json!({}));
    assert!(rig.count("job_parts", doc! {}) <= 1, "what was cancelled is forgotten with its job");
    assert!(daemon.stop().success());
}

#[test]
fn without_keys_it_waits_and_goes_on_when_they_are_made() {
    needs!(Namespaces, Mongod);
    let rig = Rig::new();
    rig.fill(KeyKind::Rsa4096, 1);
    let daemon = rig.home.start();
    let mut http = rig.enter(&daemon);
    let org = create_org(&mut http, "patient");
    assert_eq!(http.post(&format!("/user/{org}/multi"), &people(12)).status, 202);
    wait_until("its rest", seconds(20), || {
        let job = job(&rig, &org);
        let waits = job.get_str("state").is_ok_and(|state| state == "ready");
        waits
            && job.get_datetime("due").expect("a date") > job.get_datetime("touched").expect("one")
    });
    let waiting = job(&rig, &org);
    assert_eq!(waiting.get("holder"), Some(&Bson::Null));
    assert_eq!(waiting.get("error"), Some(&Bson::Null), "waiting is no failure");
    assert_eq!(waiting.get_i64("attempts").expect("a count"), 0);
    assert!(rig.count("jobs", doc! { "pool": "rsa2048", "urgent": true }) > 0, "keys are made");
    wait_until("all users", seconds(120), || is_done(&rig, &org));
    check_all(&rig, &mut http, &org, 12);
    assert!(daemon.stop().success());
}

#[test]
fn another_host_goes_on_where_a_killed_one_stopped() {
    needs!(Namespaces, Mongod);
    let rig = Rig::new();
    rig.fill(KeyKind::Rsa4096, 1);
    rig.fill(KeyKind::Rsa2048, 1300);
    let mut first = rig.home.start();
    let mut http = rig.enter(&first);
    let org = create_org(&mut http, "moved");
    assert_eq!(http.post(&format!("/user/{org}/multi"), &people(1000)).status, 202);
    let position = || job(&rig, &org).get_i64("position").expect("a number");
    wait_until("some users", seconds(30), || position() > 0);
    first.process.kill_9();
    let reached = position();
    assert!(reached < 1000, "the test was too slow");
    assert_eq!(rig.count("users", doc! { "org_id": oid(&org), "type": "client" }), reached as u64);
    let second = Home::new(&Place::isolated(), Some(rig.set.uri()));
    let daemon = second.start();
    wait_until("all users", seconds(120), || is_done(&rig, &org));
    let mut http = second.http();
    http.login("admin", super::PASSWORD).ok();
    check_all(&rig, &mut http, &org, 1000);
    println!("killed after {reached} of 1000");
    assert!(daemon.stop().success());
}

#[test]
fn of_fifty_at_once_exactly_one_begins() {
    needs!(Mongod);
    let rig = Rig::new();
    let org = OrgId::from_bytes([7; 12]);
    for round in 0..5 {
        let start = Barrier::new(50);
        let begun: HashSet<_> = thread::scope(|scope| {
            let tries: Vec<_> = (0..50)
                .map(|_| {
                    let (start, store) = (&start, &rig.store);
                    scope.spawn(move || {
                        let job = store.new_id();
                        start.wait();
                        store.bulk_begin(job, org, 11).expect("an answer").then_some(job)
                    })
                })
                .collect();
            tries.into_iter().filter_map(|each| each.join().expect("a thread")).collect()
        });
        assert_eq!(begun.len(), 1, "round {round}");
        let winner = begun.into_iter().next().expect("one");
        rig.store.job_cancel(winner, "over").expect("an answer");
    }
    // One that failed may be tried again, but not two at once.
    let failed: Vec<_> = wait_for("the failed ones", seconds(1), || {
        let found = rig.collection("jobs").find(doc! {}).run().expect("a read");
        Some(found.map(|job| job.expect("a job").get_object_id("_id").expect("an id")).collect())
    });
    let start = Barrier::new(failed.len());
    let retried: Vec<Retry> = thread::scope(|scope| {
        let tries: Vec<_> = failed
            .iter()
            .map(|id| {
                let (start, store) = (&start, &rig.store);
                let id = id.to_hex().parse().expect("an id");
                scope.spawn(move || {
                    start.wait();
                    store.job_retry(id).expect("an answer")
                })
            })
            .collect();
        tries.into_iter().map(|each| each.join().expect("a thread")).collect()
    });
    let count = |of: Retry| retried.iter().filter(|retry| **retry == of).count();
    assert_eq!((count(Retry::Ready), count(Retry::Busy)), (1, failed.len() - 1), "{retried:?}");
}
