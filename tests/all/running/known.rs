//! What this host knows of people: read at the start of a server, kept up to date, and enough to
//! let them in without a word to the database.

use super::seat::{Seat, plant, seat};
use crate::needs;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{seconds, wait_until};
use crossbeam_channel::bounded;
use mongodb::bson::{Document, doc};
use mongodb::sync::Collection;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use warren::base::clock::Clock;
use warren::base::ids::{OrgId, UserId};
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::domain::user::{UserFields, UserSpec};
use warren::store::Tx;
use warren::store::users::{UserDoc, UserKeys, UserSummary};
use warren::thread::stop_pair;
use warren::vpn::admission::{Knock, Reason};
use warren::vpn::checks::{self, Admitted, Checks, Factors, Job};
use warren::vpn::known::Known;
use warren::vpn::people::{self, Serving};
use warren::vpn::plan;
use warren::vpn::records::Records;
use warren::vpn::settings::Server;

const USERS: usize = 500;

fn users(seat: &Seat, org: OrgId) -> Vec<UserId> {
    let user = |number: usize| {
        let fields = UserFields { name: format!("user{number}"), ..UserFields::default() };
        let spec = UserSpec::from_request(&fields, None).expect("a valid user");
        let summary = UserSummary::person(org, seat.store.new_id(), &spec, "A".repeat(16));
        let text = || "x".to_owned();
        let keys = UserKeys {
            private_key: text(),
            certificate: text(),
            sync_token: text(),
            sync_secret: text(),
        };
        UserDoc { summary, keys }
    };
    let users: Vec<UserDoc> = (0..USERS).map(user).collect();
    for some in users.chunks(100) {
        let insert = |tx: &mut Tx<'_>| tx.users_insert(some);
        seat.store.transaction("plant users", insert).expect("planted");
    }
    users.iter().map(|user| user.id).collect()
}

fn knock(checks: &Checks, server: &Arc<Server>, user: UserId) -> Result<Admitted, Reason> {
    let (tx, rx) = bounded(1);
    let knock = Knock {
        org: server.organizations[0],
        user,
        password: Secret::default(),
        platform: "linux".to_owned(),
        device_name: String::new(),
        mac_address: String::new(),
        real_address: String::new(),
        takes_pending: true,
    };
    let done = Box::new(move |result| tx.send(result).expect("the test waits"));
    assert!(checks.submit(Job { knock, server: Arc::clone(server), known: false, done }));
    rx.recv_timeout(Duration::from_secs(10)).expect("an answer")
}

/// Median and 99th percentile.
fn shape(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

struct Rig {
    set: ReplicaSet,
    org: OrgId,
    users: Vec<UserId>,
    server: Arc<Server>,
    records: Arc<dyn Records>,
}

impl Rig {
    fn new() -> Rig {
        let set = ReplicaSet::local();
        let seats = [seat(&set, 1)];
        let doc = plant(&seats, "10.8.0.0/22");
        let [seat] = seats;
        let org = doc.organizations[0];
        let users = users(&seat, org);
        let server = Arc::new(plan::server(&doc).expect("a valid server"));
        Rig { set, org, users, server, records: Arc::new(seat.database) }
    }

    fn documents(&self, collection: &str) -> Collection<Document> {
        self.set.client().database("warren").collection(collection)
    }

    /// How often the database was asked or told something.
    fn questions(&self) -> i64 {
        let admin = self.set.client().database("admin");
        let status = admin.run_command(doc! { "serverStatus": 1 }).run().expect("an answer");
        let counters = status.get_document("opcounters").expect("counters");
        let count = |name: &str| counters.get_i64(name).or(counters.get_i32(name).map(i64::from));
        ["query", "insert", "update"].iter().map(|name| count(name).unwrap_or(0)).sum()
    }
}

#[test]
fn the_known_are_let_in_without_a_word_to_the_database() {
    needs!(Mongod);
    let rig = Rig::new();
    let factors = Factors { pin: |_, _| false, code: |_, _, _| None };
    let (clock, random) = (Clock::system(), Random::system());
    // Declared first and so dropped last: threads end after what they hang on.
    let (_workers, checks);
    let records = Arc::clone(&rig.records);
    (checks, _workers) =
        checks::spawn(records, Known::default(), factors, &clock, &random).expect("threads");
    let time = |user: &UserId| {
        let begin = Instant::now();
        knock(&checks, &rig.server, *user).expect("let in");
        begin.elapsed()
    };
    let first: Vec<Duration> = rig.users.iter().map(time).collect();
    println!("with user and address from the database: {:?}", shape(first));
    let before = rig.questions();
    let again: Vec<Duration> = rig.users.iter().map(time).collect();
    let asked = rig.questions() - before;
    println!("known, without PIN and code: {:?}; {asked} questions", shape(again));
    assert!(asked < 10, "{asked} questions for {USERS} users");
}

#[test]
fn everybody_is_known_from_the_start_and_what_changes_is_read_again() {
    needs!(Mongod);
    let rig = Rig::new();
    let [taken, ..] = rig.users[..] else { panic!("users") };
    rig.records.address(&rig.server, taken).expect("reached").expect("room");
    let (known, news) = (Known::default(), Arc::new(AtomicUsize::new(0)));
    let (_thread, people);
    let (_source, stop) = stop_pair();
    let (told, records) = (Arc::clone(&news), Arc::clone(&rig.records));
    let changed = move || {
        told.fetch_add(1, Ordering::Relaxed);
    };
    (people, _thread) =
        people::spawn(records, known.clone(), Clock::system(), stop, changed).expect("a thread");
    let (id, generation) = (rig.server.id, rig.server.generation);
    let serving = Serving { generation, organizations: vec![rig.org] };
    let begin = Instant::now();
    people.serve([(id, serving)].into());
    wait_until("everybody to be known", seconds(10), || {
        let person = |user: &UserId| known.person(rig.org, *user).is_some();
        rig.users.iter().all(person) && known.address(id, generation, taken).is_some()
    });
    println!("{USERS} users read after {:?}", begin.elapsed());
    wait_until("the first news", seconds(5), || news.load(Ordering::Relaxed) == 1);

    // One is changed, one deleted.
    let (changed, deleted) = (rig.users[0], rig.users[1]);
    let touched = doc! { "rev": { "$type": "timestamp" } };
    let update = doc! { "$set": { "disabled": true }, "$currentDate": touched };
    let users = rig.documents("users");
    users.update_one(doc! { "_id": changed }, update).run().expect("written");
    users.delete_one(doc! { "_id": deleted }).run().expect("deleted");
    let rev = mongodb::bson::Timestamp { time: 0, increment: 0 };
    let tombstone = doc! { "_id": deleted, "at": mongodb::bson::DateTime::now(), "rev": rev };
    rig.documents("tombstones").insert_one(tombstone).run().expect("inserted");
    people.look();
    wait_until("the changes", seconds(5), || {
        let disabled = known.person(rig.org, changed).is_some_and(|person| person.disabled);
        disabled && known.person(rig.org, deleted).is_none()
    });
    wait_until("news of them", seconds(5), || news.load(Ordering::Relaxed) == 2);
    people.look();
    people.serve([].into());
    wait_until("nobody to be kept without need", seconds(5), || {
        known.person(rig.org, rig.users[2]).is_none()
    });
    assert_eq!(news.load(Ordering::Relaxed), 2, "what is read again is no news");
}
