//! Everything at once: three hosts at work while they and the database are killed, frozen and cut
//! off at random moments. A seed says what happens when; `SEED=` tries one again.

mod check;
mod clerk;
mod faults;

use super::rig::{Links, Site, collection, hosts, primary_uri, scaled, site};
use super::secrets;
use crate::needs;
use crate::support::keys;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{seconds, wait_until};
use clerk::{Book, Clerk};
use faults::{Fault, Plan, Stage, plan};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use mongodb::sync::Client;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use warren::base::random::Random;
use warren::pki::{KeyKind, PrivateKey};

const LENGTH: Duration = seconds(150);
const LENGTH_SMALL: Duration = seconds(12);

/// Keys for the taking, none like another, about as many as are used and kept: the last ones are
/// made. What servers show clients must be RSA.
fn plant(set: &ReplicaSet) {
    let client = Client::with_uri_str(primary_uri(set)).expect("a connection string");
    let pool = client.database("warren").collection::<Document>("pool");
    for (name, quick, count) in [
        ("rsa2048", KeyKind::P256, scaled(2600, 1200)),
        ("rsa4096", KeyKind::Rsa2048, scaled(110, 12)),
    ] {
        let one = |number: i64| {
            let key = PrivateKey::generate(quick).expect("a key").to_pem().expect("PEM");
            doc! {
                "_id": ObjectId::new(), "kind": name, "ticket": i64::MAX / count * number,
                "content": key.expose(), "reserved_for": Bson::Null, "reserved_until": Bson::Null,
            }
        };
        let keys: Vec<Document> = (0..count).map(one).collect();
        pool.insert_many(keys).run().expect("keys for the pools");
    }
    // Each server gets some, and they take minutes to make.
    keys::plant_dh(&primary_uri(set), 3 * clerk::SERVERS_MAX + 20);
}

fn seed() -> u64 {
    let asked = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    asked.unwrap_or_else(|| Random::system().u64() >> 16)
}

/// Lives of a host beyond its first: each trouble may end one, and begin another.
fn assert_lives(site: &Site, set: &ReplicaSet, plan: &Plan) {
    for (number, (name, host)) in hosts(&set.client()).into_iter().enumerate() {
        let meets = |fault: Fault| {
            [Fault::Killed(number), Fault::Frozen(number), Fault::CutOff(number)].contains(&fault)
        };
        let troubles = plan.iter().filter(|(_, fault, begins)| *begins && meets(*fault)).count();
        // Whoever is killed while the database is away may try more than once to come back.
        let starts = site.homes[number].log().matches("ready: https on").count();
        println!("figure: {name}: {troubles} troubles, {starts} starts, epoch {}", host.epoch);
        assert!(host.alive, "{name}");
        assert!(host.epoch <= 1 + 2 * (troubles + starts) as i64, "{name}: {}", host.epoch);
    }
}

#[test]
#[ignore = "takes minutes: make prove"]
fn whatever_is_killed_frozen_and_cut_off_nothing_is_lost_doubled_or_left_over() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let seed = seed();
    println!("figure: SEED={seed}");
    let random = Random::seeded(seed);
    let plan = plan(&random, scaled(LENGTH, LENGTH_SMALL));
    let (site, mut set) = site(Links::Cut, 0);
    plant(&set);
    let daemons = site.start(&set);
    let consoles = site.sign_in(&daemons);
    let mut console = consoles[0].clone();
    let over = AtomicBool::new(false);
    let mut stage = Stage::new(&site, &mut set, daemons);
    let books: Vec<Book> = thread::scope(|scope| {
        let clerks: Vec<_> = consoles
            .into_iter()
            .enumerate()
            .map(|(number, http)| {
                let clerk = Clerk::new(number, http, Random::seeded(random.u64()));
                let over = &over;
                scope.spawn(move || clerk.work(over))
            })
            .collect();
        // Whatever becomes of it, the clerks stop.
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stage.play(&plan)));
        over.store(true, Ordering::Relaxed);
        let books = clerks.into_iter().map(|clerk| clerk.join().expect("a clerk")).collect();
        played.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        books
    });
    let _daemons = stage.settle();
    let mut answers: BTreeMap<&str, usize> = BTreeMap::new();
    for (answer, count) in books.iter().flat_map(|book| &book.answers) {
        *answers.entry(answer).or_default() += count;
    }
    println!("figure: {} troubles; answers: {answers:?}", plan.len() / 2);
    for refusal in ["400", "401", "404"] {
        assert!(!answers.contains_key(refusal), "nothing was wrong with any request: {answers:?}");
    }
    let begin = Instant::now();
    check::wait_quiet(&set, &mut console);
    println!("figure: nothing was left to do {:.1?} after the last one", begin.elapsed());
    println!("figure: repairs found {:?}", check::repair(&set, &mut console));
    wait_until("nothing for repairs to find", seconds(10), || {
        check::repair(&set, &mut console).is_empty()
    });
    check::wait_quiet(&set, &mut console);
    check::check(&set, &books);
    assert_lives(&site, &set, &plan);
    let keys = collection(&set, "pool").distinct("content", doc! {}).run().expect("keys");
    let keys: Vec<&str> = keys.iter().filter_map(Bson::as_str).collect();
    secrets::assert_none_told(&site, &set, &keys[..keys.len().min(100)]);
}
