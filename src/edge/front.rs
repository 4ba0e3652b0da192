//! The front: owns every client socket, so that nothing behind it meets the internet.
//!
//! **Role.** TLS, framing, deadlines, caps. Each request that is whole and valid goes to the gate
//! on a Unix connection of its own; the answer is copied back with bounded buffers. Clients for
//! whom there is nothing yet are *parked*: they cost a socket, a kept answer and no thread.
//!
//! **Threads.** `front-accept` ([`acceptor`]) and `front-<n>` ([`event_loop`]), which own the
//! clients they were given. They stop when their [`Stop`](crate::thread::Stop) is set and their
//! waker rings.
//!
//! **Invariants.** I9: each buffer, queue, table and wait has its bound in [`Bounds`] or
//! [`crate::limits`]. I8: a client's headers reach the gate only if [`framing::COPIED`] names them.
//!
//! **Never.** No TLS state before the first bytes of a handshake. No waiting, no thread per client.
//! No answer passed on as whole that was not.
//!
//! ```text
//!  Fresh ─▶ Handshake ─▶ Idle ─▶ Head ─▶ Body ─▶ Queued ─▶ Asking ─▶ Answering ─▶ Flushing ─┐
//!                         ▲                        ▲          │                    ▲        │
//!                         │                        │          ▼                    │        │
//!                         │                  woken └─ Parked ◀─ Keeping            │        │
//!                         │                             └── time is up ────────────┘        │
//!                         └──────────────────────── keep-alive ─────────────────────────────┤
//!                                                                  Lingering ◀── close ─────┘
//! ```

mod acceptor;
mod answer;
mod chunked;
mod connection;
mod event_loop;
mod framing;
mod park;
mod request;
mod stream;
mod tls;
mod upstream;

pub use tls::TlsError;

use crate::base::clock::{Clock, Mono};
use crate::limits;
use crate::thread::{self, StopSource, Thread, ThreadError, stop_pair};
use acceptor::{Acceptor, Seats};
use event_loop::{EventLoop, Inbox};
use std::fmt;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The front's bounds: those of [`limits`], scaled to the descriptors there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub loops: usize,
    pub connections: usize,
    pub per_address: usize,
    /// Per loop: requests at the gate, and how many of them may be those of woken clients.
    pub in_flight: usize,
    pub in_flight_woken: usize,
    pub handshake: Duration,
    pub head: Duration,
    pub idle: Duration,
    pub request: Duration,
}

impl Bounds {
    /// Bounds for a process that may open `descriptors`. A request between front and internal tier
    /// takes five of them, so that running out hits new clients only.
    pub fn for_descriptors(descriptors: usize) -> Bounds {
        let loops = limits::FRONT_LOOPS;
        let in_flight = (descriptors / 20).clamp(loops, limits::FRONT_IN_FLIGHT_MAX);
        let rest = descriptors.saturating_sub(in_flight * 5 + 48);
        let seats = rest - rest / acceptor::WAITING_SHARE;
        let woken = limits::FRONT_WAKES_IN_FLIGHT_MAX.min(in_flight / 2);
        Bounds {
            loops,
            connections: seats.clamp(1, limits::CONNECTIONS_MAX),
            per_address: limits::CONNECTIONS_PER_ADDRESS_MAX,
            in_flight: in_flight / loops,
            in_flight_woken: (woken / loops).max(1),
            handshake: limits::HANDSHAKE_MAX,
            head: limits::HEAD_MAX,
            idle: limits::IDLE_MAX,
            request: limits::REQUEST_MAX,
        }
    }
}

/// What a front is made from.
pub struct Config {
    pub https: TcpListener,
    /// Redirects to the other.
    pub http: Option<TcpListener>,
    /// Port that redirects name.
    pub https_port: u16,
    /// Certificate chain and key, in PEM.
    pub chain_pem: Vec<u8>,
    pub key_pem: crate::base::secret::Secret<Vec<u8>>,
    /// Socket of the gate.
    pub gate: PathBuf,
    /// Longest body of a route, by method and path.
    pub body_limit: fn(&str, &str) -> usize,
    pub bounds: Bounds,
}

/// What the loops share and never change.
struct Shared {
    gate: PathBuf,
    https_port: u16,
    body_limit: fn(&str, &str) -> usize,
    bounds: Bounds,
    /// What bodies under way may take.
    bodies: request::Reservation,
    large_bodies: request::Reservation,
}

