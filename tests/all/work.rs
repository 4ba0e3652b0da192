//! Queue and pools on a real database: hosts of one process, real children.

mod commands;
mod daemons;
mod damage;
mod dh;
mod estate;
mod fate;
mod guards;
mod orders;
mod repairs;
mod reservations;
mod rig;
mod tasks;
mod trouble;

use crate::needs;
use crate::support::mongo::ReplicaSet;
use crate::support::place::{Place, signal};
use crate::support::wait::{pause, seconds, wait_for, wait_until};
use mongodb::bson::{DateTime, doc};
use rig::{
    RSA2048, RSA4096, change, children, claim_of, count, declare_dead, document, floors, host,
    keys, token,
};
use std::collections::HashSet;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;
use warren::base::secret::Secret;
use warren::bus::{Heard, Message};
use warren::limits;
use warren::pki::{KeyKind, PrivateKey};
use warren::pool::{self, Pools, Taken};
use warren::queue;
use warren::store::jobs::{Done, Failed, JobState};
use warren::thread::Stop;

/// Takes of a host whose thread for refilling does not interfere: its floors are zero.
fn pools(host: &rig::Host) -> (Pools, pool::Handle) {
    pool::spawn(host.ground.clone()).expect("a pool")
}

#[test]
fn two_hosts_refill_to_the_target_share_the_jobs_and_make_each_key_once() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 8, 0);
    let (first, second) = (host(&set, 1), host(&set, 2));
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for host in [&first, &second, &first, &second] {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                pool::refill(&host.ground).expect("a plan");
            });
        }
    });
    assert_eq!(first.making(RSA2048), 8, "as many as are missing, not more");

    let queues = (first.work(1), second.work(1));
    wait_until("a full pool", seconds(90), || first.depth(RSA2048) == 8);
    assert_eq!(pool::refill(&second.ground).expect("a plan"), 0, "it is full");
    assert_eq!(count(&set, "jobs", doc! { "state": "done", "attempts": 1 }), 8);
    for host in [&first, &second] {
        let done = count(&set, "jobs", doc! { "holder.host": host.ground.host.to_string() });
        assert!(done >= 2, "one of two hosts did {done} of 8 jobs");
    }
    let (pools, _thread) = pools(&first);
    floors(&set, 0, 0);
    let taken = keys(pools.take(KeyKind::Rsa2048, 8, None).expect("a take"));
    assert_eq!(taken.iter().collect::<HashSet<_>>().len(), 8, "eight different keys");
    let kinds = taken.into_iter().map(|pem| PrivateKey::from_pem(&Secret::new(pem)));
    assert!(kinds.map(|key| key.expect("a key").kind()).all(|kind| kind == Some(KeyKind::Rsa2048)));
    drop(queues);
}

#[test]
fn a_dead_holders_job_is_taken_over_and_its_late_commit_refused() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let (first, second) = (host(&set, 1), host(&set, 2));
    first.new_job(RSA2048);
    let held = first.claim();
    assert_eq!(queue::free_lost(&second.ground).expect("a look").found, 0, "its host lives");
    declare_dead(&second.ground.store, first.ground.host);
    let freed = queue::free_lost(&second.ground).expect("a look");
    assert_eq!((freed.found, freed.freed), (1, 1));

    let taken = second.claim();
    assert_eq!((taken.id, taken.attempts), (held.id, 2));
    assert!(taken.fence > held.fence);
    assert!(matches!(first.commit(&held, "late"), Done::Lost));
    let failed = first.ground.store.job_fail(claim_of(&held), "late", None).expect("an answer");
    assert_eq!(failed, Failed::Lost);
    assert!(!first.ground.store.job_give_back(claim_of(&held)).expect("an answer"));
    assert!(matches!(second.commit(&taken, "good"), Done::Ended(None)));
    assert!(matches!(second.commit(&taken, "again"), Done::Lost), "one effect");
    assert_eq!(first.depth(RSA2048), 1);
    assert_eq!(document(&set, "pool", doc! {}).get_str("content").expect("a key"), "good");
}

#[test]
fn a_job_without_progress_is_taken_from_a_living_host_and_given_up_in_the_end() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let (first, second) = (host(&set, 1), host(&set, 2));
    first.new_job(RSA2048);
    let long_ago = DateTime::from_millis(first.ground.clock.cluster_ms() - 3_600_000);
    for attempt in 1..=5 {
        let held = first.claim();
        assert_eq!(held.attempts, attempt);
        change(&set, "jobs", doc! {}, doc! { "$set": { "touched": long_ago } });
        assert_eq!(queue::free_lost(&second.ground).expect("a look").freed, 1);
    }
    let job = document(&set, "jobs", doc! {});
    assert_eq!(job.get_str("state").expect("a state"), "failed");
    assert_eq!(job.get_str("error").expect("an error"), queue::policy::NO_PROGRESS);
    assert!(job.get_datetime("ended").is_ok(), "the server removes it some day");
}

