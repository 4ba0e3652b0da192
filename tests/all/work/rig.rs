//! Hosts of one process on a shared database, and a look at what is in it.

use crate::support::mongo::ReplicaSet;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::{Document, doc};
use mongodb::sync::Collection;
use std::path::Path;
use std::time::Duration;
use warren::base::clock::Clock;
use warren::base::ids::{Fence, Holder, HostId};
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::bus;
use warren::ground::{Ground, Hands};
use warren::liveness;
use warren::pki::KeyKind;
use warren::pool::{self, Taken};
use warren::queue;
use warren::store::Store;
use warren::store::hosts::{Declaration, HostStart};
use warren::store::jobs::{Claim, Done, JobDoc, NewJob, Work};
use warren::store::pool::{NewPooled, PoolKind};

pub const RSA2048: PoolKind = PoolKind::Key(KeyKind::Rsa2048);
pub const RSA4096: PoolKind = PoolKind::Key(KeyKind::Rsa4096);

/// A living host without threads of work.
pub struct Host {
    pub ground: Ground,
    _beat: liveness::Handle,
    _bus: bus::Handle,
}

/// One member, and three in full counts.
pub fn set() -> ReplicaSet {
    match std::env::var_os("WARREN_PROVE") {
        Some(_) => ReplicaSet::local_three(),
        None => ReplicaSet::local(),
    }
}

pub fn store(set: &ReplicaSet) -> Store {
    let uri = Secret::new(set.uri().to_owned());
    Store::connect(&uri, Clock::system(), Random::system()).expect("a store")
}

/// Registers a host; answers its id and epoch.
pub fn register(store: &Store, number: u8) -> liveness::Identity {
    let start = HostStart {
        id: HostId::from_bytes([number; 16]),
        name: format!("host{number}"),
        hostname: format!("host{number}"),
        public_address: None,
        nonce: format!("{number:032x}"),
        version: "0".to_owned(),
        web_port: 443,
        local_address: None,
        local_networks: Vec::new(),
    };
    let doc = store.host_start(&start).expect("registered");
    liveness::Identity { host: doc.id, epoch: doc.epoch, nonce: start.nonce }
}

pub fn host(set: &ReplicaSet, number: u8) -> Host {
    let store = store(set);
    let clock = store.clock().clone();
    let identity = register(&store, number);
    let beat = liveness::spawn(store.clone(), identity.clone(), clock.clone()).expect("a beat");
    let (bus, handle) = bus::spawn(store.clone(), identity.host, clock.clone()).expect("a bus");
    let ground = Ground {
        store,
        bus,
        clock,
        random: Random::system(),
        host: identity.host,
        status: beat.status(),
        hands: Hands::default(),
    };
    Host { ground, _beat: beat, _bus: handle }
}

/// A host that held something and was declared dead.
pub fn dead_host(set: &ReplicaSet, number: u8, hold: impl FnOnce(&Store, Holder)) {
    let store = store(set);
    let identity = register(&store, number);
    hold(&store, Holder { host: identity.host, epoch: identity.epoch });
    declare_dead(&store, identity.host);
}

pub fn declare_dead(store: &Store, host: HostId) {
    wait_until("a declaration", seconds(5), || {
        let seen = store.host(host).expect("a read").expect("a host");
        let said = store.host_declare_dead(host, seen.epoch, seen.beat).expect("an answer");
        said == Declaration::Declared
    });
}

impl Host {
    pub fn holder(&self) -> Holder {
        Holder { host: self.ground.host, epoch: self.ground.status.epoch() }
    }

    /// Works with `heavy` workers and looks often: most tests do not rest on messages.
    pub fn work(&self, heavy: usize) -> queue::Handle {
        self.work_looking_every(heavy, Duration::from_millis(200))
    }

    pub fn work_looking_every(&self, heavy: usize, period: Duration) -> queue::Handle {
        let program = env!("CARGO_BIN_EXE_warren").into();
        let options = queue::Options { program, heavy, period };
        queue::spawn_with(self.ground.clone(), options).expect("a queue")
    }

    pub fn new_job(&self, kind: PoolKind) {
        let (id, work) = (self.ground.store.new_id(), Work::to_fill(kind));
        let job = NewJob { id, work, reserved_for: None };
        self.ground.store.job_insert(job).expect("a job");
    }