#[derive(Debug)]
pub enum FrontError {
    Tls(TlsError),
    Io(std::io::Error),
    Thread(ThreadError),
}

impl fmt::Display for FrontError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the front could not start")
    }
}

impl std::error::Error for FrontError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FrontError::Tls(source) => Some(source),
            FrontError::Io(source) => Some(source),
            FrontError::Thread(source) => Some(source),
        }
    }
}

impl From<std::io::Error> for FrontError {
    fn from(source: std::io::Error) -> Self {
        FrontError::Io(source)
    }
}

/// A running front. Dropping it stops it.
pub struct Front {
    stop: Option<StopSource>,
    /// Before the wakers: one that is closed at once after it rang is not heard.
    threads: Vec<Thread>,
    loops: Vec<Inbox>,
    accept_waker: Arc<mio::Waker>,
}

/// Wakes parked clients.
#[derive(Clone)]
pub struct Wakes(Vec<Inbox>);

impl Wakes {
    /// Wake-up number `n`: those parked under `key` ask again. The key
    /// [`EVERYONE`](crate::http::tiers::EVERYONE) means all of them.
    pub fn wake(&self, n: u64, key: &str) {
        let key = Arc::from(key);
        self.0.iter().for_each(|inbox| inbox.wake(n, &key));
    }
}

impl Front {
    pub fn start(config: Config, clock: &Clock) -> Result<Front, FrontError> {
        let bounds = config.bounds;
        let tls = tls::context(&config.chain_pem, config.key_pem.expose());
        let tls = tls.map_err(FrontError::Tls)?;
        let shared = Arc::new(Shared {
            gate: config.gate,
            https_port: config.https_port,
            body_limit: config.body_limit,
            bounds,
            bodies: request::Reservation::whole(limits::FRONT_BODIES_BYTES_MAX),
            large_bodies: request::Reservation::whole(limits::FRONT_LARGE_BODIES_BYTES_MAX),
        });
        let (source, stop) = stop_pair();
        let poll = mio::Poll::new()?;
        let accept_waker = Arc::new(mio::Waker::new(poll.registry(), acceptor::WAKER)?);
        let mut front =
            Front { stop: Some(source), threads: Vec::new(), loops: Vec::new(), accept_waker };
        for n in 0..bounds.loops {
            let (shared, tls) = (Arc::clone(&shared), tls.clone());
            let (body, inbox) = EventLoop::new(shared, tls, clock.clone(), stop.clone())?;
            front.loops.push(inbox);
            front.spawn(format!("front-{n}"), move || body.run())?;
        }
        let acceptor = Acceptor {
            poll,
            https: listener(config.https)?,
            http: config.http.map(listener).transpose()?,
            seats: Seats::new(bounds.connections, bounds.per_address),
            loops: front.loops.clone(),
            stop,
        };
        front.spawn("front-accept".to_owned(), move || acceptor.run())?;
        Ok(front)
    }

    fn spawn(
        &mut self,
        name: String,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), FrontError> {
        self.threads.push(thread::spawn(name, body).map_err(FrontError::Thread)?);
        Ok(())
    }

    pub fn wakes(&self) -> Wakes {
        Wakes(self.loops.clone())
    }

    /// New handshakes use this certificate; connections stay.
    pub fn set_certificate(&self, chain_pem: &[u8], key_pem: &[u8]) -> Result<(), TlsError> {
        let context = tls::context(chain_pem, key_pem)?;
        self.loops.iter().for_each(|inbox| inbox.certificate(context.clone()));
        Ok(())
    }

    /// Closes the listeners and all connections.
    pub fn stop(mut self, clock: &Clock, deadline: Mono) -> Vec<ThreadError> {
        self.end();
        let threads = std::mem::take(&mut self.threads);
        threads.into_iter().filter_map(|thread| thread.join(clock, deadline).err()).collect()
    }

    fn end(&mut self) {
        self.stop = None;
        let _ = self.accept_waker.wake();
        self.loops.iter().for_each(Inbox::ring);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.end();
    }
}

fn listener(listener: TcpListener) -> std::io::Result<mio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    Ok(mio::net::TcpListener::from_std(listener))
}
