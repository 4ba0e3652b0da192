//! What goes wrong around running servers: killed daemons, lost databases, ports and programs that
//! are not to be had.

use super::rig::{Admin, BEHIND, GATEWAY, Site};
use crate::needs;
use crate::support::ovpn::Attempt;
use crate::support::traffic::{Pings, ping};
use crate::support::wait::{seconds, wait_until};
use serde_json::json;
use std::net::UdpSocket;
use std::os::unix::fs::symlink;
use std::time::Instant;

#[test]
fn a_killed_daemon_drops_no_packet_and_the_next_one_goes_on() {
    needs!(Namespaces, Tun, OpenVpn, Nft, Mongod);
    let site = Site::new(&["h1", "c1", "c2"]);
    let home = site.home("h1");
    let mut daemon = home.start();
    let mut admin = Admin::first(&site, &daemon, home);
    let org = site.organization("acme");
    let server = admin.server(&org, json!({}));
    let (ann, bob) = (admin.user(&org, "ann", json!({})), admin.user(&org, "bob", json!({})));
    admin.start(&server);
    let _tunnel = admin.connected("c1", &server, &ann);
    wait_until("the client to be recorded", seconds(3), || site.clients().len() == 1);
    let before = (site.document(&server), site.clients());
    let pings = Pings::start(site.lab.host("c1"), BEHIND);
    wait_until("pings", seconds(5), || pings.count().answered > 3);

    daemon.process.kill_9();
    let more = pings.count().answered + 5;
    wait_until("pings without a daemon", seconds(5), || pings.count().answered > more);
    let _daemon = home.start();
    wait_until("the server in the new life", seconds(5), || site.runs_on(&server) == ["h1"]);
    let more = pings.count().answered + 10;
    wait_until("pings with the next daemon", seconds(5), || pings.count().answered > more);
    let count = pings.count();
    assert!(count.sent <= count.answered + 1, "none is lost: {count:?}");

    let ids = |documents: &[mongodb::bson::Document]| -> Vec<_> {
        documents.iter().map(|document| document.get("_id").cloned()).collect()
    };
    assert_eq!(ids(&site.clients()), ids(&before.1), "the same client, not dropped");
    let instance = |server: &mongodb::bson::Document, field: &str| {
        let instances = server.get_array("instances").expect("a list");
        instances[0].as_document().expect("an instance").get(field).cloned()
    };
    let after = site.document(&server);
    for field in ["instance_id", "started"] {
        assert_eq!(instance(&before.0, field), instance(&after, field), "the same {field}");
    }
    assert_ne!(instance(&before.0, "epoch"), instance(&after, "epoch"), "in another life");

    // Accounting, admission and cuts go on.
    let bytes = || site.clients()[0].get_i64("bytes_received").expect("a count");
    let counted = bytes();
    wait_until("bytes to be counted", seconds(20), || bytes() > counted);
    let mut admin = Admin::at(&site, home);
    let _other = admin.connected("c2", &server, &bob);
    let path = format!("/user/{org}/{}", ann.id);
    admin.http.put(&path, &json!({ "name": "ann", "disabled": true })).ok();
    let client = site.lab.host("c1");
    let cut = wait_until("the adopted client to be cut", seconds(3), || {
        !client.output(&["ping", "-c1", "-W0.05", &GATEWAY.to_string()]).status.success()
    });
    println!("cut {cut:?} after the answer");
}