#[test]
fn a_killed_child_is_tried_again_and_a_stop_gives_its_job_back() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let host = host(&set, 1);
    host.new_job(RSA4096);
    let queue = host.work(1);
    let child = wait_for("a child", seconds(10), || children().first().copied());
    signal(child, libc::SIGKILL);
    let job = wait_for("a second attempt", seconds(20), || {
        let job = document(&set, "jobs", doc! {});
        (job.get_i64("attempts").ok()? == 2).then_some(job)
    });
    let error = job.get_str("error").expect("why the first one failed");
    assert!(error.contains("signal 9"), "{error}");
    wait_until("the key", seconds(60), || host.depth(RSA4096) == 1);

    host.new_job(RSA4096);
    wait_until("another child", seconds(10), || children().len() == 1);
    let clock = &host.ground.clock;
    let stuck = queue.stop(clock, clock.mono() + seconds(10));
    assert!(stuck.is_empty(), "{stuck:?}");
    assert_eq!(children(), [0; 0]);
    let job = document(&set, "jobs", doc! { "state": { "$ne": "done" } });
    assert_eq!(job.get_str("state").expect("a state"), "ready");
    assert_eq!(job.get_i64("attempts").expect("a count"), 0);
}

#[test]
fn an_empty_pool_gives_a_key_through_an_urgent_job() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let host = host(&set, 1);
    let (pools, _thread) = pools(&host);
    // The only other worker is busy, and does not get on.
    host.new_job(RSA4096);
    let _queue = host.work(1);
    let busy = wait_for("a child", seconds(10), || children().first().copied());
    signal(busy, libc::SIGSTOP);
    let token = token(pools.take(KeyKind::Rsa2048, 1, None).expect("a take"));
    let job = document(&set, "jobs", doc! { "pool": "rsa2048" });
    assert_eq!(job.get_str("reserved_for").expect("a token"), token);
    assert!(job.get_bool("urgent").expect("an urgency"));
    let taken = wait_for("the key", seconds(30), || {
        match pools.take(KeyKind::Rsa2048, 1, Some(&token)).expect("a take") {
            Taken::Making { .. } => None,
            taken => Some(keys(taken)),
        }
    });
    let key = PrivateKey::from_pem(&Secret::new(taken[0].clone())).expect("a key");
    assert_eq!(key.kind(), Some(KeyKind::Rsa2048));
    let state = |pool| document(&set, "jobs", doc! { "pool": pool });
    assert_eq!(state("rsa2048").get_str("state").expect("a state"), "done");
    assert_eq!(state("rsa4096").get_str("state").expect("a state"), "running");
    assert_eq!(count(&set, "jobs", doc! { "pool": "rsa2048" }), 1);
}

#[test]
fn messages_bring_a_job_to_a_worker_and_its_requester_back() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let (asking, working) = (host(&set, 1), host(&set, 2));
    let _queue = working.work_looking_every(1, seconds(3600));
    let (pools, _thread) = pools(&asking);
    let news = asking.ground.bus.subscribe("test");
    let stop = Stop::never();
    // Its first look, and what the reader of the bus says at its start, are over.
    pause(seconds(2));
    let token = token(pools.take(KeyKind::Rsa2048, 1, None).expect("a take"));
    let woken = Heard::Message(Message::Wake { key: pool::wake_key(&token) });
    wait_until("the wake-up", seconds(30), || {
        news.next(&stop, Duration::from_millis(100)).is_some_and(|heard| heard == woken)
    });
    assert_eq!(keys(pools.take(KeyKind::Rsa2048, 1, Some(&token)).expect("a take")).len(), 1);
}

#[test]
fn asking_again_with_a_token_neither_gets_nor_loses_keys() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let host = host(&set, 1);
    let (pools, _thread) = pools(&host);
    let take =
        |count, token: Option<&str>| pools.take(KeyKind::Rsa2048, count, token).expect("an answer");
    host.fill(RSA2048, (0..3).map(|n| format!("stored {n}")));
    let first = token(take(5, None));
    for _ in 0..3 {
        assert_eq!(token(take(5, Some(&first))), first);
    }
    assert_eq!(host.depth(RSA2048), 0, "three are kept");
    assert_eq!(count(&set, "jobs", doc! {}), 2, "and two made");
    // Another requester gets nothing of that.
    let second = token(take(1, None));
    assert_ne!(second, first);
    assert_eq!(count(&set, "jobs", doc! { "reserved_for": &second, "urgent": true }), 1);

    let jobs: Vec<_> = (0..3).map(|_| host.claim()).collect();
    let mut reserved = Vec::new();
    for job in &jobs {
        let Done::Ended(Some(to)) = host.commit(job, &format!("made {}", job.id)) else { panic!() };
        reserved.push(to.token);
    }
    assert_eq!(reserved.iter().filter(|token| **token == first).count(), 2);
    let got = keys(take(5, Some(&first)));
    let other = keys(take(1, Some(&second)));
    let all: HashSet<_> = got.iter().chain(&other).collect();
    assert_eq!((got.len(), other.len(), all.len()), (5, 1, 6));
    assert!(count(&set, "pool", doc! {}) == 0 && host.making(RSA2048) == 0, "nothing is left over");
}

