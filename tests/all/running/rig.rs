//! Hosts with real daemons on one database, clients beside them and a machine behind the first.
//! Everything is done over the API, but for what would only be slow: keys are planted.

use crate::support::daemon::{Daemon, Home};
use crate::support::http::{Http, Reply};
use crate::support::lab::{Host, Lab};
use crate::support::mongo::ReplicaSet;
use crate::support::ovpn::{Attempt, Tunnel};
use crate::support::wait::{seconds, wait_until};
use crossbeam_channel::{Receiver, unbounded};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use mongodb::sync::{Client, Collection};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use warren::base::clock::Clock;
use warren::base::ids::{HostId, OrgId, UserId};
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::bus::{self, Bus, Message};
use warren::pki::{Issuer, KeyKind, PrivateKey, Subject};
use warren::store::organizations::{OrgDoc, OrgSummary};
use warren::store::pool::{NewPooled, PoolKind};
use warren::store::{Store, StoreError};

const PASSWORD: &str = "four words of mine";
const DATABASE: &str = "warren";
/// More users than a test creates.
const KEYS: i64 = 8;

pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 1);
pub const BEHIND: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

/// A lab whose hosts share a database.
pub struct Site {
    pub lab: Lab,
    /// Known to h1 only.
    pub behind: Host,
    pub set: ReplicaSet,
    pub store: Store,
    client: Client,
    /// A host's that tells the others something.
    bus: (Bus, bus::Handle),
    homes: BTreeMap<String, Home>,
}

impl Site {
    /// Hosts `h1`.. and clients `c1`..
    pub fn new(names: &[&str]) -> Site {
        let lab = Lab::new(names);
        let behind = lab.behind("h1");
        let set = ReplicaSet::local();
        let uri = Secret::new(set.uri().to_owned());
        let store = Store::connect(&uri, Clock::system(), Random::system()).expect("a store");
        let homes = names.iter().filter(|name| name.starts_with('h')).map(|name| {
            let host = lab.host(name);
            let home = Home::new(host, Some(set.uri()));
            home.configure(&format!("host_name = {name:?}\n"));
            home.configure(&format!("public_address = \"{}\"\n", host.address));
            ((*name).to_owned(), home)
        });
        let homes = homes.collect();
        let client = set.client();
        let teller = HostId::from_bytes([9; 16]);
        let bus = bus::spawn(store.clone(), teller, Clock::system()).expect("a bus");
        let site = Site { lab, behind, set, store, client, bus, homes };
        site.fill_pools();
        site
    }

    /// Nothing is made in the background, and creating does not wait.
    fn fill_pools(&self) {
        let floors = doc! { "_id": "pool", "rsa2048_floor": 0_i64, "rsa4096_floor": 0_i64,
        "dh2048_floor": 0_i64 };
        self.documents("settings").insert_one(floors).run().expect("inserted");
        let put = |kind: KeyKind, made: KeyKind, count: i64| {
            self.store.transaction("fill a pool", |tx| {
                (0..count).try_for_each::<_, Result<(), StoreError>>(|ticket| {
                    let content = PrivateKey::generate(made).expect("a key").to_pem();
                    let content = content.expect("PEM");
                    let (id, kind) = (self.store.new_id(), PoolKind::Key(kind));
                    tx.pool_put(&NewPooled { id, kind, ticket, content: &content }, None)
                })
            })
        };
        put(KeyKind::Rsa2048, KeyKind::P256, KEYS).expect("filled");
        put(KeyKind::Rsa4096, KeyKind::Rsa2048, 2).expect("filled");
    }

    pub fn home(&self, name: &str) -> &Home {
        &self.homes[name]
    }

    /// For a test that changes the site while the home's daemon runs.
    pub fn take_home(&mut self, name: &str) -> Home {
        self.homes.remove(name).expect("a home")
    }

    pub fn documents(&self, collection: &str) -> Collection<Document> {
        self.client.database(DATABASE).collection(collection)
    }

    /// What a host says that has changed a server's document.
    pub fn tell_of(&self, server: &str) {
        let server = server.parse().expect("an id");
        self.bus.0.publish(Message::Server { server });
    }

