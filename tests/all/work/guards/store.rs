//! The same where no request is needed: several hosts of one process race harder than daemons.

use super::super::estate::{oid, organization, people, read, server};
use super::super::rig::{Host, claim_of, count, floors, host};
use super::MANY;
use crate::needs;
use crate::support::wait::{seconds, wait_for};
use mongodb::bson::doc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use warren::base::ids::OrgId;
use warren::pool;
use warren::store::instances::Claim;
use warren::store::jobs::Done;
use warren::store::tasks::Attempt;
use warren::store::users::Replaced;
use warren::store::{Store, StoreError};

/// What many come to who do the same at once, on either host.
fn at_once<T: Send>(hosts: &[Host; 2], act: impl Fn(usize, &Host) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(MANY);
    thread::scope(|scope| {
        let acting: Vec<_> = (0..MANY)
            .map(|n| {
                let (host, start, act) = (&hosts[n % 2], &start, &act);
                scope.spawn(move || {
                    start.wait();
                    act(n, host)
                })
            })
            .collect();
        acting.into_iter().map(|one| one.join().expect("a thread")).collect()
    })
}

/// On a very busy machine a transaction may not get through in its time.
fn in_the_end<T>(act: impl Fn() -> Result<T, StoreError>) -> T {
    wait_for("a transaction", seconds(60), || match act() {
        Err(error) if error.is_passing() => None,
        done => Some(done.expect("an answer")),
    })
}

fn winners(won: &[bool]) -> usize {
    won.iter().filter(|won| **won).count()
}

#[test]
fn a_pool_is_filled_to_its_level_and_a_job_task_and_slot_taken_once() {
    needs!(Mongod);
    let set = super::super::rig::set();
    floors(&set, 8, 3);
    let hosts = [host(&set, 1), host(&set, 2)];
    // Guards `pool rsa2048` and `pool rsa4096`: how much is there and in the making.
    let planned = at_once(&hosts, |_, host| in_the_end(|| pool::refill(&host.ground)));
    assert_eq!(planned.iter().sum::<usize>(), 11);
    assert_eq!(count(&set, "jobs", doc! {}), 11);
    for guard in ["pool rsa2048", "pool rsa4096"] {
        assert_eq!(count(&set, "guards", doc! { "_id": guard }), 1, "{guard}");
    }
    // The job's own document.
    let claims = at_once(&hosts, |_, host| {
        let claim = host.ground.store.job_claim(host.holder(), false, Duration::ZERO);
        claim.expect("an answer").map(|job| (job.id, job))
    });
    let jobs: Vec<_> = claims.into_iter().flatten().collect();
    let different: std::collections::HashSet<_> = jobs.iter().map(|(id, _)| *id).collect();
    assert_eq!((jobs.len(), different.len()), (11, 11));
    let ended = at_once(&hosts, |n, host| {
        matches!(host.commit(&jobs[0].1, &n.to_string()), Done::Ended(_))
    });
    assert_eq!((winners(&ended), count(&set, "pool", doc! {})), (1, 1));
    let given_back = at_once(&hosts, |_, host| {
        host.ground.store.job_give_back(claim_of(&jobs[1].1)).expect("an answer")
    });
    assert_eq!(winners(&given_back), 1);
    // The task's own.
    let reserved = at_once(&hosts, |_, host| {
        let fence = host.ground.store.task_reserve("t", None, host.holder(), Attempt::First);
        fence.expect("an answer").is_some()
    });
    assert_eq!(winners(&reserved), 1);
    // The server's: a slot for each replica.
    let id = server(&hosts[0], "10.8.0.0/24", &[&organization(&hosts[0].ground, "o")]);
    let store = &hosts[0].ground.store;
    store.server_start(id).expect("an answer").expect("a server");
    let slots = store.server_slots(hosts[0].ground.host).expect("servers");
    let claimed = at_once(&hosts, |_, host| {
        let (store, epoch) = (&host.ground.store, host.holder().epoch);
        let claim = Claim {
            slots: &slots[0],
            replaced: &[],
            instance: store.new_id(),
            host: hosts[0].ground.host,
            epoch,
            runs: false,
        };
        store.instance_claim(&claim).expect("an answer")
    });
    assert_eq!((winners(&claimed), read(&hosts[0].ground, id).instances.len()), (1, 1));
}

