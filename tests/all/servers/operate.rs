//! Start, stop and restart, as far as documents tell: here the test plays the hosts' part.

use super::rig::{Rig, body, run};
use crate::needs;
use crate::support::http::{Http, Reply};
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::{DateTime, Document, doc};
use serde_json::{Value, json};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A request whose answer comes when somebody is woken; and how long it took.
struct Pending(JoinHandle<(Reply, Duration)>);

impl Pending {
    fn operate(http: &Http, server: &str, operation: &str) -> Pending {
        let (mut http, path) = (http.clone(), format!("/server/{server}/operation/{operation}"));
        Pending(thread::spawn(move || {
            let begin = Instant::now();
            (http.send("PUT", &path, None), begin.elapsed())
        }))
    }

    fn reply(self) -> Reply {
        self.0.join().expect("an answer").0
    }

    fn took(self) -> (Reply, Duration) {
        self.0.join().expect("an answer")
    }

    fn is_pending(&self) -> bool {
        !self.0.is_finished()
    }
}

/// A server with an organization.
fn server(rig: &mut Rig<'_>, name: &str) -> String {
    let server = rig.played_server(&body(name));
    let org = rig.organization(name);
    rig.http.put(&format!("/server/{server}/organization/{org}"), &json!({})).ok();
    server
}

fn wait_for_wish(rig: &Rig<'_>, server: &str, run: i64) -> Document {
    wait_until("the wish in the document", seconds(5), || {
        let stored = rig.document(server);
        stored.get_bool("online").ok() == Some(true) && stored.get_i64("run").ok() == Some(run)
    });
    rig.document(server)
}

fn status(rig: &mut Rig<'_>, server: &str) -> Value {
    rig.http.get(&format!("/server/{server}")).ok()["status"].clone()
}

#[test]
fn a_start_that_can_not_be_says_why_at_once() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let bare = rig.server(&body("bare"));
        let homeless = server(rig, "homeless");
        rig.http.delete(&format!("/server/{homeless}/host/{}", rig.played_id())).ok();
        for (server, id) in [(&bare, "server_no_organization"), (&homeless, "server_no_host")] {
            for operation in ["start", "restart"] {
                let (reply, took) = Pending::operate(&rig.http, server, operation).took();
                assert_eq!(reply.error(), (500, id.to_owned()), "{operation}");
                assert!(reply.json()["error_msg"].as_str().is_some_and(|m| m.contains("attach")));
                assert!(took < seconds(6), "{took:?}");
            }
            assert_eq!(rig.document(server).get_bool("online").ok(), Some(false));
            let stopped = Pending::operate(&rig.http, server, "stop").reply().ok();
            assert_eq!(stopped["status"], json!("offline"));
        }
    });
}

#[test]
fn a_start_is_answered_when_a_host_has_done_it() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let server = server(rig, "office");
        let start = Pending::operate(&rig.http, &server, "start");
        wait_for_wish(rig, &server, 1);
        // The daemon reads what a majority has, a moment after this test's own look.
        wait_until("the wish to be seen", seconds(3), || status(rig, &server) == "pending");
        // A wake-up without a change is no answer.
        rig.wake(&server);
        rig.set(&server, doc! { "instances": [rig.instance(&server)] });
        assert!(start.is_pending());
        rig.wake(&server);
        let (reply, took) = start.took();
        assert_eq!(reply.ok()["status"], json!("online"));
        assert!(took < seconds(12), "woken, not timed out: {took:?}");

        // It runs: a further start has nothing to do, and no run begins.
        let again = Pending::operate(&rig.http, &server, "start").reply().ok();
        assert_eq!(again["instances"][0]["host"], json!(rig.played_id()));
        assert!(again["uptime"].as_i64().is_some_and(|seconds| (0..60).contains(&seconds)));
        assert_eq!(rig.document(&server).get_i64("run").ok(), Some(1));

        // A restart waits for an instance of the new run.
        let restart = Pending::operate(&rig.http, &server, "restart");
        wait_for_wish(rig, &server, 2);
        rig.wake(&server);
        pause_for_wakeup(rig, &server);
        assert!(restart.is_pending(), "the old run does not count");
        rig.set(&server, doc! { "instances": [rig.instance(&server)] });
        rig.wake(&server);
        assert_eq!(restart.reply().ok()["status"], json!("online"));

        // A stop waits until nobody holds it.
        let stop = Pending::operate(&rig.http, &server, "stop");
        wait_until("the wish to stop", seconds(5), || {
            rig.document(&server).get_bool("online").ok() == Some(false)
        });
        pause_for_wakeup(rig, &server);
        assert!(stop.is_pending());
        rig.set(&server, doc! { "instances": [] });
        rig.wake(&server);
        let (reply, took) = stop.took();
        assert_eq!(reply.ok()["status"], json!("offline"));
        assert!(took < seconds(12), "woken, not timed out: {took:?}");
        assert_eq!(rig.document(&server).get_i64("run").ok(), Some(2));
    });
}

