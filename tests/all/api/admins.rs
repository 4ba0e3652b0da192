//! Administrators and settings (contract 2.2, 2.8).

use super::{PASSWORD, add_admin, administrators, error, put_admin, sign_in, signed_in};
use crate::needs;
use crate::support::daemon::Home;
use crate::support::mongo::ReplicaSet;
use crate::support::place::Place;
use mongodb::bson::doc;
use serde_json::json;
use std::sync::Barrier;
use std::thread;

#[test]
fn administrators_are_changed_by_super_users_within_the_rules() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let daemon = home.start_with_keys();
    let mut http = signed_in(&home, &daemon);
    let anna = add_admin(&set, "anna", doc! { "super_user": false });
    let list = http.get("/admin").ok();
    assert_eq!(list.as_array().map(Vec::len), Some(2));
    let me = list[0]["id"].as_str().expect("an id").to_owned();
    let fields: Vec<&String> = list[0].as_object().expect("an object").keys().collect();
    assert_eq!(
        fields,
        [
            "audit",
            "auth_api",
            "default",
            "disabled",
            "id",
            "local_otp_auth",
            "otp_auth",
            "otp_secret",
            "secret",
            "super_user",
            "token",
            "username",
            "yubikey_id"
        ]
    );
    let mut ordinary = sign_in(&home, "anna");
    let denied = error(400, "requires_super_user");
    assert_eq!(ordinary.get("/admin").error(), denied);
    assert_eq!(ordinary.get(&format!("/admin/{me}")).error(), denied);
    let promote = json!({ "username": "anna", "super_user": true });
    assert_eq!(ordinary.put(&format!("/admin/{anna}"), &promote).error(), denied);
    assert_eq!(ordinary.get("/state").ok()["super_user"], false);
    for (id, change, answer) in [
        (&me, json!({ "super_user": false }), "no_super_users"),
        (&me, json!({ "disabled": true }), "no_admins_enabled"),
        (&me, json!({ "super_user": false, "disabled": true }), "no_super_users"),
        (&me, json!({ "username": "Anna" }), "admin_username_exists"),
        (&anna, json!({ "otp_auth": true, "local_otp_auth": true }), "admin_invalid_otp"),
        (&anna, json!({ "yubikey_id": "ccccccbcgujh" }), "yubikey_unsupported"),
        (&anna, json!({ "password": "short" }), "password_too_short"),
    ] {
        assert_eq!(
            put_admin(&mut http, id, change.clone()).error(),
            error(400, answer),
            "{change}"
        );
    }
    let nobody = "/admin/65a0000000000000000000ff";
    assert_eq!(http.get(nobody).status, 404);
    assert_eq!(http.put(nobody, &json!({ "username": "x" })).status, 404);
}

#[test]
fn what_changes_about_an_administrator_holds_at_once() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let daemon = home.start_with_keys();
    let mut http = signed_in(&home, &daemon);
    let anna = add_admin(&set, "anna", doc! { "super_user": false });
    let mut ordinary = sign_in(&home, "anna");
    let denied = error(400, "requires_super_user");
    assert_eq!(ordinary.get("/settings").status, 200);
    put_admin(&mut http, &anna, json!({ "password": "a new one for anna" })).ok();
    assert_eq!(ordinary.get("/settings").status, 401);
    assert_eq!(home.http().login("anna", PASSWORD).status, 401);
    assert_eq!(ordinary.login("anna", "a new one for anna").status, 200);
    // What may be done changes at once as well.
    put_admin(&mut http, &anna, json!({ "super_user": true })).ok();
    assert_eq!(ordinary.get("/admin").status, 200);
    put_admin(&mut http, &anna, json!({ "super_user": false })).ok();
    assert_eq!(ordinary.get("/admin").error(), denied);
    put_admin(&mut http, &anna, json!({ "disabled": true })).ok();
    assert_eq!(ordinary.get("/state").status, 401);
    assert_eq!(home.http().login("anna", "a new one for anna").status, 401);

    let me = http.get("/settings").ok()["id"].as_str().expect("an id").to_owned();
    let token = |value: &serde_json::Value| (value["token"].clone(), value["secret"].clone());
    let before = put_admin(&mut http, &me, json!({ "auth_api": true })).ok();
    let renewed = put_admin(&mut http, &me, json!({ "token": "x", "secret": "x" })).ok();
    assert!(token(&before).0 != token(&renewed).0 && token(&before).1 != token(&renewed).1);
    for secret in [&renewed["token"], &renewed["secret"]] {
        assert_eq!(secret.as_str().map(str::len), Some(32));
    }
    let same = http.get(&format!("/admin/{me}")).ok();
    assert_eq!(same, renewed);
    let log = daemon.process.log();
    for secret in [&before["token"], &before["secret"], &renewed["secret"]] {
        assert!(!log.contains(secret.as_str().expect("text")), "a secret is in the log");
    }
}

