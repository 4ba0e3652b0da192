//! A daemon on a database that the test can reach too, an administrator who has signed in, and a
//! second host that beats and does nothing else: the test plays its part.

use crate::support::daemon::Home;
use crate::support::http::Http;
use crate::support::mongo::ReplicaSet;
use crate::support::place::Place;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::sync::{Client, Collection, Database};
use serde_json::{Value, json};
use warren::base::clock::Clock;
use warren::base::ids::{HostId, OrgId, UserId};
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::bus::{self, Bus};
use warren::liveness;
use warren::pki::{Issuer, KeyKind, PrivateKey, Subject};
use warren::store::bus::Message;
use warren::store::hosts::HostStart;
use warren::store::organizations::{OrgDoc, OrgSummary};
use warren::store::pool::{NewPooled, PoolKind};
use warren::store::{Store, StoreError};

const PASSWORD: &str = "four words of mine";
const DATABASE: &str = "warren";
/// More servers than a test creates.
const KEYS: i64 = 40;
const PLAYED: HostId = HostId::from_bytes([9; 16]);
pub const UNKNOWN: &str = "0123456789abcdef01234567";
pub const UNKNOWN_HOST: &str = "0123456789abcdef0123456789abcdef";

/// What a test works with. The daemon runs as long as `run` does.
pub struct Rig<'a> {
    pub http: Http,
    pub home: &'a Home,
    pub store: Store,
    client: Client,
    bus: Bus,
    _beat: liveness::Handle,
}

