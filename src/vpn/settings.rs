//! A server as its instance needs it: typed, complete, and free of stored or wire types.

use crate::base::ids::{OrgId, ServerId};
use crate::base::secret::Secret;
use crate::domain::network::{Network, Network4};
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Udp,
    Tcp,
}

/// A network behind the server, its own one excepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub network: Network,
    pub nat: bool,
    /// Leaves by this interface only.
    pub nat_interface: Option<String>,
    pub metric: Option<u32>,
    /// Not through the tunnel: an exception to another route.
    pub net_gateway: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub id: ServerId,
    pub name: String,
    pub network: Network4,
    /// Addresses belong to a generation of the network.
    pub generation: i64,
    pub port: u16,
    pub protocol: Protocol,
    pub bind_address: Option<IpAddr>,
    /// Names of contract 4.3.
    pub cipher: String,
    pub hash: String,
    pub ping_interval_s: u32,
    pub ping_timeout_s: u32,
    pub max_clients: u32,
    pub multi_device: bool,
    pub inter_client: bool,
    pub restrict_routes: bool,
    pub otp_auth: bool,
    /// Platforms that may connect; `None`: all.
    pub allowed_devices: Option<Devices>,
    pub debug: bool,
    pub multihome: bool,
    pub tun_mtu: Option<u16>,
    pub mss_fix: Option<u16>,
    pub fragment: Option<u16>,
    pub dns_servers: Vec<IpAddr>,
    pub search_domains: Vec<String>,
    /// Members of one of these; empty: everybody.
    pub groups: Vec<String>,
    pub organizations: Vec<OrgId>,
    pub routes: Vec<Route>,
}

/// Who may use a server: what may change while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    pub organizations: Vec<OrgId>,
    pub groups: Vec<String>,
    pub allowed_devices: Option<Devices>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Devices {
    Mobile,
    Desktop,
}

/// What proves who the server is, and who may knock.
#[derive(Clone, Debug)]
pub struct Keys {
    /// CA certificates of its organizations, PEM.
    pub authorities: Vec<String>,
    pub certificate: String,
    pub key: Secret,
    /// OpenVPN static key text.
    pub tls_auth: Option<Secret>,
    /// PEM; without them key exchange is over elliptic curves only.
    pub dh_params: Option<String>,
}

/// What clients must not reach unless a route names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// The database's addresses.
    pub addresses: Vec<std::net::Ipv4Addr>,
    /// TCP ports of this host: console, API, database.
    pub ports: Vec<u16>,
}

impl Server {
    pub fn device(&self) -> String {
        device(self.id)
    }

    pub fn table(&self) -> String {
        table(self.id)
    }

    pub fn access(&self) -> Access {
        Access {
            organizations: self.organizations.clone(),
            groups: self.groups.clone(),
            allowed_devices: self.allowed_devices,
        }
    }

    /// The same server for others.
    pub fn with_access(&self, access: Access) -> Server {
        let Access { organizations, groups, allowed_devices } = access;
        Server { organizations, groups, allowed_devices, ..self.clone() }
    }
}

/// Name of a server's tunnel device: unique on a host, 15 characters, the same after a restart.
pub fn device(server: ServerId) -> String {
    let id = server.to_string();
    // The seconds and the counter of the id, without its middle, differ between servers.
    format!("{DEVICE_PREFIX}{}{}", &id[2..8], &id[18..24])
}

/// Name of a server's firewall table.
pub fn table(server: ServerId) -> String {
    format!("{TABLE_PREFIX}{server}")
}

pub const DEVICE_PREFIX: &str = "wrn";
pub const TABLE_PREFIX: &str = "warren_";

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn server() -> Server {
        Server {
            id: "65a000000000000000000001".parse().expect("an id"),
            name: "s".to_owned(),
            network: "10.8.0.0/24".parse().expect("a network"),
            generation: 1,
            port: 1194,
            protocol: Protocol::Udp,
            bind_address: None,
            cipher: "aes128".to_owned(),
            hash: "sha256".to_owned(),
            ping_interval_s: 3,
            ping_timeout_s: 10,
            max_clients: 2000,
            multi_device: false,
            inter_client: false,
            restrict_routes: true,
            otp_auth: false,
            allowed_devices: None,
            debug: false,
            multihome: false,
            tun_mtu: None,
            mss_fix: None,
            fragment: None,
            dns_servers: Vec::new(),
            search_domains: Vec::new(),
            groups: Vec::new(),
            organizations: vec!["65a0000000000000000000aa".parse().expect("an id")],
            routes: Vec::new(),
        }
    }

    pub fn route(network: &str) -> Route {
        let network = network.parse().expect("a network");
        Route { network, nat: true, nat_interface: None, metric: None, net_gateway: false }
    }

    #[test]
    fn a_device_name_fits_the_kernel() {
        assert_eq!(server().device().len(), 15);
        assert_eq!(server().table(), "warren_65a000000000000000000001");
    }
}
