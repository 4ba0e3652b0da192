//! A thin layer over tiny_http for servers on Unix sockets, and the client that talks to them.
//!
//! **Role.** [`Server`] gives requests that are whole and bounded to a [`Handler`] and writes its
//! [`Response`]; [`client`] asks such a server. Nothing here faces the internet: tiny_http has no
//! time limits and no bounds of its own, so its only clients are our own processes, and what a
//! broken one of them could do is bounded here (a body is read up to the server's limit; one that
//! announces more is given up, see [`worker`]).
//!
//! **Threads.** `<name>-<n>`: receive, read the body, handle, answer. They stop by `unblock()`,
//! once per thread. A panic of a handler is answered 500 and logged; one of the thread itself ends
//! the process. `wakeups-out` is described in [`wakeups`]. tiny_http adds an accepting thread and
//! one per open connection; those end with the listener and their connections.
//!
//! [`tiers`] is what edge and internal tier agree on beyond that.
//!
//! **Never.** It reads no unbounded body, sends no `Server` header, knows no route.

pub mod client;
mod message;
pub mod tiers;
pub mod wakeups;
mod worker;

pub use message::{Body, Request, Response};

use crate::base::clock::{Clock, Mono};
use crate::base::secret::Secret;
use crate::limits;
use crate::thread::{self, Thread, ThreadError};
use std::fmt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// What answers requests; runs on several threads at once.
pub trait Handler: Send + Sync + 'static {
    fn handle(&self, request: Request) -> Response;
}

impl<F: Fn(Request) -> Response + Send + Sync + 'static> Handler for F {
    fn handle(&self, request: Request) -> Response {
        self(request)
    }
}

/// How a [`Server`] works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of its threads.
    pub name: &'static str,
    pub workers: usize,
    pub body_bytes_max: usize,
    /// Requests without it in [`tiers::TOKEN`] get 403 and never reach the handler.
    pub token: Option<Secret>,
}

#[derive(Debug)]
pub enum HttpError {
    /// The listening socket could not be used: it needs a path.
    Listen(String),
    Thread(ThreadError),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::Listen(reason) => write!(f, "could not serve on the socket: {reason}"),
            HttpError::Thread(_) => write!(f, "could not start the server's threads"),
        }
    }
}

impl std::error::Error for HttpError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            HttpError::Listen(_) => None,
            HttpError::Thread(source) => Some(source),
        }
    }
}

/// A running server; dropping it stops it.
pub struct Server {
    shared: Arc<Shared>,
    workers: Vec<Thread>,
}

/// What the threads of a server share.
struct Shared {
    inner: tiny_http::Server,
    handler: Box<dyn Handler>,
    options: Options,
    stopping: AtomicBool,
    /// Requests whose announced body was absurd.
    given_up: AtomicUsize,
}

impl Server {
    /// Serves on `listener`, which must be bound to a path: that is removed again at the end.
    pub fn start(
        listener: UnixListener,
        options: Options,
        handler: impl Handler,
    ) -> Result<Server, HttpError> {
        let address = listener.local_addr().map_err(|e| HttpError::Listen(e.to_string()))?;
        if address.as_pathname().is_none() {
            // tiny_http would panic on drop.
            return Err(HttpError::Listen("it has no path".to_owned()));
        }
        let inner = tiny_http::Server::from_listener(listener, None)
            .map_err(|e| HttpError::Listen(e.to_string()))?;
        let (name, workers) = (options.name, options.workers);
        let shared = Arc::new(Shared {
            inner,
            handler: Box::new(handler),
            options,
            stopping: AtomicBool::new(false),
            given_up: AtomicUsize::new(0),
        });
        let mut server = Server { shared, workers: Vec::new() };
        for n in 0..workers {
            let shared = Arc::clone(&server.shared);
            let name = format!("{name}-{n}");
            let worker = thread::spawn(name, move || worker::run(&shared));
            server.workers.push(worker.map_err(HttpError::Thread)?);
        }
        Ok(server)
    }

    /// Ends the threads: each finishes the request it has.
    pub fn stop(mut self, clock: &Clock, deadline: Mono) -> Vec<ThreadError> {
        self.shared.stop(self.workers.len());
        let workers = std::mem::take(&mut self.workers);
        workers.into_iter().filter_map(|worker| worker.join(clock, deadline).err()).collect()
    }

    /// Whether it has stopped receiving by itself ([`limits::HTTP_GIVEN_UP_MAX`]).
    pub fn is_broken(&self) -> bool {
        self.shared.is_broken()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop(self.workers.len());
    }
}

impl Shared {
    fn stop(&self, workers: usize) {
        self.stopping.store(true, std::sync::atomic::Ordering::Release);
        for _ in 0..workers {
            self.inner.unblock();
        }
    }

    fn is_broken(&self) -> bool {
        let given_up = self.given_up.load(std::sync::atomic::Ordering::Relaxed);
        given_up >= limits::HTTP_GIVEN_UP_MAX
    }
}

#[cfg(test)]
mod tests;
