//! The nftables table of a server: what its clients may reach, address translation, and the set of
//! addresses that are cut off.
//!
//! A kick must cut flows that exist, which a rule for established flows would accept: the blocked
//! set is looked up at raw priority, before connection tracking (and conntrack's entries are
//! deleted). Every chain accepts what is not about this server's device, and begins with `w_`,
//! because plain words such as `fwd` are keywords.

use crate::domain::network::{Network, Network4};
use crate::vpn::settings::{DEVICE_PREFIX, Guards, Route, Server};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// Addresses that answer machines only, with credentials in it: clouds' metadata services.
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Drops forwarding that is not ours where we switched forwarding on.
pub const HOST_TABLE: &str = "warren_host";

/// The ruleset that makes the table anew, in one transaction; `blocked` survive the change.
pub fn ruleset(server: &Server, guards: &Guards, blocked: &[Ipv4Addr]) -> String {
    let (table, device) = (server.table(), server.device());
    let mut out = format!("table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n");
    // Writing to a String can not fail.
    let _ = writeln!(out, "  set blocked {{ type ipv4_addr; {} }}", elements(blocked));
    let _ = write!(
        out,
        "  chain w_raw {{ type filter hook prerouting priority raw; policy accept;
    iifname \"{device}\" ip saddr @blocked drop
    ip daddr @blocked drop
  }}\n"
    );
    input_chain(&mut out, server, guards);
    forward_chain(&mut out, server, guards);
    nat_chain(&mut out, server);
    out.push_str("}\n");
    out
}

pub fn block(server: &Server, address: Ipv4Addr) -> String {
    format!("add element inet {} blocked {{ {address} }}\n", server.table())
}

/// Deleting what is missing would fail, hence added first.
pub fn unblock(server: &Server, address: Ipv4Addr) -> String {
    let delete = format!("delete element inet {} blocked {{ {address} }}\n", server.table());
    block(server, address) + &delete
}

/// Where forwarding is on only because of us, nothing but our tunnels is forwarded.
pub fn host_ruleset() -> String {
    format!(
        "table inet {HOST_TABLE}\ndelete table inet {HOST_TABLE}\ntable inet {HOST_TABLE} {{
  chain w_forward {{ type filter hook forward priority filter - 5; policy accept;
    iifname \"{DEVICE_PREFIX}*\" accept
    oifname \"{DEVICE_PREFIX}*\" accept
    drop
  }}\n}}\n"
    )
}

