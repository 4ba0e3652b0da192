//! The calendar and its repairs on a real database.

use super::rig::{Host, collection, count, dead_host, document, floors, host};
use crate::needs;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{pause, seconds, wait_until};
use mongodb::bson::{Bson, DateTime, Document, doc};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use warren::store::StoreError;
use warren::store::tasks::{Attempt, TaskEnd, TaskSeen};
use warren::tasks::{self, Report, Round, TASKS, Task};

fn all_done(set: &ReplicaSet) -> bool {
    count(set, "tasks", doc! { "done_at": { "$type": "date" } }) == TASKS.len() as u64
}

fn task(set: &ReplicaSet, name: &str) -> Document {
    document(set, "tasks", doc! { "_id": name })
}

#[test]
fn a_task_whose_holder_has_just_given_a_sign_of_life_is_left_to_it() {
    needs!(Mongod);
    let set = super::rig::set();
    floors(&set, 0, 0);
    let (one, two) = (host(&set, 1), host(&set, 2));
    let store = &one.ground.store;
    let first = store.task_reserve("other", None, one.holder(), Attempt::First);
    let fence = first.expect("an answer").expect("free");
    let seen = || store.tasks().expect("tasks").into_iter().find(|t| t.name == "other");
    let take = |seen| store.task_reserve("other", seen, two.holder(), Attempt::Again);
    let before = seen();
    assert!(store.task_keep("other", fence).expect("an answer"));
    assert_eq!(take(before.as_ref()).expect("an answer"), None);
    let give_up = |seen: Option<&TaskSeen>| {
        let end = TaskEnd { over: true, ..TaskEnd::default() };
        store.task_give_up(seen.expect("a task"), &end).expect("an answer")
    };
    assert!(!give_up(before.as_ref()));
    assert!(take(seen().as_ref()).expect("an answer").is_some(), "as it is now");
    assert!(give_up(seen().as_ref()), "as it is now");
}

#[test]
fn a_task_is_run_by_one_of_several_hosts() {
    needs!(Mongod);
    let set = super::rig::set();
    floors(&set, 0, 0);
    let hosts: Vec<Host> = (1..=3).map(|number| host(&set, number)).collect();
    let start = Barrier::new(hosts.len());
    let reserved: Vec<bool> = thread::scope(|scope| {
        let tries: Vec<_> = hosts
            .iter()
            .map(|host| {
                scope.spawn(|| {
                    start.wait();
                    let (store, holder) = (&host.ground.store, host.holder());
                    let fence = store.task_reserve("other", None, holder, Attempt::First);
                    fence.expect("an answer").is_some()
                })
            })
            .collect();
        tries.into_iter().map(|each| each.join().expect("a thread")).collect()
    });
    assert_eq!(reserved.iter().filter(|won| **won).count(), 1, "{reserved:?}");
    collection(&set, "tasks").delete_many(doc! {}).run().expect("a fresh calendar");

    let spawn = |host: &Host| tasks::spawn(host.ground.clone()).expect("tasks");
    let handles: Vec<_> = hosts.iter().map(spawn).collect();
    wait_until("every task", seconds(30), || all_done(&set));
    // Everyone's first look is over, and a second one of some.
    pause(seconds(5));
    for name in ["dangling", "addresses"] {
        let task = task(&set, name);
        let number = |field: &str| task.get_i64(field).expect("a number");
        assert_eq!((number("run"), number("attempts")), (1, 1), "{name}");
        assert_eq!(task.get("holder"), Some(&Bson::Null));
    }
    let clock = &hosts[0].ground.clock;
    for handle in handles {
        assert!(handle.stop(clock, clock.mono() + seconds(10)).is_empty());
    }
}

#[test]
fn the_task_of_a_dead_holder_runs_again_and_is_reported_after_three_attempts() {
    needs!(Mongod);
    let set = super::rig::set();
    floors(&set, 0, 0);
    let lost = |store: &warren::store::Store, name: &str, holder, attempt| {
        let seen = store.tasks().expect("tasks").into_iter().find(|task| task.name == name);
        let fence = store.task_reserve(name, seen.as_ref(), holder, attempt).expect("an answer");
        fence.expect("a fence")
    };
    let mut late = None;
    dead_host(&set, 9, |store, holder| {
        late = Some(lost(store, "addresses", holder, Attempt::First));
        for attempt in [Attempt::First, Attempt::Again, Attempt::Again] {
            lost(store, "dangling", holder, attempt);
        }
    });
    let host = host(&set, 1);
    let _tasks = tasks::spawn(host.ground.clone()).expect("tasks");
    wait_until("every task", seconds(30), || all_done(&set));
    let again = task(&set, "addresses");
    let number = |task: &Document, field: &str| task.get_i64(field).expect("a number");
    assert_eq!((number(&again, "run"), number(&again, "attempts")), (1, 2));
    assert_eq!(again.get("error"), Some(&Bson::Null));
    let given_up = task(&set, "dangling");
    assert_eq!((number(&given_up, "run"), number(&given_up, "attempts")), (1, 3));
    assert_eq!(given_up.get_str("error").expect("an error"), tasks::calendar::HOST_GONE);
    let end = TaskEnd { over: true, ..TaskEnd::default() };
    let ended = host.ground.store.task_end("addresses", late.expect("a fence"), &end);
    assert!(!ended.expect("an answer"), "the dead one came back and ended it");
}