#[test]
fn networks_behind_users_change_only_while_no_server_runs() {
    needs!(Mongod);
    let set = super::super::rig::set();
    let hosts = [host(&set, 1), host(&set, 2)];
    let org = organization(&hosts[0].ground, "o");
    let users = people(&hosts[0].ground, &org, MANY);
    let id = server(&hosts[0], "10.8.0.0/24", &[&org]);
    let mut stored = 0;
    for round in 0..5 {
        hosts[0].ground.store.server_stop(id).expect("an answer").expect("a server");
        let done = AtomicUsize::new(0);
        // The servers' own documents: each change writes them, and so does a start.
        let changed = at_once(&hosts, |n, host| {
            let store = &host.ground.store;
            if n == round * 9 {
                // Amid the others: one of them is done.
                wait_for("a change in time", seconds(60), || {
                    (done.load(Ordering::Relaxed) > 0).then_some(())
                });
                store.server_start(id).expect("an answer").expect("a server");
                return None;
            }
            let mut next = store.user(org.id, users[n]).expect("a read").expect("a user");
            next.network_links = vec![format!("10.{round}.{n}.0/24")];
            let replaced = store.user_replace_links(&next);
            if matches!(replaced, Ok(Replaced::Yes(_))) {
                done.fetch_add(1, Ordering::Relaxed);
            }
            Some((n, replaced))
        });
        let started = read(&hosts[0].ground, id);
        assert!(started.online);
        for (n, replaced) in changed.into_iter().flatten() {
            match replaced {
                Ok(Replaced::Yes(user)) => {
                    stored += 1;
                    assert!(user.rev < started.rev, "round {round}: user {n} after the start");
                }
                Ok(Replaced::ServersRun) => {}
                Ok(Replaced::Moved) => panic!("nobody else changed user {n}"),
                // Too many at once: nothing was done.
                Err(error) => assert!(error.is_passing(), "{error}"),
            }
        }
        let store = &hosts[0].ground.store;
        let mut late = store.user(org.id, users[0]).expect("a read").expect("a user");
        late.network_links = vec!["10.99.0.0/24".to_owned()];
        let late = in_the_end(|| store.user_replace_links(&late));
        assert!(matches!(late, Replaced::ServersRun));
    }
    assert!(stored >= 5, "some came in time in every round");
}

#[test]
fn addresses_of_an_organization_that_is_back_are_not_freed() {
    needs!(Mongod);
    let set = super::super::rig::set();
    let host = host(&set, 1);
    let org = organization(&host.ground, "o");
    let users = people(&host.ground, &org, 300);
    let id = server(&host, "10.8.0.0/16", &[&org]);
    let store = &host.ground.store;
    let with = |orgs: &[OrgId]| {
        let done =
            store.transaction("change a server", |tx| tx.server_set_organizations(id, orgs, None));
        assert!(done.unwrap_or_else(|e: StoreError| panic!("{e}")));
    };
    let give = |store: &Store, from: i64| {
        for (user, n) in users.iter().zip(from..) {
            store.address_insert(id, 1, *user, n).expect("an address");
        }
    };
    let kept =
        || count(&set, "addresses", doc! { "server_id": oid(id), "user_id": { "$exists": true } });
    give(store, 1000);
    with(&[]);
    store.addresses_free_of_org(id, org.id).expect("freed");
    assert_eq!(kept(), 0);
    // It was attached again before the first request had freed everything.
    give(store, 2000);
    with(&[org.id]);
    store.addresses_free_of_org(id, org.id).expect("an end");
    assert_eq!(kept(), 300);
}
