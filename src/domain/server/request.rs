//! From a request to a specification: every rule of the contract's table of server fields.

use super::{
    AllowedDevices, Cipher, Hash, NetworkMode, Protocol, ServerFields, ServerSpec, Switches,
    WireGuard,
};
use crate::base::ids::ServerId;
use crate::base::random::Random;
use crate::domain::network::{Network4, random_network, server_network};
use crate::domain::{Refusal, text};
use std::net::{IpAddr, Ipv4Addr};

const DH_BITS: [i64; 5] = [1024, 1536, 2048, 3072, 4096];
/// Quick enough that clients of a dead host move on (design section 10).
const PING_S: (u32, u32) = (3, 10);
/// Where only an interval was given that is too long for the quick time-out.
const PING_TIMEOUT_SLOW_S: u32 = 60;
const PING_WG_S: (u32, u32) = (30, 120);
const PING_LINK_S: (u32, u32) = (1, 5);
const PING_MARGIN_S: u32 = 5;
const MAX_CLIENTS: u32 = 2000;
/// What OpenVPN 2.6 takes; with anything else it does not start.
const MAX_CLIENTS_MAX: i64 = 16_777_214;
const TUN_MTU: std::ops::RangeInclusive<i64> = 100..=65_535;
const FRAGMENT: std::ops::RangeInclusive<i64> = 68..=65_535;
const RANDOM_PORTS: std::ops::RangeInclusive<u16> = 10_000..=19_998;

/// What other servers occupy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub server: ServerId,
    /// Both networks where it has WireGuard.
    pub networks: Vec<Network4>,
    /// WireGuard's is a UDP port.
    pub ports: Vec<(Protocol, u16)>,
}

/// The server before a PUT.
#[derive(Clone, Copy, Debug)]
pub struct Previous<'a> {
    pub id: ServerId,
    pub spec: &'a ServerSpec,
    /// Online or about to be: few options may change.
    pub online: bool,
}

/// What a rule must know beyond the request.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// `None`: POST.
    pub previous: Option<Previous<'a>>,
    /// All servers; the one that is changed may be among them.
    pub taken: &'a [Taken],
    pub has_server_links: bool,
    pub has_network_links: bool,
    pub linked_online: bool,
}

impl ServerSpec {
    /// POST and PUT are full replacements; zero values mean what the contract's table says.
    pub fn from_request(
        fields: &ServerFields,
        around: &Circumstances<'_>,
        random: &Random,
    ) -> Result<ServerSpec, Refusal> {
        let before = around.previous.map(|p| p.spec);
        let name = text::name(&fields.name).ok_or(Refusal::MissingParams)?;
        let (network_mode, network, bridge_range) = place(fields, around, random)?;
        let protocol = Protocol::parse(&fields.protocol.to_ascii_lowercase());
        let protocol = protocol.ok_or(Refusal::ProtocolInvalid)?;
        let port = port(fields.port, before.map(|b| b.port), protocol, around, random)
            .map_err(|none| none.unwrap_or(Refusal::PortProtocolInUse))?;
        let wireguard = wireguard(fields, network, (protocol, port), around, random)?;
        let dns_servers = addresses(&fields.dns_servers)?;
        let search_domain = search_domain(&fields.search_domain);
        let ping = ping_pair((fields.ping_interval, fields.ping_timeout), around.previous);
        let ping_wg = pair((fields.ping_interval_wg, fields.ping_timeout_wg), PING_WG_S);
        let ping_link = pair((fields.link_ping_interval, fields.link_ping_timeout), PING_LINK_S);
        let spec = ServerSpec {
            name,
            network,
            wireguard,
            network_mode,
            bridge_range,
            port,
            protocol,
            bind_address: bind_address(&fields.bind_address)?,
            dh_param_bits: dh_param_bits(fields.dh_param_bits, before)?,
            cipher: Cipher::parse(&fields.cipher).ok_or(Refusal::CipherInvalid)?,
            hash: Hash::parse(&fields.hash).ok_or(Refusal::HashInvalid)?,
            groups: text::filtered_list(&fields.groups),
            dns_servers,
            search_domain,
            switches: fields.switches,
            ping_interval_s: ping.0,
            ping_timeout_s: ping.1,
            ping_interval_wg_s: ping_wg.0,
            ping_timeout_wg_s: ping_wg.1,
            link_ping_interval_s: ping_link.0,
            link_ping_timeout_s: ping_link.1,
            inactive_timeout_s: positive(fields.inactive_timeout),
            session_timeout_s: positive(fields.session_timeout),
            allowed_devices: AllowedDevices::parse(&fields.allowed_devices),
            max_clients: max_clients(fields.max_clients)?,
            max_devices: positive(fields.max_devices).unwrap_or(0),
            replica_count: positive(fields.replica_count).unwrap_or(1),
            mss_fix: size(fields.mss_fix),
            tun_mtu: within(TUN_MTU, fields.tun_mtu, Refusal::TunMtuInvalid)?,
            fragment: within(FRAGMENT, fields.fragment, Refusal::FragmentInvalid)?,
            pre_connect_msg: trimmed(&fields.pre_connect_msg),
        };
        spec.agrees(around)?;
        Ok(spec)
    }

