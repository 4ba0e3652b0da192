//! Hosts: who they are, and the beat that says which of their lives is under way.

use super::ops::Stored;
use super::seam::{At, Line, Request};
use super::{Store, StoreError, collections};
use crate::base::ids::HostId;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::options::FindOptions;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// A host (contract 2.6).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostDoc {
    #[serde(rename = "_id")]
    pub id: HostId,
    pub name: String,
    #[serde(default)]
    pub hostname: Option<String>,
    /// Raised by each start and each declaration of death: what an older one held is free (I5).
    pub epoch: i64,
    /// Raised every second; never starts anew.
    pub beat: i64,
    /// Of the process that beats, hex text: a copied identity loses by it.
    pub nonce: String,
    pub alive: bool,
    /// The server's time of the newest beat and of the newest start.
    pub beat_at: DateTime,
    pub started: DateTime,
    pub version: String,
    #[serde(default)]
    pub public_address: Option<String>,
    /// Its own address towards everybody, found at each start.
    #[serde(default)]
    pub auto_local_address: Option<String>,
    /// Of its console and API.
    #[serde(default)]
    pub web_port: Option<i64>,
    #[serde(default)]
    pub local_networks: Vec<String>,
    #[serde(default)]
    pub availability_group: String,
    #[serde(default)]
    pub priority: i64,
}

impl Stored for HostDoc {
    const COLLECTION: &'static str = collections::HOSTS;
}

impl HostDoc {
    /// Where clients reach it: what was set, else its own address, else its name.
    pub fn effective_address(&self) -> Option<&str> {
        let set = self.public_address.as_deref();
        set.or(self.auto_local_address.as_deref()).or(self.hostname.as_deref())
    }
}

/// What a host says of itself when it starts.
#[derive(Clone, Debug)]
pub struct HostStart {
    pub id: HostId,
    /// What it is called from its first start on.
    pub name: String,
    pub hostname: String,
    /// Until one is set in the console.
    pub public_address: Option<String>,
    pub web_port: u16,
    pub nonce: String,
    pub version: String,
    pub local_address: Option<String>,
    pub local_networks: Vec<String>,
}

/// What observers read of a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostSeen {
    #[serde(rename = "_id")]
    pub id: HostId,
    pub epoch: i64,
    pub beat: i64,
    beat_at: DateTime,
}

impl HostSeen {
    /// Milliseconds since the Unix epoch by the server's clock.
    pub fn beat_at_ms(&self) -> i64 {
        self.beat_at.timestamp_millis()
    }
}

/// Answer to a host's own beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    Acknowledged,
    /// The epoch or nonce is another one: declared dead, or a copy of the identity started.
    Replaced,
}

/// Answer to a declaration of death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declaration {
    Declared,
    /// It beat, started or was declared dead meanwhile.
    Moved,
}

/// What a new life changes in its host's document.
pub(super) fn beginning(start: &HostStart) -> Document {
    doc! {
        "$inc": { "epoch": 1_i64, "beat": 1_i64 },
        "$set": {
            "hostname": &start.hostname,
            "nonce": &start.nonce,
            "alive": true,
            "version": &start.version,
            "auto_local_address": start.local_address.clone(),
            "web_port": i64::from(start.web_port),
            "local_networks": &start.local_networks,
        },
        "$setOnInsert": {
            "name": &start.name,
            "public_address": start.public_address.clone(),
            "availability_group": "default",
            "priority": 0_i64,
        },
        "$currentDate": { "beat_at": true, "started": true },
    }
}

impl Store {
    /// Begins a life of a host: registers it or takes over its document.
    pub fn host_start(&self, start: &HostStart) -> Result<HostDoc, StoreError> {
        const OP: &str = "register this host";
        let host = self.upsert_get(OP, doc! { "_id": start.id }, beginning(start))?;
        host.ok_or_else(|| StoreError::Unusable(format!("no answer to: {OP}")))
    }

