//! What administrators order: users in bulk, with the work that follows; jobs cancelled and tried
//! again; tasks wanted now; servers made, moved, started and stopped.

use crate::sim::hosts::{Life, accept};
use crate::sim::slots;
use std::time::Duration;
use warren::base::ids::{Holder, JobId, OrgId, UserId};
use warren::base::secret::Secret;
use warren::bus::Message;
use warren::domain::server::{Circumstances, ServerFields, ServerSpec};
use warren::domain::user::{UserFields, UserSpec};
use warren::ground::Ground;
use warren::queue::{self, policy};
use warren::store::jobs::{Chunk, Claim, JobDoc, JobState, PlannedUser, Step};
use warren::store::organizations::{OrgDoc, OrgSummary};
use warren::store::servers::{ServerDoc, ServerKeys, ServerOptions};
use warren::store::users::{UserDoc, UserKeys, UserSummary};
use warren::store::{Store, StoreError};
use warren::tasks::{self, TASKS};

/// Of all users.
pub const ORG: OrgId = OrgId::from_bytes([7; 12]);
const AUTHORITY: &str = "authority";
/// Users of one part, fewer than in the daemon: most steps then end a part.
const PART: usize = 2;
const USERS_MOST: u64 = 6;
/// Networks and ports that servers are made of.
const PLACES: i64 = 3;

pub fn organization() -> OrgDoc {
    let summary = OrgSummary {
        id: ORG,
        name: "org".to_owned(),
        auth_api: false,
        auth_token: None,
        auth_secret: None,
        ca_user_id: UserId::from_bytes([7; 12]),
        ca_expires: 0,
        user_count: 0,
    };
    OrgDoc::new(summary, String::new(), AUTHORITY.to_owned())
}

pub fn user(summary: UserSummary) -> UserDoc {
    let keys = UserKeys {
        private_key: String::new(),
        certificate: String::new(),
        sync_token: String::new(),
        sync_secret: String::new(),
    };
    UserDoc { summary, keys }
}

/// One order after the other.
pub fn order(life: &Life) {
    life.send();
    life.wait(life.below(1_500));
    let ground = &life.ground;
    let publish = |message| ground.bus.publish(message);
    // All should come to rest then.
    if !life.faults() {
        return life.wait(5_000);
    }
    let done = match life.below(10) {
        0..=2 => begin_users(life),
        3 => change_job(life),
        4 => {
            let task = &TASKS[life.below(TASKS.len() as u64) as usize];
            tasks::want(&ground.store, task.name, publish).map(drop)
        }
        5 | 6 => place(life),
        _ => slots::operate(life),
    };
    accept(done);
}

fn begin_users(life: &Life) -> Result<(), StoreError> {
    let Ground { store, bus, .. } = &life.ground;
    let (job, total): (JobId, usize) = (store.new_id(), 1 + life.below(USERS_MOST) as usize);
    let planned: Vec<PlannedUser> = (0..total)
        .map(|_| {
            let fields = UserFields { name: job.to_string(), ..UserFields::default() };
            let spec = UserSpec::from_request(&fields, None).expect("valid");
            let user = UserSummary::person(ORG, store.new_id(), &spec, String::new());
            PlannedUser { user, pin: None }
        })
        .collect();
    let parts: Vec<&[PlannedUser]> = planned.chunks(PART).collect();
    store.bulk_parts(job, 0, &parts)?;
    if store.bulk_begin(job, ORG, total as i64)? {
        bus.publish(Message::JobReady);
    }
    Ok(())
}

/// Cancels a job, or has it tried again.
fn change_job(life: &Life) -> Result<(), StoreError> {
    let Ground { store, bus, .. } = &life.ground;
    let jobs = store.jobs_listed()?;
    if jobs.is_empty() {
        return Ok(());
    }
    let job = jobs[life.below(jobs.len() as u64) as usize].id;
    let publish = |message| bus.publish(message);
    match life.below(3) {
        0 => queue::cancel(store, job, publish).map(drop),
        _ => queue::retry(store, job, publish).map(drop),
    }
}

/// Makes a server where none is, or deletes one.
fn place(life: &Life) -> Result<(), StoreError> {
    let store = &life.ground.store;
    let (number, id) = (life.below(PLACES as u64) as i64, store.new_id());
    let (network, port) = (format!("10.{number}.0.0/24"), 20_000 + number);
    store.transaction("create a server", |tx| {
        tx.guard_places()?;
        let places = tx.server_places()?;
        match places.iter().find(|place| place.network == network || place.port == port) {
            Some(place) => tx.server_delete(place.id).map(drop),
            None => tx.server_insert(&server(id, &network, port, life.ground.host)),
        }
    })
}

