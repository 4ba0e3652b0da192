//! Paths: decoding, the filter of the contract (1.1), and patterns.

use crate::base::ids::{BadId, to_hex};
use std::fmt;
use std::str::FromStr;

const SEGMENT_BYTES_MAX: usize = 128;
const ALLOWED: &[u8] = b"-+=_/,.~@#!& ";

/// What a pattern found in a path.
pub struct Found {
    /// In the pattern's order, filtered.
    pub captures: Vec<String>,
    /// Whole path, filtered.
    pub signed_path: String,
}

/// Decoded segments. A slash at the end makes an empty last one.
pub fn segments(path: &str) -> Vec<String> {
    path.strip_prefix('/').unwrap_or(path).split('/').map(decode).collect()
}

/// Whether a path is of this pattern.
pub fn find(pattern: &str, segments: &[String]) -> Option<Found> {
    let parts = parts(pattern);
    if parts.clone().count() != segments.len() {
        return None;
    }
    let mut found = Found { captures: Vec::new(), signed_path: String::new() };
    for (part, segment) in parts.zip(segments) {
        let text = match part {
            Part::Literal(literal) => Some(literal.to_owned()).filter(|l| l == segment)?,
            Part::Capture { suffix } => {
                let text = filter(segment);
                let capture = text.strip_suffix(suffix).filter(|capture| !capture.is_empty())?;
                found.captures.push(capture.to_owned());
                text
            }
        };
        found.signed_path.push('/');
        found.signed_path.push_str(&text);
    }
    Some(found)
}

/// The pattern with `captures` in place of its names.
pub fn fill(pattern: &str, captures: Vec<String>) -> String {
    let mut captures = captures.into_iter();
    let segment = |part| match part {
        Part::Literal(literal) => format!("/{literal}"),
        Part::Capture { suffix } => {
            format!("/{}{suffix}", encode(&captures.next().unwrap_or_default()))
        }
    };
    parts(pattern).map(segment).collect()
}

enum Part<'a> {
    Literal(&'a str),
    Capture { suffix: &'a str },
}

fn parts(pattern: &str) -> impl Iterator<Item = Part<'_>> + Clone {
    pattern.split('/').skip(1).map(|part| match part.strip_prefix(':') {
        None => Part::Literal(part),
        Some(name) => {
            Part::Capture { suffix: name.find('.').and_then(|at| name.get(at..)).unwrap_or("") }
        }
    })
}

fn filter(segment: &str) -> String {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || ALLOWED.contains(b);
    segment.bytes().take(SEGMENT_BYTES_MAX).filter(allowed).map(char::from).collect()
}

/// Percent-decoding. What is no escape stands for itself: it is refused later, if at all.
pub fn decode(text: &str) -> String {
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| first == b'%').and_then(hex_byte);
        decoded.push(escaped.unwrap_or(first));
        rest = escaped.and_then(|_| after.get(2..)).unwrap_or(after);
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Percent-encoding of all but unreserved characters.
pub fn encode(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| digits.get(at).and_then(|digit| char::from(*digit).to_digit(16));
    u8::try_from(digit(0)? << 4 | digit(1)?).ok()
}

/// What to do with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Start,
    Stop,
    Restart,
    /// Answered like the others, and nothing is done.
    Unknown,
}

impl FromStr for Operation {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Operation, BadId> {
        Ok(match text {
            "start" => Operation::Start,
            "stop" => Operation::Stop,
            "restart" => Operation::Restart,
            _ => Operation::Unknown,
        })
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Start => "start",
            Operation::Stop => "stop",
            Operation::Restart => "restart",
            Operation::Unknown => "unknown",
        })
    }
}

/// A route's identifier: its network, on the wire as the hex of that text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteId(String);

impl RouteId {
    pub fn network(&self) -> &str {
        &self.0
    }
}

impl FromStr for RouteId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<RouteId, BadId> {
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(hex_byte).collect();
        let network = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        network.filter(|network| to_hex(network.as_bytes()) == text).map(RouteId).ok_or(BadId)
    }
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(self.0.as_bytes()))
    }
}
