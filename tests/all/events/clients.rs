//! What browsers hear through the real daemon: long polls on several hosts.

use crate::needs;
use crate::support::daemon::{Daemon, Home};
use crate::support::http::{Http, Reply};
use crate::support::mongo::ReplicaSet;
use crate::support::place::Place;
use crate::support::wait::{pause, seconds};
use serde_json::{Value, json};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

/// Long enough for a request to be parked, far from the end of its time.
const PARKED: Duration = Duration::from_millis(500);

fn home(set: &ReplicaSet) -> Home {
    Home::new(&Place::isolated(), Some(set.uri()))
}

const PASSWORD: &str = "four words of mine";

/// The first administrator, with a password of its own.
fn signed_in(home: &Home, daemon: &Daemon<'_>) -> Http {
    let mut http = home.http();
    http.login("admin", &daemon.default_password()).ok();
    http.put("/settings", &json!({ "password": PASSWORD })).ok();
    http
}

/// A long poll that waits for something; answers how long it took. One that hears of what was done
/// before, a moment late, is begun again.
fn parked(http: &Http, path: &str) -> JoinHandle<(Reply, Duration)> {
    for _ in 0..10 {
        let (mut http, path) = (http.clone(), path.to_owned());
        let poll = spawn(move || {
            let begun = Instant::now();
            (http.get(&path), begun.elapsed())
        });
        pause(PARKED);
        if !poll.is_finished() {
            return poll;
        }
    }
    panic!("{path} has something to tell although nothing happens");
}

fn set_theme(http: &mut Http, theme: &str) {
    http.put("/settings", &json!({ "theme": theme })).ok();
}

/// Polls from `cursor` until `kind` comes: answers it and the next cursor.
fn hear(http: &mut Http, mut cursor: String, kind: &str) -> (Value, String) {
    for _ in 0..5 {
        let items = http.get(&format!("/event/{cursor}")).ok();
        let items = items.as_array().expect("a list");
        cursor = items.last().expect("something")["id"].as_str().expect("an id").to_owned();
        if let Some(item) = items.iter().find(|item| item["type"] == kind) {
            return (item.clone(), cursor);
        }
    }
    panic!("no {kind}");
}

#[test]
fn a_client_of_one_host_hears_what_was_changed_on_another() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let (home1, home2) = (home(&set), home(&set));
    let (daemon1, daemon2) = (home1.start(), home2.start());
    let mut http1 = signed_in(&home1, &daemon1);
    let mut http2 = home2.http();
    http2.login("admin", PASSWORD).ok();

    let waiting = parked(&http2, "/event");
    set_theme(&mut http1, "dark");
    let (reply, took) = waiting.join().expect("an answer");
    assert!(took >= PARKED && took < seconds(5), "answered after {took:?}");
    let items = reply.ok();
    let first = &items[0];
    assert_eq!((&first["type"], &first["resource_id"]), (&json!("settings_updated"), &json!(null)));
    assert!(first["timestamp"].is_f64() && first["timestamp"].as_f64() > Some(1.7e9), "{first}");
    let cursor = first["id"].as_str().expect("an id").to_owned();
    assert_eq!(cursor.len(), 24);

    // The same cursor on both hosts; what came since is answered at once.
    let (dark, cursor1) = hear(&mut http1, cursor.clone(), "theme_dark");
    let (same, cursor2) = hear(&mut http2, cursor, "theme_dark");
    assert_eq!((dark, &cursor1), (same, &cursor2));
    let waiting = parked(&http1, &format!("/event/{cursor2}"));
    set_theme(&mut http2, "light");
    let (reply, _) = waiting.join().expect("an answer");
    assert_eq!(reply.ok()[0]["type"], "settings_updated");

    // A host that was away knows what was told before.
    assert!(daemon2.stop().success());
    let _daemon2 = home2.start();
    let (_, _) = hear(&mut http2, cursor2, "theme_light");
}

#[test]
fn a_long_poll_without_news_ends_empty_and_strangers_get_none() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let home = home(&set);
    let daemon = home.start();
    let http = signed_in(&home, &daemon);
    let unknown = "/event/0123456789abcdef01234567";
    let polls = ["/event", unknown].map(|path| parked(&http, path));
    for path in ["/event", unknown] {
        assert_eq!(home.http().get(path).status, 401);
        assert_eq!(http.without_csrf().get(path).status, 401);
    }
    for poll in polls {
        let (reply, took) = poll.join().expect("an answer");
        assert_eq!(reply.ok(), json!([]));
        assert!(took >= Duration::from_millis(9500), "ended after {took:?}");
        assert!(took < seconds(15), "ended after {took:?}");
    }
}
