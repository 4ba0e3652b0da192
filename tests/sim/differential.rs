//! Why the model is believed: the same operations on it and on a real server have the same answers
//! and leave the same documents. Dates differ, and count as equal.

mod orders;

use crate::needs;
use crate::sim::baton::{Baton, Schedule};
use crate::sim::database::Database;
use crate::sim::link::{Link, World};
use crate::support::mongo::ReplicaSet;
use crate::support::wait::pause;
use mongodb::bson::{Bson, Document, doc};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use warren::base::clock::Clock;
use warren::base::ids::{AdminId, Fence, Holder, HostId, JobId, PooledId};
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::pki::KeyKind;
use warren::store::Store;
use warren::store::hosts::HostStart;
use warren::store::jobs::{Claim, Done, NewJob, Work};
use warren::store::pool::{NewPooled, PoolKind};
use warren::store::seam::{At, Line, Request};
use warren::store::tasks::{Attempt, TaskEnd};

const KIND: PoolKind = PoolKind::Key(KeyKind::Rsa2048);
const OPERATIONS: u64 = 400;
const COMPARED: [&str; 5] = ["jobs", "pool", "tasks", "hosts", "pool_kinds"];

/// Runs `body` as the only activity of a world without faults, with both stores.
fn compare(body: impl FnOnce(&Store, &Store) + Send + 'static) {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let uri = Secret::new(set.uri().to_owned());
    let random = || Random::seeded(1);
    let real = Store::connect(&uri, Clock::system(), random()).expect("a real database");
    let mut database = Database::new(1, None);
    (database.faults, database.judge.is_off) = (false, true);
    let world: Arc<World> = Baton::new(Schedule::new(1, false), database);
    let link = Link { world: Arc::clone(&world), host: 0 };
    let model = Store::on(Arc::new(link), Clock::system(), random());
    world.start(0, "compare", move || body(&real, &model));
    world.run_all();
    let failure = world.lock().0.failure.take();
    assert_eq!(failure, None);
}

/// Dates aside, and with fields in order of their names: the server keeps another order at times.
fn plain(value: Bson) -> Bson {
    match value {
        Bson::DateTime(_) | Bson::Timestamp(_) => Bson::String("a date".to_owned()),
        Bson::Array(items) => Bson::Array(items.into_iter().map(plain).collect()),
        Bson::Document(fields) => {
            let mut fields: Vec<_> = fields.into_iter().map(|(k, v)| (k, plain(v))).collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Bson::Document(fields.into_iter().collect())
        }
        other => other,
    }
}

fn ask(store: &Store, collection: &'static str, request: Request) -> (String, Vec<Bson>) {
    let at = At { op: "compare", collection, line: Line::Work };
    let mut documents = Vec::new();
    let answer = store.documents().run(&at, request, &mut |raw| {
        documents.push(plain(Document::try_from(raw).expect("a document").into()));
        ControlFlow::Continue(())
    });
    let answer = answer.map_or_else(|error| error.to_string(), |count| count.to_string());
    (answer, documents)
}

fn all(store: &Store, collection: &'static str) -> Vec<Bson> {
    let mut options = mongodb::options::FindOptions::default();
    options.sort = Some(doc! { "_id": 1 });
    ask(store, collection, Request::Find { filter: doc! {}, options: options.into() }).1
}

fn holder(random: &Random) -> Holder {
    let number = 1 + random.below(3) as u8;
    Holder { host: HostId::from_bytes([number; 16]), epoch: 1 + random.below(3) as i64 }
}

fn token(random: &Random) -> String {
    format!("token-{}", random.below(4))
}

