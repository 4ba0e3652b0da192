//! Bodies: JSON, decoded into a fixed record and written afresh (contract 1.1, body typing rule).

use super::Reject;
use super::table::{Input, Output};
use crate::limits;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub const LIMIT: usize = limits::BODY_BYTES_MAX;

pub fn read<T: DeserializeOwned + Serialize + Default>(input: &Input<'_>) -> Result<T, Reject> {
    let media_type = input.content_type.and_then(|value| value.split(';').next());
    let is_json = |kind: &str| kind.trim().eq_ignore_ascii_case("application/json");
    if !media_type.is_some_and(is_json) {
        return Err(Reject::ContentType);
    }
    if input.body.len() > input.body_limit {
        return Err(Reject::Malformed);
    }
    if input.body.is_empty() {
        return Ok(T::default());
    }
    if !input.is_encoded && !is_modest(input.body) {
        return Err(Reject::Malformed);
    }
    typed(input.body).ok_or(Reject::Malformed)
}

pub fn write<T: Serialize>(body: &T, output: &mut Output) {
    // Names are text and values plain: serializing them can not fail.
    output.body = serde_json::to_vec(body).unwrap_or_default();
}

/// Whether a body has no more objects and values than its kind may need: looked at before anything
/// is made of it, because a stranger's body is read too.
fn is_modest(body: &[u8]) -> bool {
    let (mut objects, mut values) = (0, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' => objects += 1,
            b',' | b'[' => values += 1,
            _ => {}
        }
    }
    objects <= limits::BODY_OBJECTS_MAX && values <= limits::BODY_VALUES_MAX
}

fn typed<T: DeserializeOwned + Serialize + Default>(body: &[u8]) -> Option<T> {
    let sent = plain(serde_json::from_slice(body).ok()?);
    if sent.is_null() {
        return Some(T::default());
    }
    let typed = T::deserialize(&sent).ok()?;
    same_shape(&sent, &serde_json::to_value(&typed).ok()?).then_some(typed)
}

/// Names in lower case, and nothing that is null: it means the same as omitted.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, v)| (name.to_ascii_lowercase(), plain(v))).collect())
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().filter(|item| !item.is_null()).map(plain).collect())
        }
        other => other,
    }
}

/// Serde reads a record from an array of its values too; clients must not.
fn same_shape(sent: &Value, typed: &Value) -> bool {
    match (sent, typed) {
        (Value::Object(sent), Value::Object(typed)) => typed
            .iter()
            .all(|(name, typed)| sent.get(name).is_none_or(|sent| same_shape(sent, typed))),
        (Value::Array(sent), Value::Array(typed)) => {
            sent.iter().zip(typed).all(|(sent, typed)| same_shape(sent, typed))
        }
        (_, typed) => !typed.is_object(),
    }
}
