//! Documents as they came, read into our types.
//!
//! The driver can do this too, but compiles each type nine times, once for every kind of value
//! that BSON has: a quarter of the program, and slower. Here all values have one deserializer and
//! all documents one access. Kinds that nothing of ours is made of (regular expressions, code,
//! decimals …) are nothing: an error where a value must be, and skipped in fields we do not know.

use mongodb::bson::{Document, RawArray, RawBsonRef, RawDocument, spec::BinarySubtype};
use serde::de::value::{BorrowedStrDeserializer, Error};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess,
    SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

pub(super) fn document<T: DeserializeOwned>(document: &RawDocument) -> Result<T, Error> {
    T::deserialize(Value::Document(document.iter()))
}

/// What the driver has taken apart already.
pub(super) fn parts<T: DeserializeOwned>(parts: &Document) -> Result<T, Error> {
    let bytes = mongodb::bson::serialize_to_raw_document_buf(parts).map_err(damaged)?;
    document(&bytes)
}

type Iter<'de> = <&'de RawDocument as IntoIterator>::IntoIter;
type ArrayIter<'de> = <&'de RawArray as IntoIterator>::IntoIter;

/// What stands in a document, or in the map that the driver's types want to see in its place.
enum Value<'de> {
    Bson(RawBsonRef<'de>),
    Document(Iter<'de>),
    /// A map of one entry.
    One(&'static str, Box<Value<'de>>),
    Text(String),
    Number(i64),
    /// Seconds and ordinal.
    Stamp([u32; 2]),
}

struct Fields<'de>(Source<'de>, Option<Value<'de>>);

enum Source<'de> {
    Document(Iter<'de>),
    /// Entries in reverse order.
    Made(Vec<(&'static str, Value<'de>)>),
}

struct Items<'de>(ArrayIter<'de>);

fn damaged(error: impl std::fmt::Display) -> Error {
    Error::custom(error)
}

impl<'de> Fields<'de> {
    fn of(source: Source<'de>) -> Fields<'de> {
        Fields(source, None)
    }
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let next = match &mut self.0 {
            Source::Document(iter) => {
                let next = iter.next().transpose().map_err(damaged)?;
                next.map(|(key, value)| (key.as_str(), Value::Bson(value)))
            }
            Source::Made(entries) => entries.pop(),
        };
        let Some((key, value)) = next else { return Ok(None) };
        self.1 = Some(value);
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let value = self.1.take().ok_or_else(|| damaged("a value is read twice"))?;
        seed.deserialize(value)
    }
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let next = self.0.next().transpose().map_err(damaged)?;
        next.map(|value| seed.deserialize(Value::Bson(value))).transpose()
    }
}

impl<'de> Value<'de> {
    fn one(name: &'static str, value: Value<'de>) -> Value<'de> {
        Value::One(name, Box::new(value))
    }

    /// Nothing left that is BSON only: as the driver's types read themselves from any format.
    fn plain(self) -> Result<Value<'de>, Error> {
        let Value::Bson(value) = self else { return Ok(self) };
        Ok(match value {
            RawBsonRef::Document(document) => Value::Document(document.iter()),
            RawBsonRef::ObjectId(id) => Value::one("$oid", Value::Text(id.to_hex())),
            RawBsonRef::DateTime(at) => Value::one("$date", Value::Number(at.timestamp_millis())),
            RawBsonRef::Timestamp(at) => {
                Value::one("$timestamp", Value::Stamp([at.time, at.increment]))
            }
            other => Value::Bson(other),
        })
    }

    fn is_null(&self) -> bool {
        matches!(self, Value::Bson(RawBsonRef::Null))
    }
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let made = match self.plain()? {
            Value::Document(iter) => Source::Document(iter),
            Value::One(name, value) => Source::Made(vec![(name, *value)]),
            Value::Stamp([seconds, ordinal]) => Source::Made(vec![
                ("i", Value::Number(ordinal.into())),
                ("t", Value::Number(seconds.into())),
            ]),
            Value::Text(text) => return visitor.visit_string(text),
            Value::Number(number) => return visitor.visit_i64(number),
            Value::Bson(value) => return scalar(value, visitor),
        };
        visitor.visit_map(Fields::of(made))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.is_null() {
            true => visitor.visit_none(),
            false => visitor.visit_some(self),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Value::Bson(RawBsonRef::ObjectId(id)) => visitor.visit_bytes(&id.bytes()),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// All our enums are names.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Value::Bson(RawBsonRef::String(name)) => visitor.visit_enum(name.into_deserializer()),
            _ => Err(damaged("not a name")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier
    }
}

