//! Running servers with real OpenVPN programs on both sides, in namespaces.

mod rig;

use crate::needs;
use crate::support::traffic::{Echo, Pings, connect, echoes, ping};
use crate::support::wait::{seconds, wait_until};
use rig::{Rig, User};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;
use warren::vpn::admission::Reason;
use warren::vpn::settings::Protocol;

const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 1);
const BEHIND: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

#[test]
fn a_client_reaches_what_is_behind_the_server_and_a_kick_cuts_its_flows() {
    needs!(Namespaces, Tun, OpenVpn, Nft);
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let rig = Rig::new(|server| server.protocol = protocol);
        let begin = Instant::now();
        let runner = rig.start().expect("it starts");
        println!("{protocol:?}: start to ready {:?}", begin.elapsed());
        let begin = Instant::now();
        let mut client = rig.client("c1", &User::default());
        client.wait_log("Initialization Sequence Completed", seconds(10));
        println!("{protocol:?}: client start to tunnel {:?}", begin.elapsed());

        let c1 = rig.lab.host("c1");
        assert!(ping(c1, GATEWAY) && ping(c1, BEHIND), "through the tunnel, with NAT");
        let echo = Echo::start(&rig.behind, 7);
        let mut flow = connect(c1, SocketAddr::new(IpAddr::V4(BEHIND), 7)).expect("TCP");
        echoes(&mut flow).expect("an echo");
        wait_until("the session in the books", seconds(5), || rig.books().sessions.len() == 1);

        // As an administrator does it: otherwise the client comes again, and its flow goes on.
        rig.change_person(|person| person.disabled = true);
        let begin = Instant::now();
        runner.kick_user(rig.user);
        let cut = wait_until("the flow to be cut", seconds(10), || !ping_fast(&rig));
        println!("{protocol:?}: kick {cut:?} of {:?}", begin.elapsed());
        assert!(cut < seconds(1), "{cut:?}");
        assert!(echoes(&mut flow).is_err(), "an established flow is cut too");
        drop(echo);
        runner.stop();
    }
}

/// Whether the client's packets still pass, without waiting a second for the answer.
fn ping_fast(rig: &Rig) -> bool {
    let to = GATEWAY.to_string();
    rig.lab.host("c1").output(&["ping", "-c1", "-W0.05", &to]).status.success()
}

#[test]
fn those_who_may_not_are_refused_with_their_reason() {
    needs!(Namespaces, Tun, OpenVpn, Nft);
    let rig = Rig::new(|server| server.otp_auth = true);
    let runner = rig.start().expect("it starts");
    let good = User { password: "1234111111".to_owned(), ..User::default() };
    rig.change_person(|person| person.pin = Some("1234".to_owned().into()));
    let mut first = rig.client("c1", &good);
    first.wait_log("Initialization Sequence Completed", seconds(10));
    drop(first);

    let refused = |user: &User, reason: Reason| {
        let mut client = rig.client("c1", user);
        client.wait_log("AUTH_FAILED", seconds(10));
        wait_until(reason.code(), seconds(5), || rig.books().refused.contains(&reason));
    };
    refused(&good, Reason::CodeReplayed);
    refused(&User { password: "9999222222".to_owned(), ..User::default() }, Reason::PinWrong);
    refused(&User { password: "1234999999".to_owned(), ..User::default() }, Reason::CodeWrong);
    refused(&User { password: "1234".to_owned(), ..User::default() }, Reason::CodeMissing);
    refused(&User { stranger: true, ..good.clone() }, Reason::UnknownUser);
    rig.change_person(|person| person.disabled = true);
    refused(&User { password: "1234333333".to_owned(), ..User::default() }, Reason::Disabled);
    runner.stop();
}

