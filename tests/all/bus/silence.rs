//! How long nobody hears anything when the primary goes.

use super::rig::{Ear, Host, host, settle, timed};
use crate::needs;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{seconds, wait_until};
use std::time::Duration;
use warren::bus::Message;
use warren::thread::{StopSource, Thread, spawn, stop_pair};

/// Says something new all the time.
fn chatter(host: &Host, name: &'static str) -> (StopSource, Thread) {
    let (source, stop) = stop_pair();
    let bus = host.bus.clone();
    let body = move || {
        let mut n = 0;
        while !stop.wait(Duration::from_millis(20)) {
            bus.publish(Message::Wake { key: format!("{name}/{n}") });
            n += 1;
        }
    };
    (source, spawn("chatter", body).expect("a thread"))
}

#[test]
fn a_change_of_primary_silences_nobody_for_long_after_the_election() {
    needs!(Mongod);
    let mut set = ReplicaSet::local_three();
    let (first, second) = (host(set.uri(), 1, 0), host(set.uri(), 2, 0));
    let (ear1, ear2) = (Ear::on(&first), Ear::on(&second));
    settle(&[&first, &second], &[&ear1, &ear2]);
    let _speakers = [chatter(&first, "a"), chatter(&second, "b")];
    for is_killed in [false, true].repeat(ROUNDS) {
        let primary = set.primary();
        match is_killed {
            true => set.members[primary].kill_9(),
            false => set.step_down(),
        }
        let (_, election) = timed(|| set.primary());
        // What is said from now on can not have been heard before.
        let heard = [ear1.count(), ear2.count()];
        let (_, silence) = timed(|| {
            wait_until("everybody to hear on", seconds(5), || {
                ear1.count() > heard[0] + 200 && ear2.count() > heard[1] + 200
            });
        });
        println!("killed: {is_killed}; elected after {election:?}, 2 s of news {silence:?} later");
        if is_killed {
            set.members[primary].restart();
        }
        set.wait_in_step();
        settle(&[&first, &second], &[&ear1, &ear2]);
    }
}

const ROUNDS: usize = 1;
