//! Jobs under faults: the effect of each exactly once, and nothing left over.

use super::rig::{HOSTS, HostNow, Links, Site, collection, documents, hosts, scaled, site, store};
use super::secrets;
use crate::needs;
use crate::support::daemon::Daemon;
use crate::support::mongo::ReplicaSet;
use crate::support::place::Place;
use crate::support::wait::{pause, seconds, wait_for, wait_until};
use mongodb::bson::Document;
use std::collections::HashSet;
use std::time::Instant;
use warren::pki::KeyKind;
use warren::store::jobs::{NewJob, Work};
use warren::store::pool::PoolKind;

/// Keys of a run, each made by one job: every host gets at least one.
const KEYS: i64 = 6;

/// The child that makes a key there, by the process id that its place knows it by.
fn child(place: &Place) -> Option<String> {
    let listed = place.sh("ps -eo pid,args | grep '[p]rivate-key' || true");
    listed.split_whitespace().next().map(str::to_owned)
}

/// A host in mid-job, which can not get on with it.
struct Holding {
    number: usize,
    child: String,
}

fn wait_holding(site: &Site, set: &ReplicaSet) -> Holding {
    wait_for("a host in mid-job", seconds(60), || {
        let found = (0..HOSTS.len()).find_map(|number| {
            let child = child(site.host(number))?;
            let stopped = site.host(number).output(&["kill", "-STOP", &child]);
            stopped.status.success().then_some(Holding { number, child })
        })?;
        // It may have ended just before.
        let id = &hosts(&set.client())[HOSTS[found.number]].id;
        holders(set).contains(id).then_some(found)
    })
}

/// The hosts of running jobs.
pub(super) fn holders(set: &ReplicaSet) -> Vec<String> {
    let running = documents(set, "jobs").into_iter().filter(|job| state(job) == "running");
    let host = |job: Document| {
        let holder = job.get_document("holder").expect("a holder");
        holder.get_str("host").expect("a host").to_owned()
    };
    running.map(host).collect()
}

pub(super) fn state(job: &Document) -> &str {
    job.get_str("state").expect("a state")
}

/// Waits until nothing is to be done, and counts what was.
fn wait_effects(site: &Site, set: &ReplicaSet, count: usize) {
    wait_until("every job done", seconds(120), || {
        let jobs = documents(set, "jobs");
        jobs.len() >= count && jobs.iter().all(|job| state(job) == "done")
    });
    // Whoever does something twice is about to.
    pause(seconds(3));
    let (jobs, pool) = (documents(set, "jobs"), documents(set, "pool"));
    assert_eq!(jobs.len(), count, "no other job was needed");
    assert!(jobs.iter().all(|job| state(job) == "done"));
    let contents: HashSet<&str> =
        pool.iter().map(|key| key.get_str("content").expect("a key")).collect();
    assert_eq!((pool.len(), contents.len()), (count, count), "each effect once");
    let kept = pool.iter().filter(|key| key.get_str("reserved_for").is_ok()).count();
    assert_eq!(kept, 0, "nothing is kept for anybody");
    assert!((0..HOSTS.len()).all(|number| child(site.host(number)).is_none()), "no child");
    let attempts: Vec<i64> =
        jobs.iter().map(|job| job.get_i64("attempts").expect("a count")).collect();
    println!("figure: claims of each job: {attempts:?}");
    secrets::assert_none_told(site, set, &contents.into_iter().collect::<Vec<_>>());
}

pub(super) fn wait_dead(set: &ReplicaSet, number: usize) {
    wait_until("a declaration", seconds(20), || !hosts(&set.client())[HOSTS[number]].alive);
}

#[test]
fn a_host_killed_in_mid_job_leaves_its_job_to_others_once() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Cut, KEYS);
    let mut daemons = site.start(&set);
    let Holding { number, .. } = wait_holding(&site, &set);
    daemons[number].process.kill_9();
    let begin = Instant::now();
    let id = hosts(&set.client())[HOSTS[number]].id.clone();
    wait_dead(&set, number);
    wait_until("its job to be free", seconds(10), || !holders(&set).contains(&id));
    println!("figure: {}'s job was free {:.2?} after its death", HOSTS[number], begin.elapsed());
    wait_effects(&site, &set, usize::try_from(KEYS).expect("small"));
    daemons[number] = site.homes[number].start();
    wait_effects(&site, &set, usize::try_from(KEYS).expect("small"));
}

