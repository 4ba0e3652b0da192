//! Organizations, users and profile downloads over the API of a real daemon on a real database.

mod bulk;
mod deletion;
mod doubt;
mod organizations;
mod pools;
mod profiles;
mod users;

use crate::support::daemon::{Daemon, Home};
use crate::support::http::Http;
use crate::support::mongo::ReplicaSet;
use crate::support::place::Place;
use mongodb::bson::{DateTime, Document, doc, oid::ObjectId};
use mongodb::sync::Collection;
use serde_json::{Value, json};
use std::collections::HashSet;
use warren::base::clock::Clock;
use warren::base::ids::{OrgId, UserId};
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::domain::user::{UserFields, UserSpec};
use warren::pki::{KeyKind, PrivateKey};
use warren::pool::ticket;
use warren::store::pool::{NewPooled, PoolKind};
use warren::store::users::{Created, UserDoc, UserKeys, UserSummary};
use warren::store::{Store, StoreError, Tx};

const PASSWORD: &str = "four words of mine";
/// No such thing.
const NOBODY: &str = "65a000000000000000000001";

/// A host with a database that the test reaches too.
struct Rig {
    home: Home,
    set: ReplicaSet,
    store: Store,
}

impl Rig {
    /// Its pools are empty, and are filled only after something was taken.
    fn new() -> Rig {
        let set = ReplicaSet::local();
        let uri = Secret::new(set.uri().to_owned());
        let store = Store::connect(&uri, Clock::system(), Random::system()).expect("a store");
        let floors = doc! { "_id": "pool", "rsa2048_floor": 0_i64, "rsa4096_floor": 0_i64,
        "dh2048_floor": 0_i64 };
        let rig = Rig { home: Home::new(&Place::isolated(), Some(set.uri())), set, store };
        rig.collection("settings").insert_one(floors).run().expect("a setting");
        rig
    }

    fn collection(&self, name: &str) -> Collection<Document> {
        self.set.client().database("warren").collection(name)
    }

    /// An administrator with a password of its own.
    fn enter(&self, daemon: &Daemon<'_>) -> Http {
        let mut http = self.home.http();
        http.login("admin", &daemon.default_password()).ok();
        let own = json!({ "username": "admin", "password": PASSWORD });
        http.put("/settings", &own).ok();
        http
    }

    /// Keys for the taking: quickly made ones, whatever they are kept as. Servers need RSA.
    fn fill(&self, kind: KeyKind, count: usize) -> Vec<String> {
        let quick = if kind == KeyKind::Rsa4096 { KeyKind::Rsa2048 } else { KeyKind::P256 };
        self.fill_with(kind, count, || PrivateKey::generate(quick).expect("a key"))
    }

    /// Answers them.
    fn fill_with(&self, kind: KeyKind, count: usize, key: impl Fn() -> PrivateKey) -> Vec<String> {
        let random = Random::system();
        let one = |_| {
            let content = key().to_pem().expect("PEM");
            let put = |tx: &mut Tx<'_>| {
                let (id, ticket) = (self.store.new_id(), ticket(&random));
                let kind = PoolKind::Key(kind);
                tx.pool_put(&NewPooled { id, kind, ticket, content: &content }, None)
            };
            self.store.transaction::<(), StoreError>("fill a pool", put).expect("a pool");
            content.expose().clone()
        };
        (0..count).map(one).collect()
    }

    /// People without usable keys, past the API.
    fn plant(&self, org: &str, count: usize) -> Vec<UserId> {
        let org: OrgId = org.parse().expect("an id");
        let signer = self.store.org_with_keys(org).expect("a read").expect("an organization");
        let user = |n: usize| {
            let fields = UserFields { name: format!("planted-{n:05}"), ..UserFields::default() };
            let spec = UserSpec::from_request(&fields, None).expect("valid");
            let summary = UserSummary::person(org, self.store.new_id(), &spec, "OTP".to_owned());
            let text = String::new;
            let (private_key, certificate) = (text(), text());
            let (sync_token, sync_secret) = (text(), text());
            let keys = UserKeys { private_key, certificate, sync_token, sync_secret };
            UserDoc { summary, keys }
        };
        let users: Vec<UserDoc> = (0..count).map(user).collect();
        for chunk in users.chunks(100) {
            let done = self.store.users_create(org, &signer.ca_certificate, chunk);
            assert!(matches!(done, Ok(Created::Yes { .. })), "{done:?}");
        }
        users.iter().map(|user| user.id).collect()
    }

    /// A connection, as a running server records it.
    fn connect(&self, server: &str, org: &str, user: &str) -> String {
        let id = ObjectId::new();
        let client = doc! {
            "_id": id, "server_id": oid(server), "instance_id": ObjectId::new(),
            "host_id": "0".repeat(32), "org_id": oid(org), "user_id": oid(user),
            "user_name": "somebody", "cid": 1_i64, "platform": "linux",
            "device_name": "laptop", "mac_addr": null, "real_address": "192.0.2.7:50000",
            "virt_address": "10.30.1.2", "virt_address6": null,
            "connected_since": 1_700_000_000_i64, "bytes_received": 0_i64, "bytes_sent": 0_i64,
        };
        self.collection("clients").insert_one(client).run().expect("a client");
        id.to_hex()
    }

    /// A server with an organization, and a key for it.
    fn server(&self, http: &mut Http, org: &str, change: &Value) -> String {
        self.fill(KeyKind::Rsa4096, 1);
        let mut body = json!({
            "name": "office", "network": "10.30.1.0/24", "port": 1194, "protocol": "udp",
            "cipher": "aes256", "hash": "sha256",
        });
        let fields = change.as_object().expect("fields");
        fields.iter().for_each(|(name, value)| body[name] = value.clone());
        let server = id(&http.post("/server", &body).ok());
        http.put(&format!("/server/{server}/organization/{org}"), &json!({})).ok();
        server
    }

    /// A task that is not due, however long the test takes.
    fn hold_off(&self, task: &str) {
        let later = DateTime::from_millis(self.store.clock().cluster_ms() + 86_400_000);
        let done = doc! {
            "_id": task, "run": 1_i64, "fence": 1_i64, "attempts": 1_i64, "holder": null,
            "started": later, "done_at": later,
        };
        self.collection("tasks").insert_one(done).run().expect("a task");
    }

    /// All values of a field.
    fn texts(&self, name: &str, field: &str) -> HashSet<String> {
        let found = self.collection(name).find(doc! {}).run().expect("a read");
        let text = |one: Document| one.get_str(field).expect("text").to_owned();
        found.map(|one| text(one.expect("a document"))).collect()
    }

    fn count(&self, name: &str, filter: Document) -> u64 {
        self.collection(name).count_documents(filter).run().expect("a count")
    }
}

fn oid(text: &str) -> ObjectId {
    ObjectId::parse_str(text).expect("an id")
}

fn id(reply: &Value) -> String {
    reply["id"].as_str().unwrap_or_else(|| panic!("no id in {reply}")).to_owned()
}

fn names(list: &Value) -> Vec<String> {
    let name = |one: &Value| one["name"].as_str().expect("a name").to_owned();
    list.as_array().expect("a list").iter().map(name).collect()
}

fn create_org(http: &mut Http, name: &str) -> String {
    id(&http.post("/organization", &json!({ "name": name })).ok())
}

fn create_user(http: &mut Http, org: &str, body: &Value) -> Value {
    http.post(&format!("/user/{org}"), body).ok()[0].clone()
}
