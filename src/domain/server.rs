//! A server's options: what a request may say (contract 2.5) and what becomes of it.
//!
//! ```text
//!   ServerFields (zero values) ── ServerSpec::from_request ──> ServerSpec (validated, complete)
//!                                        │
//!        previous spec, other servers ───┘        or a Refusal with its contract identifier
//! ```

mod request;

pub use request::{Circumstances, Previous, Taken};

use super::network::Network4;
use crate::base::ids::ServerId;
use std::net::{IpAddr, Ipv4Addr};

/// What those wait for who want to know that a server has started, failed or stopped.
pub fn wake_key(server: ServerId) -> String {
    format!("server/{server}")
}

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($variant,)*
        }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// Its name on the wire and in documents.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)*
                }
            }

            pub fn parse(text: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|choice| choice.as_str() == text)
            }
        }
    };
}

choices! {
    /// Transport of OpenVPN.
    Protocol { Udp = "udp", Tcp = "tcp", }
}
choices! {
    /// Names of the contract; what they mean to OpenVPN is 4.3.
    Cipher {
        None = "none",
        Bf128 = "bf128",
        Bf256 = "bf256",
        Aes128 = "aes128",
        Aes192 = "aes192",
        Aes256 = "aes256",
        ChaCha20 = "chacha20poly1205",
    }
}
choices! {
    /// HMAC of packets.
    Hash { None = "none", Md5 = "md5", Sha1 = "sha1", Sha256 = "sha256", Sha512 = "sha512", }
}
choices! {
    /// Routed, or bridged into a LAN.
    NetworkMode { Tunnel = "tunnel", Bridge = "bridge", }
}
choices! {
    /// Kind of platform that may connect.
    AllowedDevices { Mobile = "mobile", Desktop = "desktop", }
}

/// Options that are plain switches, alike in request and specification; omitted is false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    pub wg: bool,
    pub ipv6: bool,
    pub ipv6_firewall: bool,
    pub restrict_routes: bool,
    pub multi_device: bool,
    pub inter_client: bool,
    pub otp_auth: bool,
    pub sso_auth: bool,
    pub lzo_compression: bool,
    pub block_outside_dns: bool,
    pub jumbo_frames: bool,
    pub dns_mapping: bool,
    pub route_dns: bool,
    pub debug: bool,
    pub vxlan: bool,
    pub hide_ovpn: bool,
    pub ovpn_dco: bool,
    pub dynamic_firewall: bool,
    pub bypass_sso_auth: bool,
    pub geo_sort: bool,
    pub force_connect: bool,
    pub device_auth: bool,
    pub multihome: bool,
}

/// What a request says; omitted and null are the zero values (contract 1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFields {
    pub name: String,
    pub network: String,
    pub network_wg: String,
    pub network_mode: String,
    pub network_start: String,
    pub network_end: String,
    pub port: i64,
    pub port_wg: i64,
    pub protocol: String,
    pub bind_address: String,
    pub dh_param_bits: i64,
    pub cipher: String,
    pub hash: String,
    pub groups: Vec<String>,
    pub dns_servers: Vec<String>,
    pub search_domain: String,
    pub switches: Switches,
    pub ping_interval: i64,
    pub ping_timeout: i64,
    pub ping_interval_wg: i64,
    pub ping_timeout_wg: i64,
    pub link_ping_interval: i64,
    pub link_ping_timeout: i64,
    pub inactive_timeout: i64,
    pub session_timeout: i64,
    pub allowed_devices: String,
    pub max_clients: i64,
    pub max_devices: i64,
    pub replica_count: i64,
    pub mss_fix: i64,
    pub tun_mtu: i64,
    pub fragment: i64,
    pub pre_connect_msg: String,
}

/// The WireGuard side of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireGuard {
    pub network: Network4,
    pub port: u16,
}

/// Every option of a server, valid and with its defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSpec {
    pub name: String,
    pub network: Network4,
    /// Present exactly if `switches.wg`.
    pub wireguard: Option<WireGuard>,
    pub network_mode: NetworkMode,
    /// First and last address for clients; present exactly in bridge mode.
    pub bridge_range: Option<(Ipv4Addr, Ipv4Addr)>,
    pub port: u16,
    pub protocol: Protocol,
    pub bind_address: Option<String>,
    pub dh_param_bits: u32,
    pub cipher: Cipher,
    pub hash: Hash,
    pub groups: Vec<String>,
    pub dns_servers: Vec<IpAddr>,
    /// Comma list as answered: `a, b`.
    pub search_domain: Option<String>,
    pub switches: Switches,
    pub ping_interval_s: u32,
    pub ping_timeout_s: u32,
    pub ping_interval_wg_s: u32,
    pub ping_timeout_wg_s: u32,
    pub link_ping_interval_s: u32,
    pub link_ping_timeout_s: u32,
    pub inactive_timeout_s: Option<u32>,
    pub session_timeout_s: Option<u32>,
    pub allowed_devices: Option<AllowedDevices>,
    pub max_clients: u32,
    /// 0: as many as they like.
    pub max_devices: u32,
    pub replica_count: u32,
    pub mss_fix: Option<u16>,
    pub tun_mtu: Option<u16>,
    pub fragment: Option<u16>,
    pub pre_connect_msg: Option<String>,
}

impl ServerSpec {
    /// Search domains one by one.
    pub fn search_domains(&self) -> impl Iterator<Item = &str> {
        self.search_domain.as_deref().unwrap_or("").split(", ").filter(|d| !d.is_empty())
    }

    /// Whether a user of these groups may use the server: no groups on the server let all in.
    pub fn admits(&self, user_groups: &[String]) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|group| user_groups.contains(group))
    }
}

#[cfg(test)]
pub(crate) mod tests;
