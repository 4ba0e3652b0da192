//! Rows of the contract's rules for routes.

use super::*;
use crate::domain::server::tests::spec;

fn net(text: &str) -> Network {
    text.parse().expect(text)
}

fn fields(network: &str) -> RouteFields {
    RouteFields { network: network.to_owned(), ..RouteFields::default() }
}

fn stored(networks: &[&str]) -> Vec<Route> {
    networks.iter().map(|n| nat_route(net(n), None)).collect()
}

/// A server on 10.20.0.0/16 that shares a user with 192.168.7.0/24 and is linked to another.
fn with<T>(server: &ServerSpec, stored: &[Route], look: impl FnOnce(Routes<'_>) -> T) -> T {
    look(Routes {
        server,
        stored,
        network_links: &[net("192.168.7.0/24")],
        linked: &[
            LinkedRoute { network: net("10.99.0.0/16"), nat: false, is_virtual: true },
            LinkedRoute { network: net("10.98.0.0/16"), nat: true, is_virtual: false },
        ],
        online: false,
    })
}

#[test]
fn ids_are_the_contracts_vectors() {
    for (network, hex) in [("10.0.0.0/8", "31302e302e302e302f38"), ("::/0", "3a3a2f30")] {
        assert_eq!(id(net(network)), hex);
        assert_eq!(network_of(hex), Some(net(network)));
    }
    for bad in ["", "3", "zz", "virtual", "ff", "31302e302e302e312f38", "é"] {
        assert_eq!(network_of(bad), None, "{bad}");
    }
}

#[test]
fn what_the_contract_forbids_has_its_error() {
    type Row = (&'static str, fn(&mut RouteFields), Option<&'static str>);
    let rows: &[Row] = &[
        ("10.0.0.0/8", |_| (), None),
        ("10.0.0.1/8", |_| (), Some("server_route_invalid")),
        ("", |_| (), Some("server_route_invalid")),
        ("virtual", |_| (), Some("server_route_invalid")),
        ("10.20.0.0/16", |f| f.nat = true, Some("server_route_virtual_nat")),
        ("10.20.0.0/16", |_| (), None),
        ("10.99.0.0/16", |f| f.nat = true, Some("server_route_server_link_nat")),
        ("10.98.0.0/16", |f| f.nat = false, Some("server_route_server_link_nat")),
        ("10.98.0.0/16", |f| f.nat = true, None),
        ("192.168.7.0/24", |f| f.net_gateway = true, Some("server_route_network_link_gateway")),
        ("192.168.8.0/24", |f| f.net_gateway = true, None),
        (
            "192.168.8.0/24",
            |f| (f.nat, f.net_gateway) = (true, true),
            Some("server_route_net_gateway_nat"),
        ),
        (
            "192.168.8.0/24",
            |f| f.nat_netmap = "10.1.0.0/24".to_owned(),
            Some("server_route_non_nat_netmap"),
        ),
        ("192.168.8.0/24", |f| (f.nat, f.nat_netmap) = (true, "10.1.0.0/24".to_owned()), None),
        (
            "192.168.8.0/24",
            |f| (f.nat, f.nat_netmap) = (true, "10.1.0.1/24".to_owned()),
            Some("server_route_invalid"),
        ),
    ];
    let server = spec(|_| ());
    for (row, (network, change, id)) in rows.iter().enumerate() {
        let mut fields = fields(network);
        change(&mut fields);
        let got = with(&server, &[], |routes| routes.accept(&fields));
        assert_eq!(got.map_err(Refusal::id).err(), *id, "row {row}");
    }
}

#[test]
fn nothing_changes_while_the_server_runs() {
    let server = spec(|_| ());
    with(&server, &stored(&["0.0.0.0/0"]), |routes| {
        let online = Routes { online: true, ..routes };
        assert_eq!(online.accept(&fields("10.0.0.0/8")), Err(Refusal::ServerRouteOnline));
        assert_eq!(online.without(Network::ANY4), Err(Refusal::ServerRouteOnline));
    });
}

#[test]
fn routes_are_stored_in_their_normal_form() {
    let server = spec(|_| ());
    with(&server, &[], |routes| {
        let target = |network: &str| routes.accept(&fields(network)).map(|r| r.target);
        assert_eq!(target("::/0"), Ok(Target::Net(Network::ANY4)));
        assert_eq!(target("10.20.0.0/16"), Ok(Target::Virtual));
        assert_eq!(target("fd00::/64"), Ok(Target::Net(net("fd00::/64"))));
        let route = routes.accept(&RouteFields {
            comment: " lab ".to_owned(),
            metric: 0,
            nat: true,
            nat_interface: "eth0\n".to_owned(),
            ..fields("10.0.0.0/8")
        });
        let route = route.expect("valid");
        assert_eq!((route.comment.as_deref(), route.metric), (Some("lab"), None));
        assert_eq!(route.nat_interface.as_deref(), Some("eth0"));
        let all = routes.accept_all(&[fields("10.0.0.0/8"), fields("nonsense")]);
        assert_eq!(all, Err(Refusal::ServerRouteInvalid));
    });
}

#[test]
fn the_list_has_the_contracts_order() {
    let stored = stored(&["8.8.8.8/32", "0.0.0.0/0", "10.5.0.0/16", "192.168.9.0/24"]);
    let server = spec(|f| {
        (f.switches.ipv6, f.switches.wg) = (true, true);
        f.network_wg = "10.30.0.0/16".to_owned();
    });
    let shown = with(&server, &stored, |routes| routes.shown());
    let list: Vec<(String, Origin)> =
        shown.iter().map(|s| (s.network.to_string(), s.origin)).collect();
    let expect = [
        ("0.0.0.0/0", Origin::Stored),
        ("::/0", Origin::Stored),
        ("10.20.0.0/16", Origin::Virtual),
        ("10.30.0.0/16", Origin::VirtualWireGuard),
        ("10.5.0.0/16", Origin::Stored),
        ("192.168.7.0/24", Origin::NetworkLink),
        ("192.168.9.0/24", Origin::Stored),
        ("8.8.8.8/32", Origin::Stored),
        ("10.98.0.0/16", Origin::ServerLink),
        ("10.99.0.0/16", Origin::ServerLinkVirtual),
    ];
    assert_eq!(list, expect.map(|(network, origin)| (network.to_owned(), origin)));
    assert!(!shown[2].route.nat, "the own network has no NAT");
    let plain = with(&spec(|_| ()), &stored, |routes| routes.shown());
    assert!(!plain.iter().any(|s| s.network == Network::ANY6), "no IPv6, no ::/0");
}

#[test]
fn what_is_stored_for_the_own_network_is_shown_with_it() {
    let server = spec(|_| ());
    let own = Route { comment: Some("LAN".to_owned()), nat: false, ..own_route() };
    let shown = with(&server, &[own], |routes| routes.shown());
    assert_eq!(shown[0].route.comment.as_deref(), Some("LAN"));
    assert_eq!(shown[0].id(), id(net("10.20.0.0/16")));
}

fn own_route() -> Route {
    Route { target: Target::Virtual, ..nat_route(Network::ANY4, None) }
}

#[test]
fn upsert_and_delete_go_by_network() {
    let server = spec(|_| ());
    let mut routes = stored(&["0.0.0.0/0", "10.5.0.0/16"]);
    upsert(&mut routes, nat_route(net("10.5.0.0/16"), Some("new")));
    upsert(&mut routes, nat_route(net("10.6.0.0/16"), None));
    assert_eq!(routes.len(), 3);
    assert_eq!(routes[1].comment.as_deref(), Some("new"));
    let left = with(&server, &routes, |r| r.without(Network::ANY6)).expect("offline");
    assert_eq!(left.len(), 2, "deleting ::/0 deletes the default route");
    let own = [own_route()];
    let left = with(&server, &own, |r| r.without(net("10.20.0.0/16"))).expect("offline");
    assert_eq!(left.len(), 1, "the own network is never deleted");
}

#[test]
fn the_dns_route_follows_the_first_dns_server() {
    let dns = |text: &str| text.parse::<IpAddr>().ok();
    let mut routes = of_new_server(dns("8.8.8.8"));
    let targets = |routes: &[Route]| routes.iter().map(|r| r.target).collect::<Vec<_>>();
    let (any, target) = (Target::Net(Network::ANY4), |text| Target::Net(net(text)));
    assert_eq!(targets(&routes), [any, target("8.8.8.8/32")]);
    assert!(routes.iter().all(|r| r.nat));
    follow_dns(&mut routes, dns("fd00::53"));
    assert_eq!(targets(&routes), [any, target("fd00::53/128")]);
    follow_dns(&mut routes, None);
    assert_eq!(targets(&routes), [any]);
    follow_dns(&mut routes, dns("9.9.9.9"));
    assert_eq!(targets(&routes), [any], "a route that was deleted stays so");
    assert_eq!(targets(&of_new_server(None)), [any]);
}