/// A server that lacks nothing.
pub fn server(
    id: warren::base::ids::ServerId,
    network: &str,
    port: i64,
    host: warren::base::ids::HostId,
) -> ServerDoc {
    let fields = ServerFields {
        name: format!("server-{port}"),
        network: network.to_owned(),
        port,
        protocol: "udp".to_owned(),
        cipher: "aes128".to_owned(),
        hash: "sha256".to_owned(),
        ..ServerFields::default()
    };
    let around = Circumstances {
        previous: None,
        taken: &[],
        has_server_links: false,
        has_network_links: false,
        linked_online: false,
    };
    let random = warren::base::random::Random::seeded(1);
    let spec = ServerSpec::from_request(&fields, &around, &random).expect("valid");
    let secret = || Secret::new(String::new());
    let keys = ServerKeys {
        tls_auth: secret(),
        signing: secret(),
        signing_public: String::new(),
        boxed: secret(),
        boxed_public: String::new(),
    };
    let made = ServerDoc::new(id, ServerOptions::of(&spec), Vec::new(), host, &keys);
    ServerDoc { dh_params: Some(String::new()), ..made }
}

/// What the thread `queue-light` does, with steps of its own size.
pub fn light(life: &Life) {
    life.send();
    let Ground { store, status, host, hands, .. } = &life.ground;
    let holder = Holder { host: *host, epoch: status.epoch() };
    match store.job_claim_light(holder, Duration::ZERO) {
        Ok(Some(job)) => {
            let job = hands.hold(job);
            accept(go_on(life, &job));
        }
        Ok(None) => life.sleep(5_000, crate::sim::baton::Topic::Jobs),
        Err(error) => {
            accept(Err(error));
            life.wait(1_000);
        }
    }
}

fn go_on(life: &Life, job: &JobDoc) -> Result<(), StoreError> {
    let (store, claim) = (&life.ground.store, job.claim());
    let (mut position, mut tries) = (job.position, 0);
    while position < job.total {
        // Much may happen before any of it.
        let pauses = life.faults() && life.below(10) == 0;
        if pauses {
            life.wait(life.below(60_000));
        }
        match life.below(if pauses { 4 } else { 30 }) {
            _ if !life.faults() => {}
            1 => return store.job_give_back(claim).map(drop),
            2 => return store.job_put_off(claim, Duration::from_secs(2)).map(drop),
            3 => {
                let retry = match policy::after_failure(job.attempts, policy::bounds(job.work)) {
                    policy::Next::RetryAfter(pause) => Some(pause),
                    policy::Next::GiveUp => None,
                };
                return store.job_fail(claim, "it failed", retry).map(drop);
            }
            _ => life.wait(life.below(300)),
        }
        let stepped = step(life, claim, position, job.total);
        let seen = match stepped {
            Ok(Some(reached)) => {
                (position, tries) = (reached, 0);
                continue;
            }
            Ok(None) => reached(store, claim)?,
            // It may be done: then it is not done again.
            Err(error) if error.is_passing() && tries < 5 => {
                tries += 1;
                life.wait(life.below(2_000));
                continue;
            }
            Err(error) => return Err(error),
        };
        match seen {
            Some(seen) if seen >= position => position = seen,
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// Creates some users, as many as there were keys; answers how many there are then. `None`: not
/// done, or the job is not here.
fn step(life: &Life, claim: Claim, position: i64, total: i64) -> Result<Option<i64>, StoreError> {
    let store = &life.ground.store;
    let size = PART as i64;
    let (part, within) = (position / size, (position % size) as usize);
    let Some(planned) = store.bulk_part(claim.job, part)? else { return Ok(None) };
    let keys = 1 + life.below(PART as u64) as usize;
    let users: Vec<UserDoc> =
        planned.into_iter().skip(within).take(keys).map(|planned| user(planned.user)).collect();
    let reached = position + users.len() as i64;
    let chunk = Chunk {
        claim,
        org: ORG,
        ca_certificate: AUTHORITY,
        users: &users,
        position,
        part_over: (reached / size > part || reached >= total).then_some(part),
        is_last: reached >= total,
    };
    match store.bulk_step(&chunk)? {
        Step::Done => Ok(Some(reached)),
        Step::Lost => Ok(None),
        other => panic!("{other:?} although the organization stays"),
    }
}

/// How far the job is; `None`: it is another's by now.
fn reached(store: &Store, claim: Claim) -> Result<Option<i64>, StoreError> {
    let job = store.job(claim.job)?.filter(|job| job.fence == claim.fence.0);
    let open = |job: &JobDoc| matches!(job.state, JobState::Running | JobState::Done);
    Ok(job.filter(open).map(|job| job.position))
}