fn elements(addresses: &[Ipv4Addr]) -> String {
    match addresses {
        [] => String::new(),
        some => format!("elements = {{ {} }}", list(some)),
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

/// IPv4 routes through the tunnel.
fn routes(server: &Server) -> impl Iterator<Item = (Network4, &Route)> {
    server.routes.iter().filter(|route| !route.net_gateway).filter_map(|route| {
        match route.network {
            Network::V4(net) => Some((net, route)),
            Network::V6(_) => None,
        }
    })
}

/// Networks that a route names; the route to everything names nothing.
fn named(server: &Server) -> Vec<Network4> {
    routes(server).map(|(net, _)| net).filter(|net| net.prefix() > 0).collect()
}

fn has_default(server: &Server) -> bool {
    routes(server).any(|(net, _)| net.prefix() == 0)
}

/// Guarded addresses that no route names.
fn guarded(server: &Server, guards: &Guards) -> Vec<Ipv4Addr> {
    let named = named(server);
    let all = guards.addresses.iter().copied().chain([METADATA]);
    all.filter(|address| !named.iter().any(|net| net.contains(*address))).collect()
}

/// Nothing where routes name them all: nft takes no empty set.
fn drop_guarded(out: &mut String, server: &Server, guards: &Guards) {
    let guarded = guarded(server, guards);
    if !guarded.is_empty() {
        let _ = writeln!(out, "    ip daddr {{ {} }} drop", list(&guarded));
    }
}

fn input_chain(out: &mut String, server: &Server, guards: &Guards) {
    let device = server.device();
    let _ = write!(
        out,
        "  chain w_input {{ type filter hook input priority filter; policy accept;
    iifname != \"{device}\" accept
    ct state established,related accept
    icmp type echo-request accept\n"
    );
    let named = named(server);
    if !named.is_empty() {
        let _ = writeln!(out, "    ip daddr {{ {} }} accept", list(&named));
    }
    if !guards.ports.is_empty() {
        let _ = writeln!(out, "    tcp dport {{ {} }} drop", list(&guards.ports));
    }
    drop_guarded(out, server, guards);
    // What restricted clients may reach on the host is what a route names.
    out.push_str(if server.restrict_routes { "    drop\n  }\n" } else { "  }\n" });
}

fn forward_chain(out: &mut String, server: &Server, guards: &Guards) {
    let device = server.device();
    let between = if server.inter_client { "accept" } else { "drop" };
    let _ = write!(
        out,
        "  chain w_forward {{ type filter hook forward priority filter; policy accept;
    iifname != \"{device}\" oifname != \"{device}\" accept
    ip daddr @blocked drop
    meta nfproto ipv6 drop
    ct state established,related accept
    ct state invalid drop
    iifname \"{device}\" oifname \"{device}\" {between}\n"
    );
    // Networks that see the clients' own addresses may open connections to them.
    let open: Vec<_> = routes(server).filter(|(_, r)| !r.nat).map(|(net, _)| net).collect();
    if open.iter().any(|net| net.prefix() == 0) {
        let _ = writeln!(out, "    oifname \"{device}\" accept");
    } else if !open.is_empty() {
        let _ = writeln!(out, "    oifname \"{device}\" ip saddr {{ {} }} accept", list(&open));
    }
    let _ = writeln!(out, "    oifname \"{device}\" drop");
    drop_guarded(out, server, guards);
    if has_default(server) || !server.restrict_routes {
        out.push_str("    accept\n  }\n");
        return;
    }
    let named = named(server);
    if !named.is_empty() {
        let _ = writeln!(out, "    ip daddr {{ {} }} accept", list(&named));
    }
    out.push_str("    drop\n  }\n");
}

/// The longest prefix decides, as in routing: it comes first and ends the search.
fn nat_chain(out: &mut String, server: &Server) {
    let (network, device) = (server.network, server.device());
    out.push_str("  chain w_nat { type nat hook postrouting priority srcnat; policy accept;\n");
    let _ = writeln!(out, "    ip saddr != {network} accept");
    let _ = writeln!(out, "    oifname \"{device}\" accept");
    let mut by_prefix: Vec<_> = routes(server).collect();
    by_prefix.sort_by_key(|(net, _)| std::cmp::Reverse(net.prefix()));
    for (net, route) in by_prefix {
        let to = if net.prefix() == 0 { String::new() } else { format!("ip daddr {net} ") };
        let rule = match route.nat_interface.as_deref() {
            _ if !route.nat => "accept".to_owned(),
            None => "masquerade".to_owned(),
            Some(name) if is_interface(name) => format!("oifname \"{name}\" masquerade"),
            // By one interface only, but nobody can tell which: by none.
            Some(_) => "accept".to_owned(),
        };
        let _ = writeln!(out, "    {to}{rule}");
    }
    out.push_str("  }\n");
}

/// What may stand between quotes as an interface's name.
fn is_interface(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | ':');
    (1..=15).contains(&name.len()) && name.chars().all(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vpn::settings::tests::{route, server};

    fn chain(text: &str, name: &str) -> Vec<String> {
        let rest = text.split(&format!("chain {name} {{")).nth(1).expect(name);
        let body = rest.split("\n  }").next().unwrap_or_default();
        body.lines().skip(1).map(|line| line.trim().to_owned()).collect()
    }

    fn rules(server: &Server, name: &str) -> Vec<String> {
        let guards =
            Guards { addresses: vec![Ipv4Addr::new(10, 77, 0, 50)], ports: vec![443, 27017] };
        chain(&ruleset(server, &guards, &[]), name)
    }

    #[test]
    fn the_blocked_come_first_and_survive_a_reload() {
        let text = ruleset(&server(), &Guards::default(), &[Ipv4Addr::new(10, 8, 0, 9)]);
        assert!(text.contains("elements = { 10.8.0.9 }"));
        let raw = chain(&text, "w_raw");
        assert!(raw[0].ends_with("ip saddr @blocked drop") && raw[1] == "ip daddr @blocked drop");
        let forward = chain(&text, "w_forward");
        let at = |rule: &str| forward.iter().position(|r| r == rule).expect(rule);
        assert!(at("ip daddr @blocked drop") < at("ct state established,related accept"));
    }

    #[test]
    fn a_restricted_client_reaches_its_routes_only() {
        let mut server = server();
        server.routes = vec![route("10.99.0.0/24")];
        let forward = rules(&server, "w_forward");
        let end = &forward[forward.len() - 2..];
        assert_eq!(end, ["ip daddr { 10.99.0.0/24 } accept", "drop"]);
        assert_eq!(rules(&server, "w_input").last().map(String::as_str), Some("drop"));
        server.restrict_routes = false;
        assert_eq!(rules(&server, "w_forward").last().map(String::as_str), Some("accept"));
    }

    #[test]
    fn guards_hold_also_with_a_route_to_everything_unless_one_names_them() {
        let mut server = server();
        server.routes = vec![route("0.0.0.0/0")];
        let guard = "ip daddr { 10.77.0.50, 169.254.169.254 } drop".to_owned();
        assert!(rules(&server, "w_forward").contains(&guard));
        assert!(rules(&server, "w_input").contains(&"tcp dport { 443, 27017 } drop".to_owned()));
        server.routes.push(route("10.77.0.50/32"));
        let forward = rules(&server, "w_forward");
        assert!(!forward.contains(&guard));
        assert!(forward.contains(&"ip daddr { 169.254.169.254 } drop".to_owned()));
    }

    #[test]
    fn where_routes_name_all_that_is_guarded_no_rule_is_empty() {
        let mut server = server();
        server.routes = vec![route("169.254.0.0/16"), route("10.77.0.0/24")];
        let guards = Guards { addresses: vec![Ipv4Addr::new(10, 77, 0, 50)], ports: vec![] };
        let text = ruleset(&server, &guards, &[]);
        assert!(!text.contains("{  }"), "{text}");
    }

    #[test]
    fn nat_follows_the_longest_prefix() {
        let mut server = server();
        let plain = Route { nat: false, ..route("10.99.0.0/24") };
        let odd = Route { nat_interface: Some("eth\"0".to_owned()), ..route("10.98.0.0/16") };
        let wan = Route { nat_interface: Some("eth0".to_owned()), ..route("0.0.0.0/0") };
        server.routes = vec![wan, odd, plain];
        assert_eq!(
            rules(&server, "w_nat")[2..],
            [
                "ip daddr 10.99.0.0/24 accept",
                "ip daddr 10.98.0.0/16 accept",
                "oifname \"eth0\" masquerade",
            ]
        );
    }

    #[test]
    fn clients_reach_each_other_only_if_the_server_says_so() {
        let mut server = server();
        let rule =
            |verdict| format!("iifname \"{0}\" oifname \"{0}\" {verdict}", "wrna00000000001");
        assert!(rules(&server, "w_forward").contains(&rule("drop")));
        server.inter_client = true;
        assert!(rules(&server, "w_forward").contains(&rule("accept")));
    }
}