/// Many rounds, each with two super users who demote each other at the same moment.
#[test]
fn one_super_user_is_left_whatever_happens_at_once() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let homes = [(); 2].map(|()| Home::new(&Place::isolated(), Some(set.uri())));
    let daemons = homes.each_ref().map(Home::start);
    let mut first = signed_in(&homes[0], &daemons[0]);
    let me = first.get("/admin").ok()[0]["id"].as_str().expect("an id").to_owned();
    let anna = add_admin(&set, "anna", doc! {});
    let supers = doc! { "super_user": { "$ne": false }, "disabled": { "$ne": true } };
    for round in 0..12 {
        let all = administrators(&set);
        let both = doc! { "$set": { "super_user": true, "disabled": false } };
        all.update_many(doc! {}, both).run().expect("an update");
        let start = Barrier::new(2);
        let demote = |home: &Home, name: &str, whom: &str| {
            let mut http = sign_in(home, name);
            let change = if round % 2 == 0 { "super_user" } else { "disabled" };
            let body = json!({ "username": if name == "anna" { "admin" } else { "anna" },
                "super_user": change != "super_user", "disabled": change == "disabled" });
            start.wait();
            http.put(&format!("/admin/{whom}"), &body).status
        };
        let statuses = thread::scope(|scope| {
            let one = scope.spawn(|| demote(&homes[0], "admin", &anna));
            let two = scope.spawn(|| demote(&homes[1], "anna", &me));
            [one, two].map(|thread| thread.join().expect("an answer"))
        });
        let left = all.count_documents(supers.clone()).run().expect("a count");
        assert_eq!(left, 1, "round {round}: {statuses:?}");
        assert!(statuses.contains(&200), "round {round}: {statuses:?}");
    }
}

#[test]
fn settings_are_answered_as_they_are_accepted() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let daemon = home.start_with_keys();
    let mut http = signed_in(&home, &daemon);
    let fresh = http.get("/settings").ok();
    assert_eq!((&fresh["theme"], &fresh["pin_mode"]), (&json!("dark"), &json!("optional")));
    assert_eq!(http.put("/settings", &fresh).ok(), fresh, "sent back as it came");
    assert_eq!(http.put("/settings", &json!({})).ok(), fresh, "nothing is asked for");
    for (change, id) in [
        (json!({ "theme": "blue" }), "theme_invalid"),
        (json!({ "pin_mode": "never" }), "pin_mode_invalid"),
        (
            json!({ "username": "admin", "password": "short", "theme": "light" }),
            "password_too_short",
        ),
    ] {
        assert_eq!(http.put("/settings", &change).error(), error(400, id));
    }
    assert_eq!(http.get("/settings").ok(), fresh, "what is refused changes nothing");
    let change = json!({ "theme": "light", "pin_mode": "required", "username": "Root <1>" });
    let changed = http.put("/settings", &change).ok();
    for (field, value) in [("theme", "light"), ("pin_mode", "required"), ("username", "root1")] {
        assert_eq!(changed[field], value);
    }
    assert_eq!(http.get("/settings").ok(), changed);
    assert_eq!(http.get("/state").ok()["theme"], "light");
    assert_eq!(home.http().login("ROOT1", PASSWORD).status, 200);
    add_admin(&set, "taken", doc! {});
    let taken = http.put("/settings", &json!({ "username": "taken" }));
    assert_eq!(taken.error(), error(400, "admin_username_exists"));
}
