//! Bulk creations on three hosts: shared evenly, and each user exactly once, though a host dies.

use super::jobs::{holders, state, wait_dead};
use super::rig::{HOSTS, Links, documents, hosts, primary_uri, scaled, site};
use crate::needs;
use crate::support::daemon::Daemon;
use crate::support::http::Http;
use crate::support::keys;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{pause, seconds, wait_for, wait_until};
use mongodb::bson::{Document, doc};
use mongodb::sync::Client;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use warren::limits;

/// Of an organization, all in one step of its job: jobs of nearly the same cost.
const USERS: usize = limits::BULK_PART_USERS;

/// Busy time of the least busy host, in percent of the busiest one's: what the design promises,
/// and with a tenth of the jobs three times the difference, for a job is then a tenth itself.
fn busy_percent_min() -> u128 {
    scaled(85, 55)
}

/// Keys for as many organizations, so many that the pools need none while they are used.
fn plant(set: &ReplicaSet, orgs: usize) -> usize {
    let stay = usize::try_from(limits::POOL_RSA2048_MAX).expect("small");
    // Some are kept for jobs under way, and some go with a host.
    let spare = 2 * USERS * HOSTS.len();
    let times = (orgs * USERS + spare + stay).div_ceil(64);
    keys::plant(&primary_uri(set), times);
    times * 64
}

fn create_orgs(http: &mut Http, count: usize) -> Vec<String> {
    let one = |number| {
        let made = http.post("/organization", &json!({ "name": format!("org-{number:03}") })).ok();
        made["id"].as_str().expect("an id").to_owned()
    };
    (0..count).map(one).collect()
}

/// A job for each, ordered of one host.
fn order(http: &mut Http, orgs: &[String]) {
    let people: Value = (0..USERS).map(|n| json!({ "name": format!("u{n:05}") })).collect();
    for org in orgs {
        let begun = http.post(&format!("/user/{org}/multi"), &people);
        assert_eq!(begun.status, 202, "{}", begun.text());
    }
}

fn count(client: &Client, name: &str, filter: Document) -> usize {
    let found = client.database("warren").collection::<Document>(name);
    let count = found.count_documents(filter).run().expect("a count");
    usize::try_from(count).expect("small")
}

fn bulk(of_state: &str) -> Document {
    doc! { "kind": "bulk-users", "state": of_state }
}

/// The jobs, when all are done.
fn wait_done(set: &ReplicaSet, orgs: usize) -> Vec<Document> {
    let client = set.client();
    wait_until("every job done", seconds(scaled(600, 240)), || {
        assert_eq!(count(&client, "jobs", doc! { "state": "failed" }), 0);
        count(&client, "jobs", bulk("done")) == orgs
    });
    // Whoever does something twice is about to.
    pause(seconds(3));
    let jobs = documents(set, "jobs");
    assert!(jobs.iter().all(|job| state(job) == "done"), "nothing is to be done");
    assert_eq!(jobs.len(), orgs, "no other job was needed");
    jobs
}

/// Each user of each organization once, and nothing left over. Answers how many keys are gone.
fn check_effects(set: &ReplicaSet, http: &mut Http, orgs: &[String], planted: usize) -> usize {
    let users: Vec<Document> = documents(set, "users")
        .into_iter()
        .filter(|user| user.get_str("type").is_ok_and(|kind| kind == "client"))
        .collect();
    let mut of_orgs: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for user in &users {
        let org = user.get_object_id("org_id").expect("an id").to_hex();
        of_orgs.entry(org).or_default().push(user.get_str("name").expect("a name"));
    }
    let expected: Vec<String> = (0..USERS).map(|n| format!("u{n:05}")).collect();
    for org in orgs {
        let mut names = of_orgs.remove(org).unwrap_or_default();
        names.sort_unstable();
        assert_eq!(names, expected, "{org}");
    }
    assert_eq!(of_orgs.len(), 0, "nobody else's");
    for field in ["certificate", "otp_secret", "sync_token", "sync_secret"] {
        let texts: HashSet<_> =
            users.iter().map(|user| user.get_str(field).expect("a text")).collect();
        assert_eq!(texts.len(), orgs.len() * USERS, "{field}: each has its own");
    }
    for org in documents(set, "organizations") {
        let told = org.get_i64("user_count").expect("a count");
        assert_eq!(told, USERS as i64, "{}", org.get_object_id("_id").expect("an id"));
    }
    let last = orgs.last().expect("one");
    assert_eq!(http.get(&format!("/organization/{last}")).ok()["user_count"], USERS);
    let client = set.client();
    assert_eq!(count(&client, "job_parts", doc! {}), 0, "nothing is kept of what was created");
    let left = doc! { "kind": "rsa2048", "reserved_for": { "$ne": null } };
    assert_eq!(count(&client, "pool", left), 0, "nothing is kept for anybody");
    planted - count(&client, "pool", doc! { "kind": "rsa2048" })
}