/// Three times this is how long the tasks below take.
const LIMIT: Duration = Duration::from_millis(800);

static BEGUN: AtomicUsize = AtomicUsize::new(0);
static EFFECTS: AtomicUsize = AtomicUsize::new(0);

const fn long(name: &'static str, run: fn(&Round<'_>) -> Result<Report, StoreError>) -> Task {
    Task { name, period: Duration::from_secs(3600), timeout: LIMIT, fills: false, run }
}

/// Asks between its batches whether it may go on.
fn in_batches(round: &Round<'_>) -> Result<Report, StoreError> {
    BEGUN.fetch_add(1, Ordering::SeqCst);
    for _ in 0..60 {
        pause(LIMIT / 20);
        if !round.goes_on()? {
            return Ok(Report::default());
        }
    }
    EFFECTS.fetch_add(1, Ordering::SeqCst);
    Ok(Report { found: 1, mended: 1 })
}

/// The first one hangs for three times the limit, or until another one has run on a busy machine.
fn hanging(round: &Round<'_>) -> Result<Report, StoreError> {
    if BEGUN.fetch_add(1, Ordering::SeqCst) == 0 {
        pause(LIMIT * 3);
        wait_until("another run", seconds(60), || EFFECTS.load(Ordering::SeqCst) == 1);
    }
    if round.goes_on()? {
        EFFECTS.fetch_add(1, Ordering::SeqCst);
    }
    Ok(Report { found: 1, mended: 1 })
}

static IN_BATCHES: [Task; 1] = [long("in_batches", in_batches)];
static HANGING: [Task; 1] = [long("hanging", hanging)];

/// Runs a task on three hosts; answers its document when all of them have done with it.
fn on_three_hosts(set: &ReplicaSet, tasks: &'static [Task]) -> Document {
    BEGUN.store(0, Ordering::SeqCst);
    EFFECTS.store(0, Ordering::SeqCst);
    let hosts: Vec<Host> = (1..=3).map(|number| host(set, number)).collect();
    let spawn = |host: &Host| tasks::spawn_with(host.ground.clone(), tasks).expect("tasks");
    let _handles: Vec<_> = hosts.iter().map(spawn).collect();
    let over = doc! { "_id": tasks[0].name, "done_at": { "$type": "date" } };
    wait_until("its end", seconds(60), || count(set, "tasks", over.clone()) == 1);
    // One that hung comes to its end too, and everybody looks again.
    pause(LIMIT * 4);
    task(set, tasks[0].name)
}

#[test]
fn a_task_three_times_as_long_as_its_limit_has_one_effect() {
    needs!(Mongod);
    let set = super::rig::set();
    let number = |task: &Document, field: &str| task.get_i64(field).expect("a number");
    let done = on_three_hosts(&set, &IN_BATCHES);
    let begun = || BEGUN.load(Ordering::SeqCst);
    let effects = || EFFECTS.load(Ordering::SeqCst);
    assert_eq!((begun(), effects()), (1, 1), "whoever gives signs of life is left alone");
    assert_eq!((number(&done, "run"), number(&done, "attempts")), (1, 1));

    let done = on_three_hosts(&set, &HANGING);
    assert_eq!((begun(), effects()), (2, 1), "whoever hung has no effect any more");
    assert_eq!((number(&done, "run"), number(&done, "attempts")), (1, 2));
    assert_eq!((number(&done, "found_total"), number(&done, "mended_total")), (1, 1));
}

#[test]
fn what_was_due_while_all_hosts_were_down_runs_on_return() {
    needs!(Mongod);
    let set = super::rig::set();
    floors(&set, 0, 0);
    let host = host(&set, 1);
    let stopped = tasks::spawn(host.ground.clone()).expect("tasks");
    wait_until("every task", seconds(30), || all_done(&set));
    let clock = &host.ground.clock;
    assert!(stopped.stop(clock, clock.mono() + seconds(10)).is_empty());
    // Nobody was there for two hours.
    let then = DateTime::from_millis(clock.cluster_ms() - 7_200_000);
    let before = doc! { "$set": { "done_at": then, "started": then } };
    collection(&set, "tasks").update_many(doc! {}, before).run().expect("a write");
    let _tasks = tasks::spawn(host.ground.clone()).expect("tasks");
    let again = doc! { "run": 2_i64, "attempts": 1_i64, "done_at": { "$gt": then } };
    let all = TASKS.len() as u64;
    // Three times the longest random delay, and what a run of all takes.
    wait_until("all of them again", seconds(15), || count(&set, "tasks", again.clone()) == all);
}
