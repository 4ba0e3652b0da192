//! Routes of a server: what may be stored, and in which order they are shown (contract 2.5).

use super::network::{Network, Network4};
use super::server::ServerSpec;
use super::{Refusal, text};
use crate::base::ids::to_hex;
use std::net::IpAddr;

/// Comment of the route that follows the server's first DNS server.
const DNS_COMMENT: &str = "DNS Server";

const INTERFACE_CHARS_MAX: usize = 15;

/// A server's routes are one document: what is longer is cut.
const COMMENT_CHARS_MAX: usize = 256;

/// Where a stored route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The server's own network, whatever that is: stored as the word `virtual`.
    Virtual,
    Net(Network),
}

/// A stored route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub target: Target,
    pub comment: Option<String>,
    pub metric: Option<u32>,
    pub nat: bool,
    pub nat_interface: Option<String>,
    pub nat_netmap: Option<Network4>,
    pub advertise: bool,
    pub advertise_resource: Vec<String>,
    pub net_gateway: bool,
}

/// What a request says; omitted and null are the zero values (contract 1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteFields {
    pub network: String,
    pub comment: String,
    pub metric: i64,
    pub nat: bool,
    pub nat_interface: String,
    pub nat_netmap: String,
    pub advertise: bool,
    pub advertise_resource: Vec<String>,
    pub net_gateway: bool,
}

/// A server's routes and what rules about them depend on.
#[derive(Clone, Copy, Debug)]
pub struct Routes<'a> {
    pub server: &'a ServerSpec,
    pub stored: &'a [Route],
    /// Networks behind users of the server.
    pub network_links: &'a [Network],
    /// What linked servers contribute.
    pub linked: &'a [LinkedRoute],
    pub online: bool,
}

/// A linked server's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkedRoute {
    pub network: Network,
    pub nat: bool,
    /// Its own network, rather than one behind it.
    pub is_virtual: bool,
}

/// A route as clients of the API see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub network: Network,
    /// The target says `Virtual` for the server's own networks.
    pub route: Route,
    pub origin: Origin,
}

/// Where a shown route comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Stored,
    /// The server's own network.
    Virtual,
    /// The server's own WireGuard network.
    VirtualWireGuard,
    NetworkLink,
    ServerLink,
    /// A linked server's own network.
    ServerLinkVirtual,
}

impl Shown {
    pub fn id(&self) -> String {
        id(self.network)
    }
}

/// Lower-case hex of the network's text.
pub fn id(network: Network) -> String {
    to_hex(network.to_string().as_bytes())
}

/// The network that an id of a path names.
pub fn network_of(id: &str) -> Option<Network> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = id.as_bytes().chunks(2).map(byte).collect();
    String::from_utf8(bytes?).ok()?.parse().ok()
}

/// Routes of a new server: everything, and its DNS server.
pub fn of_new_server(dns: Option<IpAddr>) -> Vec<Route> {
    let everything = nat_route(Network::ANY4, None);
    [everything].into_iter().chain(dns.map(dns_route)).collect()
}

/// The first DNS server has changed: the route made for it follows, others stay.
pub fn follow_dns(routes: &mut Vec<Route>, dns: Option<IpAddr>) {
    let at = routes.iter().position(|r| r.comment.as_deref() == Some(DNS_COMMENT));
    match (at.and_then(|at| routes.get_mut(at)), dns) {
        (Some(route), Some(dns)) => route.target = Target::Net(Network::of_address(dns)),
        (Some(_), None) => routes.retain(|r| r.comment.as_deref() != Some(DNS_COMMENT)),
        (None, _) => {}
    }
}

/// Stores `route` in place of the one with the same target.
pub fn upsert(routes: &mut Vec<Route>, route: Route) {
    match routes.iter_mut().find(|r| r.target == route.target) {
        Some(old) => *old = route,
        None => routes.push(route),
    }
}

/// A name that the kernel takes for an interface, or none.
fn is_interface(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | ':');
    name.trim().len() <= INTERFACE_CHARS_MAX && name.trim().chars().all(letter)
}

