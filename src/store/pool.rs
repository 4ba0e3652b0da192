//! Pools: what is made ahead of time, each thing in a document of its own (design section 8).
//!
//! Taking removes a document, reserving marks it; both are one step on one document, so that
//! nothing is handed out twice.

use super::jobs::Reservation;
use super::ops::{Stored, Tx, in_time, literal, ms};
use super::{Store, StoreError, collections};
use crate::base::ids::PooledId;
use crate::base::secret::Secret;
use crate::limits;
use crate::pki::{DhSize, KeyKind};
use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::options::FindOptions;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::collections::HashMap;
use std::fmt;

/// What a pool holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PoolKind {
    Key(KeyKind),
    Dh(DhSize),
}

impl PoolKind {
    /// Those that are kept filled.
    pub const ALL: [PoolKind; 7] = [
        PoolKind::Key(KeyKind::Rsa2048),
        PoolKind::Key(KeyKind::Rsa4096),
        PoolKind::Dh(DhSize::Bits1024),
        PoolKind::Dh(DhSize::Bits1536),
        PoolKind::Dh(DhSize::Bits2048),
        PoolKind::Dh(DhSize::Bits3072),
        PoolKind::Dh(DhSize::Bits4096),
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            PoolKind::Key(kind) => kind.as_str(),
            PoolKind::Dh(size) => size.as_str(),
        }
    }
}

impl fmt::Display for PoolKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<PoolKind> for Bson {
    fn from(kind: PoolKind) -> Bson {
        kind.as_str().into()
    }
}

impl Serialize for PoolKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for PoolKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let dh = text.parse().ok().map(PoolKind::Dh);
        let kind = dh.or_else(|| text.parse().ok().map(PoolKind::Key));
        kind.ok_or_else(|| D::Error::custom("a pool of an unknown kind"))
    }
}

/// As a number of bits.
impl Serialize for DhSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.bits().into())
    }
}

impl<'de> Deserialize<'de> for DhSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bits = i64::deserialize(deserializer)?;
        DhSize::of_bits(bits).ok_or_else(|| D::Error::custom("DH parameters of an unknown size"))
    }
}

impl Serialize for KeyKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for KeyKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// A thing in a pool.
#[derive(Clone, Serialize, Deserialize)]
struct PoolDoc {
    #[serde(rename = "_id")]
    id: PooledId,
    kind: PoolKind,
    /// Random: takers start anywhere and do not meet.
    ticket: i64,
    /// PKCS#8 PEM of a key, or PEM of DH parameters.
    content: String,
    /// Token of the requester it is kept for, and until when. Null when it is anybody's.
    reserved_for: Option<String>,
    reserved_until: Option<DateTime>,
}

impl Stored for PoolDoc {
    const COLLECTION: &'static str = collections::POOL;
}

/// What is known of a kind: how many were taken in each minute.
#[derive(Serialize, Deserialize)]
struct PoolKindDoc {
    #[serde(rename = "_id")]
    kind: PoolKind,
}

impl Stored for PoolKindDoc {
    const COLLECTION: &'static str = collections::POOL_KINDS;
}

/// Something new for a pool.
pub struct NewPooled<'a> {
    pub id: PooledId,
    pub kind: PoolKind,
    pub ticket: i64,
    pub content: &'a Secret,
}

/// Documents of a kind that are `reserved_for` something, in two parts: from a random start up, and
/// the rest.
fn from_start(kind: PoolKind, start: i64) -> [Document; 2] {
    [doc! { "$gte": start }, doc! { "$lt": start }]
        .map(|ticket| doc! { "kind": kind, "reserved_for": Bson::Null, "ticket": ticket })
}

fn reserved(kind: PoolKind, token: &str) -> Document {
    doc! { "kind": kind, "reserved_for": token }
}

fn free(kind: PoolKind) -> Document {
    doc! { "kind": kind, "reserved_for": Bson::Null }
}

