//! Users: fields, PINs, lists, searches, certificates, and several administrators at once.

mod lists;
mod pins;

use super::{NOBODY, Rig, create_org, create_user, id, names, oid};
use crate::needs;
use crate::support::http::Http;
use mongodb::bson::doc;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509StoreContext};
use serde_json::{Value, json};
use std::thread;
use warren::pki::{Certificate, KeyKind};
use warren::store::users::Replaced;

#[test]
fn users_are_made_changed_and_deleted() {
    needs!(Namespaces, Mongod);
    let rig = Rig::new();
    rig.fill(KeyKind::Rsa4096, 4);
    rig.fill(KeyKind::Rsa2048, 80);
    let daemon = rig.home.start();
    let mut http = rig.enter(&daemon);
    let org = create_org(&mut http, "acme");
    check_fields(&mut http, &org);
    check_refusals(&mut http, &org);
    check_unknown(&mut http, &org);
    check_bulk(&rig, &mut http, &org);
    check_certificates(&rig, &mut http, &org);
    check_otp_secret(&mut http, &org);
    pins::check(&rig, &mut http, &org);
    check_network_links(&rig, &mut http, &org);
    check_overtaken(&rig, &mut http, &org);
    check_concurrency(&rig, &mut http);
    lists::check(&rig, &mut http);
    assert!(daemon.stop().success());
}

fn full() -> Value {
    json!({
        "name": "anna smith", "email": "anna@example.com", "auth_type": "saml_okta",
        "yubico_id": "ccccccbcdefghijk", "groups": ["ops", "ops", "dev"], "disabled": true,
        "network_links": ["10.99.5.0/24"], "client_to_client": true,
        "mac_addresses": ["aa:bb:cc:dd:ee:ff"], "dns_servers": ["9.9.9.9", "2620:fe::fe"],
        "dns_suffix": "example.com", "gravatar": true, "type": "server",
        "port_forwarding": [{ "protocol": "tcp", "port": "80", "dport": "8080" }],
    })
}

fn check_fields(http: &mut Http, org: &str) {
    let created = create_user(http, org, &full());
    let (user, secret) = (id(&created), created["otp_secret"].clone());
    let base = json!({
        "id": user, "organization": org, "organization_name": "acme", "name": "annasmith",
        "email": "anna@example.com", "groups": ["ops", "dev"], "last_active": null,
        "pin": false, "type": "client", "auth_type": "saml_okta", "yubico_id": "ccccccbcdefg",
        "otp_secret": secret, "disabled": true, "bypass_secondary": false,
        "client_to_client": true, "mac_addresses": ["aa:bb:cc:dd:ee:ff"],
        "dns_servers": ["9.9.9.9", "2620:fe::fe"], "dns_suffix": "example.com",
        "port_forwarding": [{ "protocol": "tcp", "port": "80", "dport": "8080" }],
        "devices": [],
    });
    assert_eq!(created, base);
    assert_eq!(secret.as_str().map(str::len), Some(16));
    let path = format!("/user/{org}/{user}");
    let mut whole = base.clone();
    for (name, value) in [
        ("gravatar", json!(false)),
        ("audit", json!(false)),
        ("status", json!(false)),
        ("sso", json!(null)),
        ("auth_modes", json!(["okta"])),
        ("dns_mapping", json!(null)),
        ("network_links", json!(["10.99.5.0/24"])),
        ("servers", json!([])),
    ] {
        whole[name] = value;
    }
    assert_eq!(http.get(&path).ok(), whole);

    // A full replacement: what is omitted goes, but for name, kind of authentication and secret.
    let replaced = http.put(&path, &json!({})).ok();
    let mut expected = base;
    for (name, value) in [
        ("name", json!("undefined")),
        ("email", json!(null)),
        ("groups", json!([])),
        ("yubico_id", json!(null)),
        ("disabled", json!(false)),
        ("client_to_client", json!(false)),
        ("mac_addresses", json!([])),
        ("dns_servers", json!([])),
        ("dns_suffix", json!(null)),
        ("port_forwarding", json!([])),
    ] {
        expected[name] = value;
    }
    assert_eq!(replaced, expected);
    assert_eq!(http.get(&path).ok()["network_links"], json!([]));
    let mail = json!({ "name": "anna", "send_key_email": true });
    assert_eq!(http.put(&path, &mail).error(), (400, "email_not_configured".to_owned()));
    assert_eq!(http.get(&path).ok()["name"], "anna", "saved all the same");

    assert_eq!(http.get(&format!("/organization/{org}")).ok()["user_count"], 1);
    assert_eq!(http.delete(&path).ok(), json!({}));
    assert_eq!(http.delete(&path).status, 404);
    assert_eq!(http.get(&path).status, 404);
    assert_eq!(http.get(&format!("/organization/{org}")).ok()["user_count"], 0);
}

