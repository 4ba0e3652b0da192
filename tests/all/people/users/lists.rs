//! Lists of users: all, by page, by search, and what they show of connections.

use crate::people::{Rig, create_org, create_user, id, names, oid};
use crate::support::http::Http;
use mongodb::bson::{DateTime, doc};
use serde_json::{Value, json};
use warren::pki::KeyKind;

pub fn check(rig: &Rig, http: &mut Http) {
    rig.fill(KeyKind::Rsa4096, 3);
    rig.fill(KeyKind::Rsa2048, 20);
    let org = create_org(http, "lists");
    check_empty(http, &org);
    let server = rig.server(http, &org, &json!({ "name": "office", "dns_mapping": false }));
    let users: Vec<String> = (0..12)
        .map(|n| {
            let group = if n % 2 == 0 { "even" } else { "odd" };
            let email = format!("{n:02}@example.{}", if n < 3 { "com" } else { "org" });
            let name = format!("user{n:02}");
            let body = json!({ "name": name, "groups": [group], "email": email });
            id(&create_user(http, &org, &body))
        })
        .collect();
    check_pages(rig, http, &org, &users);
    hold_repairs(rig);
    check_presence(rig, http, &org, &server, &users);
    check_search(rig, http, &org, &server, &users);
    check_server_user(http, &org);
    http.delete(&format!("/organization/{org}")).ok();
}

fn check_empty(http: &mut Http, org: &str) {
    let path = format!("/user/{org}");
    assert_eq!(http.get(&path).ok(), json!([]));
    let empty = json!({ "page": 0, "page_total": 0, "server_count": 0, "users": [] });
    assert_eq!(http.get(&format!("{path}?page=0")).ok(), empty);
}

fn people(list: &Value) -> Vec<String> {
    names(list).into_iter().filter(|name| name.starts_with("user")).collect()
}

fn check_pages(rig: &Rig, http: &mut Http, org: &str, users: &[String]) {
    let path = format!("/user/{org}");
    let all: Vec<String> = (0..12).map(|n| format!("user{n:02}")).collect();
    let whole = http.get(&path).ok();
    assert_eq!(people(&whole), all);
    assert!(names(&whole)[12].starts_with("server_"), "behind all people");
    assert_eq!(names(&whole).len(), 13);
    let first = http.get(&format!("{path}?page=0")).ok();
    assert_eq!((&first["page_total"], &first["server_count"]), (&json!(1), &json!(1)));
    assert_eq!(names(&first["users"]), all[..10]);
    let last = http.get(&format!("{path}?page=1")).ok();
    assert_eq!(people(&last["users"]), all[10..]);
    assert_eq!(names(&last["users"]).len(), 3, "and the server's");
    assert_eq!(http.get(&format!("{path}?page=2")).ok()["users"], json!([]));
    assert_eq!(http.get(&format!("{path}?page=-1")).status, 400);

    for (user, active) in [(&users[7], 2000), (&users[3], 1000)] {
        let at = DateTime::from_millis(active * 1000);
        let set = doc! { "$set": { "last_active": at } };
        rig.collection("users").update_one(doc! { "_id": oid(user) }, set).run().expect("a write");
    }
    let sorted = http.get(&format!("{path}?page=0&last_active=true")).ok();
    assert_eq!(names(&sorted["users"])[..4], ["user07", "user03", "user00", "user01"]);
    assert_eq!(sorted["users"][0]["last_active"], 2000);
}

/// Half a minute without repairs, which would rightly forget connections of no instance.
fn hold_repairs(rig: &Rig) {
    let now = doc! { "$currentDate": { "done_at": true } };
    let done = rig.collection("tasks").update_many(doc! {}, now).run().expect("a write");
    assert!(done.matched_count > 0, "no tasks have run yet");
}

