//! Keys reserved at random moments while hosts that make them are killed: none is lost, none is
//! doubled, and no key is used twice (I5, I6).

use super::rig::{collection, count, floors, host};
use crate::needs;
use crate::support::daemon::{Daemon, Home};
use crate::support::place::Place;
use crate::support::wait::{pause, seconds, wait_until};
use mongodb::bson::doc;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use warren::base::random::Random;
use warren::pki::KeyKind;
use warren::pool::{self, Pools, Taken};
use warren::queue::policy::HOLDER_GONE;

const HOSTS: usize = 3;
const REQUESTERS: usize = 16;
/// Longer than a dead host's job takes to be found and done again, on a busy machine.
const PATIENCE: Duration = seconds(120);

#[test]
fn reservations_survive_hosts_that_are_killed() {
    needs!(Namespaces, Mongod);
    reserve(40, 3);
}

#[test]
#[ignore = "full counts: a proof"]
fn a_thousand_reservations_survive_hosts_that_are_killed() {
    needs!(Namespaces, Mongod);
    reserve(1000, 20);
}

/// At least `number` reservations, and so many kills meanwhile.
fn reserve(number: usize, kills: usize) {
    let set = super::rig::set();
    floors(&set, 0, 0);
    let homes: Vec<Home> =
        (0..HOSTS).map(|_| Home::new(&Place::isolated(), Some(set.uri()))).collect();
    let mut daemons: Vec<Daemon<'_>> = homes.iter().map(Home::start).collect();
    let hosts = [host(&set, 1), host(&set, 2)];
    let pools = hosts.each_ref().map(|host| pool::spawn(host.ground.clone()).expect("a pool").0);
    let (begun, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (killed_all, random) = (AtomicBool::new(false), Random::system());
    let begin = Instant::now();
    let mut killed = 0;
    let keys: Vec<String> = thread::scope(|scope| {
        let requesters: Vec<_> = (0..REQUESTERS)
            .map(|n| {
                let (pools, begun, failed, killed_all) =
                    (&pools[n % 2], &begun, &failed, &killed_all);
                let wanted = move || {
                    let before = begun.fetch_add(1, Ordering::Relaxed);
                    before < number || !killed_all.load(Ordering::Relaxed)
                };
                scope.spawn(move || request_while(pools, failed, wanted))
            })
            .collect();
        while requesters.iter().any(|one| !one.is_finished()) {
            pause(Duration::from_millis(1000 + random.below(3000)));
            let victim = usize::try_from(random.below(HOSTS as u64)).expect("few");
            daemons[victim].process.kill_9();
            daemons[victim] = start_again(&homes[victim]);
            killed += 1;
            killed_all.store(killed >= kills, Ordering::Relaxed);
        }
        requesters.into_iter().flat_map(|one| one.join().expect("a requester")).collect()
    });
    let number = keys.len();
    println!("{number} reservations with {killed} kills in {:?}", begin.elapsed());
    drop(daemons);

    let handed: HashSet<&String> = keys.iter().collect();
    assert_eq!(handed.len(), number, "a key was used twice");
    let left = collection(&set, "pool").distinct("content", doc! {}).run().expect("a read");
    let left: HashSet<String> =
        left.iter().map(|key| key.as_str().expect("a key").to_owned()).collect();
    assert!(left.iter().all(|key| !handed.contains(key)), "a key in use is in the pool");
    let (made, kept) =
        (count(&set, "jobs", doc! { "state": "done" }), count(&set, "pool", doc! {}));
    assert_eq!(kept, left.len() as u64, "a key is in the pool twice");
    assert_eq!(made, kept + number as u64, "a key that was made is nowhere");
    // A job whose holders were killed five times in a row is given up, and its requester told.
    let failed = failed.into_inner();
    assert_eq!(count(&set, "jobs", doc! { "state": "failed" }), failed as u64);
    assert!(failed * 50 <= number, "{failed} jobs were given up");
}

/// A child that was just being started holds its daemon's lock for a moment longer.
fn start_again(home: &Home) -> Daemon<'_> {
    wait_until("the lock of a killed daemon", seconds(10), || {
        let status = home.run(&["status", "--json"]);
        let said: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
        said["daemon"]["running"] == false
    });
    home.start()
}

/// Takes keys one by one, at random moments; answers them.
fn request_while(pools: &Pools, failed: &AtomicUsize, wanted: impl Fn() -> bool) -> Vec<String> {
    let random = Random::system();
    let mut keys = Vec::new();
    while wanted() {
        pause(Duration::from_millis(random.below(200)));
        keys.push(one(pools, failed));
    }
    keys
}

fn one(pools: &Pools, failed: &AtomicUsize) -> String {
    let (begin, mut token) = (Instant::now(), None::<String>);
    loop {
        match pools.take(KeyKind::Rsa2048, 1, token.as_deref()).expect("an answer") {
            Taken::Keys(keys) => return keys[0].expose().clone(),
            Taken::Making { token: reserved } => token = Some(reserved),
            Taken::Failed { error } => {
                assert_eq!(error, HOLDER_GONE);
                failed.fetch_add(1, Ordering::Relaxed);
                token = None;
            }
        }
        assert!(begin.elapsed() < PATIENCE, "a reservation was lost");
        pause(Duration::from_millis(50));
    }
}
