//! What handlers work with, and who asks.

use super::hashing::Hashing;
use super::seal::Seal;
use super::sessions::Sessions;
use crate::ground::Ground;
use crate::http::wakeups::Wakeups;
use crate::http::{Request, tiers};
use crate::internal::certificates::Authorities;
use crate::internal::drafts::Drafts;
use crate::internal::events::Events;
use crate::internal::hosts::Status;
use crate::pool::Pools;
use crate::store::admins::AdminDoc;
use std::net::IpAddr;
use std::sync::Arc;

/// The parts of a host that the application uses.
pub struct App {
    pub ground: Ground,
    pub pools: Pools,
    pub wakeups: Wakeups,
    pub events: Events,
    pub access: Access,
    pub authorities: Authorities,
    pub drafts: Drafts,
    pub status: Status,
}

impl App {
    /// `cookie_secret`: what all hosts share.
    pub fn new(
        ground: Ground,
        pools: Pools,
        wakeups: Wakeups,
        events: Events,
        cookie_secret: &str,
    ) -> App {
        let access = Access {
            seal: Seal::new(cookie_secret),
            sessions: Sessions::new(&ground.bus),
            hashing: Hashing::default(),
        };
        let (authorities, drafts) = (Authorities::default(), Drafts::default());
        let status = Status::new(&ground.bus);
        App { ground, pools, wakeups, authorities, drafts, events, access, status }
    }
}

/// What it takes to tell who asks.
pub struct Access {
    pub seal: Seal,
    pub sessions: Sessions,
    pub hashing: Hashing,
}

/// Who asks: an administrator whose session or signature was verified.
#[derive(Clone)]
pub struct Caller {
    pub admin: Arc<AdminDoc>,
    /// SHA-256 of the session's key in hex; `None` for a signed request.
    pub session: Option<String>,
}

/// One request on its way to its handler.
pub struct Asked<'a> {
    pub app: &'a App,
    pub request: &'a Request,
    /// `None` only on routes that need nobody.
    pub caller: Option<Caller>,
}

impl Asked<'_> {
    /// What the handler answered when it parked this client (see [`tiers`]).
    pub fn resume(&self) -> Option<&str> {
        self.request.header(tiers::RESUME)
    }

    /// Address of the client.
    pub fn client(&self) -> Option<IpAddr> {
        self.request.header(tiers::CLIENT)?.parse().ok()
    }
}