/// Runs `test` against a daemon of its own.
pub fn run(test: impl FnOnce(&mut Rig<'_>)) {
    let set = ReplicaSet::local();
    let home = Home::new(&Place::isolated(), Some(set.uri()));
    let uri = Secret::new(set.uri().to_owned());
    let clock = Clock::system();
    let store = Store::connect(&uri, clock.clone(), Random::system()).expect("a store");
    fill_pools(&set.client().database(DATABASE), &store);
    let daemon = home.start();
    let http = sign_in(&home, &daemon.default_password());
    let (bus, _threads) = bus::spawn(store.clone(), PLAYED, clock).expect("a bus");
    let beat = beat(&store);
    test(&mut Rig { http, home: &home, store, client: set.client(), bus, _beat: beat });
}

fn beat(store: &Store) -> liveness::Handle {
    let start = HostStart {
        id: PLAYED,
        name: "played".to_owned(),
        hostname: "played".to_owned(),
        public_address: Some("192.0.2.9".to_owned()),
        web_port: 443,
        nonce: "played".to_owned(),
        version: "0".to_owned(),
        local_address: None,
        local_networks: Vec::new(),
    };
    let epoch = store.host_start(&start).expect("registered").epoch;
    let identity = liveness::Identity { host: PLAYED, epoch, nonce: start.nonce };
    liveness::spawn(store.clone(), identity, store.clock().clone()).expect("a beat")
}

/// Nothing is made in the background, and creating does not wait: what a server signs profiles with
/// is of a quicker size here.
fn fill_pools(database: &Database, store: &Store) {
    let floors = doc! { "_id": "pool", "rsa2048_floor": 0_i64, "rsa4096_floor": 0_i64,
    "dh2048_floor": 0_i64 };
    database.collection("settings").insert_one(floors).run().expect("inserted");
    let key = PrivateKey::generate(KeyKind::Rsa2048).expect("a key").to_pem().expect("PEM");
    let kind = PoolKind::Key(KeyKind::Rsa4096);
    let filled = store.transaction("fill a pool", |tx| {
        (0..KEYS).try_for_each::<_, Result<(), StoreError>>(|ticket| {
            let new = NewPooled { id: store.new_id(), kind, ticket, content: &key };
            tx.pool_put(&new, None)
        })
    });
    filled.expect("filled");
}

fn sign_in(home: &Home, first: &str) -> Http {
    let mut http = home.http();
    http.login("admin", first).ok();
    http.put("/settings", &json!({ "username": "admin", "password": PASSWORD })).ok();
    let mut http = home.http();
    http.login("admin", PASSWORD).ok();
    http
}

/// A request that is accepted, and nothing more.
pub fn body(name: &str) -> Value {
    json!({ "name": name, "protocol": "udp", "cipher": "aes128", "hash": "sha256" })
}

/// `body` with other or further fields.
pub fn with(name: &str, fields: Value) -> Value {
    let mut body = body(name);
    let fields = fields.as_object().expect("fields").clone();
    body.as_object_mut().expect("fields").extend(fields);
    body
}

pub fn id_of(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

impl Rig<'_> {
    /// A new server's id.
    pub fn server(&mut self, body: &Value) -> String {
        id_of(&self.http.post("/server", body).ok())
    }

    /// A new server that only the host the test plays may run.
    pub fn played_server(&mut self, body: &Value) -> String {
        let server = self.server(body);
        let path = format!("/server/{server}/host");
        self.http.put(&format!("{path}/{PLAYED}"), &json!({})).ok();
        self.http.delete(&format!("{path}/{}", self.host_id())).ok();
        server
    }

    /// An organization with a quick kind of CA.
    pub fn organization(&self, name: &str) -> String {
        let (org, user): (OrgId, UserId) = (self.store.new_id(), self.store.new_id());
        let key = PrivateKey::generate(KeyKind::P256).expect("a key");
        let now_s = self.store.clock().cluster_s();
        let issuer = Issuer::create(key.clone(), Subject { org, user }, now_s).expect("a CA");
        let summary = OrgSummary {
            id: org,
            name: name.to_owned(),
            auth_api: false,
            auth_token: None,
            auth_secret: None,
            ca_user_id: user,
            ca_expires: issuer.certificate().not_after_s().expect("a date"),
            user_count: 0,
        };
        let key = key.to_pem().expect("PEM").expose().clone();
        let certificate = issuer.certificate().to_pem().expect("PEM");
        self.store.org_insert(&OrgDoc::new(summary, key, certificate)).expect("inserted");
        org.to_string()
    }

    pub fn documents(&self, collection: &str) -> Collection<Document> {
        self.client.database(DATABASE).collection(collection)
    }

    /// The stored server.
    pub fn document(&self, server: &str) -> Document {
        let found = self.documents("servers").find_one(doc! { "_id": oid(server) }).run();
        found.expect("an answer").expect("a server")
    }

    pub fn set(&self, server: &str, fields: Document) {
        let servers = self.documents("servers");
        let done = servers.update_one(doc! { "_id": oid(server) }, doc! { "$set": fields }).run();
        assert_eq!(done.expect("written").matched_count, 1);
    }

    /// Whatever a test needs to be there.
    pub fn insert(&self, collection: &str, document: Document) {
        self.documents(collection).insert_one(document).run().expect("inserted");
    }

    /// The daemon's host.
    pub fn host(&self) -> Document {
        self.host_where(doc! { "_id": { "$ne": PLAYED.to_string() } })
    }

    fn host_where(&self, filter: Document) -> Document {
        let found = self.documents("hosts").find_one(filter).run();
        found.expect("an answer").expect("a host")
    }

    pub fn host_id(&self) -> String {
        self.host().get_str("_id").expect("an id").to_owned()
    }

    pub fn played_id(&self) -> String {
        PLAYED.to_string()
    }

    /// What a host records when OpenVPN answers: an instance of the server's latest run.
    pub fn instance(&self, server: &str) -> Document {
        let played = self.host_where(doc! { "_id": PLAYED.to_string() });
        doc! {
            "instance_id": ObjectId::new(),
            "host_id": PLAYED.to_string(),
            "epoch": played.get_i64("epoch").expect("an epoch"),
            "run": self.document(server).get_i64("run").expect("a run"),
            "started": DateTime::now(),
        }
    }

    /// What a host tells the others when a server has started, failed or ended.
    pub fn wake(&self, server: &str) {
        let key = warren::domain::server::wake_key(server.parse().expect("an id"));
        self.bus.publish(Message::Wake { key });
    }

    /// A client connected to an instance.
    pub fn client(&self, server: &str, instance: &Document, org: &str, user: ObjectId) -> ObjectId {
        let id = ObjectId::new();
        self.insert(
            "clients",
            doc! {
                "_id": id,
                "server_id": oid(server),
                "instance_id": instance.get_object_id("instance_id").expect("an id"),
                "host_id": instance.get_str("host_id").expect("an id"),
                "org_id": oid(org),
                "user_id": user,
                "user_name": "anna",
                "cid": 1_i64,
                "platform": "linux",
                "device_name": null,
                "mac_addr": null,
                "real_address": "192.0.2.7",
                "virt_address": "10.20.0.2",
                "virt_address6": null,
                "connected_since": 1_700_000_000_i64,
                "bytes_received": 10_i64,
                "bytes_sent": 20_i64,
            },
        );
        id
    }
}

pub fn oid(text: &str) -> ObjectId {
    ObjectId::parse_str(text).expect("an id")
}
