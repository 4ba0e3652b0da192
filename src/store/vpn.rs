//! What running servers record: addresses of users, connected clients, output lines.

use super::collections;
use super::ops::Stored;
use crate::base::ids::{ClientId, HostId, InstanceId, OrgId, ServerId, UserId};
use mongodb::bson::DateTime;
use mongodb::bson::oid::ObjectId;
use serde::{Deserialize, Serialize};

/// The address of a user on a server; a row without a user is free again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddressDoc {
    #[serde(rename = "_id")]
    pub id: ObjectId,
    pub server_id: ServerId,
    pub generation: i64,
    /// IPv4 as a number.
    pub address: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
}

impl Stored for AddressDoc {
    const COLLECTION: &'static str = collections::ADDRESSES;
}

/// A connected client; gone with its instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientDoc {
    #[serde(rename = "_id")]
    pub id: ClientId,
    pub server_id: ServerId,
    pub instance_id: InstanceId,
    pub host_id: HostId,
    pub org_id: OrgId,
    pub user_id: UserId,
    pub user_name: String,
    /// The management interface's client id within the instance.
    pub cid: i64,
    pub platform: Option<String>,
    pub device_name: Option<String>,
    pub mac_addr: Option<String>,
    pub real_address: String,
    /// Without prefix length.
    pub virt_address: String,
    pub virt_address6: Option<String>,
    /// Seconds since the Unix epoch, cluster time.
    pub connected_since: i64,
    pub bytes_received: i64,
    pub bytes_sent: i64,
    /// It was disconnected by an administrator: its tunnel must end, also on a host that missed the
    /// message (I3).
    #[serde(default)]
    pub cut: bool,
}

impl Stored for ClientDoc {
    const COLLECTION: &'static str = collections::CLIENTS;
}

/// Some lines of a server's output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutputDoc {
    #[serde(rename = "_id")]
    pub id: ObjectId,
    pub server_id: ServerId,
    pub at: DateTime,
    /// Each `[<host name>] <text>`.
    pub lines: Vec<String>,
}

impl Stored for OutputDoc {
    const COLLECTION: &'static str = collections::OUTPUT;
}
