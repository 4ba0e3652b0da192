//! Who is connected where, what a server says, hosts, and the counts of everything.

use super::rig::{Rig, UNKNOWN, body, oid, run};
use crate::needs;
use crate::support::totp::unix_time;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{DateTime, doc};
use serde_json::{Value, json};

#[test]
fn connected_clients_are_counted_listed_and_disconnected() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let server = rig.played_server(&body("office"));
        let org = rig.organization("acme");
        rig.http.put(&format!("/server/{server}/organization/{org}"), &json!({})).ok();
        let counted = rig.documents("organizations");
        let seven = doc! { "$set": { "user_count": 7_i64 } };
        counted.update_one(doc! { "_id": oid(&org) }, seven).run().expect("written");
        let instance = rig.instance(&server);
        // One of an earlier life of the host: what is recorded about it counts no more.
        let mut dead = rig.instance(&server);
        dead.insert("epoch", 0_i64);
        rig.set(&server, doc! { "online": true, "instances": [instance.clone(), dead.clone()] });
        let (anna, bert) = (ObjectId::new(), ObjectId::new());
        let kicked = rig.client(&server, &instance, &org, anna);
        rig.client(&server, &instance, &org, anna);
        rig.client(&server, &instance, &org, bert);
        rig.client(&server, &dead, &org, ObjectId::new());

        let shown = rig.http.get(&format!("/server/{server}")).ok();
        assert_eq!((&shown["users_online"], &shown["devices_online"]), (&json!(2), &json!(3)));
        assert_eq!((&shown["user_count"], &shown["status"]), (&json!(7), &json!("online")));
        assert_eq!(shown["instances"].as_array().map(Vec::len), Some(1));

        let hosts = rig.http.get("/host").ok();
        let mut hosts = hosts.as_array().expect("a list").iter();
        let played = hosts.find(|host| host["id"] == json!(rig.played_id()));
        let played = played.expect("the host");
        assert_eq!((&played["users_online"], &played["user_count"]), (&json!(2), &json!(7)));

        let path = format!("/server/{server}/client");
        let clients = rig.http.get(&path).ok();
        assert_eq!(clients.as_array().map(Vec::len), Some(3));
        let first = clients
            .as_array()
            .expect("a list")
            .iter()
            .find(|client| client["id"] == json!(kicked.to_hex()))
            .expect("the client");
        for (field, value) in [
            ("user_id", json!(anna.to_hex())),
            ("user_name", json!("anna")),
            ("organization_id", json!(org)),
            ("organization_name", json!("acme")),
            ("host_id", json!(rig.played_id())),
            ("host_name", json!("played")),
            ("platform", json!("linux")),
            ("real_address", json!("192.0.2.7")),
            ("virt_address", json!("10.20.0.2")),
            ("connected_since", json!(1_700_000_000)),
            ("bytes_received", json!(10)),
            ("bytes_sent", json!(20)),
        ] {
            assert_eq!(first[field], value, "{field}");
        }
        assert_eq!(rig.http.delete(&format!("{path}/{kicked}")).ok(), json!({}));
        let stored = rig.documents("clients").find_one(doc! { "_id": kicked }).run();
        let stored = stored.expect("an answer").expect("the client");
        assert_eq!(stored.get_bool("cut").ok(), Some(true), "the document decides");
        assert_eq!(rig.http.delete(&format!("{path}/{UNKNOWN}")).status, 404);
        let other = rig.server(&body("other"));
        let elsewhere = format!("/server/{other}/client/{kicked}");
        assert_eq!(rig.http.delete(&elsewhere).status, 404, "not a client of that one");

        status_counts(rig, &server);
    });
}

fn status_counts(rig: &mut Rig<'_>, server: &str) {
    let counts = rig.http.get("/status").ok();
    for (field, value) in [
        ("org_count", json!(1)),
        ("user_count", json!(7)),
        ("users_online", json!(2)),
        ("server_count", json!(2)),
        ("servers_online", json!(1)),
        ("host_count", json!(2)),
        ("hosts_online", json!(2)),
        ("current_host", json!(rig.host_id())),
        ("notification", json!("")),
        ("server_version", json!(env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(counts[field], value, "{field}");
    }
    // What was done here is seen at once, without the event that comes later.
    rig.insert("servers", {
        let mut third = rig.document(server);
        third.extend(doc! { "_id": ObjectId::new(), "online": false });
        third
    });
    rig.http.send("PUT", &format!("/server/{server}/operation/dance"), None).ok();
    assert_eq!(rig.http.get("/status").ok()["server_count"], json!(3));
    // What others do, within a moment.
    rig.set(server, doc! { "online": false });
    wait_until("the counts to follow", seconds(3), || {
        rig.http.get("/status").ok()["servers_online"] == json!(0)
    });
}

#[test]
fn hosts_are_shown_alive_and_dead_and_in_pages() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let id = rig.host_id();
        let shown = rig.http.get(&format!("/host/{id}")).ok();
        for (field, value) in [
            ("id", json!(id)),
            ("status", json!("online")),
            ("version", json!(env!("CARGO_PKG_VERSION"))),
            ("availability_group", json!("default")),
            ("instance_id", Value::Null),
            ("user_count", Value::Null),
            ("users_online", Value::Null),
            ("local_networks", json!([])),
        ] {
            assert_eq!(shown[field], value, "{field}");
        }
        let seen = shown["last_seen"].as_i64().expect("a moment");
        assert!((unix_time().cast_signed() - seen).abs() < 60, "{seen}");
        assert!(shown["uptime"].as_i64().is_some_and(|uptime| (0..120).contains(&uptime)));
        for n in 0..9 {
            let mut dead = rig.host();
            let id = format!("0123456789abcdef0123456789abcd{n:02}");
            dead.extend(doc! { "_id": id, "name": format!("~{n}"), "alive": false });
            rig.insert("hosts", dead);
        }
        let all = rig.http.get("/host").ok();
        assert_eq!(all.as_array().map(Vec::len), Some(11));
        let page = rig.http.get("/host?page=1").ok();
        assert_eq!((&page["page"], &page["page_total"]), (&json!(1), &json!(1)));
        let last = &page["hosts"][0];
        assert_eq!((&last["status"], &last["uptime"]), (&json!("offline"), &Value::Null));
    });
}

#[test]
fn output_comes_oldest_first_and_is_bounded() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let server = rig.server(&body("office"));
        let path = format!("/server/{server}/output");
        assert_eq!(rig.http.get(&path).ok(), json!({ "id": server, "output": [], "times": [] }));
        // Chunks of which the oldest shown one is cut.
        for chunk in 0..80_i64 {
            let lines: Vec<String> =
                (0..70).map(|n| format!("[host] {}", chunk * 70 + n)).collect();
            let at = DateTime::from_millis(1_700_000_000_000 + 1000 * chunk);
            rig.insert(
                "servers_output",
                doc! { "server_id": oid(&server), "at": at,
                "lines": lines },
            );
        }
        let output = rig.http.get(&path).ok();
        let lines = output["output"].as_array().expect("lines");
        assert_eq!(lines.len(), 5000);
        assert_eq!((&lines[0], &lines[4999]), (&json!("[host] 600"), &json!("[host] 5599")));
        let times = output["times"].as_array().expect("times");
        assert_eq!(times.len(), 5000, "each line has its time");
        assert_eq!((&times[0], &times[4999]), (&json!(1_700_000_008), &json!(1_700_000_079)));
        assert_eq!(rig.http.delete(&path).ok(), json!({}));
        assert_eq!(rig.http.get(&path).ok()["output"], json!([]));
    });
}
