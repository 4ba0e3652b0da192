//! The internal tier: the application behind the edge, on a Unix socket that only the edge's group
//! may open and whose requests carry the edge's token.
//!
//! Threads: `internal-<n>` ([`crate::http::Server`]) and `wakeups` ([`Wakeups`]).
//! Keeps: I8 (it has no open port). Must never: trust that a request was typed by the edge where
//! only it can know better.
//!
//! Of the API it answers so far: `/ping` and `/check` (contract 2.7), and what the edge asks for
//! itself. Everything else is 404.

use crate::base::clock::Clock;
use crate::base::secret::Secret;
use crate::http::wakeups::{Sending, Wakeups};
use crate::http::{HttpError, Options, Request, Response, Server, tiers};
use crate::limits;
use crate::liveness::Status;
use crate::thread::ThreadError;
use std::os::unix::net::UnixListener;

/// The running tier; dropping it stops it.
pub struct Internal {
    server: Server,
    _sending: Sending,
}

/// Serves `listener` for the edge that knows `token`.
pub fn start(
    listener: UnixListener,
    token: Secret,
    status: Status,
    clock: Clock,
) -> Result<Internal, HttpError> {
    let (wakeups, sending) = Wakeups::start().map_err(HttpError::Thread)?;
    let options = Options {
        name: "internal",
        workers: limits::HTTP_WORKERS,
        body_bytes_max: limits::BODY_BULK_USERS_BYTES_MAX,
        token: Some(token),
    };
    let handler = move |request: Request| answer(&request, &wakeups, &status, &clock);
    let server = Server::start(listener, options, handler)?;
    Ok(Internal { server, _sending: sending })
}

impl Internal {
    pub fn stop(self, clock: &Clock, deadline: crate::base::clock::Mono) -> Vec<ThreadError> {
        self.server.stop(clock, deadline)
    }
}

fn answer(request: &Request, wakeups: &Wakeups, status: &Status, clock: &Clock) -> Response {
    match (request.method.as_str(), request.path()) {
        ("GET", "/ping" | "/check") => health(status, clock),
        ("GET", tiers::WAKEUPS_PATH) => wakeups.stream(),
        // There is no login yet, so there is no session.
        ("GET", tiers::SESSION_PATH) => Response::text(401, "401 Unauthorized"),
        _ => Response::text(404, "404: Not Found"),
    }
}

/// 504 when this host has not been heard by the database for too long.
fn health(status: &Status, clock: &Clock) -> Response {
    let heard = status.acknowledged();
    match heard.is_some_and(|at| clock.mono().since(at) <= limits::HEALTH_SILENCE_MAX) {
        true => Response::text(200, "OK").with("Content-Type", "text/html; charset=utf-8"),
        false => Response::text(504, "504: Gateway Timeout"),
    }
}
