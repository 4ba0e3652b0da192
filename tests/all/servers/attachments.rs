//! Organizations and hosts of a server, and whose certificate it shows.

use super::rig::{Rig, body, oid, run};
use crate::needs;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, doc};
use serde_json::{Value, json};
use warren::base::secret::Secret;
use warren::pki::{Certificate, PrivateKey};

const GONE: &str = "0123456789abcdef0123456789abcd00";

#[test]
fn the_first_organization_signs_and_hands_over() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let server = rig.server(&body("office"));
        let (zeta, acme) = (rig.organization("zeta"), rig.organization("acme"));
        let path = format!("/server/{server}/organization");
        assert_eq!(rig.http.get(&path).ok(), json!([]));
        let attached = rig.http.put(&format!("{path}/{zeta}"), &json!({})).ok();
        assert_eq!(attached, json!({ "id": zeta, "server": server, "name": "zeta" }));
        let first = holder(rig, &server, &zeta);
        // Again: nothing happens; another: the first one stays.
        rig.http.put(&format!("{path}/{zeta}"), &json!({})).ok();
        rig.http.put(&format!("{path}/{acme}"), &json!({})).ok();
        assert_eq!(holder(rig, &server, &zeta), first);
        let listed = rig.http.get(&path).ok();
        let names: Vec<&Value> =
            listed.as_array().expect("a list").iter().map(|o| &o["name"]).collect();
        assert_eq!(names, [&json!("acme"), &json!("zeta")]);

        // Addresses of the detached organization's people become free, others stay.
        for (org, address) in [(&zeta, 1_i64), (&acme, 2)] {
            let user = ObjectId::new();
            let person = doc! { "_id": user, "org_id": oid(org), "type": "client", "name": "p" };
            rig.insert("users", person);
            rig.insert(
                "addresses",
                doc! { "server_id": oid(&server), "generation": 1_i64,
                "address": address, "user_id": user },
            );
        }
        assert_eq!(rig.http.delete(&format!("{path}/{zeta}")).ok(), json!({}));
        holder(rig, &server, &acme);
        let held = |address: i64| {
            let row = rig.documents("addresses").find_one(doc! { "address": address }).run();
            row.expect("an answer").expect("a row").contains_key("user_id")
        };
        assert_eq!((held(1), held(2)), (false, true));

        assert_eq!(rig.http.delete(&format!("{path}/{acme}")).ok(), json!({}));
        let left = rig.document(&server);
        let none = Some(&Bson::Null);
        assert_eq!((left.get("primary_organization"), left.get("primary_user")), (none, none));
        assert_eq!(server_users(rig), 0, "nobody is left behind");
        // Once more is no error: it is as asked for.
        assert_eq!(rig.http.delete(&format!("{path}/{acme}")).ok(), json!({}));

        rig.http.put(&format!("{path}/{acme}"), &json!({})).ok();
        rig.http.delete(&format!("/server/{server}")).ok();
        assert_eq!(server_users(rig), 0, "it goes with its server");
    });
}

fn server_users(rig: &Rig<'_>) -> u64 {
    rig.documents("users").count_documents(doc! { "type": "server" }).run().expect("a count")
}

/// The only holder of the server's certificate, which `org` must have signed.
fn holder(rig: &Rig<'_>, server: &str, org: &str) -> ObjectId {
    assert_eq!(server_users(rig), 1);
    let user = rig.documents("users").find_one(doc! { "type": "server" }).run();
    let user = user.expect("an answer").expect("a holder");
    let (id, text) = (user.get_object_id("_id").expect("an id"), |name| user.get_str(name));
    let stored = rig.document(server);
    assert_eq!(stored.get_object_id("primary_organization").ok(), Some(oid(org)));
    assert_eq!(stored.get_object_id("primary_user").ok(), Some(id));
    assert_eq!(user.get_object_id("org_id").ok(), Some(oid(org)));
    assert_eq!(user.get_object_id("resource_id").ok(), Some(oid(server)));
    assert_eq!(text("name").ok(), Some(format!("server_{server}").as_str()));
    let certificate = Certificate::from_pem(text("certificate").expect("PEM")).expect("one");
    let key = Secret::new(text("private_key").expect("PEM").to_owned());
    assert!(certificate.belongs_to(&PrivateKey::from_pem(&key).expect("a key")));
    let subject = certificate.subject().expect("a subject");
    assert_eq!((subject.org.to_string(), subject.user.to_string()), (org.to_owned(), id.to_hex()));
    id
}

#[test]
fn a_server_runs_on_the_hosts_that_are_attached() {
    needs!(Namespaces, Mongod);
    run(|rig| {
        let server = rig.server(&body("office"));
        let path = format!("/server/{server}/host");
        let (here, there) = (rig.host_id(), rig.played_id());
        let listed = |rig: &mut Rig<'_>| -> Vec<(String, Value, Value)> {
            let list = rig.http.get(&path).ok();
            let row = |host: &Value| {
                let id = host["id"].as_str().expect("an id").to_owned();
                (id, host["status"].clone(), host["address"].clone())
            };
            list.as_array().expect("a list").iter().map(row).collect()
        };
        let shown = rig.http.get(&format!("/host/{here}")).ok()["public_addr"].clone();
        assert_eq!(listed(rig), [(here.clone(), Value::Null, shown)]);
        let attached = rig.http.put(&format!("{path}/{there}"), &json!({})).ok();
        let expected = json!({ "id": there, "server": server, "status": "offline",
            "name": "played", "address": "192.0.2.9", "address6": null });
        assert_eq!(attached, expected);

        rig.set(&server, doc! { "online": true, "instances": [rig.instance(&server)] });
        let states = listed(rig);
        let state = |id: &str| states.iter().find(|row| row.0 == id).map(|row| row.1.clone());
        assert_eq!(state(&there), Some(json!("online")));
        assert_eq!(state(&here), Some(json!("offline")));

        rig.http.delete(&format!("{path}/{here}")).ok();
        assert_eq!(listed(rig).len(), 1);
        // Not attached is what was asked for.
        rig.http.delete(&format!("{path}/{here}")).ok();
        assert_eq!(rig.document(&server).get_array("hosts").expect("hosts").len(), 1);

        // A host that is gone can be detached too.
        let mut gone = rig.host();
        gone.extend(doc! { "_id": GONE, "alive": false });
        rig.insert("hosts", gone);
        rig.http.put(&format!("{path}/{GONE}"), &json!({})).ok();
        rig.documents("hosts").delete_one(doc! { "_id": GONE }).run().expect("deleted");
        assert_eq!(rig.http.delete(&format!("{path}/{GONE}")).ok(), json!({}));
        assert_eq!(rig.document(&server).get_array("hosts").expect("hosts").len(), 1);
    });
}
