//! The simulator: a cluster of hosts whose real functions run, one database operation at a time,
//! against a model of the database, in an order that a seed decides. `CONTRIBUTING.md` tells how to
//! replay one.
//!
//! ```text
//! baton     who runs: one activity at a time, chosen by the seed; time, crashes, pauses
//! hosts     the daemon's own functions in loops like its threads'; messages; what befalls hosts
//! orders    what administrators order, and light work;  slots: who runs which VPN server
//! link      a host's way to the database: operations and answers late or lost
//! database  primary and majority, transactions, stale and new primaries;  faults: theirs
//! model     documents and the server's language, compared with a real server (differential)
//! judge     what must hold;  mutate: what is taken away to see that it is noticed
//! ```

mod baton;
mod database;
#[cfg(test)]
mod differential;
mod faults;
mod hosts;
mod judge;
mod link;
mod model;
mod mutate;
mod orders;
mod slots;

use baton::{Baton, Schedule};
use database::Database;
use link::World;
use mongodb::bson::{doc, serialize_to_document};
use mutate::{MUTATIONS, Mutation};
use std::collections::BTreeMap;
use std::sync::Arc;
use warren::base::clock::Clock;
use warren::base::random::Random;

/// Steps with faults; then there are none until all is settled.
const STEPS: u64 = 4_000;
/// How long settling may take, in simulated milliseconds: what hangs is freed after the time limit
/// of its kind, the longest of which are those of a task and of a key that is made.
const SETTLE_MS: u64 = 1_800_000;
/// Seeds that are always tried, and those of a day.
const FIXED: u64 = 20;
const RANDOM: u64 = 20;
/// Seeds tried on a mutation that its own does not find any more.
const SEARCH: u64 = 200;

struct Outcome {
    failure: Option<String>,
    /// Of all that happened.
    print: u64,
    steps: u64,
    trace: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
}

fn run(seed: u64, steps: u64, mutation: Option<&'static Mutation>, trace: bool) -> Outcome {
    let mut database = Database::new(hosts::HOSTS, mutation);
    let floors = doc! { "_id": "pool", "rsa2048_floor": 3_i64, "rsa4096_floor": 1_i64 };
    database.lay("settings", floors);
    hosts::administrators().for_each(|admin| database.lay("administrators", admin));
    let org = serialize_to_document(&orders::organization()).expect("a document");
    database.lay("organizations", org);
    slots::laid().into_iter().for_each(|(collection, document)| database.lay(collection, document));
    let world: Arc<World> = Baton::new(Schedule::new(seed, trace), database);
    for number in 0..hosts::HOSTS {
        let machine = Arc::clone(&world);
        world.start(number, "host", move || hosts::machine(&machine, number));
    }
    let watch = Arc::clone(&world);
    world.start(hosts::HOSTS, "watch", move || watch_over(&watch, steps));
    world.run_all();
    let mut state = world.lock();
    let (schedule, database) = &mut *state;
    Outcome {
        failure: schedule.failure.take(),
        print: schedule.print,
        steps: schedule.steps,
        trace: schedule.trace.take().unwrap_or_default(),
        counts: std::mem::take(&mut database.judge.counts),
    }
}

/// Ends the faults, and then the run as soon as all is settled.
fn watch_over(world: &Arc<World>, steps: u64) {
    while world.lock().0.steps < steps {
        world.pass(100, None, |_, _| {});
    }
    let calm_ms = {
        let mut state = world.lock();
        state.1.faults = false;
        state.0.note(|| "no more faults".to_owned());
        state.0.now_ms
    };
    loop {
        world.pass(1_000, None, |_, _| {});
        let mut state = world.lock();
        let (schedule, database) = &mut *state;
        match database.judge.unsettled(&database.majority, schedule) {
            None => break,
            Some(rest) if schedule.now_ms > calm_ms + SETTLE_MS => {
                break schedule.fail(format!("not settled: {rest}"));
            }
            Some(_) => {}
        }
    }
    world.end();
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Seeds must hold; the first that does not is named.
fn hold(seeds: impl Iterator<Item = u64>, steps: u64) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for seed in seeds {
        let outcome = run(seed, steps, None, false);
        if let Some(failure) = outcome.failure {
            panic!("make sim SEED={seed} STEPS={steps} shows it: {failure}");
        }
        for (op, count) in outcome.counts {
            *counts.entry(op).or_default() += count;
        }
    }
    counts
}