    pub fn document(&self, server: &str) -> Document {
        let found = self.documents("servers").find_one(doc! { "_id": oid(server) }).run();
        found.expect("an answer").expect("a server")
    }

    /// The instances of a server whose OpenVPN answers, by the names of their hosts.
    pub fn runs_on(&self, server: &str) -> Vec<String> {
        let server = self.document(server);
        let instances = server.get_array("instances").expect("a list").iter();
        let started = instances.filter_map(|instance| {
            let instance = instance.as_document()?;
            instance.get_datetime("started").ok()?;
            let id = instance.get_str("host_id").expect("a host");
            let host = self.documents("hosts").find_one(doc! { "_id": id }).run();
            let host = host.expect("an answer").expect("a host");
            (host.get("epoch") == instance.get("epoch"))
                .then(|| host.get_str("name").expect("a name").to_owned())
        });
        started.collect()
    }

    pub fn clients(&self) -> Vec<Document> {
        self.try_clients().expect("an answer")
    }

    /// `None`: the database is away.
    pub fn try_clients(&self) -> Option<Vec<Document>> {
        let found = self.documents("clients").find(doc! {}).run().ok()?;
        found.collect::<Result<_, _>>().ok()
    }

    /// Waits until no host has told the others anything for longer than what happened may be on
    /// its way.
    pub fn wait_quiet(&self) {
        let count = || {
            let bus = self.documents("bus");
            let newest = bus.find_one(doc! {}).sort(doc! { "$natural": -1 }).run();
            newest.expect("an answer").and_then(|newest| newest.get("_id").cloned())
        };
        let (mut newest, mut since) = (count(), Instant::now());
        wait_until("silence on the bus", seconds(20), || {
            let now = count();
            if now != newest {
                (newest, since) = (now, Instant::now());
            }
            since.elapsed() > Duration::from_millis(1500)
        });
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

    /// What servers leave on a host while they run.
    pub fn traces(&self, host: &str) -> String {
        let place = self.lab.host(host);
        let seen = place
            .sh("ip -br link | cut -d' ' -f1; nft list tables; cat /proc/sys/net/ipv4/ip_forward
             ps -eo comm,user | grep openvpn || true");
        let run_dir = self.home(host).run_dir();
        let files = std::fs::read_dir(run_dir).expect("listed").flatten();
        let mut files: Vec<_> = files.map(|entry| entry.file_name()).collect();
        files.sort();
        format!("{seen}{files:?}")
    }
}

/// Somebody who has signed in to a host's console.
pub struct Admin<'a> {
    pub http: Http,
    pub site: &'a Site,
}

/// A user, and what it connects with.
#[derive(Clone)]
pub struct User {
    pub id: String,
    pub org: String,
    /// As the API shows it.
    pub shown: Value,
}

impl<'a> Admin<'a> {
    /// On a fresh database.
    pub fn first(site: &'a Site, daemon: &Daemon<'_>, home: &Home) -> Admin<'a> {
        let mut http = home.http();
        http.login("admin", &daemon.default_password()).ok();
        http.put("/settings", &json!({ "username": "admin", "password": PASSWORD })).ok();
        Admin::at(site, home)
    }

