//! Stored options and routes of a server to and from what the rules work with. What can not be read
//! back is a damaged document: it is named, never guessed at.

use super::servers::{RouteDoc, ServerDoc, ServerOptions};
use crate::domain::route::{Route, Target};
use crate::domain::server::{
    AllowedDevices, Cipher, Hash, NetworkMode, Protocol, ServerSpec, Switches, WireGuard,
};
use std::fmt;
use std::net::Ipv4Addr;

/// Stored text of the server's own network in routes.
const VIRTUAL: &str = "virtual";

/// A stored server has a field that no rule would have let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged {
    pub field: &'static str,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stored server has no valid {}", self.field)
    }
}

impl std::error::Error for Damaged {}

impl ServerDoc {
    pub fn spec(&self) -> Result<ServerSpec, Damaged> {
        self.options.spec()
    }

    pub fn route_list(&self) -> Result<Vec<Route>, Damaged> {
        self.routes.iter().map(RouteDoc::route).collect()
    }
}

impl ServerOptions {
    pub fn of(spec: &ServerSpec) -> ServerOptions {
        let switches = &spec.switches;
        let text = |value: &Option<String>| value.clone();
        let number = |value: Option<u32>| value.map(i64::from);
        ServerOptions {
            name: spec.name.clone(),
            network: spec.network.to_string(),
            network_wg: spec.wireguard.map(|wg| wg.network.to_string()),
            network_mode: spec.network_mode.as_str().to_owned(),
            network_start: spec.bridge_range.map(|(start, _)| start.to_string()),
            network_end: spec.bridge_range.map(|(_, end)| end.to_string()),
            port: spec.port.into(),
            port_wg: spec.wireguard.map(|wg| wg.port.into()),
            protocol: spec.protocol.as_str().to_owned(),
            bind_address: text(&spec.bind_address),
            dh_param_bits: spec.dh_param_bits.into(),
            cipher: spec.cipher.as_str().to_owned(),
            hash: spec.hash.as_str().to_owned(),
            groups: spec.groups.clone(),
            dns_servers: spec.dns_servers.iter().map(ToString::to_string).collect(),
            search_domain: text(&spec.search_domain),
            wg: switches.wg,
            ipv6: switches.ipv6,
            ipv6_firewall: switches.ipv6_firewall,
            restrict_routes: switches.restrict_routes,
            multi_device: switches.multi_device,
            inter_client: switches.inter_client,
            otp_auth: switches.otp_auth,
            sso_auth: switches.sso_auth,
            lzo_compression: switches.lzo_compression,
            block_outside_dns: switches.block_outside_dns,
            jumbo_frames: switches.jumbo_frames,
            dns_mapping: switches.dns_mapping,
            route_dns: switches.route_dns,
            debug: switches.debug,
            vxlan: switches.vxlan,
            hide_ovpn: switches.hide_ovpn,
            dynamic_firewall: switches.dynamic_firewall,
            bypass_sso_auth: switches.bypass_sso_auth,
            geo_sort: switches.geo_sort,
            force_connect: switches.force_connect,
            device_auth: switches.device_auth,
            ovpn_dco: Some(switches.ovpn_dco),
            multihome: Some(switches.multihome),
            ping_interval: spec.ping_interval_s.into(),
            ping_timeout: spec.ping_timeout_s.into(),
            ping_interval_wg: spec.ping_interval_wg_s.into(),
            ping_timeout_wg: spec.ping_timeout_wg_s.into(),
            link_ping_interval: spec.link_ping_interval_s.into(),
            link_ping_timeout: spec.link_ping_timeout_s.into(),
            inactive_timeout: number(spec.inactive_timeout_s),
            session_timeout: number(spec.session_timeout_s),
            allowed_devices: spec.allowed_devices.map(|d| d.as_str().to_owned()),
            max_clients: spec.max_clients.into(),
            max_devices: Some(spec.max_devices.into()),
            replica_count: spec.replica_count.into(),
            mss_fix: spec.mss_fix.map(i64::from),
            tun_mtu: spec.tun_mtu.map(i64::from),
            fragment: spec.fragment.map(i64::from),
            pre_connect_msg: text(&spec.pre_connect_msg),
        }
    }

    pub fn spec(&self) -> Result<ServerSpec, Damaged> {
        Ok(ServerSpec {
            name: self.name.clone(),
            network: parsed("network", &self.network)?,
            wireguard: self.wireguard()?,
            network_mode: known("network_mode", NetworkMode::parse(&self.network_mode))?,
            bridge_range: self.bridge_range()?,
            port: number("port", self.port)?,
            protocol: known("protocol", Protocol::parse(&self.protocol))?,
            bind_address: self.bind_address.clone(),
            dh_param_bits: number("dh_param_bits", self.dh_param_bits)?,
            cipher: known("cipher", Cipher::parse(&self.cipher))?,
            hash: known("hash", Hash::parse(&self.hash))?,
            groups: self.groups.clone(),
            dns_servers: self
                .dns_servers
                .iter()
                .map(|address| parsed("dns_servers", address))
                .collect::<Result<_, _>>()?,
            search_domain: self.search_domain.clone(),
            switches: self.switches(),
            ping_interval_s: number("ping_interval", self.ping_interval)?,
            ping_timeout_s: number("ping_timeout", self.ping_timeout)?,
            ping_interval_wg_s: number("ping_interval_wg", self.ping_interval_wg)?,
            ping_timeout_wg_s: number("ping_timeout_wg", self.ping_timeout_wg)?,
            link_ping_interval_s: number("link_ping_interval", self.link_ping_interval)?,
            link_ping_timeout_s: number("link_ping_timeout", self.link_ping_timeout)?,
            inactive_timeout_s: optional("inactive_timeout", self.inactive_timeout)?,
            session_timeout_s: optional("session_timeout", self.session_timeout)?,
            allowed_devices: self.allowed_devices.as_deref().and_then(AllowedDevices::parse),
            max_clients: number("max_clients", self.max_clients)?,
            max_devices: optional("max_devices", self.max_devices)?.unwrap_or(0),
            replica_count: number("replica_count", self.replica_count)?,
            mss_fix: optional("mss_fix", self.mss_fix)?,
            tun_mtu: optional("tun_mtu", self.tun_mtu)?,
            fragment: optional("fragment", self.fragment)?,
            pre_connect_msg: self.pre_connect_msg.clone(),
        })
    }

