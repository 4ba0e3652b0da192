//! Guards of invariants (I6): fifty who would break one at the same moment, on two hosts.
//!
//! Each decision that rests on reading other documents also writes a document of its own; that one
//! is named here. Without it the reading of each would be right, and all together wrong.

mod store;

use super::estate::{organization, people, read, server};
use super::rig::{Host, change, collection, count, document, floors, host};
use crate::needs;
use crate::support::daemon::{Daemon, Home};
use crate::support::http::{Http, Reply};
use crate::support::mongo::ReplicaSet;
use crate::support::place::Place;
use crate::support::wait::{seconds, wait_for};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;
use warren::pki::{KeyKind, PrivateKey};
use warren::pool;
use warren::store::StoreError;
use warren::store::pool::{NewPooled, PoolKind};

const MANY: usize = 50;
const PASSWORD: &str = "four words of mine";

/// Two daemons on one database, with keys for everybody, and a host of this process.
struct Two<'a> {
    set: &'a ReplicaSet,
    host: Host,
    agents: [Http; 2],
    _daemons: [Daemon<'a>; 2],
}

/// Runs `test` against two daemons.
fn on_two(test: impl FnOnce(&Two<'_>)) {
    let set = super::rig::set();
    floors(&set, 0, 0);
    let homes = [(); 2].map(|()| Home::new(&Place::isolated(), Some(set.uri())));
    let daemons = [homes[0].start(), homes[1].start()];
    let password = daemons[0].default_password();
    let mut first = homes[0].http();
    first.login("admin", &password).ok();
    first.put("/settings", &json!({ "username": "admin", "password": PASSWORD })).ok();
    let enter = |home: &Home| {
        let mut http = home.http();
        http.login("admin", PASSWORD).ok();
        http
    };
    let agents = [enter(&homes[0]), enter(&homes[1])];
    let host = host(&set, 9);
    test(&Two { set: &set, host, agents, _daemons: daemons });
}

impl Two<'_> {
    /// Keys for the taking, quickly made ones.
    fn fill(&self, kind: KeyKind, count: usize) {
        let quick = if kind == KeyKind::Rsa4096 { KeyKind::Rsa2048 } else { KeyKind::P256 };
        // Servers and users do not mind that others have the same.
        let content = PrivateKey::generate(quick).expect("a key").to_pem().expect("PEM");
        let store = &self.host.ground.store;
        let filled = store.transaction("fill a pool", |tx| {
            (0..count).try_for_each(|_| {
                let (id, ticket) = (store.new_id(), pool::ticket(&self.host.ground.random));
                let kind = PoolKind::Key(kind);
                tx.pool_put(&NewPooled { id, kind, ticket, content: &content }, None)
            })
        });
        filled.unwrap_or_else(|e: StoreError| panic!("{e}"));
    }

    /// What `count` requests come to that are sent at once, half of them to either host. Where
    /// they may be done twice, whom a busy host asks to come again comes again.
    fn at_once(
        &self,
        repeatable: bool,
        request: impl Fn(usize, &mut Http) -> Reply + Sync,
    ) -> BTreeMap<String, usize> {
        let start = Barrier::new(MANY);
        let outcomes: Vec<String> = thread::scope(|scope| {
            let sent: Vec<_> = (0..MANY)
                .map(|n| {
                    let (mut http, start, request) = (self.agents[n % 2].clone(), &start, &request);
                    scope.spawn(move || {
                        start.wait();
                        wait_for("an answer but 503", seconds(60), || {
                            let reply = request(n, &mut http);
                            (reply.status != 503 || !repeatable).then(|| outcome(&reply))
                        })
                    })
                })
                .collect();
            sent.into_iter().map(|one| one.join().expect("an answer")).collect()
        });
        let mut counts = BTreeMap::new();
        outcomes.into_iter().for_each(|outcome| *counts.entry(outcome).or_default() += 1);
        counts
    }

    fn guard(&self, name: &str) -> i64 {
        document(self.set, "guards", doc! { "_id": name }).get_i64("writes").expect("a count")
    }
}