#[test]
fn without_the_database_tunnels_stay_and_known_users_come_again() {
    needs!(Namespaces, Tun, OpenVpn, Nft, Mongod);
    let mut site = Site::new(&["h1", "c1", "c2"]);
    let name = "h1".to_owned();
    let (server, org, ann, profiles);
    {
        let home = site.home(&name);
        let daemon = home.start();
        let mut admin = Admin::first(&site, &daemon, home);
        org = site.organization("acme");
        server = admin.server(&org, json!({}));
        ann = admin.user(&org, "ann", json!({ "pin": "123456" }));
        let bob = admin.user(&org, "bob", json!({}));
        profiles = [admin.profile(&server, &ann), admin.profile(&server, &bob)];
        assert!(daemon.stop().success());
    }
    let home = site.take_home(&name);
    let mut daemon = home.start();
    let admin = Admin::at(&site, &home);
    admin.start(&server);
    let connect = |site: &Site, client: &str, profile: &str| {
        let login = profile.contains("auth-user-pass").then_some(("user", "123456"));
        crate::support::ovpn::Tunnel::start(site.lab.host(client), profile, login)
    };
    // Ann has been here in this life of the daemon, Bob has not.
    let mut first = connect(&site, "c1", &profiles[0]);
    assert_eq!(first.outcome(seconds(20)), Attempt::Connected);
    let address = first.address();
    let mut bob = connect(&site, "c2", &profiles[1]);
    assert_eq!(bob.outcome(seconds(20)), Attempt::Connected);
    bob.process.terminate(seconds(10));

    site.set.members[0].kill_9();
    let pings = Pings::start(site.lab.host("c1"), BEHIND);
    wait_until("pings without a database", seconds(10), || pings.count().answered > 30);
    let count = pings.count();
    assert!(count.sent <= count.answered + 1, "none is lost: {count:?}");
    drop(pings);
    first.process.terminate(seconds(10));

    let begin = Instant::now();
    let mut again = connect(&site, "c1", &profiles[0]);
    assert_eq!(again.outcome(seconds(20)), Attempt::Connected);
    println!("a known user is back {:?} after its start", begin.elapsed());
    assert_eq!(again.address(), address, "on its recorded address");
    assert!(ping(site.lab.host("c1"), BEHIND));

    site.set.members[0].restart();
    wait_until("what happened meanwhile in the database", seconds(40), || {
        let clients = site.try_clients().unwrap_or_default();
        clients.len() == 1 && clients[0].get_str("user_name").ok() == Some("ann")
    });
    assert!(ping(site.lab.host("c1"), BEHIND));

    // A stop does not wait for a database that is away, and still leaves nothing behind.
    site.set.members[0].kill_9();
    let begin = Instant::now();
    daemon.process.terminate(seconds(30));
    println!("daemon stopped without a database after {:?}", begin.elapsed());
    let left = site.lab.host("h1").sh("ip -br link; nft list tables; ps -eo comm");
    assert!(
        !left.contains("wrn") && !left.contains("warren") && !left.contains("openvpn"),
        "{left}"
    );
}

#[test]
fn a_start_that_fails_says_why_at_once_and_another_start_tries_again() {
    needs!(Namespaces, Tun, OpenVpn, Nft, Mongod);
    let site = Site::new(&["h1"]);
    let home = site.home("h1");
    let program = home.state_dir().join("openvpn");
    symlink("/usr/sbin/openvpn", &program).expect("a link");
    home.configure(&format!("openvpn = {program:?}\n"));
    let daemon = home.start();
    let mut admin = Admin::first(&site, &daemon, home);
    let org = site.organization("acme");
    let server = admin.server(&org, json!({}));
    let idle = site.traces("h1");
    let fails = |says: &str| {
        let (reply, took) = admin.operate(&server, "start").wait();
        assert_eq!(reply.status, 500, "{}", reply.text());
        let cause = reply.json()["error_msg"].as_str().unwrap_or_default().to_owned();
        assert!(cause.contains(says), "{cause}");
        assert!(took < seconds(6), "{took:?}");
        println!("{cause} after {took:?}");
        let stored = site.document(&server);
        let failure = stored.get_document("failure").expect("a failure");
        assert_eq!(failure.get_str("cause").expect("a cause"), cause);
    };
    let taken = site.lab.host("h1").net(|| UdpSocket::bind("[::]:1194")).expect("a free port");
    fails("Address already in use");
    fails("Address already in use");
    // Removed while the daemon runs.
    std::fs::remove_file(&program).expect("removed");
    fails("openvpn is not installed");
    drop(taken);
    wait_until("nothing left of the attempts", seconds(5), || {
        let document = site.document(&server);
        site.traces("h1") == idle && document.get_array("instances").is_ok_and(Vec::is_empty)
    });
    let doctor = home.run(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("openvpn is not installed"), "{said}");

    symlink("/usr/sbin/openvpn", &program).expect("a link");
    let (reply, took) = admin.operate(&server, "start").wait();
    println!("started {took:?} after a failure");
    assert_eq!(reply.ok()["status"], "online");
    assert!(site.document(&server).get_document("failure").is_err(), "the failure is past");
}

#[test]
fn a_damaged_server_is_named_and_the_others_run() {
    needs!(Namespaces, Tun, OpenVpn, Nft, Mongod);
    use mongodb::bson::doc;
    let site = Site::new(&["h1"]);
    let home = site.home("h1");
    let daemon = home.start();
    let mut admin = Admin::first(&site, &daemon, home);
    let org = site.organization("acme");
    let damaged = admin.server(&org, json!({ "name": "damaged" }));
    let good =
        admin.server(&org, json!({ "name": "good", "network": "10.9.0.0/24", "port": 1195 }));
    let set = doc! { "$set": { "cipher": "rot13" } };
    let filter = doc! { "name": "damaged" };
    site.documents("servers").update_one(filter, set).run().expect("written");
    let (reply, _) = admin.operate(&damaged, "start").wait();
    assert_eq!(reply.status, 500);
    assert!(reply.text().contains("no valid cipher"), "{}", reply.text());
    admin.start(&good);
    assert_eq!(site.runs_on(&good), ["h1"]);
    let failure = site.document(&damaged);
    assert!(failure.get_document("failure").is_ok() && site.runs_on(&damaged).is_empty());
}
