//! What a client is told when it is admitted: its address, routes, resolvers and timers.
//!
//! OpenVPN ignores a directive it does not understand and drops a long one in silence, so each is
//! built from typed values and checked here.

use crate::domain::network::{Network, Network4};
use crate::vpn::settings::Server;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Longer ones get lost on their way.
const DIRECTIVE_BYTES_MAX: usize = 250;

/// One line for OpenVPN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive(String);

impl Directive {
    /// `None` if it would not arrive as it is.
    pub fn new(text: String) -> Option<Directive> {
        let fits = text.len() <= DIRECTIVE_BYTES_MAX && !text.is_empty() && text != "END";
        (fits && !text.chars().any(char::is_control)).then_some(Directive(text))
    }

    fn push(option: &str) -> Option<Directive> {
        let plain = !option.contains(['"', '\\']);
        plain.then(|| Directive::new(format!("push \"{option}\""))).flatten()
    }
}

impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a client's directives depend on beside its server.
#[derive(Clone, Copy, Debug)]
pub struct ClientFacts<'a> {
    pub address: Ipv4Addr,
    /// As in `IV_PLAT`.
    pub platform: &'a str,
    /// A code was asked for: the client must not come again with the old one.
    pub second_factor: bool,
    /// Where the client reached us: routes that cover it must not swallow the tunnel itself.
    pub reached: Option<Ipv4Addr>,
}

/// Phones sleep: they get longer timers, so that each wake-up is not a reconnect.
const PHONE_TIMERS_S: (u32, u32) = (10, 60);

pub fn directives(server: &Server, client: ClientFacts<'_>) -> Vec<Directive> {
    let mask = server.network.netmask();
    let mut lines = vec![Directive::new(format!("ifconfig-push {} {mask}", client.address))];
    let phone = matches!(client.platform, "android" | "ios");
    let own = (server.ping_interval_s, server.ping_timeout_s);
    let (interval, timeout) = if phone { PHONE_TIMERS_S } else { own };
    let at_timeout = if client.second_factor { "ping-exit" } else { "ping-restart" };
    lines.push(Directive::push(&format!("ping {interval}")));
    lines.push(Directive::push(&format!("{at_timeout} {timeout}")));
    for route in &server.routes {
        lines.push(match route.network {
            // Everything is not to go through the tunnel, as it is without any route.
            Network::ANY4 if route.net_gateway => continue,
            Network::ANY4 => Directive::push("redirect-gateway def1"),
            Network::V4(net) => Directive::push(&pushed_route(net, route)),
            Network::V6(_) => continue,
        });
    }
    let covers = |net: Network, at| net != Network::ANY4 && net.contains(IpAddr::V4(at));
    let swallowed = |at: &Ipv4Addr| server.routes.iter().any(|route| covers(route.network, *at));
    if let Some(at) = client.reached.filter(swallowed) {
        lines.push(Directive::push(&format!("route {at} 255.255.255.255 net_gateway")));
    }
    for resolver in &server.dns_servers {
        lines.push(Directive::push(&format!("dhcp-option DNS {resolver}")));
    }
    for (index, domain) in server.search_domains.iter().enumerate() {
        if index == 0 {
            lines.push(Directive::push(&format!("dhcp-option DOMAIN {domain}")));
        }
        lines.push(Directive::push(&format!("dhcp-option DOMAIN-SEARCH {domain}")));
    }
    lines.into_iter().flatten().collect()
}

fn pushed_route(net: Network4, route: &crate::vpn::settings::Route) -> String {
    let gateway = if route.net_gateway { "net_gateway" } else { "vpn_gateway" };
    let base = format!("route {} {}", net.base(), net.netmask());
    match (route.metric, route.net_gateway) {
        (Some(metric), _) => format!("{base} {gateway} {metric}"),
        (None, true) => format!("{base} {gateway}"),
        (None, false) => base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vpn::settings::tests::{route, server};

    const FACTS: ClientFacts<'_> = ClientFacts {
        address: Ipv4Addr::new(10, 8, 0, 2),
        platform: "linux",
        second_factor: false,
        reached: Some(Ipv4Addr::new(10, 77, 0, 11)),
    };

    fn lines(server: &Server, facts: ClientFacts<'_>) -> Vec<String> {
        directives(server, facts).iter().map(Directive::to_string).collect()
    }

    #[test]
    fn only_lines_that_arrive_are_directives() {
        for bad in ["", "END", "a\nb", "a\u{7f}", &"x".repeat(251)] {
            assert_eq!(Directive::new(bad.to_owned()), None, "{bad:?}");
        }
        assert_eq!(Directive::push("a \"quoted\""), None);
        assert!(Directive::new("x".repeat(250)).is_some());
    }

    #[test]
    fn a_client_gets_address_timers_routes_and_resolvers() {
        let mut server = server();
        server.routes = vec![route("10.99.0.0/24"), route("10.77.0.0/16"), route("0.0.0.0/0")];
        server.routes[0].metric = Some(5);
        server.dns_servers = vec!["10.99.0.53".parse().expect("an address")];
        server.search_domains = vec!["a.example".to_owned(), "b.example".to_owned()];
        assert_eq!(
            lines(&server, FACTS),
            [
                "ifconfig-push 10.8.0.2 255.255.255.0",
                "push \"ping 3\"",
                "push \"ping-restart 10\"",
                "push \"route 10.99.0.0 255.255.255.0 vpn_gateway 5\"",
                "push \"route 10.77.0.0 255.255.0.0\"",
                "push \"redirect-gateway def1\"",
                "push \"route 10.77.0.11 255.255.255.255 net_gateway\"",
                "push \"dhcp-option DNS 10.99.0.53\"",
                "push \"dhcp-option DOMAIN a.example\"",
                "push \"dhcp-option DOMAIN-SEARCH a.example\"",
                "push \"dhcp-option DOMAIN-SEARCH b.example\"",
            ]
        );
    }

    #[test]
    fn everything_by_the_networks_own_gateway_stays_outside() {
        let mut server = server();
        server.routes = vec![route("0.0.0.0/0"), route("10.99.0.0/24")];
        server.routes[0].net_gateway = true;
        let lines = lines(&server, FACTS);
        assert!(!lines.iter().any(|line| line.contains("redirect-gateway")), "{lines:?}");
        assert!(lines.contains(&"push \"route 10.99.0.0 255.255.255.0\"".to_owned()), "{lines:?}");
    }

    #[test]
    fn phones_sleep_and_codes_are_not_repeated() {
        let phone = lines(&server(), ClientFacts { platform: "ios", ..FACTS });
        assert_eq!(phone[1..3], ["push \"ping 10\"", "push \"ping-restart 60\""]);
        let coded = lines(&server(), ClientFacts { second_factor: true, ..FACTS });
        assert_eq!(coded[2], "push \"ping-exit 10\"");
    }
}
