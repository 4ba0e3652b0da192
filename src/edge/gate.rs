//! The gate: gives each request its type, serves the console's files, and forwards the rest.
//!
//! Threads: `gate-<n>`, workers of [`crate::http::Server`]; each waits for the internal tier at
//! most [`limits::FORWARD_MAX`]. What does not parse ends here and never reaches it.

use super::assets::Assets;
use super::forward::{self, Forward, Outgoing};
use crate::http::{Handler, HttpError, Options, Request, Response, Server, tiers};
use crate::limits;
use std::os::unix::net::UnixListener;

/// Gives a request its type and writes it afresh; the answer to what has none is the error.
pub type Typing = fn(&Request) -> Result<Outgoing, Response>;

pub struct Gate {
    pub forward: Forward,
    pub assets: Assets,
    pub typing: Typing,
}

impl Gate {
    pub fn start(self, listener: UnixListener) -> Result<Server, HttpError> {
        let options = Options {
            name: "gate",
            workers: limits::GATE_WORKERS,
            body_bytes_max: limits::BODY_BULK_USERS_BYTES_MAX,
            // Its socket is this process's alone.
            token: None,
        };
        Server::start(listener, options, self)
    }

    fn answer(&self, request: &Request) -> Response {
        let path = request.path();
        let reads = matches!(request.method.as_str(), "GET" | "HEAD");
        match path {
            "/" if reads => self.console(request),
            "/login" if reads => self.login(request),
            "/robots.txt" if reads => Response::text(200, "User-agent: *\nDisallow: /\n"),
            _ => match path.strip_prefix("/s/").filter(|_| reads) {
                Some(name) => self.file(name, request),
                None => match (self.typing)(request) {
                    Ok(outgoing) => self.forward.send(&outgoing, request),
                    Err(refusal) => refusal,
                },
            },
        }
    }

    /// Without a session to the login page; when nobody can tell, the console itself says so.
    fn console(&self, request: &Request) -> Response {
        match self.session(request) {
            401 => redirect("/login"),
            _ => self.file("index.html", request),
        }
    }

    fn login(&self, request: &Request) -> Response {
        match self.session(request) {
            200 => redirect("/"),
            _ => self.file("login/index.html", request),
        }
    }

    /// Whether the cookies name a live session: 200 or 401, by the internal tier.
    fn session(&self, request: &Request) -> u16 {
        if request.header("Cookie").is_none() {
            return 401;
        }
        let (method, target) = ("GET".to_owned(), tiers::SESSION_PATH.to_owned());
        self.forward
            .send(&Outgoing { method, target, body: Vec::new(), signed_path: None }, request)
            .status
    }

    fn file(&self, name: &str, request: &Request) -> Response {
        self.assets.get(name, request).unwrap_or_else(not_found)
    }
}

impl Handler for Gate {
    fn handle(&self, request: Request) -> Response {
        forward::finish(self.answer(&request), &request)
    }
}

pub fn not_found() -> Response {
    Response::text(404, "404: Not Found")
}

fn redirect(to: &str) -> Response {
    Response::empty(302).with("Location", to)
}
