//! Servers as clients see them: options, state, what is attached, and who is connected.

use serde::{Deserialize, Serialize};

/// Every option of contract 2.5 under its own name; nullable ones are optional. Documents hold them
/// in this very form: the store embeds it, because the contract gives both the same names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerOptions {
    pub name: String,
    pub network: String,
    pub network_wg: Option<String>,
    pub network_mode: String,
    pub network_start: Option<String>,
    pub network_end: Option<String>,
    pub wg: bool,
    pub port: i64,
    pub port_wg: Option<i64>,
    pub protocol: String,
    pub bind_address: Option<String>,
    pub dh_param_bits: i64,
    pub cipher: String,
    pub hash: String,
    pub groups: Vec<String>,
    pub dns_servers: Vec<String>,
    pub search_domain: Option<String>,
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
    pub ovpn_dco: Option<bool>,
    pub dynamic_firewall: bool,
    pub bypass_sso_auth: bool,
    pub geo_sort: bool,
    pub force_connect: bool,
    pub device_auth: bool,
    pub multihome: Option<bool>,
    pub ping_interval: i64,
    pub ping_timeout: i64,
    pub ping_interval_wg: i64,
    pub ping_timeout_wg: i64,
    pub link_ping_interval: i64,
    pub link_ping_timeout: i64,
    pub inactive_timeout: Option<i64>,
    pub session_timeout: Option<i64>,
    pub allowed_devices: Option<String>,
    pub max_clients: i64,
    pub max_devices: Option<i64>,
    pub replica_count: i64,
    pub mss_fix: Option<i64>,
    pub tun_mtu: Option<i64>,
    pub fragment: Option<i64>,
    pub pre_connect_msg: Option<String>,
}

/// A server (contract 2.5), and why it does not run.
#[derive(Debug, Serialize)]
pub struct ServerReply<'a> {
    pub id: String,
    #[serde(flatten)]
    pub options: &'a ServerOptions,
    /// `online`, `offline`, or `pending`: it should run, and no host has started it yet.
    pub status: &'static str,
    /// Seconds.
    pub uptime: Option<i64>,
    pub users_online: i64,
    pub devices_online: i64,
    pub user_count: i64,
    pub sso_webauth: bool,
    /// Why the latest start failed (ours).
    pub failure: Option<&'a str>,
    /// Where it runs (ours).
    pub instances: Vec<InstanceReply>,
}

#[derive(Debug, Serialize)]
pub struct InstanceReply {
    pub host: String,
    pub host_name: String,
    /// Seconds since the Unix epoch; null while it starts.
    pub started: Option<i64>,
}

#[derive(Debug, Serialize)]
pub struct ServerPage<'a> {
    pub page: u32,
    pub page_total: u32,
    pub servers: Vec<ServerReply<'a>>,
}

/// An organization of a server.
#[derive(Debug, Serialize)]
pub struct ServerOrganizationReply {
    pub id: String,
    pub server: String,
    pub name: String,
}

/// A host of a server.
#[derive(Debug, Serialize)]
pub struct ServerHostReply {
    pub id: String,
    pub server: String,
    /// Whether the server runs there; null where the server does not run at all.
    pub status: Option<&'static str>,
    pub name: String,
    pub address: Option<String>,
    pub address6: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct OutputReply {
    pub id: String,
    pub output: Vec<String>,
    /// When each of them was written down (ours).
    pub times: Vec<i64>,
}

/// A connected client (ours).
#[derive(Debug, Serialize)]
pub struct ClientReply {
    pub id: String,
    pub user_id: String,
    pub user_name: String,
    pub organization_id: String,
    pub organization_name: Option<String>,
    pub host_id: String,
    pub host_name: Option<String>,
    pub platform: Option<String>,
    pub device_name: Option<String>,
    pub real_address: String,
    pub virt_address: String,
    pub virt_address6: Option<String>,
    /// Seconds since the Unix epoch.
    pub connected_since: i64,
    /// From the client, by the server's count.
    pub bytes_received: i64,
    pub bytes_sent: i64,
}