fn check_refusals(http: &mut Http, org: &str) {
    let path = format!("/user/{org}");
    let existing = create_user(http, org, &json!({ "name": "kept", "email": "k@example.com" }));
    let one = format!("{path}/{}", id(&existing));
    for (body, error) in [
        (json!({ "name": "x", "pin": "12345a" }), "pin_not_digits"),
        (json!({ "name": "x", "pin": "12345" }), "pin_too_short"),
        (json!({ "name": "x", "pin": "123456", "bypass_secondary": true }), "pin_bypass_secondary"),
        (
            json!({ "name": "x", "yubico_id": "cccccccccccc", "bypass_secondary": true }),
            "yubikey_bypass_secondary",
        ),
        (json!({ "name": "x", "network_links": ["10.0.0.1/8"] }), "network_link_invalid"),
        (json!({ "name": "x", "dns_servers": ["nine"] }), "dns_server_invalid"),
        (json!({ "name": "x", "port_forwarding": [{ "port": "0" }] }), "port_invalid"),
    ] {
        assert_eq!(http.post(&path, &body).error(), (400, error.to_owned()), "POST {body}");
        assert_eq!(http.put(&one, &body).error(), (400, error.to_owned()), "PUT {body}");
    }
    assert_eq!(http.get(&one).ok()["name"], "kept", "nothing of it is stored");
    assert_eq!(names(&http.get(&path).ok()), ["kept"]);
    assert_eq!(http.post(&path, &json!({ "name": 1 })).status, 400);
    let unknown = create_user(http, org, &json!({ "name": "x", "auth_type": "magic" }));
    assert_eq!(unknown["auth_type"], "local");
    for user in [id(&unknown), id(&existing)] {
        http.delete(&format!("{path}/{user}")).ok();
    }
}

fn check_unknown(http: &mut Http, org: &str) {
    let body = json!({ "name": "x" });
    for org in [NOBODY, "x"] {
        assert_eq!(http.get(&format!("/user/{org}")).status, 404);
        assert_eq!(http.get(&format!("/user/{org}?page=0")).status, 404);
        assert_eq!(http.get(&format!("/user/{org}?search=x")).status, 404);
        assert_eq!(http.post(&format!("/user/{org}"), &body).status, 404);
        assert_eq!(http.post(&format!("/user/{org}/multi"), &json!([body])).status, 404);
    }
    let other = create_org(http, "other");
    let user = id(&create_user(http, org, &body));
    for path in [
        format!("/user/{org}/{NOBODY}"),
        format!("/user/{NOBODY}/{user}"),
        format!("/user/{other}/{user}"),
    ] {
        assert_eq!(http.get(&path).status, 404, "{path}");
        assert_eq!(http.put(&path, &body).status, 404, "{path}");
        assert_eq!(http.send("PUT", &format!("{path}/otp_secret"), None).status, 404, "{path}");
        assert_eq!(http.delete(&path).status, 404, "{path}");
    }
    http.get(&format!("/user/{org}/{user}")).ok();
    http.delete(&format!("/user/{org}/{user}")).ok();
    http.delete(&format!("/organization/{other}")).ok();
}

fn check_bulk(rig: &Rig, http: &mut Http, org: &str) {
    let path = format!("/user/{org}/multi");
    let bodies = |count: usize| {
        json!((0..count).map(|n| json!({ "name": format!("m{n}") })).collect::<Vec<_>>())
    };
    assert_eq!(names(&http.post(&path, &bodies(10)).ok()).len(), 10);
    assert_eq!(http.post(&path, &json!([])).ok(), json!([]));
    // All or none.
    let bad = json!([{ "name": "good" }, { "name": "bad", "pin": "1" }]);
    assert_eq!(http.post(&path, &bad).error(), (400, "pin_too_short".to_owned()));
    let listed = http.get(&format!("/user/{org}")).ok();
    assert_eq!(names(&listed).len(), 10);
    assert_eq!(rig.count("users", doc! { "org_id": oid(org) }), 10);
    for user in listed.as_array().expect("a list") {
        http.delete(&format!("/user/{org}/{}", id(user))).ok();
    }
}

/// Signed by the CA of the organization for clients, and by nobody else's.
fn check_certificates(rig: &Rig, http: &mut Http, org: &str) {
    let other = create_org(http, "other");
    let user = id(&create_user(http, org, &json!({ "name": "anna" })));
    let (of, of_other) = (org.parse().expect("an id"), other.parse().expect("an id"));
    let user_id = user.parse().expect("an id");
    let stored = rig.store.user_with_keys(of, user_id).expect("a read").expect("a user");
    let ca = |org| {
        let org = rig.store.org_with_keys(org).expect("a read").expect("an organization");
        X509::from_pem(org.ca_certificate.as_bytes()).expect("a certificate")
    };
    let certificate = X509::from_pem(stored.keys.certificate.as_bytes()).expect("a certificate");
    let verified = |ca: X509| {
        let mut trusted = X509StoreBuilder::new().expect("a store");
        trusted.add_cert(ca).expect("trusted");
        let chain = openssl::stack::Stack::new().expect("a stack");
        let mut context = X509StoreContext::new().expect("a context");
        context.init(&trusted.build(), &certificate, &chain, |c| c.verify_cert()).expect("checked")
    };
    assert!(verified(ca(of)) && !verified(ca(of_other)));
    let text = String::from_utf8(certificate.to_text().expect("a dump")).expect("text");
    assert!(text.contains("TLS Web Client Authentication"), "{text}");
    assert!(!text.contains("TLS Web Server Authentication"), "{text}");
    let subject = Certificate::from_pem(&stored.keys.certificate).expect("one").subject();
    let subject = subject.expect("ids");
    assert_eq!((subject.org, subject.user), (of, user_id));
    assert_eq!(stored.keys.sync_token.len(), 32);
    assert_ne!(stored.keys.sync_token, stored.keys.sync_secret);
    http.delete(&format!("/organization/{other}")).ok();
    http.delete(&format!("/user/{org}/{user}")).ok();
}

