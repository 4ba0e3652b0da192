//! The internal tier: the application behind the edge, on a Unix socket that only the edge's group
//! may open and whose requests carry the edge's token.
//!
//! Threads: `internal-<n>` ([`crate::http::Server`]), `events` ([`Feed`]).
//! Threads: `internal-<n>` ([`crate::http::Server`]) wait for the edge and, at most for a deadline,
//! for `handler-<n>` and `login-<n>` ([`desk`]), which alone may wait for the database.
//! for `handler-<n>` and `login-<n>` ([`desk`]), which alone may wait for the database. `events`
//! ([`Feed`]) hears the bus for those who wait.
//! Keeps: I8 (it has no open port). Must never: trust that a request was typed by the edge where
//! only it can know better.
//!
//! ```text
//!   request ── api::parse ── desk ── auth ── dispatch ── one handler file per resource ── answer
//!      └── wake-ups, health: answered at once
//! ```

mod admins;
mod answer;
pub mod app;
mod attachments;
mod auth;
pub mod certificates;
mod cookies;
mod desk;
mod dispatch;
mod drafts;
mod events;
mod hashing;
mod health;
mod hosts;
mod keys;
mod login;
mod organizations;
mod profiles;
mod routes;
mod running;
mod seal;
mod servers;
mod session;
mod sessions;
mod settings;
mod turns;
mod users;
pub mod work;

pub use app::App;
pub use events::{Events, Feed, Look};
pub use servers::State as ServerState;

use crate::api::{self, Call, Route};
use crate::base::clock::{Clock, Mono};
use crate::base::secret::Secret;
use crate::domain::admin;
use crate::http::{HttpError, Options, Request, Response, Server, tiers};
use crate::limits;
use crate::thread::{self, StopSource, Thread, ThreadError, stop_pair};
use app::Asked;
use desk::{Desk, NoAnswer, Size};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use turns::Turns;

const HANDLERS: Size = Size {
    threads: limits::HANDLERS_MAX,
    waiting_max: limits::HANDLERS_WAITING_MAX,
    deadline: limits::HANDLER_DEADLINE,
    hangs_after: limits::HANDLER_HANGS_AFTER,
};
/// Apart from the others: whoever tries passwords keeps nobody else waiting.
const LOGINS: Size = Size {
    threads: limits::LOGIN_HANDLERS_MAX,
    waiting_max: limits::LOGINS_WAITING_MAX,
    deadline: limits::HANDLER_DEADLINE,
    hangs_after: limits::HANDLER_HANGS_AFTER,
};

/// The running tier; dropping it stops it.
pub struct Internal {
    // Dropped first: it gives the desks their work.
    server: Server,
    desks: [desk::Handle; 2],
    drafting: (StopSource, Thread),
}

/// What the threads of the server hand requests to.
struct Desks {
    app: Arc<App>,
    handlers: Desk,
    logins: Desk,
    /// Sign-ins by client: who floods us keeps only itself waiting.
    turns: Arc<Turns>,
}

/// Serves `listener` for the edge that knows `token`.
pub fn start(listener: UnixListener, token: Secret, app: App) -> Result<Internal, HttpError> {
    let options = Options {
        name: "internal",
        workers: limits::INTERNAL_WORKERS,
        body_bytes_max: limits::FORWARD_BODY_BYTES_MAX,
        token: Some(token),
    };
    let desk = |name: &str, size: Size| {
        Desk::start(name, size, app.ground.clock.clone()).map_err(HttpError::Thread)
    };
    let (handlers, handler_threads) = desk("handler", HANDLERS)?;
    let (logins, login_threads) = desk("login", LOGINS)?;
    let app = Arc::new(app);
    let drafting = draft(Arc::clone(&app)).map_err(HttpError::Thread)?;
    let turns = Turns::new(limits::LOGINS_PER_CLIENT_MAX);
    let desks = Desks { app, handlers, logins, turns };
    let server = Server::start(listener, options, move |request| desks.handle(request))?;
    Ok(Internal { server, desks: [handler_threads, login_threads], drafting })
}

fn draft(app: Arc<App>) -> Result<(StopSource, Thread), ThreadError> {
    let (source, stop) = stop_pair();
    Ok((source, thread::spawn("drafts", move || drafts::run(&app, &stop))?))
}

impl Internal {
    /// Whether it has stopped receiving by itself ([`Server::is_broken`]).
    pub fn is_broken(&self) -> bool {
        self.server.is_broken()
    }

    pub fn stop(self, clock: &Clock, deadline: Mono) -> Vec<ThreadError> {
        let mut stuck = self.server.stop(clock, deadline);
        stuck.extend(self.desks.into_iter().flat_map(|desk| desk.stop(clock, deadline)));
        let (stop, drafting) = self.drafting;
        drop(stop);
        stuck.extend(drafting.join(clock, deadline).err());
        stuck
    }
}

impl Desks {
    fn handle(&self, request: Request) -> Response {
        match (request.method.as_str(), request.path()) {
            ("GET", tiers::WAKEUPS_PATH) => self.app.wakeups.stream(),
            ("GET", tiers::SESSION_PATH) => {
                let app = Arc::clone(&self.app);
                self.ask(&self.handlers, move || auth::session(&app, &request))
            }
            _ => self.call(request),
        }
    }

    fn call(&self, request: Request) -> Response {
        let (path, query) = (request.path(), request.query());
        let parsed = api::parse_encoded(&request.method, path, query, &request.body);
        // The edge forwards nothing that does not parse.
        let Ok(parsed) = parsed else { return Response::text(404, "404: Not Found") };
        let app = Arc::clone(&self.app);
        match parsed.call.route() {
            Route::GetPing | Route::GetCheck => work(&app, &request, parsed.call),
            Route::Login => {
                let client = request.header(tiers::CLIENT).and_then(|text| text.parse().ok());
                let client = client.map(admin::client_key).unwrap_or_default();
                let Some(turn) = self.turns.take(client) else { return answer::busy() };
                self.ask(&self.logins, move || {
                    let _turn = turn;
                    work(&app, &request, parsed.call)
                })
            }
            _ => self.ask(&self.handlers, move || work(&app, &request, parsed.call)),
        }
    }

    fn ask(&self, desk: &Desk, work: impl FnOnce() -> Response + Send + 'static) -> Response {
        let done = desk.ask(self.company_max(), work);
        done.unwrap_or_else(|why| match why {
            NoAnswer::Late => answer::away(),
            NoAnswer::Busy => answer::busy(),
            NoAnswer::Panicked => Response::text(500, "500: Internal Server Error"),
        })
    }

    /// While the database does not hear this host's beat, a few requests find out whether it hears
    /// them; the others are not kept waiting in vain.
    fn company_max(&self) -> usize {
        let (status, now) = (&self.app.ground.status, self.app.ground.clock.mono());
        let heard = status.acknowledged().unwrap_or_default();
        match now.since(heard) < limits::AWAY_AFTER {
            true => usize::MAX,
            false => limits::AWAY_HANDLERS_MAX,
        }
    }
}

fn work(app: &App, request: &Request, call: Call) -> Response {
    let caller = auth::caller(app, request, call.route());
    let handled = caller.and_then(|caller| dispatch::call(&Asked { app, request, caller }, call));
    if request.method != "GET" {
        app.status.changed();
    }
    handled.unwrap_or_else(answer::response)
}
