//! The same of users in bulk, of jobs that administrators change, and of servers' slots.

use super::{all, ask, compare};
use crate::sim::judge::host_id;
use crate::sim::{orders, slots};
use mongodb::bson::serialize_to_document;
use std::time::Duration;
use warren::base::ids::{HostId, InstanceId, JobId, UserId};
use warren::base::random::Random;
use warren::domain::user::{UserFields, UserSpec};
use warren::store::Store;
use warren::store::instances::{Claim as SlotClaim, Failed};
use warren::store::jobs::{Chunk, JobDoc, PlannedUser};
use warren::store::seam::Request;
use warren::store::users::UserSummary;

const OPERATIONS: u64 = 300;
const COMPARED: [&str; 5] = ["jobs", "job_parts", "users", "organizations", "servers"];
/// Users of each job, of which a step creates one.
const TOTAL: i64 = 3;

fn lay(store: &Store) {
    let org = serialize_to_document(&orders::organization()).expect("a document");
    let laid = std::iter::once(("organizations", org)).chain(slots::laid());
    for (collection, document) in laid {
        let documents = vec![(&document).try_into().expect("raw")];
        assert_eq!(ask(store, collection, Request::Insert { documents }).0, "1");
    }
}

/// One named query with arguments that `random` decides; answers what it answered.
fn operate(store: &Store, random: &Random) -> String {
    let job = JobId::from_bytes([random.below(4) as u8; 12]);
    match random.below(10) {
        0 => {
            let planned: Vec<PlannedUser> = (0..TOTAL).map(|_| planned(random)).collect();
            let parts: Vec<&[PlannedUser]> = planned.chunks(1).collect();
            let stored = store.bulk_parts(job, 0, &parts).is_ok();
            format!("{stored} {:?}", store.bulk_begin(job, orders::ORG, TOTAL))
        }
        1 | 2 => {
            let claimed = store.job_claim_light(super::holder(random), Duration::ZERO);
            let claimed = claimed.expect("an answer").map(|job| (job.id, job.fence, job.progress));
            let pause = Duration::ZERO;
            let job = store.job(job).expect("an answer");
            let put =
                job.filter(|_| random.below(4) == 0).map(|j| store.job_put_off(j.claim(), pause));
            format!("{claimed:?} {put:?}")
        }
        3 | 4 => store.job(job).expect("an answer").map_or("none".to_owned(), |j| step(store, &j)),
        5 => match random.below(3) {
            0 => format!("{:?}", store.job_cancel(job, "$why")),
            1 => format!("{:?}", store.job_retry(job)),
            _ => format!("{:?}", store.jobs_listed().expect("jobs").len()),
        },
        _ => slot(store, random),
    }
}

fn planned(random: &Random) -> PlannedUser {
    let fields = UserFields { name: "u".to_owned(), ..UserFields::default() };
    let spec = UserSpec::from_request(&fields, None).expect("valid");
    let id = UserId::from_bytes(random.bytes());
    PlannedUser { user: UserSummary::person(orders::ORG, id, &spec, String::new()), pin: None }
}

fn step(store: &Store, job: &JobDoc) -> String {
    let Some(part) = store.bulk_part(job.id, job.position).expect("an answer") else {
        return format!("no part, {}", store.bulk_forget(job.id).expect("a count"));
    };
    let users: Vec<_> = part.into_iter().map(|planned| orders::user(planned.user)).collect();
    let chunk = Chunk {
        claim: job.claim(),
        org: orders::ORG,
        ca_certificate: "authority",
        users: &users,
        position: job.position,
        part_over: Some(job.position),
        is_last: job.position + 1 == TOTAL,
    };
    format!("{:?}", store.bulk_step(&chunk))
}

fn slot(store: &Store, random: &Random) -> String {
    let host = HostId::from_bytes(host_id(random.below(3) as usize));
    let (fresh, epoch) = (InstanceId::from_bytes(random.bytes()), 1 + random.below(2) as i64);
    let (which, what) = (random.below(2) as usize, random.below(12));
    let servers = store.server_slots(host).expect("servers");
    let Some(slots) = servers.get(which) else {
        let started = slots::ids().map(|id| store.server_start(id).map(|found| found.is_some()));
        return format!("{:?}", started.collect::<Vec<_>>());
    };
    let held = slots.instances.first();
    let instance = held.map_or(fresh, |held| held.instance_id);
    match what {
        0..=3 => {
            let replaced: Vec<_> =
                held.filter(|_| what == 0).map(|i| i.instance_id).into_iter().collect();
            let (replaced, runs) = (&replaced, what == 1);
            let claim = SlotClaim { slots, replaced, instance: fresh, host, epoch, runs };
            format!("{:?}", store.instance_claim(&claim))
        }
        4 => format!("{:?}", store.instance_restamp(slots.id, instance, epoch, epoch + 1)),
        5 => format!("{:?}", store.instance_release(slots.id, instance)),
        6 => format!("{:?}", store.instance_prune(slots.id, instance, epoch)),
        7 => {
            let why = Failed::Instance(instance);
            let failed = store.server_failed(slots.id, host, why, "$why");
            format!("{failed:?} {:?}", store.instance_started(slots.id, instance))
        }
        8 => format!("{:?}", store.server_stop(slots.id).map(|found| found.is_some())),
        9 => format!("{:?}", store.server_restart(slots.id).map(|found| found.is_some())),
        coin => {
            let set = store.server_set_host(slots.id, host, coin == 10);
            format!("{:?}", set.map(|found| found.map(|found| found.hosts)))
        }
    }
}

#[test]
fn orders_and_slots_do_the_same_on_the_model_and_on_a_real_server() {
    compare(|real, model| {
        let seed = Random::system().u64();
        let (mine, theirs) = (Random::seeded(seed), Random::seeded(seed));
        lay(real);
        lay(model);
        let mut claimed = false;
        for number in 0..OPERATIONS {
            // What is ordered by its date must have another one.
            crate::support::wait::pause(Duration::from_millis(2));
            let (was, is) = (operate(real, &mine), operate(model, &theirs));
            assert_eq!(was, is, "operation {number} of seed {seed}");
            if number % 10 != 9 {
                continue;
            }
            for collection in COMPARED {
                let (was, is) = (all(real, collection), all(model, collection));
                assert_eq!(was, is, "{collection} after operation {number} of seed {seed}");
            }
            claimed |= format!("{:?}", all(real, "servers")).contains("instance_id");
        }
        assert!(claimed && all(real, "users").len() > 2, "nothing was done, seed {seed}");
    });
}