fn check_otp_secret(http: &mut Http, org: &str) {
    let created = create_user(http, org, &json!({ "name": "anna" }));
    let path = format!("/user/{org}/{}", id(&created));
    let renewed = http.send("PUT", &format!("{path}/otp_secret"), None).ok();
    assert_ne!(renewed["otp_secret"], created["otp_secret"]);
    assert_eq!(http.get(&path).ok()["otp_secret"], renewed["otp_secret"]);
    let mut expected = created;
    expected["otp_secret"] = renewed["otp_secret"].clone();
    assert_eq!(renewed, expected, "nothing else has changed");
    http.delete(&path).ok();
}

fn check_network_links(rig: &Rig, http: &mut Http, org: &str) {
    rig.fill(KeyKind::Rsa4096, 1);
    let user = id(&create_user(http, org, &json!({ "name": "router" })));
    let path = format!("/user/{org}/{user}");
    let server = rig.server(http, org, &json!({}));
    let run = |online: bool| {
        let set = doc! { "$set": { "online": online } };
        let done = rig.collection("servers").update_one(doc! { "_id": oid(&server) }, set).run();
        assert_eq!(done.expect("a write").matched_count, 1);
    };
    run(true);
    let linked = json!({ "name": "router", "network_links": ["10.99.6.0/24", "fd00:6::/64"] });
    let refused = (400, "network_link_not_offline".to_owned());
    assert_eq!(http.put(&path, &linked).error(), refused);
    assert_eq!(http.post(&format!("/user/{org}"), &linked).error(), refused);
    http.put(&path, &json!({ "name": "router", "email": "r@example.com" })).ok();
    run(false);
    http.put(&path, &linked).ok();
    let links = json!(["10.99.6.0/24", "fd00:6::/64"]);
    assert_eq!(http.get(&path).ok()["network_links"], links);
    run(true);
    http.put(&path, &linked).ok();
    run(false);
    http.delete(&path).ok();
    http.delete(&format!("/server/{server}")).ok();
}

/// A change rests on what was read: one that was overtaken is made anew.
fn check_overtaken(rig: &Rig, http: &mut Http, org: &str) {
    let user = id(&create_user(http, org, &json!({ "name": "anna" })));
    let (of, user_id) = (org.parse().expect("an id"), user.parse().expect("an id"));
    let read = || rig.store.user(of, user_id).expect("a read").expect("a user");
    let (mut first, mut second) = (read(), read());
    first.name = "first".to_owned();
    second.name = "second".to_owned();
    let stored = |user| matches!(rig.store.user_replace(user), Ok(Replaced::Yes(_)));
    assert!(stored(&first) && !stored(&second));
    assert_eq!(read().name, "first");
    let gone = read();
    http.delete(&format!("/user/{org}/{user}")).ok();
    assert!(!stored(&gone), "a deleted one does not come back");
}

/// Two who delete the same user, and many who create: the count stays right.
fn check_concurrency(rig: &Rig, http: &mut Http) {
    rig.fill(KeyKind::Rsa4096, 1);
    rig.fill(KeyKind::Rsa2048, 40);
    let org = create_org(http, "busy");
    let path = format!("/user/{org}");
    let together = |count: usize, ask: fn(&mut Http, &str) -> u16, http: &Http, path: &str| {
        let threads: Vec<_> = (0..count)
            .map(|_| {
                let (mut http, path) = (http.clone(), path.to_owned());
                thread::spawn(move || ask(&mut http, &path))
            })
            .collect();
        let mut statuses: Vec<u16> =
            threads.into_iter().map(|thread| thread.join().expect("an answer")).collect();
        statuses.sort_unstable();
        statuses
    };
    let create = |http: &mut Http, path: &str| http.post(path, &json!({ "name": "x" })).status;
    assert_eq!(together(8, create, http, &path), [200; 8]);
    let users = http.get(&path).ok();
    assert_eq!(users.as_array().map(Vec::len), Some(8));
    let one = format!("{path}/{}", id(&users[0]));
    assert_eq!(
        together(4, |http, path| http.delete(path).status, http, &one),
        [200, 404, 404, 404]
    );
    let of = |http: &mut Http| http.get(&format!("/organization/{org}")).ok();
    assert_eq!(of(http)["user_count"], 7);
    let stones = rig.count("tombstones", doc! { "_id": oid(&id(&users[0])) });
    assert_eq!(stones, 1);
    http.delete(&format!("/organization/{org}")).ok();
}