#[test]
fn fixed_seeds_hold_and_everything_happens_in_them() {
    let counts = hold(0..FIXED, STEPS);
    for op in [
        "declare a host dead",
        "return to the cluster",
        "register this host",
        "claim a job",
        "give a job back",
        "record a failed job",
        "end a job",
        "reserve a job",
        "reserve from a pool",
        "take from a pool",
        "release expired reservations",
        "refill a pool",
        "reserve a task",
        "end a task",
        "change an administrator",
        "begin a bulk creation",
        "create users",
        "cancel a job",
        "ask for a task",
        "go on with a task",
        "create a server",
        "claim a server",
        "release a server",
    ] {
        assert!(counts.get(op).is_some_and(|count| *count >= 10), "{op} in {counts:?}");
    }
    for op in ["retry a bulk creation", "put a job off", "retry a job", "keep a server"] {
        assert!(counts.get(op).is_some_and(|count| *count >= 2), "{op} in {counts:?}");
    }
}

#[test]
fn random_seeds_hold() {
    let random = Random::system();
    hold(std::iter::repeat_with(|| random.u64() >> 16).take(RANDOM as usize), STEPS);
}

#[test]
fn a_seed_replays_exactly() {
    let (first, second) = (run(1, STEPS, None, true), run(1, STEPS, None, true));
    assert!(first.trace.len() > 2_000 && first.trace == second.trace, "the same seed differs");
    assert_eq!((first.print, first.steps), (second.print, second.steps));
    assert_ne!(first.print, run(2, STEPS, None, false).print);
}

#[test]
fn every_fence_and_guard_that_is_taken_away_is_noticed() {
    for mutation in MUTATIONS {
        let fails = |seed: &u64| run(*seed, STEPS, Some(mutation), false).failure.is_some();
        let found = std::iter::once(mutation.seed).chain(0..SEARCH).find(fails);
        match found {
            Some(seed) if seed == mutation.seed => {}
            Some(seed) => eprintln!("{}: found by seed {seed} now", mutation.name),
            None => panic!("{}: no one of {SEARCH} seeds notices", mutation.name),
        }
    }
}

/// Tries many seeds, names those that fail, and answers how many do and how many were tried a
/// second. Benches ask for the speed.
pub fn hunt(from: u64, seeds: u64) -> (u64, f64) {
    let (mut failed, clock) = (0, Clock::system());
    let begun = clock.mono();
    for seed in from..from + seeds {
        if let Some(failure) = run(seed, STEPS, None, false).failure {
            failed += 1;
            eprintln!("make sim SEED={seed} STEPS={STEPS} shows it: {failure}");
        }
        if (seed - from) % 1_000 == 999 {
            eprintln!("{} schedules from {from} on, {failed} of them fail", seed - from + 1);
        }
    }
    (failed, seeds as f64 / clock.mono().since(begun).as_secs_f64())
}

/// How many of so many seeds notice each mutation.
fn count_notices(seeds: u64) {
    for mutation in MUTATIONS {
        let fails = |seed: &u64| run(*seed, STEPS, Some(mutation), false).failure.is_some();
        let found: Vec<u64> = (0..seeds).filter(fails).collect();
        let (count, first) = (found.len(), found.first());
        eprintln!("{:<44} noticed by {count} of {seeds} seeds, first {first:?}", mutation.name);
    }
}

fn show(seed: u64, steps: u64, mutation: Option<&'static Mutation>) -> Option<String> {
    let outcome = run(seed, steps, mutation, true);
    outcome.trace.iter().for_each(|line| eprintln!("{line}"));
    eprintln!("seed {seed}, {} steps: {:?}", outcome.steps, outcome.counts);
    outcome.failure
}

/// `make sim SEED=… STEPS=…`; `MUTATION=` a number of the list takes something away.
#[test]
#[ignore = "shows every step of one seed"]
fn replay() {
    let (seed, steps) = (number("SEED").unwrap_or(0), number("STEPS").unwrap_or(STEPS));
    let mutation = number("MUTATION").and_then(|n| MUTATIONS.get(usize::try_from(n).ok()?));
    assert_eq!(show(seed, steps, mutation), None);
}

/// `make sim-long SEEDS=… FROM=…`: many seeds, which of them fail, the speed, and how many notice
/// each mutation.
#[test]
#[ignore = "takes minutes"]
fn long() {
    let seeds = number("SEEDS").unwrap_or(1_000);
    let (failed, speed) = hunt(number("FROM").unwrap_or(1_000_000), seeds);
    eprintln!("{failed} of {seeds} schedules fail: {speed:.1} schedules per second");
    assert_eq!(failed, 0, "seeds do not hold");
    count_notices((seeds / 20).max(1));
}