#[test]
fn a_running_job_is_reserved_and_a_requester_who_went_away_leaves_the_key_to_the_pool() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let host = host(&set, 1);
    let (pools, _thread) = pools(&host);
    let take = |token: Option<&str>| pools.take(KeyKind::Rsa2048, 1, token).expect("an answer");
    for _ in 0..3 {
        host.new_job(RSA2048);
    }
    let running = host.claim();
    let first = token(take(None));
    let reserved = document(&set, "jobs", doc! { "reserved_for": &first });
    assert_eq!(reserved.get_str("state").expect("a state"), "running", "the one under way");
    let second = token(take(None));
    let reserved = document(&set, "jobs", doc! { "reserved_for": &second });
    assert_eq!(reserved.get_str("state").expect("a state"), "ready");
    assert!(reserved.get_bool("urgent").expect("an urgency"));
    assert_eq!(count(&set, "jobs", doc! {}), 3, "nothing new is made");
    assert_eq!(host.making(RSA2048), 1, "the pool has one in the making that is its own");

    let Done::Ended(Some(to)) = host.commit(&running, "first") else { panic!("not reserved") };
    assert_eq!(to.token, first);
    assert_eq!(keys(take(Some(&first))), ["first"]);
    let past = DateTime::from_millis(host.ground.clock.cluster_ms() - 1000);
    let expired = doc! { "$set": { "reserved_until": past } };
    change(&set, "jobs", doc! { "reserved_for": &second }, expired);
    let urgent = host.claim();
    assert_eq!(urgent.reserved_for.as_deref(), Some(second.as_str()), "urgent ones come first");
    assert!(matches!(host.commit(&urgent, "second"), Done::Ended(None)));
    assert_eq!(host.depth(RSA2048), 1);
}

#[test]
fn a_reservation_is_never_accepted_and_then_ignored() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let host = host(&set, 1);
    let store = &host.ground.store;
    let mut accepted = 0;
    for round in 0..60 {
        host.new_job(RSA2048);
        let job = host.claim();
        let token = format!("{round:024}");
        let start = Barrier::new(2);
        let (reserved, done) = thread::scope(|scope| {
            let reserving = scope.spawn(|| {
                start.wait();
                store.job_reserve(RSA2048, &token).expect("an answer")
            });
            start.wait();
            let done = host.commit(&job, &token);
            (reserving.join().expect("a thread"), done)
        });
        let Done::Ended(to) = done else { panic!("the commit was refused") };
        assert_eq!(to.is_some(), reserved, "round {round}");
        let kept = store.pool_reserved(RSA2048, &token).expect("a count");
        assert_eq!(kept, u64::from(reserved), "round {round}");
        accepted += kept;
    }
    assert!((1..60).contains(&accepted), "no race: {accepted} of 60 came in time");
}

#[test]
fn a_job_that_failed_for_good_tells_who_waits() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let host = host(&set, 1);
    let (pools, _thread) = pools(&host);
    let take = |token: Option<&str>| pools.take(KeyKind::Rsa4096, 2, token).expect("an answer");
    host.fill(RSA4096, ["kept".to_owned()]);
    let token = token(take(None));
    let job = host.claim();
    let failed = host.ground.store.job_fail(claim_of(&job), "$no luck", None).expect("an answer");
    assert_eq!(failed, Failed::ForGood { reserved_for: Some(token.clone()) });
    for _ in 0..2 {
        let Taken::Failed { error } = take(Some(&token)) else { panic!("it does not say so") };
        assert_eq!(error, "$no luck");
    }
    assert_eq!(host.depth(RSA4096), 1, "what was kept is anybody's");
    let job = host.ground.store.job(job.id).expect("a read").expect("it stays visible");
    assert_eq!(job.state, JobState::Failed);
}