/// One named query with arguments that `random` decides; answers what it answered.
fn operate(store: &Store, random: &Random) -> String {
    let job = JobId::from_bytes([random.below(12) as u8; 12]);
    let claim = Claim { job, fence: Fence(1 + random.below(2) as i64) };
    let (token, start) = (token(random), random.below(1_000) as i64);
    let pooled = PooledId::from_bytes(random.bytes());
    let (choice, retry, coin) = (random.below(19), random.below(2), random.below(2) == 0);
    match choice {
        0 | 1 => {
            let work = Work::PrivateKey(KeyKind::Rsa2048);
            let reserved_for = coin.then_some(token.as_str());
            format!("{:?}", store.job_insert(NewJob { id: job, work, reserved_for }).is_ok())
        }
        2 | 3 => {
            let claimed = store.job_claim(holder(random), coin, Duration::ZERO).expect("a claim");
            format!("{:?}", claimed.map(|job| (job.id, job.fence, job.attempts, job.urgent)))
        }
        4 => format!("{:?}", store.job_give_back(claim).expect("an answer")),
        5 => {
            let retry = (retry == 0).then_some(Duration::ZERO);
            format!("{:?}", store.job_fail(claim, "$it", retry).expect("an answer"))
        }
        6 => format!("{:?}", store.job_reserve(KIND, &token).expect("an answer")),
        7 => {
            let jobs = store.jobs_reserved(&token).expect("jobs");
            format!("{}, {}", jobs.len(), store.jobs_release_expired().expect("a count"))
        }
        8 => format!("{:?}", store.jobs_release(&token).expect("a count")),
        9 | 10 => {
            let content = Secret::new(format!("key {pooled}"));
            let new = NewPooled { id: pooled, kind: KIND, ticket: start, content: &content };
            let done = store.transaction("end a job", |tx| {
                let done = tx.job_done(claim)?;
                if let Done::Ended(reserved) = &done {
                    tx.pool_put(&new, reserved.as_ref())?;
                }
                Ok::<_, warren::store::StoreError>(done)
            });
            format!("{}", matches!(done.expect("an answer"), Done::Lost))
        }
        11 => {
            let taken = store.pool_take(KIND, start).expect("an answer");
            format!("{:?}", taken.map(|key| key.expose().clone()))
        }
        12 => format!("{:?}", store.pool_reserve(KIND, &token, start).expect("an answer")),
        13 => {
            let kept = store.pool_reserved(KIND, &token).expect("a count");
            format!("{kept}, {}", store.pool_release_expired().expect("a count"))
        }
        14 => {
            let most = 1 + retry as usize;
            let taken = store
                .transaction("take from a pool", |tx| tx.pool_take_reserved(KIND, &token, most));
            format!("{:?}", taken.expect("an answer").map(|keys| keys.len()))
        }
        15 => {
            store.pool_note_taken(KIND, 1 + retry).expect("a note");
            let taken = store.pool_taken().expect("counts");
            format!("{:?}, {}", taken.get(&KIND), depth(store))
        }
        16 | 17 => task(store, random),
        _ => host(store, random),
    }
}

fn depth(store: &Store) -> String {
    let running = store.jobs_running().expect("jobs");
    let due = store.job_next_due_ms().expect("a job").is_some();
    let making = store.jobs_making().expect("counts");
    let depth = store.pool_depth(KIND).expect("a count");
    let depths = store.pool_depths().expect("counts");
    let (making, of_all) = (making.get(&KIND), depths.get(&KIND));
    format!(
        "{depth} {of_all:?} {making:?} {due} {:?}",
        running.iter().map(|job| job.id).collect::<Vec<_>>()
    )
}

fn task(store: &Store, random: &Random) -> String {
    let name = ["one", "two"][random.below(2) as usize];
    let tasks = store.tasks().expect("tasks");
    let seen = tasks.iter().find(|task| task.name == name);
    let fence = seen.map_or(Fence(random.below(2) as i64), |seen| seen.fence);
    if random.below(2) == 0 {
        let seen = seen.filter(|_| random.below(4) > 0);
        // One that has never run can not run again.
        let first = random.below(2) == 0 || seen.is_none();
        let attempt = if first { Attempt::First } else { Attempt::Again };
        return format!("{:?}", store.task_reserve(name, seen, holder(random), attempt));
    }
    let fence = Fence(fence.0 - random.below(2) as i64);
    let end = TaskEnd { over: random.below(2) == 0, duration_ms: Some(7), ..TaskEnd::default() };
    match (random.below(4), seen) {
        (0, Some(seen)) => format!("{:?}", store.task_give_up(seen, &end)),
        (1, _) => format!("{:?}", store.task_keep(name, fence)),
        _ => format!("{:?}", store.task_end(name, fence, &end)),
    }
}

