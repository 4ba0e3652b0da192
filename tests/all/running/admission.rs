//! Who is let in by the daemon, and who is put out.

use super::rig::{Admin, BEHIND, GATEWAY, Site, User, oid};
use crate::needs;
use crate::support::lab::Host;
use crate::support::ovpn::Attempt;
use crate::support::totp;
use crate::support::traffic::{Echo, connect, echoes};
use crate::support::wait::{seconds, wait_until};
use mongodb::bson::doc;
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

#[test]
fn those_who_may_not_are_refused_and_the_output_says_why() {
    needs!(Namespaces, Tun, OpenVpn, Nft, Mongod);
    let site = Site::new(&["h1", "c1"]);
    let home = site.home("h1");
    let daemon = home.start();
    let mut admin = Admin::first(&site, &daemon, home);
    let (org, other) = (site.organization("acme"), site.organization("other"));
    let server = admin.server(&org, json!({ "otp_auth": true }));
    let ann = admin.user(&org, "ann", json!({ "pin": "123456" }));
    let bob = admin.user(&org, "bob", json!({ "disabled": true }));
    // Attached while the profile is made, and not any more.
    admin.http.put(&format!("/server/{server}/organization/{other}"), &json!({})).ok();
    let eve = admin.user(&other, "eve", json!({}));
    let foreign = admin.profile(&server, &eve);
    admin.start(&server);
    site.documents("servers")
        .update_one(
            doc! { "_id": oid(&server) },
            doc! { "$pull": { "organizations": oid(&other) } },
        )
        .run()
        .expect("detached");
    site.tell_of(&server);

    let secret = |user: &User| user.shown["otp_secret"].as_str().expect("text").to_owned();
    let code = totp::now(&secret(&ann));
    let typed = format!("123456{code}");
    let mut tunnel = admin.connect("c1", &server, &ann, &typed);
    assert_eq!(tunnel.outcome(seconds(20)), Attempt::Connected);
    tunnel.process.terminate(seconds(10));

    let rows: [(&User, String, &str); 4] = [
        (&ann, typed, "refused ann: the one-time code was used before (code_replayed)"),
        (&ann, format!("654321{}", totp::next(&secret(&ann))), "refused ann: the PIN is wrong"),
        (&ann, "123456000000".to_owned(), "refused ann: the one-time code is wrong"),
        (&bob, totp::now(&secret(&bob)), "refused bob: the user is disabled (user_disabled)"),
    ];
    for (user, password, says) in rows {
        let mut tunnel = admin.connect("c1", &server, user, &password);
        let outcome = tunnel.outcome(seconds(20));
        assert!(matches!(outcome, Attempt::Refused(_)), "{says}: {outcome:?}");
        admin.wait_output(&server, says);
    }
    let login = Some(("user", "123456"));
    let mut tunnel = crate::support::ovpn::Tunnel::start(site.lab.host("c1"), &foreign, login);
    let outcome = tunnel.outcome(seconds(20));
    assert!(matches!(outcome, Attempt::Refused(_)), "{outcome:?}");
    admin.wait_output(&server, "the user's organization is not attached to this server");
}

/// Whether the client's packets still pass, without waiting a second for the answer.
fn passes(client: &Host) -> bool {
    let to = GATEWAY.to_string();
    client.output(&["ping", "-c1", "-W0.05", &to]).status.success()
}

#[test]
fn disabling_a_user_cuts_its_flows_at_once_and_without_messages_soon() {
    needs!(Namespaces, Tun, OpenVpn, Nft, Mongod);
    let site = Site::new(&["h1", "c1", "c2"]);
    let home = site.home("h1");
    let daemon = home.start();
    let mut admin = Admin::first(&site, &daemon, home);
    let org = site.organization("acme");
    let server = admin.server(&org, json!({}));
    let (ann, bob) = (admin.user(&org, "ann", json!({})), admin.user(&org, "bob", json!({})));
    admin.start(&server);
    let _tunnels = [admin.connected("c1", &server, &ann), admin.connected("c2", &server, &bob)];
    let (c1, c2) = (site.lab.host("c1"), site.lab.host("c2"));
    let _echo = Echo::start(&site.behind, 7);
    let behind = SocketAddr::new(IpAddr::V4(BEHIND), 7);
    let mut flow = connect(c1, behind).expect("TCP");
    echoes(&mut flow).expect("an echo");

    let change = |disabled: bool| json!({ "name": "ann", "disabled": disabled });
    let path = format!("/user/{org}/{}", ann.id);
    admin.http.put(&path, &change(true)).ok();
    let cut = wait_until("the flow to be cut", seconds(3), || !passes(c1));
    println!("cut {cut:?} after the answer");
    assert!(echoes(&mut flow).is_err(), "an established flow is cut too");
    admin.wait_output(&server, "ann is cut off");
    admin.wait_output(&server, "refused ann: the user is disabled");
    wait_until("nobody else to be cut", seconds(3), || passes(c2));
    wait_until("bob alone", seconds(10), || site.clients().len() == 1);

    // Enabled again, it is let in at once, whatever this host remembers.
    admin.http.put(&path, &change(false)).ok();
    let mut tunnel = admin.connect("c1", &server, &ann, "");
    assert_eq!(tunnel.outcome(seconds(20)), Attempt::Connected);

    // As another host does it whose message gets lost: the documents alone say it (I3).
    site.wait_quiet();
    let touched = doc! { "rev": { "$type": "timestamp" } };
    let update = doc! { "$set": { "disabled": true }, "$inc": { "cut": 1_i64 },
    "$currentDate": touched };
    let begin = Instant::now();
    let users = site.documents("users");
    users.update_one(doc! { "_id": oid(&bob.id) }, update).run().expect("written");
    wait_until("bob to be cut", seconds(20), || !passes(c2));
    println!("cut without a message after {:?}", begin.elapsed());
    wait_until("nobody else to be cut", seconds(3), || passes(c1));
}

#[test]
fn a_client_is_disconnected_over_the_api_and_without_the_message_soon() {
    needs!(Namespaces, Tun, OpenVpn, Nft, Mongod);
    let site = Site::new(&["h1", "c1"]);
    let home = site.home("h1");
    let daemon = home.start();
    let mut admin = Admin::first(&site, &daemon, home);
    let org = site.organization("acme");
    let server = admin.server(&org, json!({}));
    let ann = admin.user(&org, "ann", json!({}));
    admin.start(&server);
    let tunnel = admin.connected("c1", &server, &ann);
    let path = format!("/server/{server}/client");
    let connected = |admin: &mut Admin<'_>| -> Option<String> {
        let shown: Value = admin.http.get(&path).ok();
        Some(shown[0]["id"].as_str()?.to_owned())
    };
    let mut first = None;
    wait_until("the client in the list", seconds(3), || {
        first = connected(&mut admin);
        first.is_some()
    });
    let first = first.expect("a client");
    let begin = Instant::now();
    admin.http.delete(&format!("{path}/{first}")).ok();
    // It may come again, as another client.
    let mut second = None;
    wait_until("the client to come again", seconds(8), || {
        second = connected(&mut admin).filter(|id| *id != first);
        second.is_some()
    });
    println!("back {:?} after it was disconnected", begin.elapsed());
    assert_eq!(tunnel.connections(), 2);

    let second = second.expect("a client");
    let update = doc! { "$set": { "cut": true } };
    site.documents("clients").update_one(doc! { "_id": oid(&second) }, update).run().expect("set");
    wait_until("the client to be cut", seconds(20), || {
        connected(&mut admin).is_none_or(|id| id != second)
    });
}
