//! Users as clients see them (contract 2.4).

use serde::Serialize;

/// Of `POST /user/:org/multi` with more users than are created at once.
#[derive(Debug, Serialize)]
pub struct UsersBackground {
    pub status: &'static str,
    pub status_msg: &'static str,
}

/// What is answered to a change.
#[derive(Serialize)]
pub struct UserReply {
    pub id: String,
    pub organization: String,
    pub organization_name: String,
    pub name: String,
    pub email: Option<String>,
    pub groups: Vec<String>,
    /// Seconds since the Unix epoch.
    pub last_active: Option<i64>,
    /// Has one; which one is nobody's to see.
    pub pin: bool,
    #[serde(rename = "type")]
    pub user_type: &'static str,
    pub auth_type: String,
    pub yubico_id: Option<String>,
    pub otp_secret: String,
    pub disabled: bool,
    pub bypass_secondary: bool,
    pub client_to_client: bool,
    pub mac_addresses: Vec<String>,
    pub dns_servers: Vec<String>,
    pub dns_suffix: Option<String>,
    pub port_forwarding: Vec<ForwardingReply>,
    /// Registered devices; there is no registration yet, so there are none.
    pub devices: [(); 0],
}

#[derive(Serialize)]
pub struct ForwardingReply {
    pub protocol: Option<String>,
    pub port: Option<String>,
    pub dport: Option<String>,
}

/// A user with what is going on.
#[derive(Serialize)]
pub struct UserFullReply {
    #[serde(flatten)]
    pub user: UserReply,
    /// Whether the console may fetch a picture from that service: never.
    pub gravatar: bool,
    pub audit: bool,
    /// Connected.
    pub status: bool,
    pub sso: Option<&'static str>,
    pub auth_modes: Vec<&'static str>,
    pub dns_mapping: Option<String>,
    pub network_links: Vec<String>,
    pub servers: Vec<UserServerReply>,
}

/// A server the user may use, or one of the user's connections to it.
#[derive(Serialize)]
pub struct UserServerReply {
    /// Of the server, or of the connection.
    pub id: String,
    pub name: String,
    pub status: bool,
    pub server_id: String,
    pub device_name: Option<String>,
    pub platform: Option<String>,
    pub real_address: Option<String>,
    /// Without prefix length; while offline the reserved one.
    pub virt_address: Option<String>,
    pub virt_address6: Option<String>,
    pub connected_since: Option<i64>,
}

#[derive(Serialize)]
pub struct UserPage {
    pub page: u32,
    /// Index of the last page.
    pub page_total: u32,
    pub server_count: usize,
    pub users: Vec<UserFullReply>,
}

#[derive(Serialize)]
pub struct UserMatches {
    pub search: String,
    /// There are more than are shown.
    pub search_more: bool,
    pub search_limit: u32,
    pub search_count: u64,
    /// Seconds.
    pub search_time: f64,
    pub server_count: usize,
    pub users: Vec<UserFullReply>,
}
