//! How our identifiers look in documents: object ids as BSON object ids, hosts as hex text.

use crate::base::ids::{HostId, Id};
use mongodb::bson::{Bson, oid::ObjectId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ObjectId::from(self.bytes()).serialize(serializer)
    }
}

impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Id::from_bytes(ObjectId::deserialize(deserializer)?.bytes()))
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