/// Waits until a wake-up of the server's key has gone all the way: a client that waits for the
/// same key by another request has had its answer.
fn pause_for_wakeup(rig: &mut Rig<'_>, server: &str) {
    let begin = Instant::now();
    rig.wake(server);
    // Two more answers of the daemon, which come after the wake-up was passed on.
    wait_until("the wake-up to pass", seconds(5), || {
        rig.http.get("/status").ok();
        begin.elapsed() > Duration::from_millis(300)
    });
}

#[test]
fn a_start_that_fails_or_is_called_off_says_so() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let server = server(rig, "office");
        let start = Pending::operate(&rig.http, &server, "start");
        wait_for_wish(rig, &server, 1);
        let cause = "OpenVPN ended: the port is taken";
        let failure = doc! { "host_id": rig.played_id(), "cause": cause, "at": DateTime::now() };
        rig.set(&server, doc! { "failure": failure.clone() });
        rig.wake(&server);
        let reply = start.reply();
        assert_eq!(reply.error(), (500, "server_start_failed".to_owned()));
        assert_eq!(reply.json()["error_msg"], json!(cause));
        let shown = rig.http.get(&format!("/server/{server}")).ok();
        assert_eq!((&shown["failure"], &shown["status"]), (&json!(cause), &json!("pending")));

        // Asked for again it is another run, and the cause of the first is forgotten.
        let start = Pending::operate(&rig.http, &server, "start");
        let stored = wait_for_wish(rig, &server, 2);
        assert!(stored.get_document("failure").is_err());
        rig.http.send("PUT", &format!("/server/{server}/operation/stop"), None).ok();
        let (reply, took) = start.took();
        assert_eq!(reply.error(), (500, "server_start_failed".to_owned()));
        assert!(took < seconds(12), "told, not timed out: {took:?}");

        // Of two replicas one runs: a start leaves it alone, whatever the other one says.
        let start = Pending::operate(&rig.http, &server, "start");
        wait_for_wish(rig, &server, 3);
        rig.set(&server, doc! { "instances": [rig.instance(&server)], "failure": failure });
        rig.wake(&server);
        start.reply().ok();
        Pending::operate(&rig.http, &server, "start").reply().ok();
        assert_eq!(rig.document(&server).get_i64("run").ok(), Some(3));

        // Deleted, and so stopped, meanwhile.
        rig.set(&server, doc! { "instances": [], "failure": null });
        let start = Pending::operate(&rig.http, &server, "start");
        pause_for_wakeup(rig, &server);
        rig.http.delete(&format!("/server/{server}")).ok();
        let reply = start.reply();
        assert!(
            reply.status == 404 || reply.error().1 == "server_start_failed",
            "{}",
            reply.text()
        );
    });
}

/// The front asks again with the same signature, which must not count as a replay.
#[test]
fn a_signed_start_is_parked_and_answered_too() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let server = server(rig, "office");
        let admins = rig.http.get("/admin").ok();
        let admin = admins[0]["id"].as_str().expect("an id").to_owned();
        let fields = json!({ "username": "admin", "super_user": true, "auth_api": true });
        let admin = rig.http.put(&format!("/admin/{admin}"), &fields).ok();
        let text = |field: &str| admin[field].as_str().expect("text").to_owned();
        let signed = rig.home.http().signed_by(&text("token"), &text("secret"));
        let start = Pending::operate(&signed, &server, "start");
        wait_for_wish(rig, &server, 1);
        rig.set(&server, doc! { "instances": [rig.instance(&server)] });
        pause_for_wakeup(rig, &server);
        assert_eq!(start.reply().ok()["status"], json!("online"));
    });
}

#[test]
fn a_server_whose_certificate_went_with_its_organization_gets_another_at_its_start() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let server = server(rig, "office");
        rig.set(&server, doc! { "primary_organization": null, "primary_user": null });
        let start = Pending::operate(&rig.http, &server, "start");
        let stored = wait_for_wish(rig, &server, 1);
        assert!(stored.get_object_id("primary_user").is_ok());
        rig.http.send("PUT", &format!("/server/{server}/operation/stop"), None).ok();
        start.reply();
    });
}
