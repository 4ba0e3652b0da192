//! From an empty machine to a packet through the tunnel, through the public HTTPS API only.

use crate::needs;
use crate::support::daemon::{Daemon, Home};
use crate::support::http::Http;
use crate::support::lab::{Host, Lab};
use crate::support::ovpn::{Attempt, Tunnel};
use crate::support::totp;
use crate::support::traffic::{Echo, connect, echoes, ping};
use crate::support::wait::{seconds, wait_until};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

const PASSWORD: &str = "four words of mine";
const PIN: &str = "246813";
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 30, 1, 1);

/// One host of a lab with a client `c1`, a machine behind it, and `c2` for a browser.
pub struct Box1 {
    pub lab: Lab,
    pub behind: Host,
    pub home: Home,
}

impl Box1 {
    pub fn new() -> Box1 {
        let lab = Lab::new(&["h1", "c1", "c2"]);
        let behind = lab.behind("h1");
        let home = Home::new(lab.host("h1"), None);
        home.configure("public_address = \"10.77.0.11\"\n");
        Box1 { lab, behind, home }
    }

    /// As a new administrator does it: first sign-in, own password.
    pub fn enter(&self, daemon: &Daemon<'_>) -> Http {
        let mut http = self.home.http();
        let first = daemon.default_password();
        assert_eq!(http.login("admin", &first).ok()["default"], true);
        let refused = http.get("/organization");
        assert_eq!(refused.error(), (403, "password_change_required".to_owned()));
        let own = json!({ "username": "admin", "password": PASSWORD });
        assert_eq!(http.put("/settings", &own).ok()["default"], false);
        http.get("/organization").ok();
        http
    }
}

/// What the API made.
pub struct Made {
    pub org: String,
    pub user: String,
    pub server: String,
}

pub fn id(reply: &Value) -> String {
    reply["id"].as_str().unwrap_or_else(|| panic!("no id in {reply}")).to_owned()
}

/// An organization, a user with a PIN, and an attached server with one-time codes.
pub fn make(http: &mut Http, protocol: &str) -> Made {
    let org = id(&http.post("/organization", &json!({ "name": "acme" })).ok());
    let body = json!({ "name": "alice", "pin": PIN });
    let user = id(&http.post(&format!("/user/{org}"), &body).ok()[0]);
    let server = id(&http.post("/server", &server_body(protocol)).ok());
    http.put(&format!("/server/{server}/organization/{org}"), &json!({})).ok();
    Made { org, user, server }
}

fn server_body(protocol: &str) -> Value {
    json!({
        "name": "office", "network": "10.30.1.0/24", "port": 1194, "protocol": protocol,
        "cipher": "aes128", "hash": "sha1", "otp_auth": true, "restrict_routes": false,
        "dns_servers": ["10.99.0.2"],
    })
}

pub fn operate(http: &mut Http, made: &Made, operation: &str) -> Value {
    http.put(&format!("/server/{}/operation/{operation}", made.server), &json!({})).ok()
}

