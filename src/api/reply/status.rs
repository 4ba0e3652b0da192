//! Counts of everything (contract 2.7).

use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct StatusReply {
    pub org_count: i64,
    pub users_online: i64,
    pub user_count: i64,
    pub servers_online: usize,
    pub server_count: usize,
    pub hosts_online: usize,
    pub host_count: usize,
    pub server_version: &'static str,
    /// The host that answers, and what it is known by.
    pub current_host: String,
    pub public_ip: Option<String>,
    pub local_networks: Vec<String>,
    pub notification: &'static str,
}
