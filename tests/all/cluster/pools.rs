//! Keys and DH parameters on three hosts: who finds them there does not wait, and what is being
//! made is not made twice.

use super::jobs::state;
use super::rig::{HOSTS, Links, Site, collection, documents, primary_uri, site};
use crate::needs;
use crate::support::http::Http;
use crate::support::keys;
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::{Document, doc};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A server with a network and a port of its own.
fn server(number: usize) -> Value {
    json!({
        "name": format!("s{number}"), "network": format!("10.40.{number}.0/24"),
        "port": 20_000 + number, "protocol": "udp", "cipher": "aes128", "hash": "sha256",
    })
}

fn id(made: &Value) -> String {
    made["id"].as_str().expect("an id").to_owned()
}

#[test]
fn nobody_waits_for_a_key_while_the_pools_are_as_full_as_a_fresh_box_has_them() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Open, 0);
    keys::plant(&primary_uri(&set), 1);
    let daemons = site.start(&set);
    let mut http = site.sign_in(&daemons).remove(0);
    let mut longest = Duration::ZERO;
    let mut timed = |create: &mut dyn FnMut()| {
        let begin = Instant::now();
        create();
        longest = longest.max(begin.elapsed());
    };
    let mut orgs = Vec::new();
    for n in 0..3 {
        let body = json!({ "name": format!("o{n}") });
        timed(&mut || orgs.push(id(&http.post("/organization", &body).ok())));
    }
    for n in 0..50 {
        let (path, body) = (format!("/user/{}", orgs[n % 3]), json!({ "name": format!("u{n}") }));
        timed(&mut || drop(http.post(&path, &body).ok()));
    }
    for n in 0..5 {
        timed(&mut || drop(http.post("/server", &server(n)).ok()));
    }
    println!("figure: the longest of 58 creations took {longest:.1?}");
    let waited = doc! { "$or": [{ "urgent": true }, { "reserved_for": { "$exists": true } }] };
    let waited = collection(&set, "jobs").count_documents(waited).run().expect("a count");
    assert_eq!(waited, 0, "somebody waited for a key");
    let people = doc! { "type": "client" };
    let people = collection(&set, "users").count_documents(people).run().expect("a count");
    assert_eq!(people, 50);
}

fn dh_jobs(set: &ReplicaSet) -> Vec<Document> {
    let jobs = documents(set, "jobs").into_iter();
    jobs.filter(|job| job.get_str("kind").is_ok_and(|kind| kind == "dh-params")).collect()
}

/// Stops the child that looks for a prime, and answers whose it is.
fn hold(site: &Site) -> Option<(usize, String)> {
    (0..HOSTS.len()).find_map(|number| {
        let listed = site.host(number).sh("ps -eo pid,args | grep '[d]h-params' || true");
        let child = listed.split_whitespace().next()?.to_owned();
        let stopped = site.host(number).output(&["kill", "-STOP", &child]);
        stopped.status.success().then_some((number, child))
    })
}

/// A server whose parameters are in the making, and the child that can not get on with them. By
/// chance they are found so soon that there is none.
fn in_the_making(site: &Site, set: &ReplicaSet, http: &mut Http) -> (String, usize, String) {
    for n in 0..10 {
        let mut body = server(n);
        body["dh_param_bits"] = json!(1024);
        let made = id(&http.post("/server", &body).ok());
        let mut held = None;
        wait_until("a child, or the end of its job", seconds(60), || {
            held = hold(site);
            held.is_some() || dh_jobs(set).iter().any(|job| state(job) == "done")
        });
        if let Some((number, child)) = held
            && dh_jobs(set).iter().any(|job| state(job) == "running")
        {
            return (made, number, child);
        }
        http.delete(&format!("/server/{made}")).ok();
        collection(set, "jobs").delete_many(doc! { "kind": "dh-params" }).run().expect("gone");
    }
    panic!("ten primes in a row were found at once");
}

#[test]
fn a_server_created_while_dh_parameters_are_in_the_making_gets_those() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Open, 0);
    keys::plant(&primary_uri(&set), 2);
    let daemons = site.start(&set);
    let mut http = site.sign_in(&daemons).remove(0);
    let (first, number, child) = in_the_making(&site, &set, &mut http);
    // Whom they were made for is gone.
    http.delete(&format!("/server/{first}")).ok();
    let mut body = server(20);
    body["dh_param_bits"] = json!(1024);
    let second = id(&http.post("/server", &body).ok());
    let runs = || {
        let pools = collection(&set, "tasks").find_one(doc! { "_id": "pools" }).run();
        pools.expect("a read").map_or(0, |task| task.get_i64("run").expect("a number"))
    };
    let before = runs();
    http.put("/task/pools/run", &json!({})).ok();
    wait_until("a look at the pools", seconds(15), || runs() > before);
    assert_eq!(dh_jobs(&set).len(), 1, "one job, not two");
    site.host(number).sh(&format!("kill -CONT {child}"));
    let params = || {
        let all = documents(&set, "servers");
        let one = all
            .iter()
            .find(|one| one.get_object_id("_id").is_ok_and(|found| found.to_hex() == second));
        one.expect("the server").get_str("dh_params").is_ok()
    };
    wait_until("the parameters", seconds(120), params);
    let jobs = dh_jobs(&set);
    assert_eq!((jobs.len(), state(&jobs[0])), (1, "done"));
    let left = collection(&set, "pool").count_documents(doc! { "kind": "dh1024" }).run();
    assert_eq!(left.expect("a count"), 0, "nothing is left over");
}
