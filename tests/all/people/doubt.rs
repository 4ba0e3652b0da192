//! Bulk creation when the answer of a commit is lost: no key becomes two users'.

use super::{Rig, create_org};
use crate::needs;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::doc;
use mongodb::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use warren::base::clock::Clock;
use warren::base::ids::{HostId, OrgId};
use warren::base::random::Random;
use warren::bus::Bus;
use warren::domain::user::{UserFields, UserSpec};
use warren::ground::{Ground, Hands};
use warren::liveness::Status;
use warren::pki::KeyKind;
use warren::pool;
use warren::queue;
use warren::store::jobs::PlannedUser;
use warren::store::seam::{Again, At, Documents, Each, Failure, Request, Session};
use warren::store::users::UserSummary;
use warren::store::{Store, StoreError};

/// A line to the database on which the answer of the first step's commit is lost, and the question
/// after it gets none.
#[derive(Debug)]
struct Lossy {
    real: Store,
    steps: AtomicUsize,
    silent: AtomicUsize,
}

fn source() -> Box<Error> {
    Box::new(Error::custom("no answer"))
}

impl Documents for Lossy {
    fn run(&self, at: &At, request: Request, each: Each<'_>) -> Result<u64, StoreError> {
        if at.op == "read a job" && self.silent.swap(0, Ordering::SeqCst) > 0 {
            return Err(StoreError::Unavailable { operation: at.op, source: source() });
        }
        self.real.documents().run(at, request, each)
    }

    fn session(&self, op: &'static str) -> Result<Box<dyn Session + '_>, StoreError> {
        Ok(Box::new(Lost { lossy: self, real: self.real.documents().session(op)? }))
    }

    fn primary_changes(&self) -> u64 {
        0
    }
}

struct Lost<'a> {
    lossy: &'a Lossy,
    real: Box<dyn Session + 'a>,
}

impl Session for Lost<'_> {
    fn start(&mut self, op: &'static str) -> Result<(), StoreError> {
        self.real.start(op)
    }

    fn run(&mut self, at: &At, request: Request, each: Each<'_>) -> Result<u64, Failure> {
        self.real.run(at, request, each)
    }

    fn commit(&mut self, op: &'static str) -> Result<(), Failure> {
        self.real.commit(op)?;
        if op != "create users" || self.lossy.steps.fetch_add(1, Ordering::SeqCst) > 0 {
            return Ok(());
        }
        self.lossy.silent.store(1, Ordering::SeqCst);
        let error = StoreError::Unknown { operation: op, source: source() };
        Err(Failure { error, again: Again::Nothing })
    }

    fn abort(&mut self) {
        self.real.abort();
    }
}

fn planned(store: &Store, org: OrgId, count: usize) -> Vec<PlannedUser> {
    let user = |n: usize| {
        let fields = UserFields { name: format!("u{n:05}"), ..UserFields::default() };
        let spec = UserSpec::from_request(&fields, None).expect("valid");
        let user = UserSummary::person(org, store.new_id(), &spec, "OTP".to_owned());
        PlannedUser { user, pin: None }
    };
    (0..count).map(user).collect()
}

#[test]
fn a_step_whose_answer_is_lost_gives_no_key_to_two_users() {
    needs!(Namespaces, Mongod);
    const COUNT: usize = 150;
    let rig = Rig::new();
    rig.fill(KeyKind::Rsa4096, 1);
    let daemon = rig.home.start();
    let org = create_org(&mut rig.enter(&daemon), "doubt");
    assert!(daemon.stop().success());
    let org: OrgId = org.parse().expect("an id");
    rig.fill(KeyKind::Rsa2048, COUNT + 60);
    let (job, people) = (rig.store.new_id(), planned(&rig.store, org, COUNT));
    let parts: Vec<&[PlannedUser]> = people.chunks(warren::limits::BULK_PART_USERS).collect();
    rig.store.bulk_parts(job, 0, &parts).expect("parts");
    assert!(rig.store.bulk_begin(job, org, 150).expect("an answer"));

    let (clock, random) = (Clock::system(), Random::system());
    let (steps, silent) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let lossy = Lossy { real: rig.store.clone(), steps, silent };
    let ground = Ground {
        store: Store::on(Arc::new(lossy), clock.clone(), random.clone()),
        bus: Bus::idle(),
        clock: clock.clone(),
        random,
        host: HostId::from_bytes([9; 16]),
        status: Status::default(),
        hands: Hands::default(),
    };
    let (pools, _refiller) = pool::parts(ground.clone());
    let light = queue::spawn_light(ground, pools).expect("a thread");
    wait_until("all users", seconds(60), || {
        rig.count("jobs", doc! { "kind": "bulk-users", "state": "done" }) == 1
    });
    assert!(light.stop(&clock, clock.mono() + seconds(5)).is_empty());
    assert_eq!(rig.count("users", doc! { "type": "client" }), 150);
    assert_eq!(rig.texts("users", "private_key").len(), COUNT, "each a key of its own");
}
