//! Several hosts that may run the same server.

use super::rig::{Admin, BEHIND, Site};
use crate::needs;
use crate::support::traffic::ping;
use crate::support::wait::{seconds, wait_until};
use serde_json::json;
use std::time::Instant;

#[test]
fn one_of_two_hosts_runs_a_server_and_the_other_takes_it_over() {
    needs!(Namespaces, Tun, OpenVpn, Nft, Mongod);
    let site = Site::new(&["h1", "h2", "c1"]);
    let (h1, h2) = (site.home("h1"), site.home("h2"));
    let (daemon1, daemon2) = (h1.start(), h2.start());
    let mut admin = Admin::first(&site, &daemon1, h1);
    let org = site.organization("acme");
    let server = admin.server(&org, json!({}));
    let user = admin.user(&org, "ann", json!({}));
    let hosts = admin.http.get("/host").ok();
    for host in hosts.as_array().expect("hosts") {
        let id = host["id"].as_str().expect("an id");
        admin.http.put(&format!("/server/{server}/host/{id}"), &json!({})).ok();
    }
    admin.start(&server);
    let running = site.runs_on(&server);
    assert_eq!(running.len(), 1, "exactly one: {running:?}");
    let processes = |host: &str| site.traces(host).contains("openvpn");
    assert_eq!(processes("h1") as u8 + processes("h2") as u8, 1);
    let _tunnel = admin.connected("c1", &server, &user);
    wait_until("the client to be recorded", seconds(3), || site.clients().len() == 1);

    // The daemon goes without a word; its OpenVPN lives on and serves until it is replaced.
    let (mut dead, other, home) = match running[0].as_str() {
        "h1" => (daemon1, "h2", h1),
        _ => (daemon2, "h1", h2),
    };
    let begin = Instant::now();
    dead.process.kill_9();
    wait_until("the other host to take over", seconds(18), || site.runs_on(&server) == [other]);
    println!("taken over {:?} after the kill", begin.elapsed());
    let stale = site.clients();
    assert!(stale.is_empty(), "clients of the dead instance: {stale:?}");

    // Back again, it finds its slot taken, and ends what it ran.
    let _again = home.start();
    wait_until("the old OpenVPN to end", seconds(10), || !processes(&running[0]));
    assert_eq!(site.runs_on(&server), [other], "the new holder keeps it");
    let instances = site.document(&server).get_array("instances").expect("a list").len();
    assert_eq!(instances, 1);
    if other == "h1" {
        wait_until("the client on the other host", seconds(60), || site.clients().len() == 1);
        assert!(ping(site.lab.host("c1"), BEHIND));
    }
}
