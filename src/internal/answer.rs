//! From results of handlers to HTTP (contract 1.8): the one mapping of errors.

use crate::api::reply::{ErrorReply, List, Reply};
use crate::domain::Refusal;
use crate::http::Response;
use crate::http::tiers::{self, Park};
use crate::pki::PkiError;
use crate::store::StoreError;
use crate::succession::SuccessionError;
use std::time::Duration;

pub type Handled = Result<Response, Failure>;

/// Why a request gets no 200.
#[derive(Debug)]
pub enum Failure {
    /// A rule refuses it: 400 with the contract's identifier.
    Refused(Refusal),
    /// An identifier of the contract that is no rule's.
    Named {
        status: u16,
        id: &'static str,
        message: &'static str,
    },
    /// Status and its reason as text: 401, 404 and others without identifier.
    Plain(u16),
    Store(StoreError),
    Pki(PkiError),
    /// Something that should not happen; logged with its text, answered 500.
    Bug(String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Refused(refusal)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Store(error)
    }
}

impl From<PkiError> for Failure {
    fn from(error: PkiError) -> Failure {
        Failure::Pki(error)
    }
}

impl From<SuccessionError> for Failure {
    fn from(error: SuccessionError) -> Failure {
        match error {
            SuccessionError::Store(error) => error.into(),
            SuccessionError::Pki(error) => error.into(),
        }
    }
}

pub const NOT_FOUND: Failure = Failure::Plain(404);
pub const UNAUTHORIZED: Failure = Failure::Plain(401);

/// 200 with a JSON body.
pub fn json<T: Reply + ?Sized>(value: &T) -> Handled {
    let bytes = value.to_json().ok_or_else(|| Failure::Bug("an answer is no JSON".to_owned()))?;
    Ok(Response::json(200, bytes))
}

/// 200 with a list that was written piece by piece.
pub fn list(list: List) -> Handled {
    Ok(Response::json(200, list.into_json()))
}

/// 200 `{}`.
pub fn done() -> Handled {
    Ok(Response::json(200, b"{}".to_vec()))
}

/// "Nothing yet": the front asks again when `key` is woken, at the latest after `until`, when the
/// client gets `late`. `seq` was read ([`crate::http::wakeups::Wakeups::published`]) before the
/// look that found nothing.
pub fn park(late: Response, key: String, until: Duration, seq: u64, resume: String) -> Response {
    let park = Park { key, until, seq, resume: Some(resume) };
    late.with(tiers::PARK, park.to_string())
}

/// What the client gets for a failure.
pub fn response(failure: Failure) -> Response {
    match failure {
        Failure::Refused(refusal) => named(400, refusal.id(), refusal.message()),
        Failure::Named { status, id, message } => named(status, id, message),
        Failure::Plain(status) => plain(status),
        Failure::Store(error) if error.is_passing() => {
            log::warn!("{error}");
            away()
        }
        Failure::Store(StoreError::Duplicate { operation, index }) => {
            log::warn!("exists already ({index}): {operation}");
            plain(409)
        }
        Failure::Store(error) => bug(&error),
        Failure::Pki(error) => bug(&error),
        Failure::Bug(text) => {
            log::error!("{text}");
            plain(500)
        }
    }
}

/// The database is away: try again soon.
pub fn away() -> Response {
    let message = "The database can not be reached. Tunnels go on; try again in a moment.";
    later("database_unavailable", message)
}

/// Others changed the same thing again and again.
pub fn overtaken() -> Response {
    later("changed_meanwhile", "Others are changing the same thing; try again in a moment.")
}

/// Not now: 503, and when it is worth another try.
pub fn later(id: &str, message: &str) -> Response {
    named(503, id, message).with("Retry-After", "2")
}

/// More is asked for at once than is worked on or may wait.
pub fn busy() -> Response {
    let message = "Too much is asked for at once. Try again in a moment.";
    named(503, "too_busy", message).with("Retry-After", "1")
}

fn bug(error: &dyn std::error::Error) -> Response {
    match error.source() {
        Some(source) => log::error!("{error}: {source}"),
        None => log::error!("{error}"),
    }
    plain(500)
}

fn named(status: u16, id: &str, message: &str) -> Response {
    let reply = ErrorReply { error: id, error_msg: message };
    Response::json(status, reply.to_json().unwrap_or_default())
}

fn plain(status: u16) -> Response {
    let reason = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        504 => "Gateway Timeout",
        _ => "Internal Server Error",
    };
    Response::text(status, format!("{status}: {reason}"))
}
