//! Hosts whose children can not do their work.

use super::rig::{RSA2048, count, floors, host};
use crate::needs;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::doc;
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