    fn switches(&self) -> Switches {
        Switches {
            wg: self.wg,
            ipv6: self.ipv6,
            ipv6_firewall: self.ipv6_firewall,
            restrict_routes: self.restrict_routes,
            multi_device: self.multi_device,
            inter_client: self.inter_client,
            otp_auth: self.otp_auth,
            sso_auth: self.sso_auth,
            lzo_compression: self.lzo_compression,
            block_outside_dns: self.block_outside_dns,
            jumbo_frames: self.jumbo_frames,
            dns_mapping: self.dns_mapping,
            route_dns: self.route_dns,
            debug: self.debug,
            vxlan: self.vxlan,
            hide_ovpn: self.hide_ovpn,
            dynamic_firewall: self.dynamic_firewall,
            bypass_sso_auth: self.bypass_sso_auth,
            geo_sort: self.geo_sort,
            force_connect: self.force_connect,
            device_auth: self.device_auth,
            ovpn_dco: self.ovpn_dco.unwrap_or(false),
            multihome: self.multihome.unwrap_or(false),
        }
    }

    fn wireguard(&self) -> Result<Option<WireGuard>, Damaged> {
        let (Some(network), Some(port)) = (&self.network_wg, self.port_wg) else {
            return Ok(None);
        };
        let network = parsed("network_wg", network)?;
        Ok(Some(WireGuard { network, port: number("port_wg", port)? }))
    }

    fn bridge_range(&self) -> Result<Option<(Ipv4Addr, Ipv4Addr)>, Damaged> {
        let (Some(start), Some(end)) = (&self.network_start, &self.network_end) else {
            return Ok(None);
        };
        Ok(Some((parsed("network_start", start)?, parsed("network_end", end)?)))
    }
}

impl RouteDoc {
    pub fn of(route: &Route) -> RouteDoc {
        RouteDoc {
            network: match route.target {
                Target::Virtual => VIRTUAL.to_owned(),
                Target::Net(network) => network.to_string(),
            },
            comment: route.comment.clone(),
            metric: route.metric.map(i64::from),
            nat: route.nat,
            nat_interface: route.nat_interface.clone(),
            nat_netmap: route.nat_netmap.map(|network| network.to_string()),
            advertise: Some(route.advertise),
            advertise_resource: Some(route.advertise_resource.clone()),
            net_gateway: route.net_gateway,
        }
    }

    pub fn route(&self) -> Result<Route, Damaged> {
        let netmap = self.nat_netmap.as_deref();
        Ok(Route {
            target: match self.network.as_str() {
                VIRTUAL => Target::Virtual,
                network => Target::Net(parsed("route", network)?),
            },
            comment: self.comment.clone(),
            metric: optional("metric", self.metric)?,
            nat: self.nat,
            nat_interface: self.nat_interface.clone(),
            nat_netmap: netmap.map(|network| parsed("nat_netmap", network)).transpose()?,
            advertise: self.advertise.unwrap_or(false),
            advertise_resource: self.advertise_resource.clone().unwrap_or_default(),
            net_gateway: self.net_gateway,
        })
    }
}

fn parsed<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, Damaged> {
    text.parse().map_err(|_| Damaged { field })
}

fn known<T>(field: &'static str, choice: Option<T>) -> Result<T, Damaged> {
    choice.ok_or(Damaged { field })
}

fn number<T: TryFrom<i64>>(field: &'static str, value: i64) -> Result<T, Damaged> {
    value.try_into().map_err(|_| Damaged { field })
}

fn optional<T: TryFrom<i64>>(
    field: &'static str,
    value: Option<i64>,
) -> Result<Option<T>, Damaged> {
    value.map(|value| number(field, value)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::route::of_new_server;
    use crate::domain::server::tests::spec;

    fn options() -> ServerOptions {
        ServerOptions::of(&spec(|_| {}))
    }

    #[test]
    fn what_was_stored_is_read_back() {
        assert_eq!(options().spec(), Ok(spec(|_| {})));
    }

    #[test]
    fn a_damaged_field_is_named() {
        let port = ServerOptions { port: 70_000, ..options() };
        assert_eq!(port.spec(), Err(Damaged { field: "port" }));
        let cipher = ServerOptions { cipher: "rot13".to_owned(), ..options() };
        assert_eq!(cipher.spec(), Err(Damaged { field: "cipher" }));
    }

    #[test]
    fn routes_are_read_back() {
        let routes = of_new_server(Some([9, 9, 9, 9].into()));
        for route in &routes {
            assert_eq!(RouteDoc::of(route).route().as_ref(), Ok(route));
            let own = RouteDoc { network: VIRTUAL.to_owned(), ..RouteDoc::of(route) };
            assert_eq!(own.route().map(|route| route.target), Ok(Target::Virtual));
        }
    }
}
