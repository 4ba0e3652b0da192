//! Hosts as clients see them (contract 2.6). What Warren does not know of a host is null.

use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct HostReply {
    pub id: String,
    pub name: String,
    pub hostname: Option<String>,
    pub instance_id: Option<String>,
    pub status: &'static str,
    /// Seconds.
    pub uptime: Option<i64>,
    /// Of its newest beat, seconds since the Unix epoch (ours).
    pub last_seen: i64,
    pub version: String,
    /// Null for a single host, as the next.
    pub user_count: Option<i64>,
    pub users_online: Option<i64>,
    pub local_networks: Vec<String>,
    /// The address clients are told.
    pub public_addr: Option<String>,
    pub public_address: Option<String>,
    pub public_addr6: Option<String>,
    pub public_address6: Option<String>,
    pub routed_subnet6: Option<String>,
    pub routed_subnet6_wg: Option<String>,
    pub proxy_ndp: Option<bool>,
    pub link_addr: Option<String>,
    pub link_address: Option<String>,
    pub sync_address: Option<String>,
    pub local_addr: Option<String>,
    pub local_address: Option<String>,
    pub local_addr6: Option<String>,
    pub local_address6: Option<String>,
    pub availability_group: String,
    pub priority: Option<i64>,
}

#[derive(Debug, Serialize)]
pub struct HostPage {
    pub page: u32,
    pub page_total: u32,
    pub hosts: Vec<HostReply>,
}