/// `ok`, or why not.
fn outcome(reply: &Reply) -> String {
    match reply.status {
        200 => "ok".to_owned(),
        400 => reply.error().1,
        other => other.to_string(),
    }
}

/// Exactly one wins, and all others are told the same. On a very busy machine some, the winner
/// perhaps among them, are asked to come again: what is stored then says that there is one.
fn one_wins(mut outcomes: BTreeMap<String, usize>, refusal: &str) {
    let busy = outcomes.remove("503").unwrap_or(0);
    let won = outcomes.remove("ok").unwrap_or(0);
    let refused = outcomes.remove(refusal).unwrap_or(0);
    assert!(outcomes.is_empty(), "{outcomes:?}");
    assert!(won == 1 || won == 0 && busy > 0, "{won} won, {refused} were refused: {refusal}");
}

fn body(name: &str, network: String, port: usize) -> Value {
    json!({
        "name": name, "network": network, "port": port, "protocol": "udp", "cipher": "aes128",
        "hash": "sha256",
    })
}

#[test]
fn networks_and_ports_are_taken_once() {
    needs!(Namespaces, Mongod);
    on_two(|two| {
        two.fill(KeyKind::Rsa4096, 2 * MANY);
        // Guard `places of servers`: which networks other servers have, and which ports.
        let same_network = |n: usize, http: &mut Http| {
            http.post("/server", &body("s", "10.30.0.0/16".to_owned(), 3000 + n))
        };
        one_wins(two.at_once(false, same_network), "network_in_use");
        let same_port = |n: usize, http: &mut Http| {
            http.post("/server", &body("s", format!("10.31.{n}.0/24"), 4000))
        };
        one_wins(two.at_once(false, same_port), "port_protocol_in_use");
        assert_eq!(count(two.set, "servers", doc! {}), 2);
        assert!(two.guard("places of servers") >= 2);

        let servers: Vec<_> =
            (0..MANY).map(|n| server(&two.host, &format!("10.40.{n}.0/24"), &[])).collect();
        let move_in = |n: usize, http: &mut Http| {
            let body = body("s", "10.50.0.0/16".to_owned(), 5000 + n);
            http.put(&format!("/server/{}", servers[n]), &body)
        };
        one_wins(two.at_once(false, move_in), "network_in_use");
        let listen = |n: usize, http: &mut Http| {
            http.put(&format!("/server/{}", servers[n]), &body("s", String::new(), 6000))
        };
        one_wins(two.at_once(false, listen), "port_protocol_in_use");
        for (field, value) in [("network", "10.50.0.0/16".into()), ("port", 6000_i64.into())] {
            let taken = Document::from_iter([(field.to_owned(), value)]);
            assert_eq!(count(two.set, "servers", taken), 1, "{field}");
        }
    });
}

/// Super users with API tokens.
fn super_users(set: &ReplicaSet) -> Vec<(String, String)> {
    let admin = |n: usize| {
        let (id, token) = (ObjectId::new(), format!("token{n:027}"));
        let document = doc! {
            "_id": id, "username": format!("super{n}"), "password": "-", "token": &token,
            "secret": "secretsecretsecretsecretsecret01", "auth_api": true, "super_user": true,
        };
        collection(set, "administrators").insert_one(document).run().expect("an administrator");
        (id.to_hex(), token)
    };
    (0..MANY).map(admin).collect()
}

#[test]
fn the_last_super_user_stays_and_names_are_given_once() {
    needs!(Namespaces, Mongod);
    on_two(|two| {
        let admins = super_users(two.set);
        let ordinary = doc! { "$set": { "super_user": false } };
        change(two.set, "administrators", doc! { "username": "admin" }, ordinary);
        let put = |n: usize, http: &Http, body: Value| {
            let (id, token) = &admins[n];
            let mut signed = http.signed_by(token, "secretsecretsecretsecretsecret01");
            signed.put(&format!("/admin/{id}"), &body)
        };
        // The index of names: it decides by itself.
        let rename = |n: usize, http: &mut Http| {
            put(n, http, json!({ "username": "king", "super_user": true, "auth_api": true }))
        };
        one_wins(two.at_once(false, rename), "admin_username_exists");
        assert_eq!(count(two.set, "administrators", doc! { "username": "king" }), 1);
        // Guard `administrators`: whether another super user is left.
        let step_down = |n: usize, http: &mut Http| {
            put(n, http, json!({ "username": format!("super{n}"), "auth_api": true }))
        };
        let outcomes = two.at_once(false, step_down);
        let left = count(two.set, "administrators", doc! { "super_user": true });
        let refused = outcomes.get("no_super_users").copied().unwrap_or(0);
        // All but one step down, unless a very busy host asked some to come again.
        let busy = outcomes.contains_key("503");
        assert!(left == 1 && refused == 1 || busy && left >= 1, "{left} are left: {outcomes:?}");
        assert!(two.guard("administrators") >= 50);
    });
}