fn host(store: &Store, random: &Random) -> String {
    let Holder { host, epoch } = holder(random);
    let nonce = format!("nonce {}", random.below(2));
    match random.below(5) {
        0 => {
            let start = HostStart {
                id: host,
                name: "h".to_owned(),
                hostname: "h".to_owned(),
                public_address: None,
                web_port: 443,
                nonce,
                version: "0".to_owned(),
                local_address: None,
                local_networks: vec!["10.0.0.0/8".to_owned()],
            };
            format!("{:?}", store.host_start(&start).expect("a host").epoch)
        }
        1 => format!("{:?}", store.host_beat(host, epoch, &nonce)),
        2 => format!("{:?}", store.host_declare_dead(host, epoch, 1 + random.below(4) as i64)),
        3 => format!("{:?}", store.host_return(host, &nonce)),
        _ => {
            let seen = store.hosts_seen().expect("hosts");
            let mut seen: Vec<_> = seen.iter().map(|h| (h.id, h.epoch, h.beat)).collect();
            seen.sort_unstable();
            format!("{seen:?} {:?}", store.host_stop(host, epoch, &nonce))
        }
    }
}

#[test]
fn named_queries_do_the_same_on_the_model_and_on_a_real_server() {
    compare(|real, model| {
        let seed = Random::system().u64();
        let (mine, theirs) = (Random::seeded(seed), Random::seeded(seed));
        let mut compared = BTreeSet::new();
        for number in 0..OPERATIONS {
            // What is ordered by its date must have another one.
            pause(Duration::from_millis(2));
            let (was, is) = (operate(real, &mine), operate(model, &theirs));
            assert_eq!(was, is, "operation {number} of seed {seed}");
            if number % 20 != 19 {
                continue;
            }
            for collection in COMPARED {
                let (was, is) = (all(real, collection), all(model, collection));
                assert_eq!(was, is, "{collection} after operation {number} of seed {seed}");
                // A pool is empty at times.
                compared.extend((!was.is_empty()).then_some(collection));
            }
        }
        assert_eq!(compared, BTreeSet::from(COMPARED), "nothing to compare, seed {seed}");
    });
}

#[test]
fn transactions_conflict_on_the_model_as_on_a_real_server() {
    compare(|real, model| {
        for seed in 0..60 {
            let (was, is) = (interleave(real, seed), interleave(model, seed));
            assert_eq!(was, is, "seed {seed}");
            assert_eq!(all(real, "guards"), all(model, "guards"), "seed {seed}");
        }
    });
}

/// Two transactions, step by step in an order that the seed decides, on three documents.
fn interleave(store: &Store, seed: u64) -> Vec<String> {
    let random = Random::seeded(seed);
    let at = At { op: "interleave", collection: "guards", line: Line::Work };
    let everything = Request::Delete { filter: doc! {}, many: true };
    store.documents().run(&at, everything, &mut |_| ControlFlow::Continue(())).expect("gone");
    let one = |id: u64| doc! { "_id": format!("doc {id}") };
    let write = |id: u64| Request::Update {
        filter: one(id),
        update: doc! { "$inc": { "writes": 1_i64 } }.into(),
        upsert: true,
        many: false,
    };
    // Some are there before.
    store.documents().run(&at, write(0), &mut |_| ControlFlow::Continue(())).expect("written");
    let mut sessions = [0, 1].map(|_| store.documents().session("interleave").expect("a session"));
    sessions.iter_mut().for_each(|session| session.start("interleave").expect("a begin"));
    let (mut told, mut open) = (Vec::new(), vec![0, 1]);
    while !open.is_empty() {
        let which = open[random.below(open.len() as u64) as usize];
        let session = &mut sessions[which];
        let (id, kind) = (random.below(3), random.below(6));
        let mut seen = Vec::new();
        let request = match kind {
            0 => None,
            1 | 2 => Some(Request::Count { filter: doc! { "writes": { "$gte": 1_i64 } } }),
            3 => Some(Request::Delete { filter: one(id), many: false }),
            _ => Some(write(id)),
        };
        let done = match request {
            None => session.commit("interleave").map(|()| 0),
            Some(request) => session.run(&at, request, &mut |raw| {
                seen.push(raw);
                ControlFlow::Continue(())
            }),
        };
        told.push(format!("{which} {kind} {id}: {:?}", done.as_ref().map_err(|f| f.again)));
        if kind == 0 || done.is_err() {
            session.abort();
            open.retain(|other| *other != which);
        }
    }
    told
}