impl Store {
    /// Takes the first one from `start` on; one round trip unless few are there.
    pub fn pool_take(&self, kind: PoolKind, start: i64) -> Result<Option<Secret>, StoreError> {
        for filter in from_start(kind, start) {
            let by_ticket = doc! { "ticket": 1 };
            if let Some(doc) = self.remove::<PoolDoc>("take from a pool", filter, by_ticket)? {
                return Ok(Some(doc.content.into()));
            }
        }
        Ok(None)
    }

    /// Keeps one for `token`. `false`: the pool is empty.
    pub fn pool_reserve(
        &self,
        kind: PoolKind,
        token: &str,
        start: i64,
    ) -> Result<bool, StoreError> {
        const OP: &str = "reserve from a pool";
        let until = in_time(limits::POOL_RESERVED_MAX);
        let set = doc! { "reserved_for": literal(token), "reserved_until": until };
        for filter in from_start(kind, start) {
            let update = vec![doc! { "$set": &set }];
            if self.modify::<PoolDoc>(OP, filter, doc! { "ticket": 1 }, update)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many are kept for `token`; from now on for a while longer.
    pub fn pool_reserved(&self, kind: PoolKind, token: &str) -> Result<u64, StoreError> {
        let until = doc! { "reserved_until": in_time(limits::POOL_RESERVED_MAX) };
        let update = vec![doc! { "$set": until }];
        self.update_all::<PoolDoc>("keep a reservation", reserved(kind, token), update)
    }

    /// Takes the one that is kept for `token`.
    pub fn pool_take_reserved(
        &self,
        kind: PoolKind,
        token: &str,
    ) -> Result<Option<Secret>, StoreError> {
        let first = doc! { "ticket": 1 };
        let taken = self.remove::<PoolDoc>("take from a pool", reserved(kind, token), first)?;
        Ok(taken.map(|doc| doc.content.into()))
    }

    /// What is still kept for `token` is anybody's.
    pub fn pool_release(&self, kind: PoolKind, token: &str) -> Result<u64, StoreError> {
        self.pool_unreserve("release reserved keys", reserved(kind, token))
    }

    /// Reservations whose requester has not asked for too long.
    pub fn pool_release_expired(&self) -> Result<u64, StoreError> {
        let expired = doc! {
            "reserved_for": { "$ne": Bson::Null },
            "$expr": { "$lt": ["$reserved_until", "$$NOW"] },
        };
        self.pool_unreserve("release expired reservations", expired)
    }

    fn pool_unreserve(&self, op: &'static str, filter: Document) -> Result<u64, StoreError> {
        let nobody = doc! { "reserved_for": Bson::Null, "reserved_until": Bson::Null };
        self.update_all::<PoolDoc>(op, filter, doc! { "$set": nobody })
    }

    /// How many are anybody's.
    pub fn pool_depth(&self, kind: PoolKind) -> Result<u64, StoreError> {
        self.count::<PoolDoc>("count a pool", free(kind))
    }

    /// Adds to the counter of the server's minute, and forgets minutes that no longer count.
    pub fn pool_note_taken(&self, kind: PoolKind, count: u64) -> Result<(), StoreError> {
        let this = doc! { "$dateTrunc": { "date": "$$NOW", "unit": "minute" } };
        let oldest = doc! { "$subtract": [&this, ms(limits::POOL_RATE_WINDOW)] };
        let all = doc! { "$ifNull": ["$taken", []] };
        let newer = doc! { "$gt": ["$$this.minute", oldest] };
        let other = doc! { "$ne": ["$$this.minute", &this] };
        let kept = doc! { "$filter": { "input": &all, "cond": { "$and": [newer, other] } } };
        let same = doc! { "$eq": ["$$this.minute", &this] };
        let now = doc! { "$filter": { "input": &all, "cond": same } };
        let before = doc! { "$map": { "input": now, "in": "$$this.count" } };
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let total = doc! { "$add": [{ "$sum": before }, count] };
        let entry = doc! { "minute": this, "count": total };
        let update = vec![doc! { "$set": { "taken": { "$concatArrays": [kept, [entry]] } } }];
        self.upsert::<PoolKindDoc>("count what was taken", doc! { "_id": kind }, update)
    }

    /// The same of every pool in one look; those that are empty are missing.
    pub fn pool_depths(&self) -> Result<PoolCounts, StoreError> {
        let free = doc! { "kind": { "$in": PoolKind::ALL.to_vec() }, "reserved_for": Bson::Null };
        let stages = vec![doc! { "$match": free }, each("$kind")];
        Ok(counts(self.aggregate::<PoolDoc, _>("count the pools", stages)?))
    }

    /// How many of each kind were taken in the last [`limits::POOL_RATE_WINDOW`], to a minute.
    pub fn pool_taken(&self) -> Result<PoolCounts, StoreError> {
        let oldest = doc! { "$subtract": ["$$NOW", ms(limits::POOL_RATE_WINDOW)] };
        let recent = doc! { "$gt": ["$$this.minute", oldest] };
        let recent = doc! { "$filter": { "input": "$taken", "cond": recent } };
        let taken = doc! { "$map": { "input": recent, "in": "$$this.count" } };
        let stages = vec![
            doc! { "$match": { "_id": { "$in": PoolKind::ALL.to_vec() } } },
            doc! { "$project": { "count": { "$toLong": { "$sum": taken } } } },
        ];
        Ok(counts(self.aggregate::<PoolKindDoc, _>("count what was taken", stages)?))
    }
}

/// How many there are of each kind of pool; none of those that are missing.
pub type PoolCounts = HashMap<PoolKind, i64>;

#[derive(Deserialize)]
pub(super) struct Counted {
    #[serde(rename = "_id")]
    kind: PoolKind,
    count: i64,
}

/// The stage that counts documents by a field that names a pool.
pub(super) fn each(field: &str) -> Document {
    doc! { "$group": { "_id": field, "count": { "$sum": 1_i64 } } }
}

pub(super) fn counts(counted: Vec<Counted>) -> PoolCounts {
    counted.into_iter().map(|of| (of.kind, of.count)).collect()
}

impl Tx<'_> {
    /// Adds to a pool, for `reserved` first.
    pub fn pool_put(
        &mut self,
        new: &NewPooled<'_>,
        reserved: Option<&Reservation>,
    ) -> Result<(), StoreError> {
        let doc = PoolDoc {
            id: new.id,
            kind: new.kind,
            ticket: new.ticket,
            content: new.content.expose().clone(),
            reserved_for: reserved.map(|r| r.token.clone()),
            reserved_until: reserved.map(|r| r.until),
        };
        self.insert("add to a pool", &doc)
    }

    pub fn pool_depth(&mut self, kind: PoolKind) -> Result<u64, StoreError> {
        self.count::<PoolDoc>("count a pool", free(kind))
    }

    /// Takes `count` of those kept for `token`, or none if there are not as many.
    pub fn pool_take_reserved(
        &mut self,
        kind: PoolKind,
        token: &str,
        count: usize,
    ) -> Result<Option<Vec<Secret>>, StoreError> {
        const OP: &str = "take from a pool";
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let options = FindOptions::builder().sort(doc! { "ticket": 1 }).limit(limit).build();
        let found = self.find_as::<PoolDoc, PoolDoc>(OP, reserved(kind, token), options)?;
        if found.len() < count {
            return Ok(None);
        }
        let ids: Vec<PooledId> = found.iter().map(|doc| doc.id).collect();
        self.delete_many::<PoolDoc>(OP, doc! { "_id": { "$in": ids } })?;
        Ok(Some(found.into_iter().map(|doc| doc.content.into()).collect()))
    }
}
