//! Routes of a server as clients see them.

use serde::Serialize;

/// A stored route (contract 2.5).
#[derive(Debug, Serialize)]
pub struct RouteReply {
    /// Hex of the network's text.
    pub id: String,
    pub server: String,
    pub network: String,
    pub comment: Option<String>,
    pub metric: Option<u32>,
    pub nat: bool,
    pub nat_interface: Option<String>,
    pub nat_netmap: Option<String>,
    pub advertise: bool,
    pub advertise_resource: Vec<String>,
    pub vpc_region: Option<String>,
    pub vpc_id: Option<String>,
    pub net_gateway: bool,
}

/// A route with where it comes from.
#[derive(Debug, Serialize)]
pub struct ShownRouteReply {
    #[serde(flatten)]
    pub route: RouteReply,
    pub virtual_network: bool,
    /// Present on the WireGuard network only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wg_network: Option<bool>,
    pub network_link: bool,
    pub server_link: bool,
    pub link_virtual_network: bool,
}
