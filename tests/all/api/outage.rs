//! The database is silent: every request is answered in time, and all goes on when it is back.

use super::{PASSWORD, signed_in};
use crate::needs;
use crate::support::daemon::Home;
use crate::support::http::{Http, Reply};
use crate::support::lab::Lab;
use crate::support::mongo::ReplicaSet;
use crate::support::place::Place;
use crate::support::wait::{seconds, wait_until};
use serde_json::{Value, json};
use std::thread;
use std::time::{Duration, Instant};

/// The design's three seconds, three times.
const ANSWER_MAX: Duration = seconds(9);
/// A request that waits for the driver to find a primary takes at least this long.
const WAITED: Duration = Duration::from_millis(1900);
/// Requests that may find out whether the database is back.
const PROBES_MAX: usize = 2;

fn timed(http: &Http, method: &str, path: &str, body: Option<Value>) -> (Duration, Reply) {
    let begun = Instant::now();
    let reply = http.clone().send(method, path, body.as_ref());
    (begun.elapsed(), reply)
}

/// Many at once, more than there are handlers; all must be told to come again.
fn burst(http: &Http) -> Vec<Duration> {
    let asks: Vec<_> = (0..40)
        .map(|n| {
            let http = http.clone();
            thread::spawn(move || match n % 4 {
                0 => timed(&http, "PUT", "/settings", Some(json!({ "theme": "light" }))),
                1 => timed(&http, "GET", "/admin", None),
                2 => {
                    let body = json!({ "username": "admin", "password": PASSWORD });
                    timed(&http, "POST", "/auth/session", Some(body))
                }
                _ => timed(&http, "GET", "/settings", None),
            })
        })
        .collect();
    let answers = asks.into_iter().map(|ask| ask.join().expect("an answer"));
    let told = |(took, reply): (Duration, Reply)| {
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert!(reply.header("Retry-After").is_some_and(|s| s.parse::<u32>().is_ok_and(|s| s > 0)));
        assert!(["database_unavailable", "too_busy"].contains(&&*reply.error().1));
        assert!(took < ANSWER_MAX, "answered after {took:?}");
        took
    };
    answers.map(told).collect()
}

#[test]
fn a_silent_database_costs_seconds_and_no_more() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let mongod = &set.members[0];
    lives_through(&home, || mongod.freeze(), || mongod.thaw());
}

#[test]
fn a_silent_cut_costs_no_more() {
    needs!(Namespaces, Nft, Mongod);
    let lab = Lab::new(&["h1", "db"]);
    let set = ReplicaSet::on(&[lab.host("db")]);
    let home = Home::new(lab.host("h1"), Some(set.uri()));
    lives_through(&home, || lab.cut("db"), || lab.heal());
}

fn lives_through(home: &Home, silence: impl Fn(), end: impl Fn()) {
    let mut daemon = home.start();
    let mut http = signed_in(home, &daemon);
    http.get("/state").ok();
    silence();
    let slowest = burst(&http).into_iter().max();
    eprintln!("the slowest of the first burst: {slowest:?}");
    let (took, ping) = timed(&http, "GET", "/ping", None);
    assert!(ping.status == 200 && took < ANSWER_MAX, "health waits for nobody: {took:?}");
    assert_eq!(timed(&http, "GET", "/s/login/icon.svg", None).1.status, 200);
    let (_, page) = timed(&http, "GET", "/", None);
    assert_eq!(page.status, 200, "the console itself says what is away");
    // Once the beat is missed, nobody but a few waits.
    daemon.process.wait_log("no beats for now", seconds(30));
    let waited = burst(&http).into_iter().filter(|took| *took >= WAITED).count();
    assert!(waited <= 2 * PROBES_MAX, "{waited} requests were kept waiting");
    end();
    let back = wait_until("the database answers again", seconds(30), || {
        timed(&http, "GET", "/settings", None).1.status == 200
    });
    eprintln!("back after {back:?}");
    wait_until("handlers that were left behind come back", seconds(60), || {
        home.http().login("admin", PASSWORD).status == 200
    });
    let all = (0..40).map(|_| timed(&http, "GET", "/settings", None).1.status);
    assert!(all.collect::<Vec<_>>().iter().all(|status| *status == 200), "every thread is back");
    // The beat has a connection of its own, which notices the end of a cut by itself: a stop before
    // that could not tell the others.
    daemon.process.wait_log("beats are acknowledged again", seconds(30));
    let ended = daemon.stop();
    let log = home.log();
    assert!(ended.success(), "{ended}: {}", log.lines().next_back().unwrap_or_default());
}

/// A daemon whose handlers hang is stopped in time all the same.
#[test]
fn a_silent_database_does_not_keep_the_daemon_from_stopping() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let mut daemon = home.start();
    let http = signed_in(&home, &daemon);
    set.members[0].freeze();
    burst(&http);
    daemon.process.terminate(seconds(30));
}
