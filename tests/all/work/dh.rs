//! DH parameters: made in children, one job for one server, taken from the pool when there.

use super::orders::enter;
use super::rig::{Host, change, children_of, collection, count, document, floors, host};
use crate::needs;
use crate::spine;
use crate::support::daemon::Home;
use crate::support::keys;
use crate::support::lab::Lab;
use crate::support::mongo::ReplicaSet;
use crate::support::place::signal;
use crate::support::wait::{seconds, wait_for, wait_until};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use openssl::bn::{BigNum, BigNumContext};
use openssl::dh::Dh;
use serde_json::json;
use std::sync::Barrier;
use std::thread;
use warren::pki::DhSize;
use warren::pool;
use warren::queue;
use warren::store::pool::PoolKind;

const DH1024: PoolKind = PoolKind::Dh(DhSize::Bits1024);
const DH2048: PoolKind = PoolKind::Dh(DhSize::Bits2048);

/// What of a server matters here.
fn server(set: &ReplicaSet, bits: i64) -> ObjectId {
    let id = ObjectId::new();
    let server = doc! { "_id": id, "dh_param_bits": bits, "dh_params": Bson::Null };
    collection(set, "servers").insert_one(server).run().expect("a server");
    id
}

fn params(set: &ReplicaSet, server: ObjectId) -> Option<String> {
    let server = document(set, "servers", doc! { "_id": server });
    server.get_str("dh_params").ok().map(str::to_owned)
}

fn refill(host: &Host) -> usize {
    pool::refill(&host.ground).expect("a plan")
}

fn jobs() -> Document {
    doc! { "kind": "dh-params" }
}

fn check_safe(pem: &str, bits: i32) {
    let dh = Dh::params_from_pem(pem.as_bytes()).expect("parameters");
    assert_eq!(dh.prime_p().num_bits(), bits);
    let mut context = BigNumContext::new().expect("a context");
    let mut half = BigNum::new().expect("a number");
    half.rshift1(dh.prime_p()).expect("its half");
    for number in [dh.prime_p(), &half] {
        assert!(number.is_prime(20, &mut context).expect("an answer"));
    }
}

#[test]
fn a_server_gets_what_a_job_makes_for_it_and_the_pool_nothing() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let (first, second) = (host(&set, 1), host(&set, 2));
    let created = server(&set, 1024);
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for host in [&first, &second, &first, &second] {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                refill(host);
            });
        }
    });
    assert_eq!(count(&set, "jobs", jobs()), 1, "one job for one server");
    let job = document(&set, "jobs", jobs());
    assert!(!job.get_bool("urgent").expect("an urgency"), "no server waits for it");
    let _queue = first.work(1);
    let made = wait_for("the parameters", seconds(60), || params(&set, created));
    check_safe(&made, 1024);
    assert_eq!((first.depth(DH1024), count(&set, "jobs", jobs())), (0, 1));
    assert_eq!(refill(&first), 0, "nothing is lacking any more");
}

#[test]
fn what_is_in_the_making_is_enough_for_a_server_created_meanwhile() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let host = host(&set, 1);
    host.new_job(DH1024);
    let job = host.claim();
    let created = server(&set, 1024);
    assert_eq!(refill(&host), 0, "one job, not two");
    host.ground.store.job_give_back(super::rig::claim_of(&job)).expect("given back");
    let _queue = host.work(1);
    wait_until("the parameters", seconds(60), || params(&set, created).is_some());
    assert_eq!((host.depth(DH1024), count(&set, "jobs", jobs())), (0, 1));
    // The size changes: what it has is forgotten, and something else is made.
    let other = doc! { "dh_param_bits": 1536_i64, "dh_params": Bson::Null };
    change(&set, "servers", doc! { "_id": created }, doc! { "$set": other });
    assert_eq!(refill(&host), 1);
    assert_eq!(count(&set, "jobs", doc! { "payload": 1536_i64 }), 1);
}

#[test]
fn what_is_in_store_is_handed_out_once_and_made_again() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    change(&set, "settings", doc! { "_id": "pool" }, doc! { "$set": { "dh2048_floor": 1_i64 } });
    let host = host(&set, 1);
    assert_eq!(refill(&host), 1, "a fresh box keeps one");
    assert_eq!(refill(&host), 0);
    host.fill(DH2048, ["one".to_owned()]);
    collection(&set, "jobs").delete_many(doc! {}).run().expect("none in the making");
    let servers = [server(&set, 2048), server(&set, 2048)];
    assert_eq!(refill(&host), 2, "for the second server, and for the pool");
    let got: Vec<_> = servers.iter().filter_map(|server| params(&set, *server)).collect();
    assert_eq!((got, host.depth(DH2048)), (vec!["one".to_owned()], 0));
    let levels = pool::levels(&host.ground.store).expect("levels");
    let level = levels.iter().find(|(kind, _)| *kind == DH2048).expect("it is in use").1;
    assert_eq!((level.depth, level.target, level.making, level.taken_10min), (0, 2, 2, 1));
    assert!(levels.iter().all(|(kind, _)| *kind != DH1024), "nobody wants those");
}

