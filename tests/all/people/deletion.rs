//! The end of an organization: many steps, which two may take at once and a crash only delays.

use super::{Rig, create_org, create_user, id, oid};
use crate::needs;
use crate::support::http::Http;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::{Bson, Document, doc};
use serde_json::json;
use std::thread;
use std::time::Instant;
use warren::base::ids::{OrgId, UserId};
use warren::domain::network::Network4;
use warren::pki::KeyKind;
use warren::store::organizations::DeletionStep;

const MANY: usize = 450;
/// More than go within one step of the request.
const LARGE: usize = 30_000;

#[test]
fn an_organization_goes_with_all_that_is_its_own() {
    needs!(Namespaces, Mongod);
    let rig = Rig::new();
    rig.fill(KeyKind::Rsa4096, 2);
    rig.fill(KeyKind::Rsa2048, 2);
    let daemon = rig.home.start();
    let mut http = rig.enter(&daemon);
    let (org, other) = (create_org(&mut http, "gone"), create_org(&mut http, "stays"));
    let stays = id(&create_user(&mut http, &other, &json!({ "name": "stays" })));
    let mut server = |name: &str, number: u16, org: &str, more: &str| {
        let network = format!("10.3{number}.0.0/16");
        let change = json!({ "name": name, "network": network, "port": 1194 + number });
        let server = rig.server(&mut http, org, &change);
        if !more.is_empty() {
            let attachment = format!("/server/{server}/organization/{more}");
            http.put(&attachment, &json!({})).ok();
        }
        server
    };
    let own = server("own", 0, &org, "");
    let signed = server("signed", 1, &org, &other);
    let guest = server("guest", 2, &other, &org);
    let all = doc! { "$set": { "online": true } };
    rig.collection("servers").update_many(doc! {}, all).run().expect("a write");
    let users = rig.plant(&org, MANY);
    assert_eq!(http.get(&format!("/organization/{org}")).ok()["user_count"], MANY);
    give_addresses(&rig, &own, &users, &stays);

    let cursor = newest_event(&mut http, &other);
    assert_eq!(http.delete(&format!("/organization/{org}")).ok(), json!({}));
    assert_eq!(http.get(&format!("/organization/{org}")).status, 404);
    assert_eq!(rig.count("organizations", doc! {}), 1);
    // Both servers' certificates and their holders are the other organization's now.
    assert_eq!(rig.count("users", doc! {}), 3);
    assert_eq!(rig.count("tombstones", doc! {}), MANY as u64 + 3, "two servers' users, and itself");
    assert_eq!(rig.count("addresses", doc! {}), MANY as u64 + 1, "they can be given out again");
    assert_eq!(rig.count("addresses", doc! { "user_id": { "$exists": true } }), 1);
    let other: OrgId = other.parse().expect("an id");
    let now = |server: &String| {
        let server = rig.store.server(server.parse().expect("an id")).expect("a read");
        let server = server.expect("a server");
        (server.organizations, server.online, server.primary_organization, server.primary_user)
    };
    assert_eq!(now(&own), (vec![], false, None, None));
    for server in [&signed, &guest] {
        let (organizations, online, primary, holder) = now(server);
        assert_eq!((organizations, online, primary), (vec![other], true, Some(other)));
        let holder = holder.expect("whose certificate it shows");
        let found = rig.store.user_with_keys(other, holder).expect("a read").expect("a user");
        assert!(found.keys.certificate.contains("BEGIN CERTIFICATE"));
    }
    // What showed a certificate of the CA that has gone runs anew with the other one's.
    let run = |server: &String| {
        let server = rig.collection("servers").find_one(doc! { "_id": oid(server) }).run();
        server.expect("a read").expect("a server").get_i64("run").expect("a number")
    };
    assert_eq!((run(&signed), run(&guest)), (1, 0));
    check_events(&mut http, &cursor, &[&own, &signed, &guest]);
    assert_eq!(http.get("/status").ok()["user_count"], 1);
    assert!(daemon.stop().success());
}

/// One for each user on a server, where repairs find nothing wrong with them; and one of somebody
/// else.
fn give_addresses(rig: &Rig, server: &str, users: &[UserId], other: &str) {
    let stored = rig.store.server(server.parse().expect("an id")).expect("a read");
    let stored = stored.expect("a server");
    let network: Network4 = stored.options.network.parse().expect("a network");
    let row = |(n, user): (u32, Bson)| {
        let address = i64::from(network.host(n + 2).expect("room").to_bits());
        doc! {
            "server_id": oid(server), "generation": stored.generation, "address": address,
            "user_id": user,
        }
    };
    let users = users.iter().map(|user| Bson::ObjectId(oid(&user.to_string())));
    let users = users.chain([Bson::ObjectId(oid(other))]);
    let rows: Vec<Document> = (0..).zip(users).map(row).collect();
    rig.collection("addresses").insert_many(rows).run().expect("addresses");
}

/// The newest event's id, after making one.
fn newest_event(http: &mut Http, org: &str) -> String {
    let mut waiting = http.clone();
    let poll = thread::spawn(move || waiting.get("/event").ok());
    let body = json!({ "name": "stays" });
    wait_until("an event", seconds(15), || {
        http.put(&format!("/organization/{org}"), &body).ok();
        poll.is_finished()
    });
    let events = poll.join().expect("an answer");
    id(events.as_array().and_then(|events| events.last()).expect("an event"))
}