    pub fn at(site: &'a Site, home: &Home) -> Admin<'a> {
        let mut http = home.http();
        http.login("admin", PASSWORD).ok();
        Admin { http, site }
    }

    /// A server of `org` on the host, with a route to the machine behind it. `fields`: others than
    /// the usual ones.
    pub fn server(&mut self, org: &str, fields: Value) -> String {
        let mut body = json!({
            "name": "office", "network": "10.8.0.0/24", "port": 1194, "protocol": "udp",
            "cipher": "aes128", "hash": "sha256", "restrict_routes": true,
            "ping_interval": 3, "ping_timeout": 10,
        });
        let fields = fields.as_object().expect("fields").clone();
        body.as_object_mut().expect("fields").extend(fields);
        let server = self.http.post("/server", &body).ok();
        let id = server["id"].as_str().expect("an id").to_owned();
        self.http.put(&format!("/server/{id}/organization/{org}"), &json!({})).ok();
        let route = json!({ "network": "10.99.0.0/24", "nat": true });
        self.http.post(&format!("/server/{id}/route"), &route).ok();
        self.http.delete(&format!("/server/{id}/route/{}", hex("0.0.0.0/0"))).ok();
        id
    }

    pub fn user(&mut self, org: &str, name: &str, fields: Value) -> User {
        let mut body = json!({ "name": name });
        let fields = fields.as_object().expect("fields").clone();
        body.as_object_mut().expect("fields").extend(fields);
        let shown = self.http.post(&format!("/user/{org}"), &body).ok()[0].clone();
        let id = shown["id"].as_str().expect("an id").to_owned();
        User { id, org: org.to_owned(), shown }
    }

    pub fn profile(&mut self, server: &str, user: &User) -> String {
        let path = format!("/data/{}/{}/{server}.key", user.org, user.id);
        let reply = self.http.get(&path);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.text()
    }

    /// Starts, stops or restarts; answers what the API does, and how long that took.
    pub fn operate(&self, server: &str, operation: &str) -> Operation {
        let (mut http, path) =
            (self.http.clone(), format!("/server/{server}/operation/{operation}"));
        Operation(thread::spawn(move || {
            let begin = Instant::now();
            (http.send("PUT", &path, None), begin.elapsed())
        }))
    }

    pub fn start(&self, server: &str) {
        let (reply, took) = self.operate(server, "start").wait();
        assert_eq!(reply.ok()["status"], "online");
        println!("start answered after {took:?}");
    }

    /// Connects from the place `client`, with `password` if the server wants one.
    pub fn connect(&mut self, client: &str, server: &str, user: &User, password: &str) -> Tunnel {
        let profile = self.profile(server, user);
        let login = Some(("user", password)).filter(|_| profile.contains("auth-user-pass"));
        Tunnel::start(self.site.lab.host(client), &profile, login)
    }

    pub fn connected(&mut self, client: &str, server: &str, user: &User) -> Tunnel {
        let mut tunnel = self.connect(client, server, user, "");
        assert_eq!(tunnel.outcome(seconds(20)), Attempt::Connected);
        tunnel
    }

    pub fn output(&mut self, server: &str) -> Vec<String> {
        let output = self.http.get(&format!("/server/{server}/output")).ok();
        let lines = output["output"].as_array().expect("lines").iter();
        lines.map(|line| line.as_str().expect("text").to_owned()).collect()
    }

    /// Waits for a line of output with this text.
    pub fn wait_output(&mut self, server: &str, text: &str) {
        wait_until(&format!("{text:?} in the output"), seconds(6), || {
            self.output(server).iter().any(|line| line.contains(text))
        });
    }
}

/// What a browser hears of changes; it listens until it is dropped.
pub struct Events(Receiver<String>, Vec<String>);

impl Events {
    /// Returns when it hears: `nudge` makes something happen.
    pub fn listen(http: &Http, mut nudge: impl FnMut()) -> Events {
        let (tx, rx) = unbounded();
        let mut http = http.clone();
        thread::spawn(move || {
            let mut path = "/event".to_owned();
            while let Ok(reply) = http.try_send("GET", &path, None) {
                for event in reply.json().as_array().into_iter().flatten() {
                    path = format!("/event/{}", event["id"].as_str().expect("an id"));
                    let (kind, about) = (&event["type"], &event["resource_id"]);
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    if tx.send(format!("{} {}", text(kind), text(about))).is_err() {
                        return;
                    }
                }
            }
        });
        let mut events = Events(rx, Vec::new());
        wait_until("the first event", seconds(10), || {
            nudge();
            events.0.recv_timeout(Duration::from_millis(300)).is_ok()
        });
        events.forget();
        events
    }

    pub fn forget(&mut self) {
        self.0.try_iter().for_each(drop);
        self.1.clear();
    }

    /// Whether all of these, as `type resource`, have come since.
    pub fn have(&mut self, wanted: &[String]) -> bool {
        self.1.extend(self.0.try_iter());
        wanted.iter().all(|event| self.1.contains(event))
    }
}

/// An operation under way.
pub struct Operation(JoinHandle<(Reply, Duration)>);

impl Operation {
    pub fn wait(self) -> (Reply, Duration) {
        self.0.join().expect("an answer")
    }
}

pub fn oid(text: &str) -> ObjectId {
    ObjectId::parse_str(text).expect("an id")
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
