//! Real daemons that fill the pools of a fresh cluster.

use super::rig::{change, count, document, floors};
use crate::needs;
use crate::support::daemon::{Home, user};
use crate::support::place::Place;
use crate::support::wait::{seconds, wait_for, wait_until};
use mongodb::bson::doc;

/// Process id, user id and niceness of the child that makes a key, as its place sees them.
pub fn child(place: &Place) -> Option<(String, u32, i32)> {
    let listed = place.sh("ps -eo pid,uid,nice,args | grep '[p]rivate-key' || true");
    let mut words = listed.split_whitespace();
    let pid = words.next()?.to_owned();
    Some((pid, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

#[test]
fn a_killed_daemons_child_dies_with_it_and_another_host_makes_the_key() {
    needs!(Namespaces, Mongod);
    let set = super::rig::set();
    floors(&set, 0, 1);
    let (one, two) = (Place::isolated(), Place::isolated());
    let home = Home::new(&one, Some(set.uri()));
    let mut daemon = home.start();
    let (pid, uid, nice) = wait_for("a child", seconds(30), || child(&one));
    assert_eq!(uid, user("warren").0);
    assert_eq!(nice, 10);
    wait_until("a child that hides its memory", seconds(5), || {
        // The files of a process that is not dumpable are root's.
        one.sh(&format!("stat -c %u /proc/{pid}/environ || true")).trim() == "0"
    });
    let environment = one.sh(&format!("tr '\\0' '\\n' < /proc/{pid}/environ || true"));
    assert!(environment.lines().all(|line| line.starts_with("PATH=")), "{environment}");
    // From here on it can not end by itself.
    one.sh(&format!("kill -STOP {pid}"));
    daemon.process.kill_9();
    wait_until("the child's end", seconds(5), || child(&one).is_none());
    assert_eq!(count(&set, "pool", doc! {}), 0, "the test was too slow to kill it");

    let second = Home::new(&two, Some(set.uri()));
    let other = second.start();
    // The first one is declared dead, its job found, claimed and done.
    wait_until("the key", seconds(90), || count(&set, "pool", doc! { "kind": "rsa4096" }) == 1);
    let job = document(&set, "jobs", doc! { "state": "done" });
    assert_eq!(job.get_i64("attempts").expect("a count"), 2);
    assert_eq!(count(&set, "jobs", doc! {}), 1);
    assert!(other.stop().success());
}

#[test]
fn a_stopped_daemon_gives_its_job_back_at_once() {
    needs!(Namespaces, Mongod);
    let set = super::rig::set();
    floors(&set, 0, 3);
    let place = Place::isolated();
    let home = Home::new(&place, Some(set.uri()));
    let daemon = home.start();
    wait_for("a child", seconds(30), || child(&place));
    assert!(daemon.stop().success());
    assert!(child(&place).is_none());
    assert_eq!(count(&set, "jobs", doc! { "state": "running" }), 0);
    let open = count(&set, "jobs", doc! { "state": "ready", "attempts": 0_i64, "holder": null });
    assert_eq!(open + count(&set, "pool", doc! {}), 3);
}

#[test]
fn a_killed_daemons_task_runs_elsewhere_at_once() {
    needs!(Namespaces, Mongod);
    let set = super::rig::set();
    floors(&set, 0, 0);
    let (one, two) = (Place::isolated(), Place::isolated());
    let (first, second) = (Home::new(&one, Some(set.uri())), Home::new(&two, Some(set.uri())));
    let mut daemon = first.start();
    let id = |host: &Home| {
        let id = std::fs::read_to_string(host.state_dir().join("host-id")).expect("an id");
        id.trim().to_owned()
    };
    let victim = id(&first);
    let _other = second.start();
    let done = doc! { "done_at": { "$type": "date" } };
    let all = warren::tasks::TASKS.len() as u64;
    wait_until("every task", seconds(60), || count(&set, "tasks", done.clone()) == all);
    // It is at the longest of them, and would be for a quarter of an hour.
    let epoch = document(&set, "hosts", doc! { "_id": &victim }).get_i64("epoch").expect("one");
    let holder = doc! { "host": &victim, "epoch": epoch };
    let taken = doc! {
        "$set": { "holder": holder, "attempts": 1_i64 },
        "$inc": { "run": 1_i64, "fence": 1_i64 },
        "$currentDate": { "started": true },
    };
    change(&set, "tasks", doc! { "_id": "addresses" }, taken);
    daemon.process.kill_9();
    // Silence is noticed within 4.3 s; nothing else is waited for.
    let again = doc! { "_id": "addresses", "attempts": 2_i64, "holder": null };
    let took = wait_until("its end", seconds(14), || count(&set, "tasks", again.clone()) == 1);
    println!("a killed host's task was done after {took:?}");
    let hosts = document(&set, "hosts", doc! { "_id": &victim });
    assert!(!hosts.get_bool("alive").expect("a flag"));
}