fn millis(job: &Document, field: &str) -> i64 {
    job.get_datetime(field).expect("a date").timestamp_millis()
}

/// By their names: how many jobs each host did, and how long it was at them, by the server's dates.
fn busy(set: &ReplicaSet, jobs: &[Document]) -> BTreeMap<String, (usize, Duration)> {
    let mut busy: BTreeMap<String, (usize, Duration)> = BTreeMap::new();
    let names: BTreeMap<String, String> =
        hosts(&set.client()).into_iter().map(|(name, host)| (host.id, name)).collect();
    for job in jobs {
        let host = job.get_document("holder").expect("a holder").get_str("host").expect("an id");
        let took = millis(job, "ended") - millis(job, "claimed");
        let (jobs, time) = busy.entry(names[host].clone()).or_default();
        *jobs += 1;
        *time += Duration::from_millis(u64::try_from(took).expect("ended after its claim"));
    }
    let all = jobs.iter().map(|job| millis(job, "ended")).max().expect("a job")
        - jobs.iter().map(|job| millis(job, "claimed")).min().expect("a job");
    let users = jobs.len() * USERS;
    println!("figure: {users} users in {all} ms: {} a second", users as i64 * 1000 / all.max(1));
    for (name, (jobs, time)) in &busy {
        println!("figure: {name} did {jobs} jobs in {time:.1?}");
    }
    busy
}

fn assert_even(busy: &BTreeMap<String, (usize, Duration)>) {
    let times = HOSTS.map(|name| busy.get(name).map_or(0, |(_, time)| time.as_millis()));
    let (min, max) = (times.into_iter().min().unwrap_or(0), times.into_iter().max().unwrap_or(0));
    println!(
        "figure: the least busy host has {} % of the busiest one's time",
        min * 100 / max.max(1)
    );
    assert!(min * 100 >= max * busy_percent_min(), "{busy:?}");
}

#[test]
fn many_jobs_of_one_cost_keep_all_hosts_busy_for_the_same_time() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Open, 0);
    let planted = plant(&set, scaled(300, 30));
    let daemons = site.start(&set);
    let mut http = site.sign_in(&daemons).remove(0);
    let orgs = create_orgs(&mut http, scaled(300, 30));
    order(&mut http, &orgs);
    let jobs = wait_done(&set, orgs.len());
    let used = check_effects(&set, &mut http, &orgs, planted);
    assert_eq!(used, orgs.len() * USERS, "a key each");
    assert_even(&busy(&set, &jobs));
}

/// The hosts are idle when a job comes: who is first to hear of it must not do them all.
#[test]
fn jobs_one_after_the_other_go_to_the_host_that_did_least() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Open, 0);
    let planted = plant(&set, scaled(90, 15));
    let daemons = site.start(&set);
    let mut http = site.sign_in(&daemons).remove(0);
    let orgs = create_orgs(&mut http, scaled(90, 15));
    let client = set.client();
    for (before, org) in orgs.iter().enumerate() {
        order(&mut http, std::slice::from_ref(org));
        let is_done = || count(&client, "jobs", bulk("done")) == before + 1;
        wait_until("the job done", seconds(30), is_done);
    }
    let jobs = wait_done(&set, orgs.len());
    check_effects(&set, &mut http, &orgs, planted);
    assert_even(&busy(&set, &jobs));
}

