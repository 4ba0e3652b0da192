//! `warren default-password` and `warren reset-password`.

use super::{PASSWORD, add_admin, administrators, put_admin, signed_in};
use crate::needs;
use crate::support::daemon::Home;
use crate::support::mongo::ReplicaSet;
use crate::support::place::Place;
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::doc;
use serde_json::json;
use std::process::Output;
use std::sync::Barrier;
use std::thread;
use warren::base::clock::Clock;
use warren::base::random::Random;
use warren::store::Store;
use warren::store::admins::AdminDoc;

/// What the command printed, or its exit code and complaint.
fn printed(output: &Output) -> Result<(String, String), (Option<i32>, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let (out, complaint) = (text(&output.stdout), text(&output.stderr));
    if !output.status.success() {
        assert_eq!(out, "", "nothing on standard output");
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
        return Err((output.status.code(), complaint));
    }
    let word = |line: Option<&str>| {
        let last = line.and_then(|line| line.split_whitespace().last());
        last.expect("a word").to_owned()
    };
    let mut lines = out.lines();
    let (name, password) = (word(lines.next()), word(lines.next()));
    assert!(!complaint.contains(&password), "a secret goes to standard output alone");
    let told = format!("the password of {name} has been reset");
    assert!(complaint.is_empty() || complaint.starts_with(&told), "{complaint}");
    Ok((name, password))
}

#[test]
fn a_lost_password_is_replaced_from_the_command_line() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let default = || printed(&home.run(&["default-password"]));
    let reset = |name: &[&str]| printed(&home.run(&[&["reset-password"], name].concat()));
    let complains = |result: Result<(String, String), (Option<i32>, String)>, text: &str| {
        let (code, complaint) = result.expect_err(text);
        assert_eq!(code, Some(1), "{complaint}");
        assert!(complaint.contains(text), "{complaint}");
    };
    complains(default(), "no administrator yet");
    complains(reset(&[]), "no administrator yet");

    let daemon = home.start_with_keys();
    let (name, first) = default().expect("the first password");
    assert_eq!(name, "admin");
    assert_eq!(default().expect("the same"), (name, first.clone()));
    let mut http = signed_in(&home, &daemon);
    complains(default(), "has been changed");

    let id = add_admin(&set, "anna", doc! { "super_user": false });
    complains(reset(&["anna"]), "no super user of the name \"anna\"");
    complains(reset(&["nobody"]), "no super user of the name \"nobody\"");
    let anna = json!({ "super_user": true, "otp_auth": true });
    put_admin(&mut http, &id, anna).ok();
    put_admin(&mut http, &id, json!({ "disabled": true })).ok();
    let (name, made) = reset(&["ANNA"]).expect("a new password");
    assert_eq!(name, "anna");
    let mut back = home.http();
    assert_eq!(back.login("anna", &made).ok()["default"], true, "enabled, without a code");
    assert_eq!(back.get("/admin").status, 403, "and it must be changed");
    assert_eq!(http.get("/settings").status, 200, "others are left alone");
    complains(default(), "has been changed");

    let (name, made) = reset(&[]).expect("a new password");
    assert_eq!(name, "admin", "the first super user");
    assert_eq!(default().expect("the same"), (name, made.clone()));
    wait_until("its sessions are closed", seconds(6), || http.get("/settings").status == 401);
    assert_eq!(home.http().login("admin", PASSWORD).status, 401);
    assert_eq!(home.http().login("admin", &made).status, 200);
    let log = daemon.process.log();
    assert!(!log.contains(&first) && !log.contains(&made), "a password is in the log");

    // The daemon is not needed.
    assert!(daemon.stop().success());
    let (_, made) = reset(&[]).expect("a new password");
    assert_eq!(default().expect("the same").1, made);
    let usage = home.run(&["reset-password", "a", "b"]);
    assert_eq!(usage.status.code(), Some(64));
}

#[test]
fn without_a_database_the_commands_say_so() {
    needs!(Namespaces, Mongod);
    let uri = "mongodb://127.0.0.1:1/?replicaSet=x";
    let home = Home::new(&Place::isolated(), Some(uri));
    for command in ["default-password", "reset-password"] {
        let (code, complaint) = printed(&home.run(&[command])).expect_err("no database");
        assert_eq!(code, Some(75), "{complaint}");
        assert!(complaint.contains("not available"), "{complaint}");
    }
}

#[test]
fn with_the_daemon_its_own_database_is_away_and_the_commands_say_so() {
    needs!(Namespaces);
    let home = Home::new(&Place::isolated(), None);
    for command in ["default-password", "reset-password", "jobs", "tasks"] {
        let (code, complaint) = printed(&home.run(&[command])).expect_err("no daemon");
        assert_eq!(code, Some(75), "{complaint}");
        assert!(complaint.contains("the daemon does not run: start it"), "{complaint}");
    }
}

/// Two hosts start on an empty database at the same moment.
#[test]
fn there_is_one_first_administrator() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let homes = [(); 3].map(|()| Home::new(&Place::isolated(), Some(set.uri())));
    let _launched = homes.each_ref().map(Home::launch);
    for home in &homes {
        let mut http = home.http();
        wait_until("all run", seconds(30), || {
            http.try_send("GET", "/ping", None).is_ok_and(|reply| reply.status == 200)
        });
    }
    let count = administrators(&set).count_documents(doc! {}).run().expect("a count");
    assert_eq!(count, 1);
    let made = homes.each_ref().map(|home| printed(&home.run(&["default-password"])));
    assert!(made.iter().all(|one| *one == made[0]), "the same on every host");
    let (name, password) = made[0].clone().expect("the first password");
    assert!(homes.iter().all(|home| home.http().login(&name, &password).status == 200));
}

/// The same without the time that a start takes between looking and making.
#[test]
fn hosts_that_make_the_first_administrator_at_once_agree() {
    needs!(Namespaces, Mongod);
    let set = ReplicaSet::local();
    let uri = set.uri().to_owned().into();
    let store = Store::connect(&uri, Clock::system(), Random::system()).expect("a store");
    for round in 0..8 {
        let all = administrators(&set);
        all.delete_many(doc! {}).run().expect("a delete");
        let start = Barrier::new(4);
        let make = &|n: i32| {
            start.wait();
            store.admin_insert_first(&first_admin(&store, &format!("admin{n}")))
        };
        let made: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|n| scope.spawn(move || make(n))).collect();
            threads.into_iter().map(|thread| thread.join().expect("an end")).collect()
        });
        assert!(made.iter().all(Result::is_ok), "round {round}: {made:?}");
        let count = all.count_documents(doc! {}).run().expect("a count");
        assert_eq!(count, 1, "round {round}");
    }
}

fn first_admin(store: &Store, username: &str) -> AdminDoc {
    AdminDoc {
        id: store.new_id(),
        username: username.to_owned(),
        password: String::new(),
        default: Some(true),
        default_password: None,
        yubikey_id: None,
        otp_auth: None,
        otp_secret: None,
        auth_api: None,
        token: username.to_owned(),
        secret: String::new(),
        disabled: None,
        super_user: None,
        known_addresses: Vec::new(),
        password_changes: 0,
        created: None,
    }
}