    pub fn claim(&self) -> JobDoc {
        let claimed = self.ground.store.job_claim(self.holder(), false, Duration::ZERO);
        claimed.expect("an answer").expect("a job")
    }

    /// Ends a claimed job as a worker does, with a key that says who made it.
    pub fn commit(&self, job: &JobDoc, content: &str) -> Done {
        let (id, ticket) = (self.ground.store.new_id(), pool::ticket(&self.ground.random));
        let content = Secret::new(content.to_owned());
        let kind = job.pool.expect("a pool");
        let new = NewPooled { id, kind, ticket, content: &content };
        let done = self.ground.store.transaction("end a job", |tx| {
            let done = tx.job_done(claim_of(job))?;
            if let Done::Ended(reserved) = &done {
                tx.pool_put(&new, reserved.as_ref())?;
            }
            Ok::<_, warren::store::StoreError>(done)
        });
        done.expect("an answer")
    }

    /// Puts keys into a pool that nobody has to make.
    pub fn fill(&self, kind: PoolKind, contents: impl IntoIterator<Item = String>) {
        for content in contents {
            let (id, ticket) = (self.ground.store.new_id(), pool::ticket(&self.ground.random));
            let content = Secret::new(content);
            let new = NewPooled { id, kind, ticket, content: &content };
            let put = self.ground.store.transaction("fill", |tx| tx.pool_put(&new, None));
            put.expect("a key in the pool");
        }
    }

    pub fn depth(&self, kind: PoolKind) -> u64 {
        self.ground.store.pool_depth(kind).expect("a count")
    }

    pub fn making(&self, kind: PoolKind) -> i64 {
        let making = self.ground.store.jobs_making().expect("counts");
        making.get(&kind).copied().unwrap_or(0)
    }
}

pub fn claim_of(job: &JobDoc) -> Claim {
    Claim { job: job.id, fence: Fence(job.fence) }
}

pub fn token(taken: Taken) -> String {
    match taken {
        Taken::Making { token } => token,
        other => panic!("not in the making: {other:?}"),
    }
}

pub fn keys(taken: Taken) -> Vec<String> {
    match taken {
        Taken::Keys(keys) => keys.iter().map(|key| key.expose().clone()).collect(),
        other => panic!("no keys: {other:?}"),
    }
}

pub fn collection(set: &ReplicaSet, name: &str) -> Collection<Document> {
    set.client().database("warren").collection(name)
}

pub fn count(set: &ReplicaSet, name: &str, filter: Document) -> u64 {
    collection(set, name).count_documents(filter).run().expect("a count")
}

/// The one document that matches.
pub fn document(set: &ReplicaSet, name: &str, filter: Document) -> Document {
    let found = collection(set, name).find_one(filter.clone()).run().expect("a read");
    found.unwrap_or_else(|| panic!("no {filter} in {name}"))
}

pub fn change(set: &ReplicaSet, name: &str, filter: Document, update: Document) {
    let done = collection(set, name).update_many(filter, update).upsert(false).run();
    assert!(done.expect("an update").matched_count > 0, "nothing matched in {name}");
}

/// Floors of the pools, small ones.
pub fn floors(set: &ReplicaSet, rsa2048: i64, rsa4096: i64) {
    let floors = doc! { "rsa2048_floor": rsa2048, "rsa4096_floor": rsa4096, "dh2048_floor": 0_i64 };
    let settings = collection(set, "settings");
    let update = doc! { "$set": floors };
    settings.update_one(doc! { "_id": "pool" }, update).upsert(true).run().expect("settings");
}

/// Children of this process that make something.
pub fn children() -> Vec<u32> {
    children_of("private-key")
}

/// The same for one kind of thing.
pub fn children_of(kind: &str) -> Vec<u32> {
    let children = format!("/proc/{}/task", std::process::id());
    let threads = std::fs::read_dir(children).expect("our threads").flatten();
    let lists = threads.filter_map(|t| std::fs::read_to_string(t.path().join("children")).ok());
    let pids = lists.flat_map(|list| {
        list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
    });
    pids.filter(|pid| is_working(*pid, kind)).collect()
}

fn is_working(pid: u32, kind: &str) -> bool {
    let line = std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline"));
    line.is_ok_and(|line| String::from_utf8_lossy(&line).contains(kind))
}