fn check_events(http: &mut Http, cursor: &str, servers: &[&str]) {
    let mut expected =
        vec![("organizations_updated".to_owned(), None), ("servers_updated".to_owned(), None)];
    let of =
        |server: &&str| ("server_organizations_updated".to_owned(), Some((*server).to_owned()));
    expected.extend(servers.iter().map(of));
    wait_until("all events", seconds(10), || {
        let events = http.get(&format!("/event/{cursor}")).ok();
        let events = events.as_array().expect("a list").iter().map(|event| {
            let text = |field: &str| event[field].as_str().map(str::to_owned);
            (text("type").expect("a type"), text("resource_id"))
        });
        let events: Vec<_> = events.collect();
        expected.iter().all(|event| events.contains(event))
    });
}

#[test]
fn a_deletion_that_was_cut_short_is_finished_by_the_next() {
    needs!(Namespaces, Mongod);
    let rig = Rig::new();
    // The repair would do it too (work::repairs).
    rig.hold_off("organizations");
    rig.fill(KeyKind::Rsa4096, 4);
    let mut daemon = rig.home.start();
    let mut http = rig.enter(&daemon);
    let org = create_org(&mut http, "doomed");
    let path = format!("/organization/{org}");
    rig.plant(&org, 3000);
    let left = || rig.count("users", doc! { "org_id": oid(&org) });
    let deleting = {
        let (mut http, path) = (http.clone(), path.clone());
        thread::spawn(move || http.try_send("DELETE", &path, None).map(|reply| reply.status))
    };
    wait_until("the first users to go", seconds(20), || left() < 3000);
    daemon.process.kill_9();
    let ended = deleting.join().expect("a thread");
    assert!(!matches!(ended, Ok(200)), "it was not in the middle: {ended:?}");
    assert!((1..3000).contains(&left()), "{}", left());
    drop(daemon);
    // The server keeps the open transaction of a dead client for a minute or more: not now.
    rig.set.members[0].admin(doc! { "killAllSessions": [] }).expect("no open transaction");

    let daemon = rig.home.start();
    http.login("admin", super::PASSWORD).ok();
    // Hidden, and nothing can be added.
    assert_eq!(http.get(&path).status, 404);
    assert_eq!(http.get("/organization").ok(), json!([]));
    assert_eq!(http.get(&format!("/user/{org}")).status, 404);
    assert_eq!(http.post(&format!("/user/{org}"), &json!({ "name": "late" })).status, 404);
    assert_eq!(http.get("/status").ok()["user_count"], 0);
    let org_id: OrgId = org.parse().expect("an id");
    assert_eq!(rig.store.orgs_deleting(10).expect("a read"), [org_id]);
    assert_eq!(http.delete(&path).ok(), json!({}));
    assert_eq!((left(), rig.count("organizations", doc! {})), (0, 0));
    assert_eq!(http.delete(&path).status, 404);

    check_steps(&rig, &mut http);
    check_two_at_once(&rig, &mut http);
    assert!(daemon.stop().success());
}

#[test]
fn a_large_organization_holds_no_handler_while_it_goes() {
    needs!(Namespaces, Mongod);
    let rig = Rig::new();
    rig.fill(KeyKind::Rsa4096, 1);
    let daemon = rig.home.start();
    let mut http = rig.enter(&daemon);
    let org = create_org(&mut http, "large");
    rig.plant(&org, LARGE);
    let begin = Instant::now();
    assert_eq!(http.delete(&format!("/organization/{org}")).ok(), json!({}));
    println!("{LARGE} users deleted in {:?}", begin.elapsed());
    assert!(daemon.process.log().contains("its client comes again"), "it went in one piece");
    assert_eq!((rig.count("users", doc! {}), rig.count("organizations", doc! {})), (0, 0));
    assert!(daemon.stop().success());
}

/// As a repair does it, step by step; each is small.
fn check_steps(rig: &Rig, http: &mut Http) {
    let (org, other) = (create_org(http, "steps"), create_org(http, "other"));
    let org_id: OrgId = org.parse().expect("an id");
    let users = rig.plant(&org, MANY);
    let stays = rig.plant(&other, 1)[0].to_string();
    let server = rig.server(http, &other, &json!({ "network": "10.40.0.0/16" }));
    give_addresses(rig, &server, &users, &stays);
    assert!(rig.store.org_begin_deletion(org_id).expect("a write"));
    let mut left = MANY as u64;
    while let DeletionStep::Users(count) = rig.store.org_deletion_step(org_id).expect("a step") {
        let now = rig.count("users", doc! { "org_id": oid(&org) });
        let (gone, kept) = (left - now, doc! { "user_id": { "$exists": true } });
        assert_eq!(gone, count as u64);
        assert!(gone > 0 && gone * 3 <= 200, "{gone} users with an address each");
        assert_eq!(rig.count("addresses", kept), now + 1, "in the same transaction");
        left = now;
    }
    assert_eq!(left, 0);
    assert!(!rig.store.org_begin_deletion(org_id).expect("a write"), "it is gone");
    let finished = rig.store.org_deletion_step(org_id).expect("a step");
    assert_eq!(finished, DeletionStep::Finished, "one step more harms nobody");
    http.delete(&format!("/organization/{other}")).ok();
}

fn check_two_at_once(rig: &Rig, http: &mut Http) {
    let org = create_org(http, "twice");
    rig.plant(&org, MANY);
    let path = format!("/organization/{org}");
    let delete = || {
        let (mut http, path) = (http.clone(), path.clone());
        thread::spawn(move || http.delete(&path).status)
    };
    let statuses = [delete(), delete()].map(|thread| thread.join().expect("an answer"));
    assert!(statuses.contains(&200), "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 404)), "{statuses:?}");
    assert_eq!(rig.count("users", doc! { "org_id": oid(&org) }), 0);
    let stones = rig.count("tombstones", doc! { "_id": oid(&org) });
    assert_eq!((stones, rig.count("organizations", doc! {})), (1, 0));
}
