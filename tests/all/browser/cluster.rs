//! The console of a cluster: three hosts in networks of their own, which are killed and started,
//! and a database that stops, as the test in the browser asks for it.

use super::{answer, run_node, succeeded};
use crate::needs;
use crate::support::daemon::{Daemon, Home};
use crate::support::keys;
use crate::support::lab::Lab;
use crate::support::mongo::ReplicaSet;
use crate::support::temp::TempDir;
use crate::support::wait::{seconds, wait_for};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{DateTime, Document, doc};
use serde_json::{Value, json};
use std::fs;
use std::process::Child;
use std::time::Duration;

/// Hosts that start, die and move take their time on a busy machine.
const LIMIT: Duration = seconds(200);
const HOSTS: [&str; 3] = ["h1", "h2", "h3"];
/// As many times as a fresh box has: nobody has to make any.
const KEYS: usize = 16;
const PASSWORD: &str = "four words of mine";

struct Cluster<'a> {
    set: &'a ReplicaSet,
    homes: &'a [Home],
    daemons: Vec<Option<Daemon<'a>>>,
}

impl<'a> Cluster<'a> {
    fn start(set: &'a ReplicaSet, homes: &'a [Home]) -> Cluster<'a> {
        let mut daemons: Vec<Daemon<'_>> = homes.iter().map(Home::launch).collect();
        daemons.iter_mut().for_each(Daemon::wait_ready);
        Cluster { set, homes, daemons: daemons.into_iter().map(Some).collect() }
    }

    /// An organization, and a server that one of the other hosts runs.
    fn furnish(&self) {
        let mut http = self.homes[0].http();
        let first = self.daemons[0].as_ref().expect("a daemon").default_password();
        http.login("admin", &first).ok();
        http.put("/settings", &json!({ "username": "admin", "password": PASSWORD })).ok();
        let id = |reply: &Value| reply["id"].as_str().expect("an id").to_owned();
        let org = id(&http.post("/organization", &json!({ "name": "acme" })).ok());
        let server = json!({
            "name": "office", "network": "10.30.1.0/24", "port": 1194, "protocol": "udp",
            "cipher": "aes128", "hash": "sha1", "otp_auth": false, "restrict_routes": false,
        });
        let server = id(&http.post("/server", &server).ok());
        http.put(&format!("/server/{server}/organization/{org}"), &json!({})).ok();
        for host in http.get("/host").ok().as_array().expect("hosts") {
            // Its creator, whose console is looked at, does not run it.
            let method = if host["name"] == "h1" { "DELETE" } else { "PUT" };
            let path = format!("/server/{server}/host/{}", id(host));
            http.send(method, &path, Some(&json!({}))).ok();
        }
        http.put(&format!("/server/{server}/operation/start"), &json!({})).ok();
    }

    /// Does what the test in the browser asks for: `{act, host}`, the number of one.
    fn obey(&mut self, wish: &Value) {
        let host = usize::try_from(wish["host"].as_u64().unwrap_or(0)).expect("a number");
        match wish["act"].as_str().expect("an act") {
            "kill" => drop(self.daemons[host].take()),
            "start" => self.daemons[host] = Some(self.homes[host].start()),
            "away" => self.set.members[0].freeze(),
            "fail" => self.fail_job(),
            "back" => self.set.members[0].thaw(),
            other => panic!("an unknown act: {other}"),
        }
    }

    /// Nothing real fails for good within a test's time.
    fn fail_job(&self) {
        let jobs = self.set.client().database("warren").collection::<Document>("jobs");
        let now = DateTime::now();
        let job = doc! {
            "_id": ObjectId::new(), "kind": "private-key", "payload": "rsa2048", "pool": "rsa2048",
            "class": "heavy", "urgent": false, "state": "failed", "holder": null, "fence": 3_i64,
            "attempts": 3_i64, "error": "no space left on the device", "created": now, "due": now,
            "touched": now, "ended": now,
        };
        jobs.insert_one(job).run().expect("a job");
    }

    /// Until the test in the browser ends. Its wishes are `ask-1.json`, `ask-2.json` and so on; a
    /// file `done-1` tells that the first came true.
    fn serve(&mut self, exchange: &TempDir, test: &mut Child) {
        let mut number = 1;
        wait_for("the end of the test in the browser", LIMIT, || {
            if let Ok(wish) = fs::read_to_string(exchange.join(&format!("ask-{number}.json"))) {
                self.obey(&serde_json::from_str(&wish).expect("JSON"));
                answer(exchange, &format!("done-{number}"), "");
                number += 1;
            }
            test.try_wait().expect("wait").map(|_| ())
        });
    }
}

#[test]
fn a_cluster_seen_from_one_host() {
    needs!(Namespaces, Tun, OpenVpn, Mongod, Nft, Node, Browser);
    let lab = Lab::new(&[&HOSTS[..], &["c2"]].concat());
    let set = ReplicaSet::local();
    keys::plant(set.uri(), KEYS);
    let homes = HOSTS.map(|name| {
        let home = Home::new(lab.host(name), Some(set.uri()));
        let address = lab.host(name).address;
        home.configure(&format!("host_name = {name:?}\npublic_address = \"{address}\"\n"));
        home
    });
    let mut cluster = Cluster::start(&set, &homes);
    cluster.furnish();
    let exchange = TempDir::new("exchange");
    let mut test = run_node(lab.host("c2"), "cluster.test.js", &exchange, PASSWORD);
    cluster.serve(&exchange, &mut test);
    succeeded("cluster.test.js", &exchange, test);
}
