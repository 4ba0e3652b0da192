//! What every working part of a host rests on: the database, the bus, time, chance, which host and
//! life this is, and what it is at.

mod hands;

pub use hands::{Hands, Held};

use crate::base::clock::Clock;
use crate::base::ids::HostId;
use crate::base::random::Random;
use crate::bus::Bus;
use crate::liveness::Status;
use crate::store::Store;

/// Clones share everything.
#[derive(Clone)]
pub struct Ground {
    pub store: Store,
    pub bus: Bus,
    pub clock: Clock,
    pub random: Random,
    pub host: HostId,
    /// The epoch under way is in here.
    pub status: Status,
    /// What this host's workers are at.
    pub hands: Hands,
}
