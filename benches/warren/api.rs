//! The API: creations with filled pools, `GET /status`, events between hosts, many users.

use crate::agent::Agent;
use crate::report::{Report, Samples};
use crate::support::daemon::Home;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::pause;
use mongodb::bson::{Document, doc, oid::ObjectId};
use serde_json::{Value, json};
use std::thread;
use std::time::{Duration, Instant};

/// Fewer than a fresh box has keys, so that no creation waits for one.
const USERS: usize = 24;
/// Between creations: longer than a signature and a confirmed write.
const MOMENT: Duration = Duration::from_millis(50);
const ORGANIZATIONS: usize = 3;
const SERVERS: usize = 3;
const STATUS_REQUESTS: usize = 2000;
const EVENTS: usize = 100;

fn many(count: usize, mut one: impl FnMut(usize) -> Duration) -> Samples {
    Samples::of((0..count).map(&mut one).collect())
}

pub fn server_body(name: &str, number: usize) -> Value {
    json!({
        "name": name, "network": format!("10.2{number}.0.0/16"), "port": 12000 + number,
        "protocol": "udp", "cipher": "aes128", "hash": "sha1", "dh_param_bits": 2048,
    })
}

pub fn creations(report: &mut Report, agent: &mut Agent) {
    let organizations = many(ORGANIZATIONS, |n| {
        pause(MOMENT);
        agent.post("/organization", &json!({ "name": format!("org-{n}") })).ok().took
    });
    let what = "create organization, pool filled, a moment apart";
    report.row(what, "p50 5 ms", &organizations.text());
    let org = first_organization(agent);
    let mut user = |n: usize| {
        agent.post(&format!("/user/{org}"), &json!({ "name": format!("user-{n}") })).ok().took
    };
    let at_once = many(USERS, &mut user);
    report.row("create user, pool filled, one after the other", "p50 5 ms", &at_once.text());
    let apart = many(USERS, |n| {
        pause(MOMENT);
        user(USERS + n)
    });
    report.row("create user, pool filled, a moment apart", "p50 5 ms", &apart.text());
    let servers = many(SERVERS, |n| {
        pause(MOMENT);
        agent.post("/server", &server_body(&format!("server-{n}"), n)).ok().took
    });
    report.row("create server, pool filled, a moment apart", "p50 5 ms", &servers.text());
}

pub fn first_organization(agent: &mut Agent) -> String {
    let organizations = agent.get("/organization").ok().json();
    organizations[0]["id"].as_str().expect("an organization").to_owned()
}

pub fn status(report: &mut Report, home: &Home, agent: &mut Agent) {
    let one = many(STATUS_REQUESTS, |_| agent.get("/status").ok().took);
    report.row("GET /status, one connection", "p50 0.5 ms", &one.text());
    let agents: Vec<Agent> = (0..8).map(|_| agent.another()).collect();
    let begin = Instant::now();
    let threads: Vec<_> = agents
        .into_iter()
        .map(|mut agent| {
            thread::spawn(move || {
                (0..STATUS_REQUESTS).for_each(|_| drop(agent.get("/status").ok()));
            })
        })
        .collect();
    let count = threads.len() * STATUS_REQUESTS;
    threads.into_iter().for_each(|thread| thread.join().expect("an agent"));
    let rate = count as f64 / begin.elapsed().as_secs_f64();
    let measured = format!("{rate:.0}/s, client on the same cores");
    report.row("GET /status, 8 connections", "5 000/s", &measured);
    let mut http = home.http();
    let ping = many(200, |_| {
        let begin = Instant::now();
        assert_eq!(http.get("/ping").status, 200);
        begin.elapsed()
    });
    report.row("GET /ping with a new TLS connection each", "none", &ping.text());
}

/// From the request on host A to the answer of a browser's long poll on host B.
pub fn events(report: &mut Report, a: &mut Agent, b: &mut Agent) {
    let org = first_organization(a);
    let mut cursor = newest(a, b, &org);
    let mut took = Vec::new();
    for n in 0..EVENTS {
        let mut waiting = b.another();
        let path = format!("/event/{cursor}");
        let waiter = thread::spawn(move || (waiting.get(&path).ok().json(), Instant::now()));
        // The poll is parked by then; a change before that would be answered at once.
        pause(Duration::from_millis(30));
        let begin = Instant::now();
        a.put(&format!("/organization/{org}"), &json!({ "name": format!("event-{n}") })).ok();
        let (events, at) = waiter.join().expect("a long poll");
        took.push(at.duration_since(begin));
        cursor = last(&events).unwrap_or(cursor);
    }
    let samples = Samples::of(took);
    let what = "event: change on host A, request included, to browser on host B";
    report.row(what, "p50 5 ms, p99 50 ms", &samples.text());
}

fn newest(a: &mut Agent, b: &mut Agent, org: &str) -> String {
    let mut waiting = b.another();
    let waiter = thread::spawn(move || waiting.get("/event").ok().json());
    pause(Duration::from_millis(300));
    a.put(&format!("/organization/{org}"), &json!({ "name": "event" })).ok();
    last(&waiter.join().expect("a long poll")).expect("an event")
}

fn last(events: &Value) -> Option<String> {
    Some(events.as_array()?.last()?["id"].as_str()?.to_owned())
}

pub fn many_users(report: &mut Report, set: &ReplicaSet, agent: &mut Agent) {
    let org = first_organization(agent);
    plant(set, &org, 10_000);
    let whole = many(20, |_| agent.get(&format!("/user/{org}")).ok().took);
    report.row("whole list of 10 000 users", "40 ms", &whole.text());
    let users = many(12, |n| {
        agent.post(&format!("/user/{org}"), &json!({ "name": format!("late-{n}") })).ok().took
    });
    report.row("create user, 10 000 users", "p50 5 ms", &users.text());
    plant(set, &org, 90_000);
    let page = many(500, |n| agent.get(&format!("/user/{org}?page={}", n % 50)).ok().took);
    report.row("page of users at 100 000 users", "p99 20 ms", &page.text());
    let status = many(500, |_| agent.get("/status").ok().took);
    report.row("GET /status at 100 000 users", "p50 0.5 ms", &status.text());
}

/// Copies of an existing user under other names.
fn plant(set: &ReplicaSet, org: &str, count: usize) {
    let database = set.client().database("warren");
    let users = database.collection::<Document>("users");
    let org_id = ObjectId::parse_str(org).expect("an id");
    let one = users.find_one(doc! { "org_id": org_id, "type": "client" }).run();
    let one = one.expect("a database").expect("a user");
    let copy = |n: usize| {
        let mut copy = one.clone();
        copy.insert("_id", ObjectId::new());
        copy.insert("name", format!("planted-{n:06}"));
        copy
    };
    for start in (0..count).step_by(5000) {
        let batch: Vec<Document> = (start..count.min(start + 5000)).map(copy).collect();
        users.insert_many(batch).run().expect("users");
    }
    let organizations = database.collection::<Document>("organizations");
    let more = doc! { "$inc": { "user_count": count as i64 } };
    organizations.update_one(doc! { "_id": org_id }, more).run().expect("an organization");
}
