//! Servers that documents want, run by the real daemon: from a start over the API to packets
//! through the tunnel, and back.

mod admission;
mod documents;
mod faults;
mod hosts;
mod known;
mod rig;
mod seat;

use crate::needs;
use crate::support::traffic::{Echo, connect, echoes, ping};
use crate::support::wait::{seconds, wait_until};
use rig::{Admin, BEHIND, Events, GATEWAY, Site};
use serde_json::json;
use std::net::{IpAddr, SocketAddr};

#[test]
fn a_server_started_over_the_api_lets_people_through_and_shows_them() {
    needs!(Namespaces, Tun, OpenVpn, Nft, Mongod);
    let site = Site::new(&["h1", "c1"]);
    let home = site.home("h1");
    let daemon = home.start();
    let mut admin = Admin::first(&site, &daemon, home);
    let org = site.organization("acme");
    let server = admin.server(&org, json!({}));
    let user = admin.user(&org, "ann", json!({}));
    admin.start(&server);
    assert_eq!(site.runs_on(&server), ["h1"]);

    let person = format!("/user/{org}/{}", user.id);
    let mut http = admin.http.clone();
    let mut events = Events::listen(&admin.http, || {
        http.put(&person, &json!({ "name": "ann" })).ok();
    });
    let host = admin.http.get("/host").ok()[0]["id"].as_str().expect("an id").to_owned();
    let told = [
        format!("users_updated {org}"),
        format!("hosts_updated {host}"),
        "servers_updated ".to_owned(),
    ];
    let mut tunnel = admin.connected("c1", &server, &user);
    let took = wait_until("the events of a connection", seconds(3), || events.have(&told));
    println!("events {took:?} after the connection");
    let c1 = site.lab.host("c1");
    assert!(ping(c1, GATEWAY) && ping(c1, BEHIND), "through the tunnel, with NAT");
    let _echo = Echo::start(&site.behind, 7);
    let mut flow = connect(c1, SocketAddr::new(IpAddr::V4(BEHIND), 7)).expect("TCP");
    echoes(&mut flow).expect("an echo");

    let path = format!("/server/{server}/client");
    let took = wait_until("the client in the list", seconds(3), || {
        admin.http.get(&path).ok().as_array().is_some_and(|clients| clients.len() == 1)
    });
    println!("client shown after {took:?}");
    let client = admin.http.get(&path).ok()[0].clone();
    assert_eq!(client["user_name"], "ann");
    assert_eq!(client["virt_address"], tunnel.address().to_string());
    assert_eq!(admin.http.get(&format!("/server/{server}")).ok()["users_online"], 1);
    wait_until("bytes in the list", seconds(20), || {
        admin.http.get(&path).ok()[0]["bytes_received"].as_i64() > Some(0)
    });
    let shown = admin.http.get(&person).ok();
    assert!(shown["last_active"].is_i64() && shown["status"] == true, "{shown}");
    admin.wait_output(&server, &format!("[h1] ann connected with {}", tunnel.address()));

    events.forget();
    tunnel.process.terminate(seconds(10));
    let output = format!("server_output_updated {server}");
    let told: Vec<String> = told.into_iter().chain([output]).collect();
    wait_until("the events of its end", seconds(10), || events.have(&told));
    wait_until("the client to be gone from the list", seconds(10), || {
        admin.http.get(&path).ok().as_array().is_some_and(Vec::is_empty)
    });
    admin.wait_output(&server, "[h1] ann disconnected");
    assert!(daemon.stop().success());
}

#[test]
fn a_restart_replaces_the_instance_and_a_stop_leaves_nothing() {
    needs!(Namespaces, Tun, OpenVpn, Nft, Mongod);
    let site = Site::new(&["h1", "c1"]);
    let home = site.home("h1");
    let daemon = home.start();
    let mut admin = Admin::first(&site, &daemon, home);
    let org = site.organization("acme");
    let server = admin.server(&org, json!({}));
    let user = admin.user(&org, "ann", json!({}));
    let idle = site.traces("h1");
    admin.start(&server);
    let first = site.document(&server);
    let _tunnel = admin.connected("c1", &server, &user);
    assert_ne!(site.traces("h1"), idle);

    let (reply, took) = admin.operate(&server, "restart").wait();
    println!("restart answered after {took:?}");
    reply.ok();
    let second = site.document(&server);
    assert_ne!(first.get("instances"), second.get("instances"), "another instance");
    assert_eq!(site.runs_on(&server), ["h1"]);
    wait_until("the client to come again", seconds(20), || site.clients().len() == 1);
    wait_until("its tunnel", seconds(10), || ping(site.lab.host("c1"), BEHIND));

    let (reply, took) = admin.operate(&server, "stop").wait();
    println!("stop answered after {took:?}");
    assert_eq!(reply.ok()["status"], "offline");
    wait_until("nothing left of the server", seconds(6), || site.traces("h1") == idle);
    assert!(site.clients().is_empty() && site.runs_on(&server).is_empty());

    // The daemon's own stop does the same for what runs; the document goes on wanting it.
    admin.start(&server);
    wait_until("the client to come again", seconds(20), || site.clients().len() == 1);
    let begin = std::time::Instant::now();
    assert!(daemon.stop().success());
    println!("daemon stopped after {:?}", begin.elapsed());
    let left = site.traces("h1");
    assert!(
        !left.contains("openvpn") && !left.contains("warren") && !left.contains("wrn"),
        "{left}"
    );
    assert!(left.contains("\n0\n"), "forwarding as it was: {left}");
    assert!(left.ends_with("[]"), "no file: {left}");
    let document = site.document(&server);
    assert!(document.get_bool("online").expect("a wish"), "it is wanted still");
    assert!(document.get_array("instances").expect("a list").is_empty(), "and nobody's");
    assert!(site.clients().is_empty());

    // And so the next start runs it without being asked.
    let _daemon = home.start();
    wait_until("the server to run again", seconds(10), || site.runs_on(&server) == ["h1"]);
}