    /// Options that do not go together, with each other or with the state of things.
    fn agrees(&self, around: &Circumstances<'_>) -> Result<(), Refusal> {
        let Switches { ipv6, dns_mapping, bypass_sso_auth, device_auth, .. } = self.switches;
        let bridge = self.network_mode == NetworkMode::Bridge;
        let replicas = self.replica_count > 1;
        let no_dns = self.dns_servers.is_empty();
        let tight = |interval: u32, timeout| interval.saturating_add(PING_MARGIN_S) > timeout;
        let rules = [
            (tight(self.ping_interval_s, self.ping_timeout_s), Refusal::PingIntervalTooHigh),
            (tight(self.ping_interval_wg_s, self.ping_timeout_wg_s), Refusal::PingIntervalTooHigh),
            (bypass_sso_auth && !device_auth, Refusal::BypassSsoDeviceAuth),
            (bridge && ipv6, Refusal::BridgedIpv6Invalid),
            (bridge && around.has_server_links, Refusal::BridgedServerLinksInvalid),
            (bridge && around.has_network_links, Refusal::BridgedNetLinksInvalid),
            (bridge && replicas, Refusal::BridgedReplicaInvalid),
            (around.has_server_links && replicas, Refusal::ServerLinksAndReplica),
            (self.search_domain.is_some() && no_dns, Refusal::ServerDomainNoDns),
            (dns_mapping && no_dns, Refusal::ClientDnsMappingNoDns),
            (self.fragment.is_some() && self.protocol == Protocol::Tcp, Refusal::FragmentTcp),
        ];
        if let Some((_, refusal)) = rules.into_iter().find(|(broken, _)| *broken) {
            return Err(refusal);
        }
        match around.previous {
            Some(previous) if previous.online && self.needs_stop(previous.spec) => {
                Err(Refusal::ServerNotOffline)
            }
            Some(previous) if around.linked_online && self.network != previous.spec.network => {
                Err(Refusal::ServerLinksNotOffline)
            }
            _ => Ok(()),
        }
    }

    /// Whether anything differs that a running server can not take up.
    fn needs_stop(&self, before: &ServerSpec) -> bool {
        let mut at_most = ServerSpec {
            name: self.name.clone(),
            replica_count: self.replica_count,
            pre_connect_msg: self.pre_connect_msg.clone(),
            ..before.clone()
        };
        let now = &self.switches;
        at_most.switches.hide_ovpn = now.hide_ovpn;
        at_most.switches.geo_sort = now.geo_sort;
        at_most.switches.force_connect = now.force_connect;
        at_most.switches.block_outside_dns = now.block_outside_dns;
        at_most != *self
    }
}

impl Circumstances<'_> {
    fn others(&self) -> impl Iterator<Item = &Taken> {
        let own = self.previous.map(|p| p.id);
        self.taken.iter().filter(move |taken| Some(taken.server) != own)
    }

    fn networks(&self) -> Vec<Network4> {
        self.others().flat_map(|taken| taken.networks.iter().copied()).collect()
    }

    fn port_is_free(&self, protocol: Protocol, port: u16) -> bool {
        !self.others().any(|taken| taken.ports.contains(&(protocol, port)))
    }
}

type Place = (NetworkMode, Network4, Option<(Ipv4Addr, Ipv4Addr)>);

fn place(
    fields: &ServerFields,
    around: &Circumstances<'_>,
    random: &Random,
) -> Result<Place, Refusal> {
    let taken = around.networks();
    let network = match (fields.network.as_str(), around.previous) {
        ("", Some(previous)) => previous.spec.network,
        ("", None) => random_network(&taken, random).ok_or(Refusal::NetworkInUse)?,
        (given, _) => server_network(given).map_err(|_| Refusal::NetworkInvalid)?,
    };
    if taken.iter().any(|t| t.overlaps(network)) {
        return Err(Refusal::NetworkInUse);
    }
    if fields.network_mode != NetworkMode::Bridge.as_str() {
        return Ok((NetworkMode::Tunnel, network, None));
    }
    if fields.network_start.is_empty() || fields.network_end.is_empty() {
        return Err(Refusal::MissingParams);
    }
    let end = |text: &str| -> Option<Ipv4Addr> {
        text.parse().ok().filter(|address| network.contains(*address))
    };
    match (end(&fields.network_start), end(&fields.network_end)) {
        (Some(start), Some(end)) if start <= end => {
            Ok((NetworkMode::Bridge, network, Some((start, end))))
        }
        _ => Err(Refusal::BridgeNetworkInvalid),
    }
}

/// `Err(None)`: the port is taken, or none is free.
fn port(
    given: i64,
    before: Option<u16>,
    protocol: Protocol,
    around: &Circumstances<'_>,
    random: &Random,
) -> Result<u16, Option<Refusal>> {
    let free = |port: &u16| around.port_is_free(protocol, *port);
    let port = match (given, before) {
        (0, Some(before)) => before,
        (0, None) => {
            let ports: Vec<u16> = RANDOM_PORTS.filter(free).collect();
            let at = usize::try_from(random.below(ports.len() as u64)).unwrap_or(0);
            ports.get(at).copied().ok_or(None)?
        }
        (given, _) => u16::try_from(given).ok().filter(|p| *p > 0).ok_or(Refusal::PortInvalid)?,
    };
    if free(&port) { Ok(port) } else { Err(None) }
}