#[test]
fn a_host_frozen_in_mid_job_comes_back_and_changes_nothing() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Open, KEYS);
    let daemons = site.start(&set);
    let Holding { number, child } = wait_holding(&site, &set);
    let before: HostNow = hosts(&set.client())[HOSTS[number]].clone();
    daemons[number].process.freeze();
    pause(seconds(scaled(20, 8)));
    wait_dead(&set, number);
    wait_until("its job in other hands", seconds(60), || !holders(&set).contains(&before.id));
    daemons[number].process.thaw();
    // What it makes comes late, if it is made at all.
    site.host(number).sh(&format!("kill -CONT {child}"));
    wait_until("its return", seconds(20), || {
        let now = &hosts(&set.client())[HOSTS[number]];
        now.alive && now.epoch == before.epoch + 2
    });
    wait_until("it to find its job in other hands", seconds(60), || {
        let log = site.homes[number].log();
        log.contains("was taken away") || log.contains("is another's by now")
    });
    wait_effects(&site, &set, usize::try_from(KEYS).expect("small"));
}

/// How the database goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    Cut,
    Killed,
}

fn outage_in_mid_job(outage: Outage) {
    let (site, mut set) = site(Links::Open, KEYS);
    let _daemons = site.start(&set);
    let Holding { number, child } = wait_holding(&site, &set);
    match outage {
        Outage::Cut => site.cut_database(),
        Outage::Killed => set.members.iter_mut().for_each(|member| member.kill_9()),
    }
    let gone = seconds(scaled(20, 8));
    pause(gone / 2);
    // The work is done while the database is away.
    site.host(number).sh(&format!("kill -CONT {child}"));
    pause(gone / 2);
    match outage {
        Outage::Cut => site.heal(),
        Outage::Killed => set.members.iter_mut().for_each(|member| member.restart()),
    }
    let begin = Instant::now();
    set.primary();
    wait_effects(&site, &set, usize::try_from(KEYS).expect("small"));
    println!("figure: all was done {:.1?} after the return of the database", begin.elapsed());
    for (name, host) in hosts(&set.client()) {
        assert_eq!((host.epoch, host.alive), (1, true), "{name}");
    }
}

#[test]
fn jobs_go_on_after_a_time_without_the_database() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    outage_in_mid_job(Outage::Cut);
}

#[test]
#[ignore = "other ways to lose it: make prove"]
fn jobs_go_on_after_a_time_without_the_database_killed() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    outage_in_mid_job(Outage::Killed);
}

#[test]
fn a_job_of_hosts_that_were_all_killed_is_done_when_one_is_back() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Cut, 0);
    let mut daemons: Vec<Daemon<'_>> = site.start(&set);
    // None of them claims it, nor hears that the others are silent.
    daemons.iter().for_each(|daemon| daemon.process.freeze());
    let (store, work) = (store(&set), Work::to_fill(PoolKind::Key(KeyKind::Rsa2048)));
    for reserved_for in [None, Some("0123456789abcdef01234567")] {
        store.job_insert(NewJob { id: store.new_id(), work, reserved_for }).expect("a job");
    }
    daemons.iter_mut().for_each(|daemon| daemon.process.kill_9());
    assert!(documents(&set, "jobs").iter().all(|job| state(job) == "ready"), "unclaimed");
    drop(daemons);
    let begin = Instant::now();
    let _daemons = site.start(&set);
    let jobs = || documents(&set, "jobs");
    wait_until("both done", seconds(60), || jobs().iter().all(|job| state(job) == "done"));
    println!("figure: done {:.1?} after the hosts' return", begin.elapsed());
    let count =
        || collection(&set, "pool").count_documents(Document::new()).run().expect("a count");
    assert_eq!(count(), 2);
    if super::rig::is_full() {
        // Who asked does not come back: what is kept for it is anybody's after a while.
        wait_until("nothing kept", seconds(300), || {
            let kept = |key: &Document| key.get_str("reserved_for").is_ok();
            !documents(&set, "pool").iter().any(kept)
        });
        wait_effects(&site, &set, 2);
    }
}
