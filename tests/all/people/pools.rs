//! Creations that find no key: their clients wait without a thread and get what they asked for.

use super::{Rig, create_org, id, names};
use crate::needs;
use crate::support::http::Http;
use crate::support::wait::seconds;
use mongodb::bson::doc;
use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};
use warren::pki::KeyKind;

#[test]
fn what_finds_no_key_is_created_once_when_the_key_is_made() {
    needs!(Namespaces, Mongod);
    let rig = Rig::new();
    let daemon = rig.home.start();
    let mut http = rig.enter(&daemon);
    let begin = Instant::now();
    let org = create_org(&mut http, "patient");
    println!("organization without a key after {:?}", begin.elapsed());
    let key = rig.store.org_with_keys(org.parse().expect("an id")).expect("a read");
    let ca = key.expect("an organization").ca_certificate;
    let ca = openssl::x509::X509::from_pem(ca.as_bytes()).expect("a certificate");
    assert_eq!(ca.public_key().expect("a key").bits(), 4096);

    // Several at once, each with keys of its own.
    let mut agents: Vec<Http> = vec![http.clone(), http.clone(), signed(&mut http)];
    let path = format!("/user/{org}");
    let threads: Vec<_> = (0..agents.len())
        .map(|n| {
            let (mut agent, path) = (agents.remove(0), path.clone());
            let bodies = json!([{ "name": format!("a{n}") }, { "name": format!("b{n}") }]);
            thread::spawn(move || agent.post(&format!("{path}/multi"), &bodies))
        })
        .collect();
    for created in threads {
        let created = created.join().expect("an answer").ok();
        assert_eq!(created.as_array().map(Vec::len), Some(2));
    }
    let listed = http.get(&path).ok();
    assert_eq!(names(&listed), ["a0", "a1", "a2", "b0", "b1", "b2"], "each once");
    assert_eq!(rig.count("users", doc! {}), 6);
    assert_eq!(rig.texts("users", "private_key").len(), 6, "no key twice");
    assert!(begin.elapsed() < seconds(90), "{:?}", begin.elapsed());
    assert!(daemon.stop().success());
}

/// The same administrator with an API token: its nonce is good once, and the front asks twice.
fn signed(http: &mut Http) -> Http {
    let admin = id(&http.get("/admin").ok()[0]);
    let body = json!({ "username": "admin", "auth_api": true, "super_user": true });
    let admin = http.put(&format!("/admin/{admin}"), &body).ok();
    let text = |field: &str| admin[field].as_str().expect("text").to_owned();
    http.signed_by(&text("token"), &text("secret"))
}

#[test]
fn nobody_waits_while_the_pools_are_filled() {
    needs!(Namespaces, Mongod);
    let rig = Rig::new();
    rig.fill(KeyKind::Rsa4096, 1);
    let planted = rig.fill(KeyKind::Rsa2048, 220);
    let daemon = rig.home.start();
    let mut http = rig.enter(&daemon);
    let org = create_org(&mut http, "quick");
    let mut took: Vec<_> = (0..200)
        .map(|n| {
            let begin = Instant::now();
            http.post(&format!("/user/{org}"), &json!({ "name": format!("u{n}") })).ok();
            begin.elapsed()
        })
        .collect();
    took.sort();
    println!("create user over a new TLS connection each: p50 {:?} p99 {:?}", took[100], took[197]);
    assert_eq!(http.get(&format!("/organization/{org}")).ok()["user_count"], 200);
    assert!(daemon.stop().success());
    // What was signed in advance and not used is not lost.
    let used = rig.texts("users", "private_key");
    let left = rig.texts("pool", "content");
    let lost = planted.iter().filter(|key| !used.contains(*key) && !left.contains(*key)).count();
    assert_eq!((used.len(), lost), (200, 0));
    assert!(used.is_disjoint(&left), "no key twice");
}

#[test]
fn nobody_waits_at_a_full_pool() {
    needs!(Namespaces, Mongod);
    let rig = Rig::new();
    // As full as a fresh box has them.
    rig.fill(KeyKind::Rsa4096, 8);
    rig.fill(KeyKind::Rsa2048, 64);
    let daemon = rig.home.start();
    let mut http = rig.enter(&daemon);
    let mut longest = Duration::ZERO;
    let mut timed = |create: &mut dyn FnMut()| {
        let begin = Instant::now();
        create();
        longest = longest.max(begin.elapsed());
    };
    let mut orgs = Vec::new();
    for n in 0..3 {
        timed(&mut || orgs.push(create_org(&mut http, &format!("o{n}"))));
    }
    for n in 0..50 {
        let path = format!("/user/{}", orgs[n % 3]);
        timed(&mut || drop(http.post(&path, &json!({ "name": format!("u{n}") })).ok()));
    }
    for n in 0..5 {
        let body = json!({
            "name": format!("s{n}"), "protocol": "udp", "cipher": "aes128", "hash": "sha256",
        });
        timed(&mut || drop(http.post("/server", &body).ok()));
    }
    println!("the longest of 58 creations took {longest:?}");
    let waited = doc! { "$or": [{ "urgent": true }, { "reserved_for": { "$exists": true } }] };
    assert_eq!(rig.count("jobs", waited), 0, "somebody waited for a key");
    assert!(daemon.stop().success());
}
