//! The HTTP API as types: one table of routes, read by both tiers (contract 1.1 and 2).
//!
//! **Role.** [`parse`] turns a request into a [`Call`], or says how it is refused; [`Call::encode`]
//! writes a call afresh. The edge does both and forwards only what it wrote itself; the internal
//! tier parses that again with the same code and matches [`Call`] exhaustively.
//!
//! ```text
//!   method, path ── row of the table ── ids ── query │ body ──> Call ──encode──> the same request,
//!        │ none: 404, or 301/307        │ 404    │ 400, 520                      canonical
//! ```
//!
//! **Threads.** None: all of it is pure.
//!
//! **Never.** It decides nothing but form: what a name or a network may be is the domain's to say.

#[macro_use]
mod table;
mod body;
mod path;
mod query;
pub mod reply;
mod routes;
mod wire;

pub use path::{Operation, RouteId};
pub use query::{Listing, UserListing};
pub use reply::Reply;
pub use routes::{Call, ROWS, Route};
pub use table::{Auth, Row};
pub use wire::{
    AdminBody, ForwardingBody, LoginBody, OrganizationBody, OrganizationChange, PinBody, RouteBody,
    ServerBody, SettingsBody, UserBody,
};

use crate::limits;
use table::{Input, Output};

/// Some releases of Ansible's module send this for `/organization`, and sign exactly that text.
const UNFORMATTED: [&str; 2] = ["organization", "%s"];

/// A request that has a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    pub call: Call,
    /// The path as a client signs it (contract 1.7): decoded and filtered, without query.
    pub signed_path: String,
}

/// How a request without a type is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// 404, text: no such route or method, or what is no identifier where one should be.
    NotFound,
    /// 301 or 307: the same without the slash at the end.
    Moved { status: u16, location: String },
    /// 520, empty: a body that does not say that it is JSON.
    ContentType,
    /// 400, empty: malformed, too long, or of a wrong type.
    Malformed,
}

/// A call written afresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub method: &'static str,
    /// Path, and the query where the route has one.
    pub target: String,
    /// JSON; empty where the route takes no body.
    pub body: Vec<u8>,
}

/// Gives a request its type. `path` and `query` are as received.
pub fn parse(
    method: &str,
    path: &str,
    query: &str,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Parsed, Reject> {
    read(method, path, query, content_type, body, false)
}

/// The same for what [`Call::encode`] wrote: with all its fields a body is longer than received.
pub fn parse_encoded(method: &str, path: &str, query: &str, body: &[u8]) -> Result<Parsed, Reject> {
    read(method, path, query, Some("application/json"), body, true)
}

fn read(
    method: &str,
    path: &str,
    query: &str,
    content_type: Option<&str>,
    body: &[u8],
    is_encoded: bool,
) -> Result<Parsed, Reject> {
    let mut segments = path::segments(path);
    let literal = segments == UNFORMATTED;
    segments.truncate(if literal { 1 } else { usize::MAX });
    let Some((row, mut found)) = find(method, &segments) else {
        return Err(moved(method, path, query, segments).unwrap_or(Reject::NotFound));
    };
    if literal {
        found.signed_path = format!("/{}", UNFORMATTED.join("/"));
    }
    let captures = found.captures.into_iter();
    let body_limit = if is_encoded { limits::FORWARD_BODY_BYTES_MAX } else { row.body_limit };
    let mut input = Input { captures, query, content_type, body, body_limit, is_encoded };
    let call = Call::read(row.route, &mut input)?;
    Ok(Parsed { call, signed_path: found.signed_path })
}

/// Longest body that is worth receiving. Routes that take none ignore it, so some is let in.
pub fn body_limit(method: &str, path: &str) -> usize {
    let row = find(method, &path::segments(path)).map(|(row, _)| row.body_limit);
    row.unwrap_or_default().max(limits::BODY_BYTES_MAX)
}

impl Call {
    pub fn encode(&self) -> Encoded {
        let row = self.route().row();
        let mut output = Output::default();
        self.write(&mut output);
        let mut target = path::fill(row.pattern, output.captures);
        if !output.query.is_empty() {
            target = format!("{target}?{}", output.query);
        }
        Encoded { method: row.method, target, body: output.body }
    }
}

fn find(method: &str, segments: &[String]) -> Option<(Row, path::Found)> {
    let mut rows = ROWS.iter().filter(|row| row.method == method);
    rows.find_map(|row| Some((*row, path::find(row.pattern, segments)?)))
}

/// Where the request should have gone, if only a slash at its end is too much.
fn moved(method: &str, path: &str, query: &str, mut segments: Vec<String>) -> Option<Reject> {
    segments.pop().filter(String::is_empty)?;
    find(method, &segments)?;
    let mut location = path.strip_suffix('/')?.to_owned();
    if !query.is_empty() {
        location = format!("{location}?{query}");
    }
    Some(Reject::Moved { status: if method == "GET" { 301 } else { 307 }, location })
}

#[cfg(test)]
mod tests;
