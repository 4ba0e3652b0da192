//! PINs, and which changes of a user end its tunnels.

use crate::people::{Rig, create_user, id, oid};
use crate::support::http::Http;
use mongodb::bson::doc;
use serde_json::{Value, json};

pub fn check(rig: &Rig, http: &mut Http, org: &str) {
    let created = create_user(http, org, &json!({ "name": "anna", "pin": "135790" }));
    assert_eq!(created["pin"], true);
    let path = format!("/user/{org}/{}", id(&created));
    let stored = || {
        let user = rig.collection("users").find_one(doc! { "_id": oid(&id(&created)) }).run();
        let user = user.expect("a read").expect("a user");
        (user.get_str("pin").ok().map(str::to_owned), user.get_i64("cut").expect("a number"))
    };
    let (first, _) = stored();
    assert!(first.as_ref().is_some_and(|pin| pin.starts_with("$argon2id$")), "{first:?}");
    check_pin_field(http, &path, &stored);
    check_cuts(http, &path, &stored);
    check_pin_mode(http, &path);
    let kept = create_user(http, org, &json!({ "name": "keep", "pin": true }));
    assert_eq!(kept["pin"], false, "there is none to keep");
    for user in [created, kept] {
        http.delete(&format!("/user/{org}/{}", id(&user))).ok();
    }
}

type Stored<'a> = &'a dyn Fn() -> (Option<String>, i64);

fn check_pin_field(http: &mut Http, path: &str, stored: Stored<'_>) {
    let (first, _) = stored();
    let mut put =
        |pin: Value| http.put(path, &json!({ "name": "anna", "pin": pin })).ok()["pin"] == true;
    // Kept, repeated, replaced, removed.
    assert!(put(json!(true)) && stored() == (first.clone(), 0));
    assert!(put(json!("135790")) && stored() == (first.clone(), 0), "the same one again");
    assert!(put(json!("246802")));
    let (second, cut) = stored();
    assert!(second != first && cut == 1);
    for (n, gone) in [json!(null), json!(""), json!(false)].into_iter().enumerate() {
        assert!(!put(gone));
        assert_eq!(stored(), (None, 2 + 2 * n as i64));
        assert!(put(json!("246802")));
    }
    let omitted = http.put(path, &json!({ "name": "anna" })).ok();
    assert_eq!((&omitted["pin"], stored().0), (&json!(false), None));
}

/// Only changes that concern what a tunnel was admitted for.
fn check_cuts(http: &mut Http, path: &str, stored: Stored<'_>) {
    http.put(path, &json!({ "name": "anna" })).ok();
    let mut body = json!({ "name": "anna" });
    for (field, value, cuts) in [
        ("name", json!("bert"), false),
        ("email", json!("a@example.com"), false),
        ("groups", json!(["ops"]), false),
        ("client_to_client", json!(true), false),
        ("auth_type", json!("google"), true),
        ("yubico_id", json!("cccccccccccc"), true),
        ("network_links", json!(["10.99.7.0/24"]), true),
        ("mac_addresses", json!(["aa"]), true),
        ("dns_servers", json!(["9.9.9.9"]), true),
        ("dns_suffix", json!("example.com"), true),
        ("disabled", json!(true), true),
        ("disabled", json!(false), false),
    ] {
        let (_, before) = stored();
        body[field] = value;
        http.put(path, &body).ok();
        assert_eq!(stored().1 - before, i64::from(cuts), "{field}");
        http.put(path, &body).ok();
        assert_eq!(stored().1 - before, i64::from(cuts), "{field} again");
    }
}

fn check_pin_mode(http: &mut Http, path: &str) {
    let mode = |http: &mut Http, mode: &str| {
        http.put("/settings", &json!({ "username": "admin", "pin_mode": mode })).ok();
    };
    let pin = json!({ "name": "anna", "auth_type": "local", "pin": "123456" });
    mode(http, "disabled");
    assert_eq!(http.put(path, &pin).error(), (400, "pin_disabled".to_owned()));
    mode(http, "required");
    assert_eq!(http.get(path).ok()["auth_modes"], json!(["google", "pin"]));
    mode(http, "optional");
    assert_eq!(http.get(path).ok()["auth_modes"], json!(["google"]));
    let radius = json!({ "name": "anna", "auth_type": "radius", "pin": "123456" });
    assert_eq!(http.put(path, &radius).error(), (400, "pin_radius".to_owned()));
    assert_eq!(http.put(path, &pin).ok()["pin"], true);
}