impl Routes<'_> {
    /// A route to store. The server's own network becomes `Virtual`, and `::/0` is the default
    /// route of both families.
    pub fn accept(&self, fields: &RouteFields) -> Result<Route, Refusal> {
        if self.online {
            return Err(Refusal::ServerRouteOnline);
        }
        let network = fields.network.parse().map_err(|_| Refusal::ServerRouteInvalid)?;
        let target = self.target(network);
        let netmap = match fields.nat_netmap.as_str() {
            "" => None,
            given => Some(given.parse().map_err(|_| Refusal::ServerRouteInvalid)?),
        };
        let linked = self.linked.iter().find(|l| l.network == network);
        let rules = [
            (target == Target::Virtual && fields.nat, Refusal::ServerRouteVirtualNat),
            (linked.is_some_and(|l| l.nat != fields.nat), Refusal::ServerRouteServerLinkNat),
            (
                fields.net_gateway && self.network_links.contains(&network),
                Refusal::ServerRouteNetworkLinkGateway,
            ),
            (fields.net_gateway && fields.nat, Refusal::ServerRouteNetGatewayNat),
            (netmap.is_some() && !fields.nat, Refusal::ServerRouteNonNatNetmap),
            (!is_interface(&fields.nat_interface), Refusal::ServerRouteInvalid),
        ];
        if let Some((_, refusal)) = rules.into_iter().find(|(broken, _)| *broken) {
            return Err(refusal);
        }
        Ok(Route {
            target,
            comment: Some(text::cut(fields.comment.trim(), COMMENT_CHARS_MAX))
                .filter(|c| !c.is_empty())
                .map(str::to_owned),
            metric: u32::try_from(fields.metric).ok().filter(|m| *m > 0),
            nat: fields.nat,
            nat_interface: text::filtered_or_none(&fields.nat_interface),
            nat_netmap: netmap,
            advertise: fields.advertise,
            advertise_resource: text::filtered_list(&fields.advertise_resource),
            net_gateway: fields.net_gateway,
        })
    }

    /// All of them or none; the last one is what the API answers.
    pub fn accept_all(&self, fields: &[RouteFields]) -> Result<Vec<Route>, Refusal> {
        fields.iter().map(|f| self.accept(f)).collect()
    }

    /// The stored routes without the one that `id` names; the server's own network stays.
    pub fn without(&self, network: Network) -> Result<Vec<Route>, Refusal> {
        if self.online {
            return Err(Refusal::ServerRouteOnline);
        }
        let gone = self.target(network);
        let stays = |r: &&Route| r.target != gone || gone == Target::Virtual;
        Ok(self.stored.iter().filter(stays).cloned().collect())
    }

    fn target(&self, network: Network) -> Target {
        match network {
            Network::V4(n) if n == self.server.network => Target::Virtual,
            Network::ANY6 => Target::Net(Network::ANY4),
            other => Target::Net(other),
        }
    }

    /// Everything, in the contract's order: default routes, own networks, others by their text,
    /// then those of linked servers.
    pub fn shown(&self) -> Vec<Shown> {
        let mut defaults = Vec::new();
        let mut others = Vec::new();
        for route in self.stored {
            let Target::Net(network) = route.target else { continue };
            let shown = |network| Shown { network, route: route.clone(), origin: Origin::Stored };
            if network == Network::ANY4 {
                defaults.push(shown(network));
                if self.server.switches.ipv6 {
                    defaults.push(shown(Network::ANY6));
                }
            } else {
                others.push(shown(network));
            }
        }
        others.extend(self.network_links.iter().map(|n| plain(*n, false, Origin::NetworkLink)));
        others.sort_by_cached_key(|shown| shown.network.to_string());
        let mut linked: Vec<Shown> = self.linked.iter().map(linked_route).collect();
        linked.sort_by_cached_key(|shown| shown.network.to_string());
        [defaults, self.own(), others, linked].concat()
    }

    fn own(&self) -> Vec<Shown> {
        let stored = self.stored.iter().find(|r| r.target == Target::Virtual);
        let own = |network, origin| {
            let blank = plain(network, false, origin).route;
            let route = Route { target: Target::Virtual, ..stored.cloned().unwrap_or(blank) };
            Shown { network, route, origin }
        };
        let main = own(Network::V4(self.server.network), Origin::Virtual);
        let wireguard =
            self.server.wireguard.map(|wg| own(Network::V4(wg.network), Origin::VirtualWireGuard));
        [main].into_iter().chain(wireguard).collect()
    }
}

fn linked_route(link: &LinkedRoute) -> Shown {
    let origin = if link.is_virtual { Origin::ServerLinkVirtual } else { Origin::ServerLink };
    plain(link.network, link.nat, origin)
}

fn plain(network: Network, nat: bool, origin: Origin) -> Shown {
    Shown { network, route: Route { nat, ..nat_route(network, None) }, origin }
}

fn dns_route(dns: IpAddr) -> Route {
    nat_route(Network::of_address(dns), Some(DNS_COMMENT))
}

fn nat_route(network: Network, comment: Option<&str>) -> Route {
    Route {
        target: Target::Net(network),
        comment: comment.map(str::to_owned),
        metric: None,
        nat: true,
        nat_interface: None,
        nat_netmap: None,
        advertise: false,
        advertise_resource: Vec::new(),
        net_gateway: false,
    }
}

#[cfg(test)]
mod tests;
