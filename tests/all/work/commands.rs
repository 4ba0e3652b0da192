//! `warren jobs`, `warren tasks` and the pools in `warren status`: with a daemon and without.

use super::rig::{RSA2048, RSA4096, count, document, floors, host};
use crate::needs;
use crate::support::daemon::Home;
use crate::support::mongo::ReplicaSet;
use crate::support::place::Place;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::doc;
use serde_json::{Value, json};

const NOTHING: &str = "65a000000000000000000001";

/// Exit code and both outputs.
fn run(home: &Home, line: &str) -> (i32, String) {
    let output = home.run(&line.split(' ').collect::<Vec<_>>());
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("a code"), String::from_utf8(text).expect("text"))
}

fn said(home: &Home, line: &str) -> String {
    let (code, text) = run(home, line);
    assert_eq!(code, 0, "{line}: {text}");
    text
}

fn json_of(home: &Home, line: &str) -> Value {
    serde_json::from_str(&said(home, line)).expect("JSON")
}

#[test]
fn jobs_are_shown_retried_and_cancelled_without_a_daemon() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let host = host(&set, 1);
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    assert!(said(&home, "jobs").starts_with("no job"), "nothing to do yet");
    host.new_job(RSA4096);
    let held = host.claim();
    let id = held.id.to_string();
    let line = said(&home, "jobs list");
    assert!(line.contains(&id) && line.contains("private-key rsa4096, on host1"), "{line}");
    let (code, refused) = run(&home, &format!("jobs retry {id}"));
    assert!(code == 1 && refused.contains("has not failed"), "{code}: {refused}");

    let news = host.ground.bus.subscribe("test");
    assert_eq!(said(&home, &format!("jobs cancel {id}")), "cancelled\n");
    let stop = warren::thread::Stop::never();
    let taken = warren::bus::Heard::Message(warren::bus::Message::JobTaken { job: held.id });
    wait_until("the message to its holder", seconds(5), || {
        news.next(&stop, seconds(1)).is_some_and(|heard| heard == taken)
    });
    let shown = said(&home, &format!("jobs show {id}"));
    assert!(shown.contains(warren::queue::CANCELLED), "{shown}");
    let jobs = json_of(&home, "jobs --json");
    assert_eq!((&jobs[0]["id"], &jobs[0]["state"]), (&json!(id), &json!("failed")));
    said(&home, &format!("jobs retry {id}"));
    assert_eq!(json_of(&home, &format!("jobs show {id} --json"))["state"], "ready");
    for _ in 0..2 {
        said(&home, &format!("jobs cancel {id}"));
    }
    assert_eq!(count(&set, "jobs", doc! {}), 0, "cancelled, then removed");
    for command in ["show", "retry", "cancel"] {
        let (code, text) = run(&home, &format!("jobs {command} {NOTHING}"));
        assert!(code == 1 && text.contains("there is no job"), "{command}: {code}: {text}");
        let (code, text) = run(&home, &format!("jobs {command} x"));
        assert!(code == 64 && text.contains("no job's id"), "{command}: {code}: {text}");
    }
}

#[test]
fn a_task_is_run_by_the_daemon_that_hears_the_command() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let tasks = said(&home, "tasks");
    assert!(tasks.contains("addresses     has not run yet"), "{tasks}");
    let daemon = home.start();
    wait_until("its first run", seconds(30), || {
        count(&set, "tasks", doc! { "_id": "addresses", "done_at": { "$type": "date" } }) == 1
    });
    said(&home, "tasks run addresses");
    let again = || {
        document(&set, "tasks", doc! { "_id": "addresses" })
            .get_i64("run")
            .is_ok_and(|run| run == 2)
    };
    wait_until("its second run", seconds(5), again);
    let tasks = json_of(&home, "tasks list --json");
    assert_eq!(tasks.as_array().map(Vec::len), Some(warren::tasks::TASKS.len()));
    let (code, text) = run(&home, "tasks run nothing");
    assert!(code == 1 && text.contains("addresses"), "{code}: {text}");
    assert!(daemon.stop().success());
}

#[test]
fn status_shows_the_pools() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    floors(&set, 5, 0);
    let host = host(&set, 1);
    host.fill(RSA2048, ["one".to_owned(), "two".to_owned()]);
    host.new_job(RSA2048);
    host.ground.store.pool_note_taken(RSA2048, 4).expect("a count");
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    // No daemon runs, which it reports as well.
    let (code, json) = run(&home, "status --json");
    assert_eq!(code, 1);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let pool = json["pools"].as_array().expect("a list").iter().find(|p| p["kind"] == "rsa2048");
    let expected = json!({
        "kind": "rsa2048", "depth": 2, "target": 8, "making": 1, "taken_10min": 4,
    });
    assert_eq!(pool, Some(&expected));
    let (_, text) = run(&home, "status");
    let line = text.lines().find(|line| line.contains("rsa2048")).expect("a line");
    assert!(
        line.starts_with("pool ") && line.contains("2 of 8, 1 in the making, 4 taken"),
        "{line}"
    );
}