fn scalar<'de, V: Visitor<'de>>(value: RawBsonRef<'de>, visitor: V) -> Result<V::Value, Error> {
    match value {
        RawBsonRef::String(text) => visitor.visit_borrowed_str(text),
        RawBsonRef::Int32(number) => visitor.visit_i32(number),
        RawBsonRef::Int64(number) => visitor.visit_i64(number),
        RawBsonRef::Double(number) => visitor.visit_f64(number),
        RawBsonRef::Boolean(value) => visitor.visit_bool(value),
        RawBsonRef::Null => visitor.visit_unit(),
        RawBsonRef::Array(items) => visitor.visit_seq(Items(items.into_iter())),
        RawBsonRef::Binary(binary) if binary.subtype == BinarySubtype::Generic => {
            visitor.visit_borrowed_bytes(binary.bytes)
        }
        _ => visitor.visit_unit(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::UserId;
    use mongodb::bson::{Bson, DateTime, Decimal128, Timestamp, doc, oid::ObjectId};
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Small,
        Large,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        id: UserId,
        at: DateTime,
        rev: Timestamp,
        nothing: Option<DateTime>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind", content = "body", rename_all = "lowercase")]
    enum Work {
        Idle,
        Sign { user: UserId, count: u32 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        #[serde(flatten)]
        inner: Inner,
        again: Inner,
        kinds: Vec<Kind>,
        numbers: (i64, u8, f64),
        #[serde(flatten)]
        work: Work,
        free: Bson,
        #[serde(default)]
        missing: Option<String>,
    }

    fn id(number: u8) -> UserId {
        UserId::from_bytes([number; 12])
    }

    fn inner() -> (Inner, Document) {
        let (at, rev) = (DateTime::from_millis(-5), Timestamp { time: u32::MAX, increment: 3 });
        let stored = doc! { "id": id(1), "at": at, "rev": rev, "nothing": null };
        (Inner { id: id(1), at, rev, nothing: None }, stored)
    }

    fn outer() -> Document {
        let (_, mut stored) = inner();
        stored.extend(doc! {
            "again": inner().1,
            "kinds": ["small", "large"],
            "numbers": [7_i64, 255, 1.5],
            "kind": "sign",
            "body": { "user": id(2), "count": 9_i64 },
            "free": { "id": ObjectId::from(id(3).bytes()), "list": [1, null, true] },
        });
        stored
    }

    #[test]
    fn every_kind_of_ours_is_read_as_the_driver_reads_it() {
        let mut stored = outer();
        // Ignored, whatever it is.
        stored.insert("more", Bson::MinKey);
        let read: Outer = parts(&stored).expect("an outer");
        let free = stored.get("free").expect("free").clone();
        let expected = Outer {
            inner: inner().0,
            again: inner().0,
            kinds: vec![Kind::Small, Kind::Large],
            numbers: (7, 255, 1.5),
            work: Work::Sign { user: id(2), count: 9 },
            free,
            missing: None,
        };
        assert_eq!(read, expected);
        stored.remove("more");
        let same: Outer = mongodb::bson::deserialize_from_document(stored).expect("an outer");
        assert_eq!(same, expected);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        for (field, value) in [
            ("again", Bson::Null),
            ("kinds", Bson::Array(vec!["huge".into()])),
            ("kinds", Bson::Array(vec![Bson::Int32(1)])),
            ("numbers", Bson::Array(vec![Bson::Int32(1), Bson::Int32(256), Bson::Int32(1)])),
            ("at", Bson::Timestamp(Timestamp { time: 1, increment: 1 })),
            ("rev", Bson::DateTime(DateTime::from_millis(1))),
            ("id", "0123456789ab".into()),
            ("kind", Bson::Decimal128(Decimal128::from_bytes([0; 16]))),
        ] {
            let mut stored = outer();
            stored.insert(field, value.clone());
            assert!(parts::<Outer>(&stored).is_err(), "{field}: {value}");
        }
        assert!(parts::<Outer>(&outer()).is_ok());
    }
}
