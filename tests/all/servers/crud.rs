//! Create, list, change, delete; what existing clients send; and what is unknown.

use super::rig::{UNKNOWN, UNKNOWN_HOST, body, id_of, oid, run, with};
use crate::needs;
use mongodb::bson::doc;
use serde_json::{Value, json};
use std::sync::Barrier;
use std::thread;
use warren::base::secret::Secret;
use warren::pki::{KeyKind, PrivateKey};

#[test]
fn a_server_is_created_shown_changed_and_deleted() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let created = rig.http.post("/server", &with("office 1", json!({ "port": 1194 }))).ok();
        let id = id_of(&created);
        let expected = [
            ("name", json!("office1")),
            ("status", json!("offline")),
            ("uptime", Value::Null),
            ("port", json!(1194)),
            ("users_online", json!(0)),
            ("user_count", json!(0)),
            ("ping_interval", json!(3)),
            ("ping_timeout", json!(10)),
            ("ping_interval_wg", json!(30)),
            ("max_clients", json!(2000)),
            ("replica_count", json!(1)),
            ("network_wg", Value::Null),
            ("inter_client", json!(false)),
            ("sso_webauth", json!(false)),
            ("failure", Value::Null),
        ];
        for (field, value) in &expected {
            assert_eq!(&created[field], value, "{field}");
        }
        let network = created["network"].as_str().expect("a network");
        assert!(network.starts_with("192.168.") && network.ends_with(".0/24"), "{network}");
        assert_eq!(rig.http.get(&format!("/server/{id}")).ok(), created);
        assert_eq!(rig.http.get("/server").ok(), json!([created]));

        let stored = rig.document(&id);
        let key = |name: &str| stored.get_str(name).expect("a key").to_owned();
        assert!(key("auth_private_key").contains("PRIVATE KEY"));
        assert!(key("auth_public_key").starts_with("-----BEGIN RSA PUBLIC KEY-----\n"));
        assert!(key("tls_auth_key").contains("OpenVPN Static key"));
        assert_eq!(key("auth_box_public_key").len(), 44);
        assert_eq!(stored.get_array("hosts").expect("hosts").len(), 1, "the creating host only");
        for secret in ["auth_private_key", "tls_auth_key", "auth_box_private_key"] {
            assert_eq!(created[secret], Value::Null, "{secret} is not shown");
        }

        // PUT replaces everything: what is omitted has its zero value, but for what that keeps.
        let changed = with("home", json!({ "port": 1195, "inter_client": true }));
        let changed = rig.http.put(&format!("/server/{id}"), &changed).ok();
        assert_eq!((&changed["name"], &changed["port"]), (&json!("home"), &json!(1195)));
        assert_eq!(changed["inter_client"], json!(true));
        assert_eq!(changed["network"], json!(network));
        assert_eq!(
            rig.document(&id).get_i64("generation").ok(),
            Some(1),
            "same network, same addresses"
        );

        rig.insert(
            "addresses",
            doc! { "server_id": oid(&id), "generation": 1_i64, "address": 7_i64 },
        );
        let moved = with("home", json!({ "network": "10.20.0.0/16" }));
        assert_eq!(rig.http.put(&format!("/server/{id}"), &moved).ok()["port"], json!(1195));
        assert_eq!(rig.document(&id).get_i64("generation").ok(), Some(2));
        let addresses = || rig.documents("addresses").count_documents(doc! {}).run();
        assert_eq!(addresses().expect("a count"), 0, "those of the old network are gone");

        rig.insert("servers_output", doc! { "server_id": oid(&id), "lines": ["x"] });
        assert_eq!(rig.http.delete(&format!("/server/{id}")).ok(), json!({}));
        assert_eq!(rig.http.get(&format!("/server/{id}")).status, 404);
        let output = rig.documents("servers_output").count_documents(doc! {}).run();
        assert_eq!(output.expect("a count"), 0);
    });
}

