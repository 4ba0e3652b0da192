//! What the shell asks of the database, and what it tells it: the whole of their border.

use crate::base::ids::{ClientId, InstanceId, OrgId, ServerId, UserId};
use crate::base::secret::Secret;
use crate::vpn::admission::{Knock, Person, PinMode, Reason, judge};
use crate::vpn::runner::Plan;
use crate::vpn::settings::{Access, Server};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

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
    /// The user's [`Person::cut`] when it was let in.
    pub cut: i64,
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

impl Session {
    /// Whether it would be let in as things are now, without its factors, and has not been cut off
    /// since.
    pub fn may_stay(&self, server: &Server, person: Option<&Person>) -> bool {
        let welcome = judge(&self.knock(), server, person, PinMode::Optional, true).is_ok();
        welcome && person.is_some_and(|person| person.cut <= self.cut)
    }

    /// As it knocked, without what it typed.
    fn knock(&self) -> Knock {
        Knock {
            org: self.org,
            user: self.user,
            password: Secret::default(),
            platform: self.platform.clone(),
            device_name: self.device_name.clone(),
            mac_address: self.mac_address.clone(),
            real_address: self.real_address.clone(),
            takes_pending: false,
        }
    }
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
    /// Shown in the server's output.
    Refused {
        server: ServerId,
        /// Name or id, as far as known.
        who: String,
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

impl Note {
    /// Somebody waits for it: an administrator for a start, a console for who is connected.
    pub fn is_urgent(&self) -> bool {
        !matches!(self, Note::Bytes { .. } | Note::Output { .. } | Note::Refused { .. })
    }
}

/// An OpenVPN that lives on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Living {
    pub instance: InstanceId,
    /// The server's run that it belongs to.
    pub run: i64,
    pub state: LivingState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LivingState {
    /// By this life of the daemon.
    Watched,
    /// An earlier life left it running.
    Left,
    /// It is about to end, and says so when it has.
    Stopping,
}

/// What there is on this host when it asks what should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Here {
    pub living: BTreeMap<ServerId, Living>,
    /// Failed a moment ago in this run: not to be tried again yet.
    pub paused: BTreeMap<ServerId, i64>,
}

/// A server that this host is to run.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub server: ServerId,
    pub instance: InstanceId,
    pub access: Access,
    /// `None`: it runs, and is watched.
    pub plan: Option<Plan>,
}

/// What should be on this host.
#[derive(Clone, Debug, Default)]
pub struct Outlook {
    pub wanted: Vec<Wanted>,
    /// Clients whose tunnels must end.
    pub cut: Vec<ClientId>,
    /// Something is to be looked at again this soon.
    pub again: Option<Duration>,
}

/// What has become of users since some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub changed: Vec<Person>,
    pub deleted: Vec<UserId>,
    /// Seconds of the newest change among them, by the database's clock.
    pub newest_s: Option<u32>,
}

/// Called from worker threads only; each call has the database's own time limits.
pub trait Records: Send + Sync {
    /// What this host should run now: each server online, attached and held by it. What it does
    /// not watch yet comes with its keys. Claims free slots, gives back what is not wanted.
    fn wanted(&self, here: &Here) -> Result<Outlook, Away>;
    fn pin_mode(&self) -> Result<PinMode, Away>;
    /// Those of these users that there are.
    fn people(&self, users: &[UserId]) -> Result<Vec<Person>, Away>;
    /// The people of an organization, a page at a time until `page` answers `false`.
    fn people_of(&self, org: OrgId, page: &mut dyn FnMut(Vec<Person>) -> bool) -> Result<(), Away>;
    /// What has changed at this second of the database's clock or later.
    fn people_changed(&self, since_s: u32) -> Result<Changes, Away>;
    /// Who has which address on a server, each page to `page`.
    fn addresses_of(
        &self,
        server: ServerId,
        generation: i64,
        page: &mut dyn FnMut(Vec<(UserId, Ipv4Addr)>),
    ) -> Result<(), Away>;
    /// Whether this is the first use of the code of this time step, cluster-wide.
    fn use_code(&self, user: UserId, step: i64) -> Result<bool, Away>;
    /// The user's address on the server, given out now if there is none yet; `None`: all taken.
    fn address(&self, server: &Server, user: UserId) -> Result<Option<Ipv4Addr>, Away>;
    /// Sessions recorded for an instance, for its adoption.
    fn sessions(&self, instance: InstanceId) -> Result<Vec<Session>, Away>;
    /// Away: the same notes are brought again, with later ones.
    fn write(&self, notes: &[Note]) -> Result<(), Away>;
}
