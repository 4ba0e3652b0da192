//! The lab itself: what the other tests rest on does what it says.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use mongodb::bson::doc;

use crate::needs;
use crate::support::lab::Lab;
use crate::support::mongo::ReplicaSet;
use crate::support::place::Place;
use crate::support::temp::TempDir;
use crate::support::traffic::{Echo, PingCount, Pings, connect, echoes, ping};
use crate::support::wait::{seconds, wait_until};

#[test]
fn hosts_reach_each_other_until_cut_or_unplugged() {
    needs!(Namespaces, Nft);
    let lab = Lab::new(&["h1", "h2", "db"]);
    let (h1, h2, db) = (lab.host("h1"), lab.host("h2"), lab.host("db"));
    assert!(ping(h1, h2.address) && ping(h1, h2.address6) && ping(h2, db.address));

    lab.cut_pair("h1", "db");
    assert!(!ping(h1, db.address) && ping(h2, db.address) && ping(h1, h2.address));
    lab.cut("h2");
    assert!(!ping(h2, db.address) && !ping(h1, h2.address));
    lab.heal();
    wait_until("traffic again", seconds(5), || ping(h1, db.address) && ping(h2, db.address));

    lab.unplug("h1");
    assert!(h1.sh("ip link show eth0").contains("NO-CARRIER"));
    assert!(!ping(h1, db.address));
    lab.plug("h1");
    wait_until("the carrier's return", seconds(5), || ping(h1, db.address));
}

#[test]
fn a_machine_behind_a_host_sees_only_that_host() {
    needs!(Namespaces, Nft);
    let lab = Lab::new(&["h1", "c1"]);
    let behind = lab.behind("h1");
    assert!(ping(lab.host("h1"), behind.address));
    assert!(ping(&behind, Ipv4Addr::new(10, 99, 0, 1)));
    lab.host("c1").sh("ip route add 10.99.0.0/24 via 10.77.0.11");
    assert!(!ping(lab.host("c1"), behind.address), "the host does not forward yet");
}

#[test]
fn tcp_and_pings_are_counted() {
    needs!(Namespaces, Nft);
    let lab = Lab::new(&["h1", "c1"]);
    let (h1, c1) = (lab.host("h1"), lab.host("c1"));
    let _echo = Echo::start(h1, 7);
    let mut stream = connect(c1, (h1.address, 7).into()).expect("a connection");
    echoes(&mut stream).expect("an echo");

    let pings = Pings::start(c1, h1.address);
    wait_until("some pings", seconds(5), || pings.count().sent >= 5);
    assert_eq!(pings.count().answered, pings.count().sent);
    lab.cut("h1");
    assert!(echoes(&mut stream).is_err(), "a cut stops what is established");
    lab.heal();
    let lost = |count: PingCount| count.sent - count.answered;
    wait_until("lost pings in the count", seconds(5), || lost(pings.count()) >= 20);
}

#[test]
fn nothing_outlives_its_place() {
    needs!(Namespaces);
    let dir = TempDir::new("place");
    let place = Place::isolated();
    // An orphan, as a daemon killed with -9 leaves them.
    let pid_file = dir.join("pid");
    place.sh(&format!("(sleep 1000 & echo $! >{}) </dev/null >/dev/null 2>&1", pid_file.display()));
    let count = || place.sh("pgrep -c -x sleep").trim().to_owned();
    assert_eq!(count(), "1");
    // The holder is our child: gone from the machine means that the kernel has ended all of it.
    let holder = format!("/proc/{}", place.pid());
    assert!(Path::new(&holder).exists());
    drop(place);
    assert!(!Path::new(&holder).exists());
}

#[test]
fn the_machine_keeps_its_own_tun_device() {
    needs!(Namespaces, Tun);
    let mode = || fs::metadata("/dev/net/tun").map(|node| node.permissions());
    let before = mode().expect("the machine's node");
    let place = Place::isolated();
    assert_eq!(place.sh("stat -c %a /dev/net/tun").trim(), "666");
    place.sh("ip tuntap add dev t0 mode tun; ip link set t0 up");
    assert_eq!(mode().expect("the machine's node"), before);
}

#[test]
fn a_replica_set_of_one_is_there_at_once_and_survives_a_kill() {
    needs!(Namespaces, Mongod);
    let mut set = ReplicaSet::local();
    let things = || set.client().database("test").collection("things");
    things().insert_one(doc! { "_id": 1 }).run().expect("an insert");
    set.members[0].kill_9();
    set.members[0].restart();
    let things = set.client().database("test").collection::<mongodb::bson::Document>("things");
    assert_eq!(things.count_documents(doc! {}).run().expect("a count"), 1);
}

#[test]
fn a_replica_set_of_three_elects_another_primary() {
    needs!(Namespaces, Nft, Mongod);
    let lab = Lab::new(&["db1", "db2", "db3"]);
    let mut set = ReplicaSet::on(&[lab.host("db1"), lab.host("db2"), lab.host("db3")]);
    let first = set.primary();
    set.members[first].kill_9();
    let second = set.primary();
    assert_ne!(first, second);
    set.members[first].restart();
    set.step_down();
    wait_until("a third primary", seconds(20), || set.primary() != second);
}
