//! The lab itself: what the other tests rest on does what it says.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use mongodb::bson::doc;

use crate::needs;
use crate::support::lab::Lab;
use crate::support::mongo::ReplicaSet;
use crate::support::ovpn::{Attempt, Tunnel};
use crate::support::place::Place;
use crate::support::process::Process;
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
    // Between fork and exec it still has the shell's name.
    wait_until("the orphan", seconds(5), || place.sh("pgrep -c -x sleep || true").trim() == "1");
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

/// A certificate for itself, known to the other side by its fingerprint.
const IDENTITY: &str = "
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=$1 \\
        -keyout $2/$1.key -out $2/$1.crt 2>/dev/null
    openssl x509 -in $2/$1.crt -noout -fingerprint -sha256 | cut -d= -f2";

#[test]
fn an_unprivileged_openvpn_serves_a_client() {
    needs!(Namespaces, Nft, Tun, OpenVpn);
    let (lab, dir) = (Lab::new(&["h1", "c1"]), TempDir::new("openvpn"));
    let (h1, c1) = (lab.host("h1"), lab.host("c1"));
    let folder = dir.path().display().to_string();
    let [server, client] = ["server", "client"].map(|name| {
        let script = IDENTITY.replace("$1", name).replace("$2", &folder);
        let fingerprint = h1.sh(&script);
        let read = |kind| fs::read_to_string(dir.join(&format!("{name}.{kind}"))).expect(kind);
        let (cert, key) = (read("crt"), read("key"));
        (fingerprint, format!("<cert>\n{cert}</cert>\n<key>\n{key}</key>\n"))
    });

    h1.sh("ip tuntap add dev vpn0 mode tun user warren-openvpn group warren-openvpn
           ip addr add 10.8.0.1/24 dev vpn0; ip link set vpn0 up");
    let config = dir.join("server.conf");
    let text = format!(
        "mode server\ntls-server\ndev vpn0\ndev-type tun\ntopology subnet\ndh none\n\
         server 10.8.0.0 255.255.255.0\nifconfig-noexec\nroute-noexec\npersist-tun\n\
         disable-dco\npeer-fingerprint {}{}",
        client.0, server.1
    );
    fs::write(&config, text).expect("a configuration");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "warren-openvpn", "--regid", "warren-openvpn", "--clear-groups"]);
    command.args(["--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs", "openvpn"]);
    let mut openvpn =
        Process::start(h1, command.arg("--config").arg(&config), &dir.join("server.log"));
    openvpn.wait_log("Initialization Sequence Completed", seconds(5));

    let profile = format!(
        "client\ndev tun\nremote {} 1194 udp\nnobind\ndisable-dco\npeer-fingerprint {}{}",
        h1.address, server.0, client.1
    );
    let mut tunnel = Tunnel::start(c1, &profile, None);
    assert_eq!(tunnel.outcome(seconds(10)), Attempt::Connected);
    assert_eq!(tunnel.address(), Ipv4Addr::new(10, 8, 0, 2));
    wait_until("a ping through the tunnel", seconds(5), || ping(c1, Ipv4Addr::new(10, 8, 0, 1)));
    assert_eq!(tunnel.connections(), 1);
}
