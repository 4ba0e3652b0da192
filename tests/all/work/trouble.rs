//! Hosts whose children can not do their work, and clocks that are not to be believed.

use super::rig::{RSA2048, change, count, floors, host};
use crate::needs;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::{DateTime, doc};
use std::time::Duration;
use warren::ground::Ground;
use warren::queue;

/// Works with children that fail at once.
fn fail(ground: &Ground) -> queue::Handle {
    let period = Duration::from_millis(200);
    let options = queue::Options { program: "/bin/false".into(), heavy: 1, period };
    queue::spawn_with(ground.clone(), options).expect("a queue")
}

#[test]
fn a_job_that_is_due_far_off_is_done_now() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let host = host(&set, 1);
    host.new_job(RSA2048);
    // As a primary whose clock was an hour ahead leaves it behind.
    let later = DateTime::from_millis(host.ground.clock.cluster_ms() + 3_600_000);
    change(&set, "jobs", doc! {}, doc! { "$set": { "due": later } });
    let _queue = host.work(1);
    wait_until("its end", seconds(30), || count(&set, "jobs", doc! { "state": "done" }) == 1);
}

#[test]
fn a_host_whose_children_fail_leaves_the_work_to_others() {
    needs!(Mongod);
    const JOBS: u64 = 20;
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let (broken, sound) = (host(&set, 1), host(&set, 2));
    let _broken = fail(&broken.ground);
    (0..JOBS).for_each(|_| sound.new_job(RSA2048));
    wait_until("it fails", seconds(10), || count(&set, "jobs", doc! { "attempts": 1 }) > 0);
    let _sound = sound.work(1);
    wait_until("an end of each", seconds(90), || {
        count(&set, "jobs", doc! { "state": { "$in": ["done", "failed"] } }) == JOBS
    });
    assert_eq!(count(&set, "jobs", doc! { "state": "done" }), JOBS, "none is given up");
}
