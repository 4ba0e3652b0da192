//! The internal tier: the application behind the edge, on a Unix socket that only the edge's group
//! may open and whose requests carry the edge's token.
//!
//! Threads: `internal-<n>` ([`crate::http::Server`]), `events` ([`Feed`]).
//! Keeps: I8 (it has no open port). Must never: trust that a request was typed by the edge where
//! only it can know better.
//!
//! ```text
//!   request ── api::parse ── auth ── dispatch ── one handler file per resource ── answer
//! ```

mod admins;
mod answer;
pub mod app;
mod attachments;
mod auth;
mod dispatch;
mod events;
mod health;
mod hosts;
mod organizations;
mod profiles;
mod routes;
mod running;
mod servers;
mod session;
mod settings;
mod users;
mod work;

pub use app::App;
pub use events::{Events, Feed};

use crate::api;
use crate::base::clock::{Clock, Mono};
use crate::base::secret::Secret;
use crate::http::{HttpError, Options, Request, Response, Server, tiers};
use crate::limits;
use crate::thread::ThreadError;
use app::Asked;
use std::os::unix::net::UnixListener;

/// The running tier; dropping it stops it.
pub struct Internal {
    server: Server,
}

/// Serves `listener` for the edge that knows `token`.
pub fn start(listener: UnixListener, token: Secret, app: App) -> Result<Internal, HttpError> {
    let options = Options {
        name: "internal",
        workers: limits::HTTP_WORKERS,
        body_bytes_max: limits::BODY_BULK_USERS_BYTES_MAX,
        token: Some(token),
    };
    let handler = move |request: Request| handle(&app, &request);
    Ok(Internal { server: Server::start(listener, options, handler)? })
}

impl Internal {
    pub fn stop(self, clock: &Clock, deadline: Mono) -> Vec<ThreadError> {
        self.server.stop(clock, deadline)
    }
}

fn handle(app: &App, request: &Request) -> Response {
    match (request.method.as_str(), request.path()) {
        ("GET", tiers::WAKEUPS_PATH) => app.wakeups.stream(),
        ("GET", tiers::SESSION_PATH) => auth::session(app, request),
        _ => handle_api(app, request),
    }
}

fn handle_api(app: &App, request: &Request) -> Response {
    let json = Some("application/json");
    let parsed = api::parse(&request.method, request.path(), request.query(), json, &request.body);
    // The edge forwards nothing that does not parse.
    let Ok(parsed) = parsed else { return Response::text(404, "404: Not Found") };
    let auth = parsed.call.route().row().auth;
    let answered = auth::caller(app, request, auth)
        .and_then(|caller| dispatch::call(&Asked { app, request, caller }, parsed.call));
    answered.unwrap_or_else(answer::response)
}
