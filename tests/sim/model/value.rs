//! Values: their order, their fields, and arithmetic, as the server has them.

use mongodb::bson::{Bson, DateTime, Document};
use std::cmp::Ordering;

/// Types in the server's order.
pub fn rank(value: &Bson) -> u8 {
    match value {
        Bson::Null => 1,
        Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) => 2,
        Bson::String(_) => 3,
        Bson::Document(_) => 4,
        Bson::Array(_) => 5,
        Bson::ObjectId(_) => 7,
        Bson::Boolean(_) => 8,
        Bson::DateTime(_) => 9,
        Bson::Timestamp(_) => 10,
        other => panic!("the model knows no values like {other:?}"),
    }
}

pub fn compare(a: &Bson, b: &Bson) -> Ordering {
    match (a, b) {
        (Bson::String(a), Bson::String(b)) => a.cmp(b),
        (Bson::ObjectId(a), Bson::ObjectId(b)) => a.bytes().cmp(&b.bytes()),
        (Bson::Boolean(a), Bson::Boolean(b)) => a.cmp(b),
        (Bson::DateTime(a), Bson::DateTime(b)) => a.cmp(b),
        (Bson::Timestamp(a), Bson::Timestamp(b)) => a.cmp(b),
        (Bson::Array(a), Bson::Array(b)) => {
            let pairs = a.iter().zip(b).map(|(a, b)| compare(a, b));
            pairs.fold(Ordering::Equal, Ordering::then).then(a.len().cmp(&b.len()))
        }
        (Bson::Document(a), Bson::Document(b)) => {
            let pairs = a.iter().zip(b).map(|((ka, a), (kb, b))| {
                rank(a).cmp(&rank(b)).then_with(|| ka.cmp(kb)).then_with(|| compare(a, b))
            });
            pairs.fold(Ordering::Equal, Ordering::then).then(a.len().cmp(&b.len()))
        }
        _ => match (whole(a), whole(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => match (number(a), number(b)) {
                (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
                _ => rank(a).cmp(&rank(b)),
            },
        },
    }
}

/// For expressions: what is missing is before everything.
pub fn compare_present(a: Option<&Bson>, b: Option<&Bson>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare(a, b),
        _ => a.is_some().cmp(&b.is_some()),
    }
}

pub fn whole(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(n) => Some(i64::from(*n)),
        Bson::Int64(n) => Some(*n),
        _ => None,
    }
}

pub fn number(value: &Bson) -> Option<f64> {
    match value {
        Bson::Double(x) => Some(*x),
        // Far below where a double would round.
        other => whole(other).map(|n| n as f64),
    }
}

/// Numbers, and a date plus milliseconds.
pub fn add(a: &Bson, b: &Bson) -> Bson {
    match (a, b) {
        (Bson::Null, _) | (_, Bson::Null) => Bson::Null,
        (Bson::Int32(a), Bson::Int32(b)) => Bson::Int32(a + b),
        (Bson::DateTime(date), ms) | (ms, Bson::DateTime(date)) => {
            let ms = whole(ms).unwrap_or_else(|| panic!("a date plus {ms:?}"));
            Bson::DateTime(DateTime::from_millis(date.timestamp_millis() + ms))
        }
        _ => match (whole(a), whole(b)) {
            (Some(a), Some(b)) => Bson::Int64(a + b),
            _ => match (number(a), number(b)) {
                (Some(a), Some(b)) => Bson::Double(a + b),
                _ => panic!("{a:?} plus {b:?}"),
            },
        },
    }
}

pub fn subtract(a: &Bson, b: &Bson) -> Bson {
    match (a, b) {
        (Bson::DateTime(a), Bson::DateTime(b)) => {
            Bson::Int64(a.timestamp_millis() - b.timestamp_millis())
        }
        (_, Bson::Null) => Bson::Null,
        (_, Bson::Int32(n)) => add(a, &Bson::Int32(-n)),
        (_, Bson::Int64(n)) => add(a, &Bson::Int64(-n)),
        (_, Bson::Double(x)) => add(a, &Bson::Double(-x)),
        _ => panic!("{a:?} minus {b:?}"),
    }
}

pub fn is_true(value: Option<&Bson>) -> bool {
    match value {
        None | Some(Bson::Null | Bson::Boolean(false)) => false,
        Some(value) => number(value) != Some(0.0),
    }
}

/// What is at a dotted path, through documents only.
pub fn at<'a>(document: &'a Document, path: &str) -> Option<&'a Bson> {
    match path.split_once('.') {
        None => document.get(path),
        Some((head, rest)) => match document.get(head)? {
            Bson::Document(inner) => at(inner, rest),
            _ => None,
        },
    }
}

/// All that is at a dotted path, in every element of lists on the way too.
pub fn reach<'a>(document: &'a Document, path: &str) -> Vec<&'a Bson> {
    let Some((head, rest)) = path.split_once('.') else {
        return document.get(path).into_iter().collect();
    };
    match document.get(head) {
        Some(Bson::Document(inner)) => reach(inner, rest),
        Some(Bson::Array(items)) => {
            let numbered = rest.parse().ok().and_then(|index: usize| items.get(index));
            let inside = items.iter().filter_map(Bson::as_document);
            numbered.into_iter().chain(inside.flat_map(|inner| reach(inner, rest))).collect()
        }
        _ => Vec::new(),
    }
}

/// Bytes that name a document in its collection.
pub fn key(id: &Bson) -> Vec<u8> {
    let mut bytes = vec![rank(id)];
    match id {
        Bson::ObjectId(id) => bytes.extend(id.bytes()),
        Bson::String(text) => bytes.extend(text.bytes()),
        other => bytes.extend(format!("{other:?}").into_bytes()),
    }
    bytes
}