#[test]
fn lists_have_pages_and_clients_their_quirks() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        assert_eq!(
            rig.http.get("/server?page=0").ok(),
            json!({ "page": 0, "page_total": 0, "servers": [] })
        );
        for name in ["d", "b", "c"] {
            rig.server(&body(name));
        }
        assert_eq!(rig.http.get("/server?page=0").ok()["page_total"], json!(0), "just full");
        rig.server(&body("a"));
        let names = |list: &Value| -> Vec<String> {
            let list = list.as_array().expect("a list").iter();
            list.map(|server| server["name"].as_str().expect("a name").to_owned()).collect()
        };
        assert_eq!(names(&rig.http.get("/server").ok()), ["a", "b", "c", "d"]);
        for (page, expected) in [(0, vec!["a", "b", "c"]), (1, vec!["d"]), (7, vec![])] {
            let shown = rig.http.get(&format!("/server?page={page}")).ok();
            assert_eq!((&shown["page"], &shown["page_total"]), (&json!(page), &json!(1)));
            assert_eq!(names(&shown["servers"]), expected);
        }

        // Terraform: a number as text, nulls for what is not set, protocols in any case.
        let terraform = json!({
            "name": "tf", "protocol": "UDP", "cipher": "aes256", "hash": "sha1", "mss_fix": "1400",
            "groups": null, "dns_servers": ["9.9.9.9", "fd00::9"], "search_domain": "a.example,b",
            "network_mode": "", "pre_connect_msg": null, "max_clients": null, "unknown": 1,
        });
        let id = rig.server(&terraform);
        let path = format!("/server/{id}");
        let shown = rig.http.get(&path).ok();
        assert_eq!(shown["mss_fix"], json!(1400));
        assert_eq!(shown["protocol"], json!("udp"));
        assert_eq!(shown["search_domain"], json!("a.example, b"));
        assert_eq!(shown["network_mode"], json!("tunnel"));
        // It sends back what it got, numbers that were null as zero.
        let again = rig.http.put(&path, &shown).ok();
        assert_eq!(again["mss_fix"], json!(1400));
        assert_eq!(
            rig.http.put(&path, &with("tf", json!({ "mss_fix": "" }))).ok()["mss_fix"],
            Value::Null
        );

        // Bodies that are empty, and a Content-Type that is not there.
        let org = rig.organization("acme");
        for attached in [format!("organization/{org}"), format!("host/{}", rig.host_id())] {
            let reply = rig.http.send("PUT", &format!("{path}/{attached}"), None).ok();
            assert_eq!(reply["server"], json!(id), "{attached}");
        }
        let unknown = rig.http.send("PUT", &format!("{path}/operation/dance"), None).ok();
        assert_eq!(unknown["status"], json!("offline"), "an unknown operation does nothing");
    });
}

#[test]
fn what_is_unknown_is_404() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let id = rig.server(&body("office"));
        let org = rig.organization("acme");
        let hex = "31302e302e302e302f38";
        let rows = [
            ("GET", format!("/server/{UNKNOWN}")),
            ("PUT", format!("/server/{UNKNOWN}")),
            ("DELETE", format!("/server/{UNKNOWN}")),
            ("PUT", format!("/server/{UNKNOWN}/operation/start")),
            ("PUT", format!("/server/{UNKNOWN}/operation/stop")),
            ("PUT", format!("/server/{UNKNOWN}/operation/restart")),
            ("PUT", format!("/server/{UNKNOWN}/operation/dance")),
            ("GET", format!("/server/{UNKNOWN}/organization")),
            ("PUT", format!("/server/{UNKNOWN}/organization/{org}")),
            ("DELETE", format!("/server/{UNKNOWN}/organization/{org}")),
            ("PUT", format!("/server/{id}/organization/{UNKNOWN}")),
            ("DELETE", format!("/server/{id}/organization/{UNKNOWN}")),
            ("GET", format!("/server/{UNKNOWN}/host")),
            ("PUT", format!("/server/{UNKNOWN}/host/{}", rig.host_id())),
            ("DELETE", format!("/server/{UNKNOWN}/host/{}", rig.host_id())),
            ("PUT", format!("/server/{id}/host/{UNKNOWN_HOST}")),
            ("DELETE", format!("/server/{id}/host/{UNKNOWN_HOST}")),
            ("GET", format!("/server/{UNKNOWN}/route")),
            ("POST", format!("/server/{UNKNOWN}/route")),
            ("POST", format!("/server/{UNKNOWN}/routes")),
            ("PUT", format!("/server/{UNKNOWN}/route/{hex}")),
            ("DELETE", format!("/server/{UNKNOWN}/route/{hex}")),
            ("DELETE", format!("/server/{id}/route/{hex}")),
            // The text "x" is no network.
            ("PUT", format!("/server/{id}/route/78")),
            ("DELETE", format!("/server/{id}/route/78")),
            ("GET", format!("/server/{UNKNOWN}/output")),
            ("DELETE", format!("/server/{UNKNOWN}/output")),
            ("GET", format!("/server/{UNKNOWN}/client")),
            ("DELETE", format!("/server/{id}/client/{UNKNOWN}")),
            ("GET", format!("/host/{UNKNOWN_HOST}")),
            ("GET", "/server/nonsense".to_owned()),
        ];
        for (method, path) in rows {
            let body = match path.ends_with("/routes") {
                true => json!([{ "network": "10.0.0.0/8" }]),
                false => with("x", json!({ "network": "10.0.0.0/8" })),
            };
            let sent = matches!(method, "POST" | "PUT").then_some(&body);
            let reply = rig.http.send(method, &path, sent);
            assert_eq!(reply.status, 404, "{method} {path}: {}", reply.text());
        }
    });
}

