//! Carries a typed request to the internal tier and its answer back (contract 1.2, 1.3).
//!
//! What goes in: method, path and body written afresh from the typed value, the fixed set of
//! headers, the client's address and the address it used, and the token that proves that this is
//! the edge. What comes back: status, body and headers, plus the security headers on every answer.

use super::headers;
use crate::base::secret::Secret;
use crate::http::{Body, Request, Response, client, tiers};
use crate::limits;
use std::path::PathBuf;

/// Copied verbatim (contract 1.2).
const COPIED: [&str; 6] =
    ["Auth-Token", "Auth-Timestamp", "Auth-Nonce", "Auth-Signature", "Csrf-Token", "Cookie"];
/// Between front and internal tier.
const OURS: [&str; 3] = [tiers::CLIENT, tiers::URL, tiers::RESUME];

/// A typed request, encoded afresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub method: String,
    /// Path, and the query where the route has one.
    pub target: String,
    /// JSON, or empty.
    pub body: Vec<u8>,
    /// For the check of a signature.
    pub signed_path: Option<String>,
}

/// Where the internal tier is.
pub struct Forward {
    pub socket: PathBuf,
    pub token: Secret,
}

impl Forward {
    /// Sends `outgoing` on behalf of `request`, the one the client made.
    pub fn send(&self, outgoing: &Outgoing, request: &Request) -> Response {
        // The internal tier gives up connections over this: no client may make it do so.
        if outgoing.body.len() > limits::FORWARD_BODY_BYTES_MAX {
            return Response::empty(400);
        }
        let copied = COPIED.into_iter().chain(OURS);
        let mut head: Vec<(&str, &str)> =
            copied.filter_map(|name| Some((name, request.header(name)?))).collect();
        head.push((tiers::TOKEN, self.token.expose()));
        head.extend(outgoing.signed_path.iter().map(|path| (tiers::SIGNED_PATH, path.as_str())));
        let raw = raw_body(request);
        if let Some(raw) = &raw {
            head.push((tiers::RAW_BODY, raw));
        }
        if !outgoing.body.is_empty() {
            head.push(("Content-Type", "application/json"));
        }
        let Outgoing { method, target, body, .. } = outgoing;
        match client::ask(&self.socket, method, target, &head, body, limits::FORWARD_MAX) {
            Ok(reply) => answer(reply),
            Err(error) => {
                log::warn!("{method} {} was not answered: {error}", request.path());
                let status = if error.is_timeout() { 504 } else { 503 };
                failed(status)
            }
        }
    }
}

/// Old clients sign the body's text (contract 1.7). It goes along so that the internal tier can
/// verify that, but it is never parsed there: the typed body is what counts.
fn raw_body(request: &Request) -> Option<String> {
    let signed = request.header("Auth-Signature").is_some();
    let fits = (1..=limits::RAW_BODY_BYTES_MAX).contains(&request.body.len());
    (signed && fits).then(|| openssl::base64::encode_block(&request.body))
}

fn answer(reply: client::Reply) -> Response {
    let Some(length) = reply.length else {
        log::error!("the internal tier answered without a length");
        return failed(502);
    };
    let mut response = Response::new(reply.status, Body::Reader(length, reply.body));
    let is_length = |name: &str| name.eq_ignore_ascii_case("Content-Length");
    // What parks a client is the front's to remove, everything else of ours ends here.
    let is_park = |name: &str| name.eq_ignore_ascii_case(tiers::PARK);
    let kept = reply
        .headers
        .into_iter()
        .filter(|(name, _)| is_park(name) || !(headers::is_internal(name) || is_length(name)));
    response.headers.extend(kept.map(|(name, value)| (name.into(), value)));
    response
}

fn failed(status: u16) -> Response {
    let text = match status {
        502 => "502: Bad Gateway",
        504 => "504: Gateway Timeout",
        _ => "503: Service Unavailable",
    };
    Response::text(status, text).with("Retry-After", "1")
}

/// Adds what every answer carries, unless it says so itself.
pub fn finish(mut response: Response, request: &Request) -> Response {
    let secure = request.header(tiers::URL).is_some_and(|url| url.starts_with("https://"));
    let kind = header(&response, "Content-Type").map_or("", media_type);
    let of_kind = match kind {
        "application/json" => &headers::JSON[..],
        "text/html" | "image/svg+xml" => &headers::PAGE,
        _ => &[],
    };
    let all = of_kind.iter().copied().chain(headers::SECURITY).chain(headers::transport(secure));
    for (name, value) in all {
        if header(&response, name).is_none() {
            response = response.with(name, value);
        }
    }
    response
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let found = response.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

fn media_type(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}