fn wireguard(
    fields: &ServerFields,
    main: Network4,
    (protocol, main_port): (Protocol, u16),
    around: &Circumstances<'_>,
    random: &Random,
) -> Result<Option<WireGuard>, Refusal> {
    if !fields.switches.wg {
        return Ok(None);
    }
    let before = around.previous.and_then(|p| p.spec.wireguard);
    let mut taken = around.networks();
    taken.push(main);
    let network = match (fields.network_wg.as_str(), before) {
        ("", Some(before)) => before.network,
        ("", None) => random_network(&taken, random).ok_or(Refusal::NetworkWgInUse)?,
        (given, _) => server_network(given).map_err(|_| Refusal::NetworkWgInvalid)?,
    };
    if network.prefix() != main.prefix() {
        return Err(Refusal::NetworkWgCidrInvalid);
    }
    if taken.iter().any(|t| t.overlaps(network)) {
        return Err(Refusal::NetworkWgInUse);
    }
    let none_free =
        if fields.port_wg == 0 { Refusal::PortWgProtocolInUse } else { Refusal::PortProtocolInUse };
    let port = port(fields.port_wg, before.map(|b| b.port), Protocol::Udp, around, random)
        .map_err(|none| none.unwrap_or(none_free))?;
    if protocol == Protocol::Udp && port == main_port {
        return Err(Refusal::PortProtocolInUse);
    }
    Ok(Some(WireGuard { network, port }))
}

fn dh_param_bits(given: i64, before: Option<&ServerSpec>) -> Result<u32, Refusal> {
    match given {
        0 => Ok(before.map_or(2048, |b| b.dh_param_bits)),
        bits if DH_BITS.contains(&bits) => {
            u32::try_from(bits).map_err(|_| Refusal::DhParamBitsInvalid)
        }
        _ => Err(Refusal::DhParamBitsInvalid),
    }
}

/// Omitted values are ours; on a running server they are what it has, so that a client that never
/// sends them can still change its name.
fn ping_pair(given: (i64, i64), previous: Option<Previous<'_>>) -> (u32, u32) {
    match (positive(given.0), positive(given.1), previous) {
        (None, None, Some(p)) if p.online => (p.spec.ping_interval_s, p.spec.ping_timeout_s),
        (Some(interval), None, _) if interval.saturating_add(PING_MARGIN_S) > PING_S.1 => {
            (interval, PING_TIMEOUT_SLOW_S)
        }
        (interval, timeout, _) => (interval.unwrap_or(PING_S.0), timeout.unwrap_or(PING_S.1)),
    }
}

fn pair(given: (i64, i64), default: (u32, u32)) -> (u32, u32) {
    (positive(given.0).unwrap_or(default.0), positive(given.1).unwrap_or(default.1))
}

fn addresses(entries: &[String]) -> Result<Vec<IpAddr>, Refusal> {
    entries.iter().map(|e| e.trim().parse().map_err(|_| Refusal::DnsServerInvalid)).collect()
}

fn search_domain(given: &str) -> Option<String> {
    let domains: Vec<String> = given.split(',').filter_map(text::filtered_or_none).collect();
    Some(domains.join(", ")).filter(|list| !list.is_empty())
}

fn trimmed(given: &str) -> Option<String> {
    Some(given.trim()).filter(|t| !t.is_empty()).map(str::to_owned)
}

/// Larger ones are cut: OpenVPN and clients read them as `int`.
fn positive(given: i64) -> Option<u32> {
    u32::try_from(given.clamp(0, i32::MAX.into())).ok().filter(|n| *n > 0)
}

/// As it was given, so that sending it back changes nothing.
fn bind_address(given: &str) -> Result<Option<String>, Refusal> {
    match text::filtered_or_none(given) {
        Some(text) if text.parse::<IpAddr>().is_err() => Err(Refusal::BindAddressInvalid),
        given => Ok(given),
    }
}

fn max_clients(given: i64) -> Result<u32, Refusal> {
    match positive(given) {
        Some(_) if given > MAX_CLIENTS_MAX => Err(Refusal::MaxClientsInvalid),
        given => Ok(given.unwrap_or(MAX_CLIENTS)),
    }
}

/// Nothing above zero is none.
fn within(
    range: std::ops::RangeInclusive<i64>,
    given: i64,
    refusal: Refusal,
) -> Result<Option<u16>, Refusal> {
    match given {
        ..=0 => Ok(None),
        n if range.contains(&n) => u16::try_from(n).map(Some).map_err(|_| refusal),
        _ => Err(refusal),
    }
}

fn size(given: i64) -> Option<u16> {
    positive(given).map(|n| u16::try_from(n).unwrap_or(u16::MAX))
}
