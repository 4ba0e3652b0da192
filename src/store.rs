//! The one home of MongoDB: collections, documents, indexes and named queries. Nothing outside
//! this module names the driver or BSON.
//!
//! Three clients, so that nothing starves the heartbeat: *beat* and *tail* (the reader of the bus,
//! which mostly waits at the server) with one connection each, *work* with
//! [`crate::limits::STORE_WORK_CONNECTIONS_MAX`]. The driver hides a runtime of its own (one worker
//! thread, see `sys`); no other thread is owned here.
//!
//! Writes are acknowledged by a majority with journal; reads that decide access read the majority.
//! Conditional writes answer an enum or a `bool` that says whether the condition held, never a
//! count. Dates that decide anything are written and compared by the server (I4). Documents that
//! decide access carry `rev`, a server timestamp, so that caches refresh incrementally.
//!
//! Never: a cache, a retry loop of its own outside [`Store::transaction`], or a decision.

pub mod admins;
pub mod bus;
pub mod collections;
mod connect;
pub mod counts;
mod driver;
mod error;
pub mod hosts;
pub mod instances;
pub mod jobs;
pub mod known;
pub mod oid;
mod ops;
pub mod organizations;
pub mod papers;
pub mod pool;
mod read;
pub mod running;
pub mod seam;
pub mod server_options;
pub mod servers;
pub mod sessions;
pub mod settings;
pub mod tasks;
pub mod users;
pub mod vpn;

pub use connect::{Facts, initiate_local, is_connection_string};
pub use error::{StoreError, is_driver_error};
pub use ops::Tx;

use crate::base::clock::Clock;
use crate::base::ids::Id;
use crate::base::random::Random;
use driver::Driver;
use seam::Documents;
use std::sync::Arc;

/// Handle on the database; clones share its clients.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    documents: Arc<dyn Documents>,
    /// The same, if it is a real database.
    driver: Option<Arc<Driver>>,
    /// Unix seconds in the first bytes of new ids only: nothing is decided by them.
    clock: Clock,
    random: Random,
}

impl Store {
    fn of_driver(driver: Driver, clock: Clock, random: Random) -> Store {
        let driver = Arc::new(driver);
        let documents = Arc::clone(&driver) as Arc<dyn Documents>;
        Store(Arc::new(Inner { documents, driver: Some(driver), clock, random }))
    }

    /// A store on something else than MongoDB, without bus: for simulations.
    pub fn on(documents: Arc<dyn Documents>, clock: Clock, random: Random) -> Store {
        Store(Arc::new(Inner { documents, driver: None, clock, random }))
    }

    /// What is below the named queries, for whoever compares a model with the real thing.
    pub fn documents(&self) -> &dyn Documents {
        &*self.0.documents
    }

    /// A fresh object id: cluster time in front, random behind, so that new ones sort last.
    pub fn new_id<K>(&self) -> Id<K> {
        let seconds = u32::try_from(self.0.clock.cluster_s()).unwrap_or(u32::MAX);
        let mut bytes = self.0.random.bytes::<12>();
        bytes[..4].copy_from_slice(&seconds.to_be_bytes());
        Id::from_bytes(bytes)
    }

    /// How many times the set's primary has changed since the start, as the driver's monitor saw
    /// it. Observers of silence start anew after a change (design section 5).
    pub fn primary_changes(&self) -> u64 {
        self.0.documents.primary_changes()
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub fn random(&self) -> &Random {
        &self.0.random
    }
}
