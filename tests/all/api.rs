//! Who asks, against the real daemon: sign-in, sessions, CSRF tokens, API signatures,
//! administrators, settings, bad input, and the commands for a lost password.

mod admins;
mod input;
mod outage;
mod password;
mod signature;
mod signin;

use crate::support::daemon::{Daemon, Home};
use crate::support::http::{Http, Reply};
use crate::support::mongo::ReplicaSet;
use mongodb::bson::{Document, doc, oid::ObjectId};
use mongodb::sync::Collection;
use serde_json::{Value, json};

/// Of every administrator here, once the generated one is changed.
const PASSWORD: &str = "four words of mine";

/// The first administrator, with a password of its own.
fn signed_in(home: &Home, daemon: &Daemon<'_>) -> Http {
    let mut http = home.http();
    http.login("admin", &daemon.default_password()).ok();
    http.put("/settings", &json!({ "password": PASSWORD })).ok();
    http
}

fn sign_in(home: &Home, username: &str) -> Http {
    let mut http = home.http();
    http.login(username, PASSWORD).ok();
    http
}

fn error(status: u16, id: &str) -> (u16, String) {
    (status, id.to_owned())
}

fn administrators(set: &ReplicaSet) -> Collection<Document> {
    set.client().database("warren").collection("administrators")
}

/// An administrator like the first one, made in the database; answers its id.
fn add_admin(set: &ReplicaSet, username: &str, fields: Document) -> String {
    let all = administrators(set);
    let mut made = all.find_one(doc! {}).run().expect("a read").expect("one");
    // Made later than all others, also within the same second.
    let mut id = ObjectId::new().bytes();
    let [a, b, c, d, ..] = id;
    id[..4].copy_from_slice(&(u32::from_be_bytes([a, b, c, d]) + 1).to_be_bytes());
    let id = ObjectId::from_bytes(id);
    made.extend(doc! { "_id": id, "username": username, "token": username });
    made.extend(fields);
    all.insert_one(made).run().expect("an insert");
    id.to_hex()
}

/// What `PUT /admin/:id` takes, from what `GET` answers, with a change in it.
fn put_admin(http: &mut Http, id: &str, change: Value) -> Reply {
    let now = http.get(&format!("/admin/{id}")).ok();
    let mut body = json!({
        "username": now["username"], "super_user": now["super_user"],
        "disabled": now["disabled"], "auth_api": now["auth_api"], "otp_auth": now["otp_auth"],
    });
    let fields = body.as_object_mut().expect("an object");
    fields.extend(change.as_object().expect("an object").clone());
    http.put(&format!("/admin/{id}"), &body)
}