fn check_presence(rig: &Rig, http: &mut Http, org: &str, server: &str, users: &[String]) {
    let path = |user: &str| format!("/user/{org}/{user}");
    let offline = json!([{
        "id": server, "name": "office", "status": false, "server_id": server,
        "device_name": null, "platform": null, "real_address": null, "virt_address": null,
        "virt_address6": null, "connected_since": null,
    }]);
    assert_eq!(http.get(&path(&users[0])).ok()["servers"], offline);
    let stored = rig.store.server(server.parse().expect("an id")).expect("a read");
    let generation = stored.expect("a server").generation;
    for (n, generation) in [(3, generation), (9, generation + 1)] {
        let address = i64::from(u32::from_be_bytes([10, 30, 1, n]));
        let row = doc! {
            "server_id": oid(server), "generation": generation, "address": address,
            "user_id": oid(&users[0]),
        };
        rig.collection("addresses").insert_one(row).run().expect("an address");
    }
    let kept = http.get(&path(&users[0])).ok();
    assert_eq!(kept["servers"][0]["virt_address"], "10.30.1.3");
    assert_eq!(kept["status"], false);

    let clients = [rig.connect(server, org, &users[1]), rig.connect(server, org, &users[1])];
    let online = http.get(&path(&users[1])).ok();
    assert_eq!(online["status"], true);
    let shown: Vec<String> = online["servers"].as_array().expect("a list").iter().map(id).collect();
    assert_eq!(shown, clients, "one for each connection");
    let expected = json!({
        "id": clients[0], "name": "office", "status": true, "server_id": server,
        "device_name": "laptop", "platform": "linux", "real_address": "192.0.2.7:50000",
        "virt_address": "10.30.1.2", "virt_address6": null, "connected_since": 1_700_000_000,
    });
    assert_eq!(online["servers"][0], expected);
    let page = http.get(&format!("/user/{org}?page=0")).ok();
    let statuses: Vec<bool> = page["users"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|user| user["status"] == true)
        .collect();
    assert_eq!(statuses.iter().filter(|online| **online).count(), 1);
    assert!(statuses[1]);

    // A server for others, and one with names.
    let set = doc! { "$set": { "groups": ["odd"], "dns_mapping": true, "otp_auth": true } };
    let done = rig.collection("servers").update_one(doc! { "_id": oid(server) }, set).run();
    done.expect("a write");
    let [even, odd] = [&users[0], &users[1]].map(|user| http.get(&path(user)).ok());
    assert_eq!((&even["servers"], &even["auth_modes"]), (&json!([]), &json!([])));
    assert_eq!(odd["auth_modes"], json!(["otp"]));
    assert_eq!(even["dns_mapping"], "user00.lists.vpn");
}

fn check_search(rig: &Rig, http: &mut Http, org: &str, server: &str, users: &[String]) {
    let mut search = |query: &str| http.get(&format!("/user/{org}?{query}")).ok();
    for (text, found) in [
        ("USER0", 10),
        ("ser1", 2),
        ("user0.", 0),
        ("group%3Aodd", 6),
        ("group%3Aod", 0),
        ("email%3A.com", 3),
        ("email%3A.com%20group%3Aeven", 2),
        (&format!("id%3A{}", users[4]), 1),
        ("type%3Aserver", 1),
        ("type%3Aclient", 12),
        ("status%3Aonline", 1),
        ("status%3Aoffline", 11),
        (&format!("status%3Aonline%3A{server}"), 1),
        (&format!("status%3Aoffline%3A{server}"), 11),
        (&format!("status%3Aonline%3A{}", super::super::NOBODY), 0),
        (&format!("status%3Aonline%20id%3A{}", users[4]), 0),
    ] {
        let reply = search(&format!("search={text}&limit=100"));
        assert_eq!(reply["search_count"], found, "{text}");
        assert_eq!(names(&reply["users"]).len(), found, "{text}");
        assert_eq!(reply["search_more"], false);
    }
    let reply = search("search=user");
    assert_eq!((&reply["search"], &reply["search_limit"]), (&json!("user"), &json!(10)));
    assert_eq!((&reply["search_more"], &reply["search_count"]), (&json!(true), &json!(12)));
    assert_eq!(reply["server_count"], 1);
    assert_eq!(names(&reply["users"]), (0..10).map(|n| format!("user{n:02}")).collect::<Vec<_>>());
    assert!(reply["search_time"].as_f64().is_some_and(|time| time > 0.0 && time < 60.0));
    assert_eq!(names(&search("search=user&limit=2&page=1")["users"]).len(), 2);
    rig.collection("clients").delete_many(doc! {}).run().expect("a write");
}

/// A server's own certificate is shown, and goes with its server only.
fn check_server_user(http: &mut Http, org: &str) {
    let all = http.get(&format!("/user/{org}")).ok();
    let holder = all.as_array().and_then(|all| all.last()).expect("one");
    assert_eq!((&holder["type"], &holder["servers"]), (&json!("server"), &json!([])));
    let path = format!("/user/{org}/{}", id(holder));
    assert_eq!(id(&http.get(&path).ok()), id(holder));
    let refused = (400, "user_is_server".to_owned());
    assert_eq!(http.delete(&path).error(), refused);
    assert_eq!(http.put(&path, &json!({ "name": "x" })).error(), refused);
    assert_eq!(http.send("PUT", &format!("{path}/otp_secret"), None).error(), refused);
}