#[test]
fn a_cancelled_child_ends_in_the_middle_of_its_search() {
    needs!(Mongod);
    let set = ReplicaSet::local();
    let host = host(&set, 1);
    // Takes an hour or so.
    host.new_job(PoolKind::Dh(DhSize::Bits4096));
    let _queue = host.work(1);
    let child = wait_for("a child", seconds(10), || children_of("dh-params").first().copied());
    signal(child, 0);
    let id = document(&set, "jobs", jobs()).get_object_id("_id").expect("an id").to_hex();
    let bus = &host.ground.bus;
    let id = id.parse().expect("an id");
    queue::cancel(&host.ground.store, id, |message| bus.publish(message)).expect("an answer");
    wait_until("its end", seconds(3), || children_of("dh-params").is_empty());
    assert_eq!(host.depth(PoolKind::Dh(DhSize::Bits4096)), 0);
}

#[test]
fn openvpn_starts_without_parameters_and_takes_them_up_at_its_next_start() {
    needs!(Namespaces, Tun, OpenVpn, Mongod, Nft);
    let set = ReplicaSet::local();
    floors(&set, 0, 0);
    let lab = Lab::new(&["h1", "c1"]);
    let home = Home::new(lab.host("h1"), Some(set.uri()));
    home.configure("public_address = \"10.77.0.11\"\n");
    let daemon = home.start_with_keys();
    collection(&set, "pool").delete_many(doc! { "kind": "dh2048" }).run().expect("none left");
    let mut http = enter(&home, &daemon);
    let made = spine::make(&mut http, "udp");
    let id = ObjectId::parse_str(&made.server).expect("an id");
    // It speaks of them only then.
    let mut body = http.get(&format!("/server/{}", made.server)).ok();
    body["debug"] = json!(true);
    http.put(&format!("/server/{}", made.server), &body).ok();
    // What is lacking is being made, which takes longer than the first start.
    wait_until("a job", seconds(10), || count(&set, "jobs", jobs()) == 1);
    let pools = http.get("/pool").ok();
    let pool = pools.as_array().expect("a list").iter().find(|pool| pool["kind"] == "dh2048");
    assert_eq!(pool.expect("the pool")["target"], 1);
    assert_eq!(params(&set, id), None, "it was made too soon");
    assert_eq!(spine::operate(&mut http, &made, "start")["status"], "online");
    let initialized = "Diffie-Hellman initialized with 2048 bit key";
    let instance = || {
        let server = document(&set, "servers", doc! { "_id": id });
        server.get_array("instances").expect("a list").clone()
    };
    let before = instance();
    // As if the job were done.
    let content = keys::dh_params();
    let pooled = doc! {
        "_id": ObjectId::new(), "kind": "dh2048", "ticket": 1_i64, "content": &content,
        "reserved_for": Bson::Null, "reserved_until": Bson::Null,
    };
    collection(&set, "pool").insert_one(pooled).run().expect("in store");
    http.put("/task/pools/run", &json!({})).ok();
    wait_until("the parameters", seconds(10), || params(&set, id).is_some());
    assert_eq!(instance(), before, "what runs goes on as it is");
    assert!(!spine::output(&mut http, &made.server).contains(initialized));
    assert_eq!(spine::operate(&mut http, &made, "restart")["status"], "online");
    wait_until("OpenVPN to say so", seconds(6), || {
        spine::output(&mut http, &made.server).contains(initialized)
    });
    // Another size: those are forgotten, and a small one is made, which OpenVPN would refuse. The
    // large one still is in the making, for as long as chance wants, in the only slot.
    assert_eq!(spine::operate(&mut http, &made, "stop")["status"], "offline");
    let job = document(&set, "jobs", doc! { "pool": "dh2048" });
    let job = job.get_object_id("_id").expect("an id").to_hex();
    http.delete(&format!("/job/{job}")).ok();
    body["dh_param_bits"] = json!(1024);
    http.put(&format!("/server/{}", made.server), &body).ok();
    wait_until("small ones", seconds(60), || params(&set, id).is_some_and(|pem| pem != content));
    check_safe(&params(&set, id).expect("parameters"), 1024);
    assert_eq!(spine::operate(&mut http, &made, "start")["status"], "online");
    assert!(daemon.stop().success());
}