/// Stands the second host still while it holds a job.
fn freeze_in_mid_job(set: &ReplicaSet, daemon: &Daemon<'_>, orgs: usize) {
    let client = set.client();
    let id = hosts(&client)["h2"].id.clone();
    wait_for("a host in mid-job", seconds(60), || {
        assert!(count(&client, "jobs", bulk("done")) < orgs, "the test was too slow");
        daemon.process.freeze();
        // What it had sent arrives.
        pause(Duration::from_millis(300));
        let found = holders(set).contains(&id);
        if !found {
            daemon.process.thaw();
        }
        found.then_some(())
    });
}

#[test]
fn a_host_killed_in_mid_bulk_job_leaves_each_user_once_and_nothing_over() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Open, 0);
    let planted = plant(&set, scaled(100, 30));
    let mut daemons = site.start(&set);
    let mut http = site.sign_in(&daemons).remove(0);
    let orgs = create_orgs(&mut http, scaled(100, 30));
    order(&mut http, &orgs);
    freeze_in_mid_job(&set, &daemons[1], orgs.len());
    let client = set.client();
    daemons[1].process.kill_9();
    println!("figure: killed after {} of {}", count(&client, "jobs", bulk("done")), orgs.len());
    wait_dead(&set, 1);
    let jobs = wait_done(&set, orgs.len());
    let used = check_effects(&set, &mut http, &orgs, planted);
    busy(&set, &jobs);
    // Keys that it had in its hands are nobody's any more, which is no harm.
    let lost = used - orgs.len() * USERS;
    println!("figure: {lost} keys went with it");
    assert!(lost <= USERS, "{lost}");
    daemons[1] = site.homes[1].start();
    wait_done(&set, orgs.len());
    assert_eq!(check_effects(&set, &mut http, &orgs, planted), used);
}

/// Keys that somebody had in hands when it lost its job, or did not hear what became of a step,
/// are nobody's any more, which is no harm.
fn check_but_for_keys_in_hands(
    set: &ReplicaSet,
    http: &mut Http,
    orgs: &[String],
    planted: usize,
    hands: usize,
) {
    let used = check_effects(set, http, orgs, planted);
    let lost = used - orgs.len() * USERS;
    println!("figure: {lost} keys were lost");
    assert!(lost <= hands * USERS, "{lost}");
}

#[test]
#[ignore = "takes minutes: make prove"]
fn a_host_frozen_in_mid_bulk_job_comes_back_and_changes_nothing() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Open, 0);
    let planted = plant(&set, 60);
    let daemons = site.start(&set);
    let mut http = site.sign_in(&daemons).remove(0);
    let orgs = create_orgs(&mut http, 60);
    order(&mut http, &orgs);
    freeze_in_mid_job(&set, &daemons[1], orgs.len());
    let epoch = hosts(&set.client())["h2"].epoch;
    pause(seconds(20));
    wait_dead(&set, 1);
    daemons[1].process.thaw();
    wait_until("its return", seconds(20), || {
        let now = &hosts(&set.client())["h2"];
        now.alive && now.epoch == epoch + 2
    });
    wait_done(&set, orgs.len());
    check_but_for_keys_in_hands(&set, &mut http, &orgs, planted, 1);
}

#[test]
#[ignore = "takes minutes: make prove"]
fn bulk_jobs_go_on_after_a_time_without_the_database() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Open, 0);
    let planted = plant(&set, 60);
    let daemons = site.start(&set);
    let mut http = site.sign_in(&daemons).remove(0);
    let orgs = create_orgs(&mut http, 60);
    order(&mut http, &orgs);
    wait_until("all of them in mid-job", seconds(60), || {
        assert!(count(&set.client(), "jobs", bulk("done")) < orgs.len(), "too slow");
        holders(&set).len() == HOSTS.len()
    });
    site.cut_database();
    pause(seconds(20));
    site.heal();
    wait_done(&set, orgs.len());
    check_but_for_keys_in_hands(&set, &mut http, &orgs, planted, HOSTS.len());
}
