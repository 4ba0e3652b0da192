//! How our identifiers look in documents: object ids as BSON object ids, hosts as hex text.

use crate::base::ids::{HostId, Id};
use mongodb::bson::{Bson, oid::ObjectId};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ObjectId::from(self.bytes()).serialize(serializer)
    }
}

impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = IdVisitor(PhantomData);
        // What went through a buffer (`flatten`) is a map there and says that people can read it.
        match deserializer.is_human_readable() {
            true => deserializer.deserialize_any(visitor),
            false => deserializer.deserialize_bytes(visitor),
        }
    }
}

/// As the driver's own, but without all the kinds that are no ids.
struct IdVisitor<K>(PhantomData<K>);

impl<'de, K> Visitor<'de> for IdVisitor<K> {
    type Value = Id<K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object id")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Id<K>, E> {
        let bytes = bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))?;
        Ok(Id::from_bytes(bytes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Id<K>, A::Error> {
        let not_one = || A::Error::custom("not an object id");
        let entry: Option<(String, String)> = map.next_entry()?;
        let hex = entry.and_then(|(key, hex)| (key == "$oid").then_some(hex));
        hex.and_then(|hex| hex.parse().ok()).ok_or_else(not_one)
    }
}

impl<K> From<Id<K>> for Bson {
    fn from(id: Id<K>) -> Bson {
        Bson::ObjectId(ObjectId::from(id.bytes()))
    }
}

impl Serialize for HostId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for HostId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom("not a host id"))
    }
}

impl From<HostId> for Bson {
    fn from(id: HostId) -> Bson {
        Bson::String(id.to_string())
    }
}