#[test]
fn the_language_means_the_same_on_the_model_and_on_a_real_server() {
    compare(|real, model| {
        let rows = [
            doc! { "_id": "a", "n": 1_i64, "m": 2, "when": date(-60), "list": [1_i64, 5_i64] },
            doc! { "_id": "b", "n": 5_i64, "x": 0.5, "when": date(3_600), "list": [] },
            doc! { "_id": "c", "n": Bson::Null, "s": "t", "in": { "n": 3_i64 } },
            doc! { "_id": "d", "s": "$t", "flag": true, "list": [{ "n": 2_i64 }, { "n": 9_i64 }] },
            doc! { "_id": "e", "n": "7", "flag": false, "when": Bson::Null },
        ];
        let documents = || rows.iter().map(|r| r.try_into().expect("raw")).collect();
        for store in [real, model] {
            ask(store, "guards", Request::Insert { documents: documents() });
        }
        for filter in filters() {
            let options = mongodb::options::FindOptions::default();
            let find = Request::Find { filter: filter.clone(), options: options.into() };
            let sorted = |(answer, mut found): (String, Vec<Bson>)| {
                found.sort_by_key(|document| document.to_string());
                (answer, found)
            };
            let (was, is) = (ask(real, "guards", find.clone()), ask(model, "guards", find));
            assert_eq!(sorted(was), sorted(is), "{filter}");
        }
        for expression in expressions() {
            let value = doc! { "$project": { "v": expression.clone() } };
            let stages = vec![doc! { "$sort": { "_id": 1 } }, value];
            let request = Request::Aggregate { stages };
            let (was, is) = (ask(real, "guards", request.clone()), ask(model, "guards", request));
            assert_eq!(was, is, "{expression}");
        }
        for sort in
            [doc! { "n": 1, "_id": 1 }, doc! { "n": -1, "_id": -1 }, doc! { "s": 1, "_id": 1 }]
        {
            let stages = vec![doc! { "$sort": sort.clone() }, doc! { "$limit": 4 }];
            let request = Request::Aggregate { stages };
            let (was, is) = (ask(real, "guards", request.clone()), ask(model, "guards", request));
            assert_eq!(was, is, "{sort}");
        }
        for by in ["$flag", "$s"] {
            let group = doc! { "$group": { "_id": by, "count": { "$sum": 1_i64 } } };
            let stages = vec![group, doc! { "$sort": { "_id": 1 } }];
            let request = Request::Aggregate { stages };
            let (was, is) = (ask(real, "guards", request.clone()), ask(model, "guards", request));
            assert_eq!(was, is, "{by}");
        }
    });
}

/// So many seconds from now, by a clock that both servers agree with to the hour.
fn date(seconds: i64) -> Bson {
    let of_model = crate::sim::database::EPOCH_MS;
    let now_ms = warren::base::clock::wall_ms();
    let far = if seconds < 0 { now_ms.min(of_model) } else { now_ms.max(of_model) };
    mongodb::bson::DateTime::from_millis(far + seconds * 1_000).into()
}