pub fn profile(http: &mut Http, org: &str, user: &str, server: &str) -> String {
    let reply = http.get(&format!("/data/{org}/{user}/{server}.key"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/ovpn"));
    reply.text()
}

fn user_of(http: &mut Http, made: &Made) -> Value {
    http.get(&format!("/user/{}/{}", made.org, made.user)).ok()
}

pub fn output(http: &mut Http, server: &str) -> String {
    let reply = http.get(&format!("/server/{server}/output")).ok();
    let lines = reply["output"].as_array().expect("lines").iter();
    lines.filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

fn said(http: &mut Http, server: &str, what: &str) {
    wait_until(&format!("{what:?} in the output"), seconds(6), || {
        output(http, server).contains(what)
    });
}

/// Tries to connect and must be refused; `reason` is the administrator's code in the output.
fn refused(place: &Box1, http: &mut Http, made: &Made, password: &str, reason: &str) {
    let profile = profile(http, &made.org, &made.user, &made.server);
    let login = Some(("alice", password));
    let mut client = Tunnel::start(place.lab.host("c1"), &profile, login);
    let outcome = client.outcome(seconds(20));
    assert!(matches!(outcome, Attempt::Refused(_)), "{reason}: {outcome:?}");
    said(http, &made.server, &format!("({reason})"));
    http.delete(&format!("/server/{}/output", made.server)).ok();
}

fn connected(place: &Box1, http: &mut Http, made: &Made, password: &str) -> Tunnel {
    let profile = profile(http, &made.org, &made.user, &made.server);
    let mut client = Tunnel::start(place.lab.host("c1"), &profile, Some(("alice", password)));
    assert_eq!(client.outcome(seconds(20)), Attempt::Connected);
    client
}

/// Whether the client's packets pass, without waiting a second for the answer.
fn passes(from: &Host, to: Ipv4Addr) -> bool {
    from.output(&["ping", "-c1", "-W0.1", &to.to_string()]).status.success()
}

#[test]
fn from_an_empty_machine_to_a_packet_through_the_tunnel() {
    needs!(Namespaces, Tun, OpenVpn, Mongod, Nft);
    let place = Box1::new();
    let daemon = place.home.start_with_keys();
    let mut http = place.enter(&daemon);
    let made = make(&mut http, "udp");
    for protocol in ["udp", "tcp"] {
        let mut body = server_body(protocol);
        body["name"] = json!(format!("office-{protocol}"));
        http.put(&format!("/server/{}", made.server), &body).ok();
        assert_eq!(operate(&mut http, &made, "start")["status"], "online");
        let secret = user_of(&mut http, &made)["otp_secret"].as_str().expect("text").to_owned();
        // UDP takes the code of now, TCP the next one: each is good once.
        let code = if protocol == "udp" { totp::now(&secret) } else { totp::next(&secret) };
        let client = connected(&place, &mut http, &made, &format!("{PIN}{code}"));
        let c1 = place.lab.host("c1");
        assert!(ping(c1, GATEWAY), "{protocol}: the server itself");
        assert!(ping(c1, place.behind.address), "{protocol}: ICMP through NAT");
        let echo = Echo::start(&place.behind, 7);
        let to = SocketAddr::new(IpAddr::V4(place.behind.address), 7);
        let mut flow = connect(c1, to).expect("TCP through NAT");
        echoes(&mut flow).expect("an echo");
        wait_until("the user shown online", seconds(6), || {
            user_of(&mut http, &made)["status"] == true
        });
        let shown = http.get(&format!("/server/{}", made.server)).ok();
        assert_eq!((&shown["users_online"], &shown["status"]), (&json!(1), &json!("online")));

        // Disabling cuts established flows too.
        let disabled = json!({ "name": "alice", "pin": true, "disabled": true });
        http.put(&format!("/user/{}/{}", made.org, made.user), &disabled).ok();
        let cut = wait_until("the tunnel to be cut", seconds(3), || !passes(c1, GATEWAY));
        println!("{protocol}: cut after {cut:?}");
        assert!(echoes(&mut flow).is_err(), "{protocol}: an established flow goes on");
        drop((echo, client));
        let enabled = json!({ "name": "alice", "pin": true });
        http.put(&format!("/user/{}/{}", made.org, made.user), &enabled).ok();
        assert_eq!(operate(&mut http, &made, "stop")["status"], "offline");
    }
    assert!(daemon.stop().success());
}

#[test]
fn who_may_not_connect_is_refused_with_the_reason() {
    needs!(Namespaces, Tun, OpenVpn, Mongod, Nft);
    let place = Box1::new();
    let daemon = place.home.start_with_keys();
    let mut http = place.enter(&daemon);
    let made = make(&mut http, "udp");
    let foreign = foreign_profile(&mut http, &made);
    operate(&mut http, &made, "start");
    let secret = user_of(&mut http, &made)["otp_secret"].as_str().expect("text").to_owned();
    let good = format!("{PIN}{}", totp::now(&secret));
    refused(&place, &mut http, &made, &format!("999999{}", totp::now(&secret)), "pin_wrong");
    refused(&place, &mut http, &made, &format!("{PIN}000000"), "code_wrong");
    refused(&place, &mut http, &made, "no code", "code_missing");
    let mut client = connected(&place, &mut http, &made, &good);
    client.process.terminate(seconds(10));
    refused(&place, &mut http, &made, &good, "code_replayed");
    let path = format!("/user/{}/{}", made.org, made.user);
    http.put(&path, &json!({ "name": "alice", "pin": true, "disabled": true })).ok();
    let other = format!("{PIN}{}", totp::next(&secret));
    refused(&place, &mut http, &made, &other, "user_disabled");

    // Its certificate is another authority's: it does not even get to ask.
    let stranger = Tunnel::start(place.lab.host("c1"), &foreign, Some(("bob", &good)));
    said(&mut http, &made.server, "VERIFY ERROR");
    assert_eq!(stranger.connections(), 0);
    let log = daemon.process.log();
    for what in [
        "server office started",
        "client refused from 10.77.0.",
        ": user alice, server office (pin_wrong)",
        "client connected from 10.77.0.",
        ": user alice, server office, 10.30.1.",
        "signed in from 127.0.0.1: admin",
        "server office is this host's to run",
    ] {
        assert!(log.contains(what), "{what:?} is not in the log");
    }
    assert!(!log.contains(PIN) && !log.contains(PASSWORD), "a secret is in the log");
    let output = output(&mut http, &made.server);
    for noise in ["--keepalive", "--mute triggered"] {
        assert!(!output.contains(noise), "nobody can act on that: {output}");
    }
    for line in output.lines() {
        let host = line.split(' ').next().expect("its host");
        assert!(!line.starts_with(&format!("{host} {host}")), "names its host twice: {line}");
    }
    assert!(daemon.stop().success());
}

/// Of a user whose organization was attached once.
fn foreign_profile(http: &mut Http, made: &Made) -> String {
    let org = id(&http.post("/organization", &json!({ "name": "other" })).ok());
    let user = id(&http.post(&format!("/user/{org}"), &json!({ "name": "bob" })).ok()[0]);
    let attachment = format!("/server/{}/organization/{org}", made.server);
    http.put(&attachment, &json!({})).ok();
    let profile = profile(http, &org, &user, &made.server);
    http.delete(&attachment).ok();
    profile
}

#[test]
fn a_stop_leaves_the_host_as_it_was() {
    needs!(Namespaces, Tun, OpenVpn, Mongod, Nft);
    let place = Box1::new();
    let h1 = place.lab.host("h1").clone();
    let look = || traces(&h1);
    let before = look();
    let daemon = place.home.start_with_keys();
    let mut http = place.enter(&daemon);
    let made = make(&mut http, "udp");
    operate(&mut http, &made, "start");
    let secret = user_of(&mut http, &made)["otp_secret"].as_str().expect("text").to_owned();
    let login = format!("{PIN}{}", totp::now(&secret));
    let client = connected(&place, &mut http, &made, &login);
    assert_ne!(look(), before);
    wait_until("the client in the status", seconds(6), || {
        let status = status(&place.home);
        let server = &status["servers"][0];
        server["state"] == "online" && server["clients"] == 1
    });
    let shown = place.home.run(&["status"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    for what in ["online (this host)", "udp 1194, 1 client, on ", "OpenVPN runs, pid "] {
        assert!(shown.contains(what), "{what:?} is not in: {shown}");
    }
    let stopped = place.home.run(&["stop"]);
    assert!(stopped.status.success(), "{stopped:?}");
    for what in ["client disconnected from 10.77.0.", "server office stopped"] {
        assert!(daemon.process.log().contains(what), "{what:?} is not in the log");
    }
    drop(daemon);
    wait_until("nothing left", seconds(5), || look() == before);
    assert_empty(&place.home.run_dir());
    drop(client);
}

fn status(home: &Home) -> Value {
    let output = home.run(&["status", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// Devices, tables, forwarding, processes.
fn traces(host: &Host) -> String {
    host.sh("ip -o link | cut -d: -f2 | sort; nft list tables; cat /proc/sys/net/ipv4/ip_forward
             cat /proc/sys/net/ipv6/conf/all/forwarding; ps -eo args= | grep -v 'ps -eo' | sort")
}

fn assert_empty(directory: &Path) {
    let left: Vec<_> = std::fs::read_dir(directory).expect("a directory").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_stop_ends_what_a_killed_daemon_left() {
    needs!(Namespaces, Tun, OpenVpn, Mongod, Nft);
    let place = Box1::new();
    let h1 = place.lab.host("h1").clone();
    let before = traces(&h1);
    let mut daemon = place.home.start_with_keys();
    let mut http = place.enter(&daemon);
    let made = make(&mut http, "udp");
    operate(&mut http, &made, "start");
    daemon.process.kill_9();
    let left = traces(&h1);
    for what in ["openvpn", "mongod", "wrn", &format!("warren_{}", made.server)] {
        assert!(left.contains(what), "{what} is to be left: {left}");
    }
    let seen = status(&place.home);
    assert_eq!(
        (&seen["database"]["reachable"], &seen["here"][0]["running"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        (&seen["hosts"][0]["this"], &seen["hosts"][0]["online"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        (&seen["here"][0]["server"], &seen["servers"][0]["state"]),
        (&json!(made.server), &json!("pending"))
    );
    let shown = place.home.run(&["status"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("this host: not running"), "{shown:?}");
    let stopped = place.home.run(&["stop"]);
    let said = String::from_utf8_lossy(&stopped.stdout).into_owned();
    assert!(stopped.status.success(), "{stopped:?}");
    for what in ["no daemon runs", &made.server, "OpenVPN (pid", "forwarding", "database (pid"] {
        assert!(said.contains(what), "{what:?} is not in: {said}");
    }
    wait_until("nothing left", seconds(5), || traces(&h1) == before);
    assert_empty(&place.home.run_dir());
    // Now there is nothing, and a daemon starts as ever.
    let again = place.home.run(&["stop"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    drop(daemon);
    assert!(place.home.start().stop().success());
}

#[test]
fn a_killed_daemon_keeps_its_tunnels_and_the_next_one_adopts_them() {
    needs!(Namespaces, Tun, OpenVpn, Mongod, Nft);
    let place = Box1::new();
    let mut daemon = place.home.start_with_keys();
    let mut http = place.enter(&daemon);
    let made = make(&mut http, "udp");
    operate(&mut http, &made, "start");
    let secret = user_of(&mut http, &made)["otp_secret"].as_str().expect("text").to_owned();
    let login = format!("{PIN}{}", totp::now(&secret));
    let client = connected(&place, &mut http, &made, &login);
    let pings = crate::support::traffic::Pings::start(place.lab.host("c1"), GATEWAY);
    wait_until("the user shown online", seconds(6), || user_of(&mut http, &made)["status"] == true);
    let openvpn = || place.lab.host("h1").sh("pgrep -x openvpn");
    let before = openvpn();

    daemon.process.kill_9();
    wait_until("pings without a daemon", seconds(10), || pings.count().sent >= 20);
    let daemon = place.home.start_with_keys();
    let mut http = place.home.http();
    http.login("admin", PASSWORD).ok();
    assert_eq!(openvpn(), before, "the same OpenVPN");
    wait_until("pings with the next one", seconds(10), || pings.count().sent >= 50);
    let count = pings.count();
    assert!(count.answered + 1 >= count.sent, "pings were lost: {count:?}");
    assert_eq!(client.connections(), 1, "the client never noticed");

    // It goes on accounting, kicking and admitting.
    let sessions = |http: &mut Http| http.get(&format!("/server/{}/client", made.server)).ok();
    let received = |http: &mut Http| sessions(http)[0]["bytes_received"].as_i64().unwrap_or(0);
    let first = received(&mut http);
    wait_until("bytes counted anew", seconds(20), || received(&mut http) > first);
    let kick = format!("/server/{}/client/{}", made.server, id(&sessions(&mut http)[0]));
    http.delete(&kick).ok();
    let c1 = place.lab.host("c1");
    wait_until("the kicked one to be cut", seconds(3), || !passes(c1, GATEWAY));
    drop(client);
    let again = format!("{PIN}{}", totp::next(&secret));
    let client = connected(&place, &mut http, &made, &again);
    assert!(ping(c1, place.behind.address), "an admission after the adoption");
    drop((pings, client));
    assert!(daemon.stop().success());
}

#[test]
fn a_frozen_database_ends_no_tunnel_and_known_users_come_again() {
    needs!(Namespaces, Tun, OpenVpn, Mongod, Nft);
    let place = Box1::new();
    let daemon = place.home.start_with_keys();
    let mut http = place.enter(&daemon);
    let made = make(&mut http, "udp");
    operate(&mut http, &made, "start");
    let secret = user_of(&mut http, &made)["otp_secret"].as_str().expect("text").to_owned();
    let login = format!("{PIN}{}", totp::now(&secret));
    let mut client = connected(&place, &mut http, &made, &login);
    let profile = profile(&mut http, &made.org, &made.user, &made.server);
    let mongod = place.lab.host("h1").sh("pgrep -x mongod").trim().to_owned();
    place.lab.host("h1").sh(&format!("kill -STOP {mongod}"));
    let c1 = place.lab.host("c1");
    let away = wait_until("503", seconds(9), || http.get("/organization").status == 503);
    println!("503 after {away:?}");
    assert!(ping(c1, place.behind.address), "the tunnel goes on");
    let seen = status(&place.home);
    let (database, here) = (&seen["database"], &seen["here"][0]);
    assert_eq!((&database["reachable"], &here["running"]), (&json!(false), &json!(true)), "{seen}");
    client.process.terminate(seconds(10));
    // A code of the next period, which this host has not seen.
    let again = format!("{PIN}{}", totp::next(&secret));
    let mut client = Tunnel::start(c1, &profile, Some(("alice", &again)));
    assert_eq!(client.outcome(seconds(20)), Attempt::Connected, "a known user comes again");
    assert!(ping(c1, place.behind.address));
    place.lab.host("h1").sh(&format!("kill -CONT {mongod}"));
    wait_until("the database's return", Duration::from_secs(20), || {
        http.get("/organization").status == 200
    });
    assert!(daemon.stop().success());
}

/// A host with a second address, by which clients do not leave: answers come from where was asked.
#[test]
fn a_client_reaches_a_host_by_any_of_its_addresses() {
    needs!(Namespaces, Tun, OpenVpn, Mongod, Nft);
    let place = Box1::new();
    let (h1, c1) = (place.lab.host("h1").clone(), place.lab.host("c1").clone());
    h1.sh("ip addr add 10.78.0.1/32 dev lo");
    c1.sh("ip route add 10.78.0.1 via 10.77.0.11");
    place.home.set("public_address", "\"10.78.0.1\"");
    let daemon = place.home.start_with_keys();
    let mut http = place.enter(&daemon);
    let made = make(&mut http, "udp");
    operate(&mut http, &made, "start");
    let secret = user_of(&mut http, &made)["otp_secret"].as_str().expect("text").to_owned();
    let client = connected(&place, &mut http, &made, &format!("{PIN}{}", totp::now(&secret)));
    assert!(ping(&c1, place.behind.address));
    drop(client);
    assert!(daemon.stop().success());
}