#[test]
fn a_creation_waits_for_a_key_that_is_still_made() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        rig.documents("pool").delete_many(doc! {}).run().expect("emptied");
        let refused = rig.http.post("/server", &with("x", json!({ "cipher": "rot13" })));
        assert_eq!(refused.error(), (400, "cipher_invalid".to_owned()), "before any key");
        assert_eq!(rig.documents("jobs").count_documents(doc! {}).run().expect("a count"), 0);
        let id = rig.server(&body("office"));
        let key = PrivateKey::from_pem(&Secret::new(
            rig.document(&id).get_str("auth_private_key").expect("PEM").to_owned(),
        ));
        assert_eq!(key.expect("a key").kind(), Some(KeyKind::Rsa4096));
    });
}

/// I6: the rule rests on reading other servers, which a transaction alone does not protect.
#[test]
fn of_two_creations_that_overlap_exactly_one_wins() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let rounds: [(&str, Value, Value); 2] = [
            (
                "network_in_use",
                json!({ "network": "10.20.0.0/16" }),
                json!({ "network": "10.20.4.0/24" }),
            ),
            ("port_protocol_in_use", json!({ "port": 1194 }), json!({ "port": 1194 })),
        ];
        for round in 0..6 {
            for (refusal, first, second) in &rounds {
                let start = Barrier::new(2);
                let ask = |fields: &Value| {
                    let (mut http, body) = (rig.http.clone(), with("race", fields.clone()));
                    start.wait();
                    http.post("/server", &body)
                };
                let replies = thread::scope(|scope| {
                    let asked = [scope.spawn(|| ask(first)), scope.spawn(|| ask(second))];
                    asked.map(|asked| asked.join().expect("an answer"))
                });
                let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|r| r.status == 200);
                assert_eq!(won.len(), 1, "round {round}: {}", replies[0].text());
                assert_eq!(lost[0].error(), (400, (*refusal).to_owned()), "round {round}");
                rig.http.clone().delete(&format!("/server/{}", id_of(&won[0].json()))).ok();
            }
        }
        // The same by changes of servers that are there.
        let (a, b) = (rig.server(&body("a")), rig.server(&body("b")));
        let start = Barrier::new(2);
        let ask = |id: &str| {
            let mut http = rig.http.clone();
            start.wait();
            http.put(&format!("/server/{id}"), &with(id, json!({ "network": "10.9.0.0/24" })))
        };
        let replies = thread::scope(|scope| {
            let asked = [scope.spawn(|| ask(&a)), scope.spawn(|| ask(&b))];
            asked.map(|asked| asked.join().expect("an answer").status)
        });
        assert_eq!(replies.iter().filter(|status| **status == 200).count(), 1, "{replies:?}");
    });
}