#[test]
fn a_tunnel_outlives_its_daemon_and_the_next_one_adopts_it() {
    needs!(Namespaces, Tun, OpenVpn, Nft);
    let rig = Rig::new(|_| ());
    let runner = rig.start().expect("it starts");
    let mut client = rig.client("c1", &User::default());
    client.wait_log("Initialization Sequence Completed", seconds(10));
    wait_until("the session in the books", seconds(5), || rig.books().sessions.len() == 1);
    let c1 = rig.lab.host("c1");
    let pings = Pings::start(c1, GATEWAY);
    wait_until("pings", seconds(5), || pings.count().answered > 3);

    drop(runner);
    // Reviews ask for the same sessions again while the first answer is under way.
    rig.books().delay = std::time::Duration::from_millis(100);
    let second = rig.adopt().expect("it is adopted");
    wait_until("more pings", seconds(5), || {
        second.review(rig.plan.server.access());
        pings.count().answered > 10
    });
    let count = pings.count();
    assert!(count.sent <= count.answered + 1, "none is lost: {count:?}");
    assert_eq!(rig.books().gone, 0, "nobody was dropped");

    let mut other = rig.client("c2", &User { second: true, ..User::default() });
    other.wait_log("Initialization Sequence Completed", seconds(10));
    second.kick_user(rig.user);
    wait_until("the adopted client to be cut", seconds(1), || !ping_fast(&rig));
    second.stop();
}

#[test]
fn a_stop_leaves_nothing_and_a_dead_openvpn_comes_back() {
    needs!(Namespaces, Tun, OpenVpn, Nft);
    let rig = Rig::new(|_| ());
    let before = rig.traces();
    let runner = rig.start().expect("it starts");
    assert_ne!(rig.traces(), before);
    let first = rig.record();
    rig.kill_openvpn();
    wait_until("another OpenVPN", seconds(10), || {
        rig.try_record().is_some_and(|record| record.identity != first.identity)
    });
    let mut client = rig.client("c1", &User::default());
    client.wait_log("Initialization Sequence Completed", seconds(10));
    let begin = Instant::now();
    runner.stop();
    println!("stop with a client {:?}", begin.elapsed());
    assert_eq!(rig.traces(), before, "no device, table, directory or record is left");
}

#[test]
fn a_failing_start_says_why_at_once() {
    needs!(Namespaces, Tun, OpenVpn, Nft);
    let rig = Rig::new(|_| ());
    let before = rig.traces();
    let h1 = rig.lab.host("h1");
    let taken = h1.net(|| std::net::UdpSocket::bind("[::]:1194")).expect("a free port");
    let begin = Instant::now();
    let cause = rig.start().err().expect("the port is taken");
    assert!(cause.contains("Address already in use"), "{cause}");
    drop(taken);
    rig.change_place(|place| place.openvpn = "/nonexistent/openvpn".into());
    let cause = rig.start().err().expect("no program");
    assert!(cause.contains("/nonexistent/openvpn is not installed"), "{cause}");
    assert!(begin.elapsed() < seconds(3), "{:?}", begin.elapsed());
    assert_eq!(rig.traces(), before);
}

#[test]
fn a_fleet_starts_adopts_and_stops_and_puts_forwarding_back() {
    needs!(Namespaces, Tun, OpenVpn, Nft);
    let rig = Rig::new(|_| ());
    let h1 = rig.lab.host("h1");
    h1.sh("echo 0 >/proc/sys/net/ipv4/ip_forward");
    let forwards = || h1.sh("cat /proc/sys/net/ipv4/ip_forward");
    let before = rig.traces();
    let fleet = rig.fleet();
    let mut client = rig.client("c1", &User::default());
    client.wait_log("Initialization Sequence Completed", seconds(20));
    assert_eq!(forwards(), "1\n");
    assert!(ping(rig.lab.host("c1"), BEHIND));
    let record = rig.record();

    // A later life finds it, and the server was stopped meanwhile.
    drop(fleet);
    let fleet = rig.fleet();
    assert!(ping(rig.lab.host("c1"), GATEWAY));
    assert_eq!(rig.record(), record);
    rig.books().wanted.clear();
    fleet.fleet.line().look();
    wait_until("the server to be gone", seconds(10), || rig.traces() == before);
    wait_until("forwarding as it was", seconds(5), || forwards() == "0\n");
    fleet.stop();
    assert_eq!((rig.traces(), forwards()), (before, "0\n".to_owned()));
}

#[test]
fn networks_of_every_size_start() {
    needs!(Namespaces, Tun, OpenVpn, Nft);
    for network in ["10.0.0.0/8", "10.16.0.0/15", "10.8.0.0/30"] {
        let rig = Rig::new(|server| server.network = network.parse().expect("a network"));
        let runner = rig.start().unwrap_or_else(|cause| panic!("{network}: {cause}"));
        runner.stop();
    }
}