#[test]
fn no_key_is_handed_out_twice() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let (first, second) = (host(&set, 1), host(&set, 2));
    let threads = (pools(&first), pools(&second));
    first.fill(RSA2048, (0..120).map(|n| n.to_string()));
    let taken: Vec<Vec<String>> = thread::scope(|scope| {
        let takers: Vec<_> = (0..8)
            .map(|taker| {
                let pools = if taker % 2 == 0 { &threads.0.0 } else { &threads.1.0 };
                scope.spawn(move || {
                    // One, then three at once, and so on, until there is a shortage.
                    let counts = [1, 3, 1, 2].into_iter().cycle();
                    let take = |count| pools.take(KeyKind::Rsa2048, count, None).expect("a take");
                    let keys_of = |taken| match taken {
                        Taken::Keys(keys) => Some(keys),
                        _ => None,
                    };
                    let taken = counts.map_while(|count| keys_of(take(count))).flatten();
                    taken.map(|key| key.expose().clone()).collect()
                })
            })
            .collect();
        takers.into_iter().map(|taker| taker.join().expect("a thread")).collect()
    });
    let all: Vec<&String> = taken.iter().flatten().collect();
    let different: HashSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    let kept = count(&set, "pool", doc! { "reserved_for": { "$ne": null } });
    assert_eq!(all.len() as u64 + kept + first.depth(RSA2048), 120, "none is lost");
    assert!(all.len() > 100, "only {} were taken", all.len());
}

#[test]
fn what_was_taken_in_ten_minutes_sets_the_target() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 3, 0);
    let host = host(&set, 1);
    let store = &host.ground.store;
    let level = || {
        let levels = pool::levels(store).expect("levels");
        levels.into_iter().find(|(kind, _)| *kind == RSA2048).expect("it is in use").1
    };
    assert_eq!((level().taken_10min, level().target), (0, 3));
    for count in [3, 4] {
        store.pool_note_taken(RSA2048, count).expect("a note");
    }
    assert_eq!((level().taken_10min, level().target), (7, 14));
    let old = DateTime::from_millis(host.ground.clock.cluster_ms() - 660_000);
    let entry = doc! { "minute": old, "count": 100_i64 };
    change(&set, "pool_kinds", doc! {}, doc! { "$push": { "taken": entry } });
    assert_eq!(level().taken_10min, 7, "older ones do not count");
    store.pool_note_taken(RSA2048, 1).expect("a note");
    let kept = document(&set, "pool_kinds", doc! {});
    let minutes = kept.get_array("taken").expect("minutes").len();
    // The minute may have turned.
    assert!(minutes <= 2 && level().taken_10min == 8, "{kept}");
}

#[test]
fn takes_are_refilled_and_quick_kinds_need_no_pool() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 2, 0);
    let host = host(&set, 1);
    host.fill(RSA2048, ["a", "b"].map(str::to_owned));
    let (pools, thread) = pools(&host);
    assert_eq!(keys(pools.take(KeyKind::Rsa2048, 2, None).expect("a take")).len(), 2);
    // Two in ten minutes: four are wanted.
    wait_until("jobs to refill it", limits::RECONCILE_PERIOD * 3, || host.making(RSA2048) == 4);
    let quick = keys(pools.take(KeyKind::P256, 3, None).expect("a take"));
    let quick: HashSet<_> = quick.into_iter().collect();
    assert_eq!(quick.len(), 3);
    let too_many = pools.take(KeyKind::Rsa2048, limits::POOL_TAKE_MAX + 1, None).expect("a take");
    assert!(matches!(too_many, Taken::Failed { .. }));
    let clock = &host.ground.clock;
    assert!(thread.stop(clock, clock.mono() + seconds(10)).is_empty());
}

#[test]
fn a_job_waits_for_less_loaded_hosts_and_for_its_retry() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let host = host(&set, 1);
    let claim = |age| host.ground.store.job_claim(host.holder(), false, age).expect("an answer");
    host.new_job(RSA2048);
    assert!(claim(Duration::from_secs(60)).is_none(), "ready for less than a minute");
    let job = claim(Duration::ZERO).expect("a job");
    let failed = host.ground.store.job_fail(claim_of(&job), "x", Some(seconds(60)));
    assert_eq!(failed.expect("an answer"), Failed::Retried);
    assert!(claim(Duration::ZERO).is_none(), "not before its retry");
    let due_ms = host.ground.store.job_next_due_ms().expect("an answer").expect("one");
    assert!((50_000..=60_000).contains(&due_ms), "{due_ms}");
    let urgent_only = host.ground.store.job_claim(host.holder(), true, Duration::ZERO);
    assert!(urgent_only.expect("an answer").is_none());
}

#[test]
fn work_started_by_hand_shows_no_key() {
    needs!(Namespaces);
    let place = Place::on_this_network();
    let program = env!("CARGO_BIN_EXE_warren");
    for number in ["7", "1", "-1", "x"] {
        let output = place.output(&[program, "work", "private-key", "rsa2048", number]);
        assert_eq!(output.status.code(), Some(64), "{number}: {output:?}");
        assert!(output.stdout.is_empty(), "{number}");
    }
}
