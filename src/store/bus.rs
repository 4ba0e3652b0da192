//! Messages between hosts: hints that something in the documents has changed (I3).

use super::collections;
use super::ops::Stored;
use crate::base::ids::{ClientId, HostId, OrgId, ServerId, UserId};
use mongodb::bson::Timestamp;
use mongodb::bson::oid::ObjectId;
use serde::{Deserialize, Serialize};

/// What a message says. None of it is secret (I10), and losing one only delays a reaction (I3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "topic", content = "body", rename_all = "snake_case")]
pub enum Message {
    /// The console's clients may want to load something again.
    Event { kind: String, resource: Option<String> },
    /// Somebody may wait for this key (`http::tiers`, parking).
    Wake { key: String },
    /// What this server should be or do has changed.
    Server { server: ServerId },
    /// This user's tunnels must end now.
    CutUser { org: OrgId, user: UserId },
    /// This client's tunnel must end now.
    CutClient { client: ClientId },
    /// A job is ready to be claimed.
    JobReady,
    /// A pool was taken from.
    PoolTaken,
    /// Administrators, their sessions or tokens have changed.
    Administrators,
    /// Settings have changed.
    Settings,
    /// Wakes the reader of `host`, and nobody else, because it ends.
    Goodbye { host: HostId },
}

/// A message as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BusDoc {
    #[serde(rename = "_id")]
    pub id: ObjectId,
    /// Written as zero, filled in by the server.
    pub ts: Timestamp,
    pub from: HostId,
    #[serde(flatten)]
    pub message: Message,
}

impl Stored for BusDoc {
    const COLLECTION: &'static str = collections::BUS;
}