fn filters() -> Vec<Document> {
    vec![
        doc! { "n": 1_i64 },
        doc! { "n": 1 },
        doc! { "n": Bson::Null },
        doc! { "n": { "$ne": Bson::Null } },
        doc! { "n": { "$gt": 1_i64 } },
        doc! { "n": { "$lte": Bson::Null } },
        doc! { "n": { "$gte": 1_i64, "$lt": 5_i64 } },
        doc! { "n": { "$exists": false } },
        doc! { "n": { "$in": [1_i64, "7", Bson::Null] } },
        doc! { "list": 5_i64 },
        doc! { "list": { "$ne": 5_i64 } },
        doc! { "list": [1_i64, 5_i64] },
        doc! { "list": { "$size": 2 } },
        doc! { "list": { "$elemMatch": { "n": 9_i64 } } },
        doc! { "list.n": 9_i64 },
        doc! { "list.n": { "$gt": 3_i64 } },
        doc! { "list.0": { "$exists": true } },
        doc! { "in.n": 3_i64 },
        doc! { "in.n": { "$exists": false } },
        doc! { "flag": { "$ne": true } },
        doc! { "$or": [{ "n": 5_i64 }, { "s": "t" }], "_id": { "$ne": "c" } },
        doc! { "$and": [{ "n": { "$gte": 1_i64 } }, { "n": { "$lte": 4_i64 } }] },
        doc! { "$expr": { "$lt": ["$when", "$$NOW"] } },
        doc! { "$expr": { "$gt": ["$when", "$$NOW"] } },
        doc! { "$expr": { "$lte": ["$when", { "$subtract": ["$$NOW", 1_000_i64] }] } },
        doc! { "$expr": "$flag" },
    ]
}

fn expressions() -> Vec<Document> {
    let above = doc! { "$gt": ["$$this.n", 3_i64] };
    vec![
        doc! { "$literal": "$n" },
        doc! { "$cond": [{ "$gt": ["$when", "$$NOW"] }, "$_id", "$$REMOVE"] },
        doc! { "$cond": ["$flag", "yes", { "no": "$s" }] },
        doc! { "$ifNull": ["$n", "none"] },
        doc! { "$lte": ["$n", Bson::Null] },
        doc! { "$lt": ["$missing", Bson::Null] },
        doc! { "$eq": ["$s", { "$literal": "$t" }] },
        doc! { "$ne": ["$n", 1] },
        doc! { "$and": ["$n", { "$gte": ["$n", 2_i64] }] },
        doc! { "$or": ["$flag", "$missing"] },
        doc! { "$mergeObjects": [{ "a": 1, "b": "$s" }, "$in", { "a": "$_id" }] },
        doc! { "$concatArrays": ["$list", ["$_id"]] },
        doc! { "$sum": "$list" },
        doc! { "$toLong": { "$sum": "$list" } },
        doc! { "$add": ["$m", 1_i64] },
        doc! { "$add": ["$x", 1] },
        doc! { "$subtract": ["$m", 3] },
        doc! { "$divide": [{ "$toDouble": "$m" }, 4_i64] },
        doc! { "$not": ["$flag"] },
        doc! { "$in": ["$_id", ["a", "c"]] },
        doc! { "$map": { "input": "$list", "in": "$$this.n" } },
        doc! { "$filter": { "input": { "$ifNull": ["$list", []] }, "cond": above } },
        doc! { "$dateTrunc": { "date": "$$NOW", "unit": "minute" } },
        doc! { "$subtract": [{ "$add": ["$$NOW", 5_i64] }, "$$NOW"] },
    ]
}

/// So that the identity of administrators stays what the handlers use.
#[test]
fn the_last_one_in_charge_is_found_on_both() {
    compare(|real, model| {
        let looks = |store: &Store| {
            let id = AdminId::from_bytes([1; 12]);
            let other = store.transaction("look", |tx| tx.other_super_user(id));
            format!("{:?} {:?}", other.expect("an answer"), store.admins_exist().expect("one"))
        };
        for disabled in [true, false] {
            let id = AdminId::from_bytes([u8::from(disabled); 12]);
            let name = format!("admin {disabled}");
            let admin = doc! {
                "_id": id, "username": name, "password": "", "token": "", "secret": "",
                "disabled": disabled,
            };
            for store in [real, model] {
                let documents = vec![(&admin).try_into().expect("raw")];
                ask(store, "administrators", Request::Insert { documents: documents.clone() });
                let (twice, _) = ask(store, "administrators", Request::Insert { documents });
                assert!(twice.starts_with("exists already"), "{twice}");
            }
            assert_eq!(looks(real), looks(model));
        }
    });
}