#[test]
fn attachments_have_one_certificate_and_none_is_lost() {
    needs!(Namespaces, Mongod);
    on_two(|two| {
        let ground = &two.host.ground;
        let orgs: Vec<_> = (0..MANY).map(|n| organization(ground, &format!("o{n}"))).collect();
        // The server's own document: who signs first, and who is attached.
        let id = server(&two.host, "10.8.0.0/16", &[]);
        let attach = |n: usize, http: &mut Http| {
            http.put(&format!("/server/{id}/organization/{}", orgs[n].id), &json!({}))
        };
        assert_eq!(two.at_once(true, attach), BTreeMap::from([("ok".to_owned(), MANY)]));
        let attached = read(ground, id).organizations;
        assert!(attached.len() == MANY && orgs.iter().all(|org| attached.contains(&org.id)));
        assert_eq!(count(two.set, "users", doc! { "type": "server" }), 1);

        let again = |_, http: &mut Http| {
            http.put(&format!("/server/{id}/organization/{}", orgs[0].id), &json!({}))
        };
        assert_eq!(two.at_once(true, again), BTreeMap::from([("ok".to_owned(), MANY)]));
        assert_eq!(read(ground, id).organizations.len(), MANY);

        // The same document: none of the routes is lost.
        let add = |n: usize, http: &mut Http| {
            let route = json!({ "network": format!("10.99.{n}.0/24") });
            http.post(&format!("/server/{id}/route"), &route)
        };
        assert_eq!(two.at_once(true, add), BTreeMap::from([("ok".to_owned(), MANY)]));
        assert_eq!(read(ground, id).routes.len(), MANY);
    });
}

#[test]
fn nothing_is_added_to_an_organization_that_goes_and_users_are_counted_once() {
    needs!(Namespaces, Mongod);
    on_two(|two| {
        two.fill(KeyKind::Rsa2048, MANY);
        let ground = &two.host.ground;
        // The organization's own document: whether it is there, and how many users it has.
        let (doomed, stays) = (organization(ground, "doomed"), organization(ground, "stays"));
        let servers: Vec<_> =
            (0..MANY).map(|n| server(&two.host, &format!("10.8.{n}.0/24"), &[])).collect();
        let outcomes = two.at_once(true, |n, http| match n {
            7 => http.delete(&format!("/organization/{}", doomed.id)),
            n if n % 4 < 2 => http.post(&format!("/user/{}", doomed.id), &json!({ "name": "u" })),
            n => {
                let path = format!("/server/{}/organization/{}", servers[n], doomed.id);
                http.put(&path, &json!({}))
            }
        });
        assert!(outcomes.keys().all(|outcome| outcome == "ok" || outcome == "404"), "{outcomes:?}");
        let of = |field: &str| {
            Document::from_iter([(field.to_owned(), super::estate::oid(doomed.id).into())])
        };
        assert_eq!(count(two.set, "organizations", doc! {}), 1);
        assert_eq!(count(two.set, "users", of("org_id")), 0);
        assert_eq!(count(two.set, "servers", of("organizations")), 0);
        assert_eq!(count(two.set, "servers", of("primary_organization")), 0);

        let user = people(ground, &stays, 2)[0];
        let path = format!("/user/{}/{user}", stays.id);
        one_wins(two.at_once(false, |_, http| http.delete(&path)), "404");
        let left = ground.store.org(stays.id).expect("a read").expect("an organization");
        assert_eq!(left.user_count, 1);
    });
}
