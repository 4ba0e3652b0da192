//! Organizations: their fields, pages and API pairs.

use super::{NOBODY, Rig, create_org, id, names};
use crate::needs;
use crate::support::http::Http;
use openssl::x509::{X509, X509VerifyResult};
use serde_json::{Value, json};
use warren::pki::KeyKind;

#[test]
fn organizations_are_made_changed_listed_and_deleted() {
    needs!(Namespaces, Mongod);
    let rig = Rig::new();
    rig.fill(KeyKind::Rsa4096, 8);
    let daemon = rig.home.start();
    let mut http = rig.enter(&daemon);
    assert_eq!(http.get("/organization").ok(), json!([]));
    let empty = json!({ "page": 0, "page_total": 0, "organizations": [] });
    assert_eq!(http.get("/organization?page=0").ok(), empty);

    let acme = http.post("/organization", &json!({ "name": "ac me!\"" })).ok();
    let expected = json!({
        "id": acme["id"], "name": "acme!", "expiration": acme["expiration"], "auth_api": false,
        "auth_token": null, "auth_secret": null, "user_count": 0,
    });
    assert_eq!(acme, expected);
    let path = format!("/organization/{}", id(&acme));
    assert_eq!(http.get(&path).ok(), acme);
    check_authority(&rig, &acme);
    check_unknown(&mut http);
    check_pages(&mut http);
    check_api_pair(&mut http, &path);

    assert_eq!(http.delete(&path).ok(), json!({}));
    assert_eq!(http.get(&path).status, 404);
    assert_eq!(http.delete(&path).status, 404);
    assert_eq!(http.put(&path, &json!({ "name": "x" })).status, 404);
    assert!(!names(&http.get("/organization").ok()).contains(&"acme".to_owned()));
    assert!(daemon.stop().success());
}

/// A CA of its own, which ends when the API says so.
fn check_authority(rig: &Rig, org: &Value) {
    let of = id(org).parse().expect("an id");
    let stored = rig.store.org_with_keys(of).expect("a read").expect("an organization");
    let ca = X509::from_pem(stored.ca_certificate.as_bytes()).expect("a certificate");
    assert!(ca.verify(&ca.public_key().expect("a key")).expect("a check"), "self-signed");
    assert_eq!(ca.issued(&ca), X509VerifyResult::OK);
    let subject = format!("{:?}", ca.subject_name());
    assert!(subject.contains(&id(org)) && subject.contains(&stored.ca_user_id.to_string()));
    let days = openssl::asn1::Asn1Time::days_from_now(0).expect("now").diff(ca.not_after());
    assert!((9998..=10_000).contains(&days.expect("a time").days));
    let shown = org["expiration"].as_str().expect("a date");
    let year: u32 =
        ca.not_after().to_string().split_whitespace().nth(3).expect("y").parse().expect("year");
    assert!(shown.starts_with(&format!("{year}-")) && shown.len() == 19, "{shown}");
}

fn check_unknown(http: &mut Http) {
    for id in [NOBODY, "65A000000000000000000001", "x"] {
        let path = format!("/organization/{id}");
        assert_eq!(http.get(&path).status, 404, "{id}");
        assert_eq!(http.put(&path, &json!({ "name": "x" })).status, 404, "{id}");
        assert_eq!(http.delete(&path).status, 404, "{id}");
    }
}

fn check_pages(http: &mut Http) {
    for name in ["zebra", "bee", "cat", "dog", "eel"] {
        create_org(http, name);
    }
    let all = names(&http.get("/organization").ok());
    assert_eq!(all, ["acme!", "bee", "cat", "dog", "eel", "zebra"]);
    for (page, shown) in [(0, &all[..5]), (1, &all[5..]), (2, &[][..])] {
        let reply = http.get(&format!("/organization?page={page}")).ok();
        assert_eq!((&reply["page"], &reply["page_total"]), (&json!(page), &json!(1)));
        assert_eq!(names(&reply["organizations"]), shown, "{page}");
    }
    let nameless = http.post("/organization", &json!({ "name": " " })).ok();
    let name = nameless["name"].as_str().expect("a name");
    assert!(name.split_once('-').is_some_and(|(_, digits)| digits.len() == 4), "{name}");
}

fn check_api_pair(http: &mut Http, path: &str) {
    let pair = |org: &Value| {
        let text = |field: &str| org[field].as_str().map(str::to_owned);
        (text("auth_token"), text("auth_secret"))
    };
    let on = http.put(path, &json!({ "name": "acme", "auth_api": true })).ok();
    assert_eq!((&on["name"], &on["auth_api"]), (&json!("acme"), &json!(true)));
    let (token, secret) = pair(&on);
    assert_eq!(token.as_ref().map(String::len), Some(32));
    assert_ne!(token, secret);
    let same = http.put(path, &json!({ "auth_api": true })).ok();
    assert_eq!((pair(&same), &same["name"]), ((token.clone(), secret.clone()), &json!("acme")));
    let renew = json!({ "name": "acme", "auth_api": true, "auth_secret": true });
    let renewed = pair(&http.put(path, &renew).ok());
    assert!(renewed.0 == token && renewed.1.is_some() && renewed.1 != secret);
    let off = http.put(path, &json!({ "name": "acme" })).ok();
    assert_eq!((pair(&off), &off["auth_api"]), ((None, None), &json!(false)));
    assert_eq!(http.get(path).ok(), off);
}
