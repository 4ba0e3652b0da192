//! What the shell asks of the database, and what it tells it: the whole of their border.

use crate::base::ids::{ClientId, InstanceId, OrgId, ServerId, UserId};
use crate::vpn::admission::{Person, PinMode, Reason};
use crate::vpn::runner::Plan;
use crate::vpn::settings::Server;
use std::net::Ipv4Addr;

/// The database does not answer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away;

/// A connected client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: ClientId,
    pub server: ServerId,
    pub instance: InstanceId,
    pub org: OrgId,
    pub user: UserId,
    pub user_name: String,
    /// OpenVPN's number of it, unique within its process.
    pub cid: u64,
    pub platform: String,
    pub device_name: String,
    pub mac_address: String,
    pub real_address: String,
    pub address: Ipv4Addr,
    /// Cluster time in seconds.
    pub since_s: i64,
}

/// Something to be written down, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    Connected(Session),
    /// Totals of the session so far.
    Bytes {
        client: ClientId,
        server: ServerId,
        received: u64,
        sent: u64,
    },
    Gone {
        client: ClientId,
        server: ServerId,
    },
    Refused {
        server: ServerId,
        org: Option<OrgId>,
        user: Option<UserId>,
        reason: Reason,
    },
    Output {
        server: ServerId,
        line: String,
    },
    Started {
        server: ServerId,
        instance: InstanceId,
    },
    Ended {
        server: ServerId,
        instance: InstanceId,
    },
    /// It did not start, or keeps dying.
    Failed {
        server: ServerId,
        instance: InstanceId,
        cause: String,
    },
}

/// Called from worker threads only; each call has the database's own time limits.
pub trait Records: Send + Sync {
    /// What this host should run now: each server online, attached and held by it, with its keys.
    fn wanted(&self) -> Result<Vec<Plan>, Away>;
    fn pin_mode(&self) -> Result<PinMode, Away>;
    fn person(&self, org: OrgId, user: UserId) -> Result<Option<Person>, Away>;
    /// Whether this is the first use of the code of this time step, cluster-wide.
    fn use_code(&self, user: UserId, step: i64) -> Result<bool, Away>;
    /// The user's address on the server, given out now if there is none yet; `None`: all taken.
    fn address(&self, server: &Server, user: UserId) -> Result<Option<Ipv4Addr>, Away>;
    /// Sessions recorded for an instance, for its adoption.
    fn sessions(&self, instance: InstanceId) -> Result<Vec<Session>, Away>;
    fn write(&self, notes: &[Note]) -> Result<(), Away>;
}