    /// One beat, over the connection that nothing else uses.
    pub fn host_beat(&self, id: HostId, epoch: i64, nonce: &str) -> Result<Beat, StoreError> {
        let mine = doc! { "_id": id, "epoch": epoch, "nonce": nonce };
        let update = doc! { "$inc": { "beat": 1_i64 }, "$currentDate": { "beat_at": true } };
        match self.host_write("beat", mine, update)? {
            true => Ok(Beat::Acknowledged),
            false => Ok(Beat::Replaced),
        }
    }

    /// Every host that counts as alive, as observers need it: a damaged one is never declared dead,
    /// and hides no other.
    pub fn hosts_seen(&self) -> Result<Vec<HostSeen>, StoreError> {
        let fields = doc! { "epoch": 1, "beat": 1, "beat_at": 1 };
        let options = FindOptions::builder().projection(fields).build().into();
        let living = Request::Find { filter: doc! { "alive": true }, options };
        let mut seen = Vec::new();
        self.ask_while(&beat_line("look at the hosts' beats"), living, |host| {
            seen.extend(host.ok());
            ControlFlow::Continue(())
        })?;
        Ok(seen)
    }

    /// Frees what a silent host held, unless it beat since it was seen at `beat`.
    pub fn host_declare_dead(
        &self,
        id: HostId,
        epoch: i64,
        beat: i64,
    ) -> Result<Declaration, StoreError> {
        let unmoved = doc! { "_id": id, "epoch": epoch, "beat": beat, "alive": true };
        let update = doc! { "$inc": { "epoch": 1_i64 }, "$set": { "alive": false } };
        match self.host_write("declare a host dead", unmoved, update)? {
            true => Ok(Declaration::Declared),
            false => Ok(Declaration::Moved),
        }
    }

    /// Begins another life of a host that was declared dead while its process went on; answers its
    /// epoch. Doing so again is safe: whoever began a life whose answer was lost knows it by the
    /// nonce of the process. `None`: a copy of its identity has started.
    pub fn host_return(&self, id: HostId, nonce: &str) -> Result<Option<i64>, StoreError> {
        let own = doc! { "_id": id, "nonce": nonce };
        let update = doc! {
            "$inc": { "epoch": 1_i64, "beat": 1_i64 },
            "$set": { "alive": true },
            "$currentDate": { "beat_at": true },
        };
        let back = self.update_get::<HostDoc>("return to the cluster", own, update)?;
        Ok(back.map(|host| host.epoch))
    }

    /// A clean end: nobody has to wait for its silence.
    pub fn host_stop(&self, id: HostId, epoch: i64, nonce: &str) -> Result<Beat, StoreError> {
        let mine = doc! { "_id": id, "epoch": epoch, "nonce": nonce };
        match self.host_write("leave the cluster", mine, doc! { "$set": { "alive": false } })? {
            true => Ok(Beat::Acknowledged),
            false => Ok(Beat::Replaced),
        }
    }

    /// `limit` 0: all.
    pub fn hosts(&self, skip: u64, limit: i64) -> Result<Vec<HostDoc>, StoreError> {
        let by_name = FindOptions::builder().sort(doc! { "name": 1, "_id": 1 });
        self.find("list hosts", doc! {}, by_name.skip(skip).limit(limit).build())
    }

    pub fn host(&self, id: HostId) -> Result<Option<HostDoc>, StoreError> {
        self.find_one("read a host", doc! { "_id": id })
    }

    pub fn host_count(&self) -> Result<u64, StoreError> {
        self.count::<HostDoc>("count hosts", doc! {})
    }

    pub fn hosts_alive_count(&self) -> Result<u64, StoreError> {
        self.count::<HostDoc>("count living hosts", doc! { "alive": true })
    }

    /// Whether the condition held. A repeated write whose answer was lost is done once: the
    /// driver numbers them.
    fn host_write(
        &self,
        op: &'static str,
        filter: Document,
        update: Document,
    ) -> Result<bool, StoreError> {
        let update = update.into();
        let request = Request::Update { filter, update, upsert: false, many: false };
        self.ask(&beat_line(op), request).map(|matched| matched > 0)
    }
}

fn beat_line(op: &'static str) -> At {
    At { op, collection: collections::HOSTS, line: Line::Beat }
}
