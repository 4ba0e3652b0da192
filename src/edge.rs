//! The edge: the only process of ours with open ports, and nothing at rest worth stealing (I8).
//!
//! **Role.** A child of the daemon, as a user of its own, without capabilities or environment. It
//! inherits its listening sockets and is told the rest through an inherited channel ([`start`]):
//! where the internal tier listens, a token to be known by, the web certificate and its key. It
//! never learns the database's address, and opens no file.
//!
//! ```text
//!  client ══ TLS ══ front ── one valid request per connection ── gate ── typed ── internal tier
//!                     ▲                                                             │
//!                     └───────────── wakeups: parked clients ask again ─────────────┘
//! ```
//!
//! **Threads.** Those of [`front`], `gate-<n>` ([`gate`]), `wakeups` ([`wakeups`]), and `main`,
//! which waits for the parent's messages and ends the process when the channel ends.
//!
//! **Invariants.** I8; I9: every bound of the front, and that what waits here is bounded by it.
//!
//! **Never.** It imports neither store nor domain; it decides nothing but form.

mod assets;
mod forward;
pub mod front;
mod gate;
mod headers;
pub mod launch;
mod redirect;
pub mod start;
mod typing;
mod wakeups;

pub use forward::Outgoing;
pub use gate::Typing;
pub use typing::API;

use crate::base::clock::{Clock, Mono};
use crate::base::log;
use crate::http::{HttpError, Server};
use crate::limits;
use crate::sys::{fd, hardening};
use crate::thread::ThreadError;
use front::{Bounds, Front, FrontError};
use gate::Gate;
use start::{ChannelError, Message, Numbers, Settings, WebCertificate};
use std::fmt;
use std::io;
use std::net::TcpListener;
use std::os::fd::RawFd;
use std::os::unix::net::{UnixListener, UnixStream};

/// Sockets the edge serves on.
pub struct Sockets {
    pub https: TcpListener,
    pub http: Option<TcpListener>,
    pub gate: UnixListener,
}

/// How requests get their type: from the route table.
#[derive(Clone, Copy)]
pub struct Routes {
    pub typing: Typing,
    /// Longest body, by method and path.
    pub body_limit: fn(&str, &str) -> usize,
}

/// What the process is started with.
pub struct EdgeStart {
    pub sockets: Sockets,
    /// The other end is the parent's.
    pub channel: UnixStream,
    /// Descriptors the process may open.
    pub descriptors_max: usize,
}

impl EdgeStart {
    /// Takes over what the parent left open under these numbers. Once per process, before anything
    /// else: it also hides the process's memory (I10).
    pub fn inherit(numbers: Numbers) -> Result<EdgeStart, EdgeError> {
        hardening::hide_memory().map_err(EdgeError::Hide)?;
        let take = |number| fd::inherited(number).ok_or(EdgeError::Missing(number));
        let sockets = Sockets {
            https: take(numbers.https)?.into(),
            http: numbers.http.map(take).transpose()?.map(TcpListener::from),
            gate: take(numbers.gate)?.into(),
        };
        let channel = take(numbers.channel)?.into();
        Ok(EdgeStart { sockets, channel, descriptors_max: fd::descriptors_max() })
    }
}

/// The whole life of the edge process: until the parent closes the channel.
pub fn run(mut start: EdgeStart, routes: Routes, clock: &Clock) -> Result<(), EdgeError> {
    let (settings, certificate) = first_messages(&mut start.channel).map_err(EdgeError::Channel)?;
    log::init(settings.log_format, settings.log_level);
    let bounds = Bounds::for_descriptors(start.descriptors_max);
    let edge = Edge::start(start.sockets, &settings, certificate, routes, bounds, clock)?;
    let ended = loop {
        match Message::receive(&mut start.channel) {
            Ok(Message::Certificate(certificate)) => edge.set_certificate(&certificate),
            Ok(Message::Settings(_)) => break Err(ChannelError::Invalid("order")),
            Err(ChannelError::Closed) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    for stuck in edge.stop(clock, clock.mono() + limits::EDGE_STOP_MAX) {
        ::log::error!("{stuck}");
    }
    ended.map_err(EdgeError::Channel)
}

fn first_messages(channel: &mut UnixStream) -> Result<(Settings, WebCertificate), ChannelError> {
    let first = Message::receive(channel)?;
    match (first, Message::receive(channel)?) {
        (Message::Settings(settings), Message::Certificate(certificate)) => {
            Ok((settings, certificate))
        }
        _ => Err(ChannelError::Invalid("order")),
    }
}

#[derive(Debug)]
pub enum EdgeError {
    /// The process's memory could not be hidden.
    Hide(io::Error),
    /// The parent left nothing open under this number.
    Missing(RawFd),
    Channel(ChannelError),
    Front(FrontError),
    Gate(HttpError),
    Wakeups(ThreadError),
}

impl fmt::Display for EdgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EdgeError::Missing(number) => write!(f, "descriptor {number} was not inherited"),
            EdgeError::Channel(_) => write!(f, "the edge lost its parent"),
            _ => write!(f, "the edge could not start"),
        }
    }
}

impl std::error::Error for EdgeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match self {
            EdgeError::Missing(_) => return None,
            EdgeError::Hide(source) => source,
            EdgeError::Channel(source) => source,
            EdgeError::Front(source) => source,
            EdgeError::Gate(source) => source,
            EdgeError::Wakeups(source) => source,
        })
    }
}

/// A running edge. Dropping it stops it: clients first, then what serves them.
struct Edge {
    wakeups: wakeups::Listener,
    front: Front,
    gate: Server,
}

impl Edge {
    fn start(
        sockets: Sockets,
        settings: &Settings,
        certificate: WebCertificate,
        routes: Routes,
        bounds: Bounds,
        clock: &Clock,
    ) -> Result<Edge, EdgeError> {
        let forward =
            forward::Forward { socket: settings.internal.clone(), token: settings.token.clone() };
        let gate = Gate { forward, assets: assets::Assets::load(), typing: routes.typing };
        let gate = gate.start(sockets.gate).map_err(EdgeError::Gate)?;
        let config = front::Config {
            https: sockets.https,
            http: sockets.http,
            https_port: settings.https_port,
            chain_pem: certificate.chain_pem,
            key_pem: certificate.key_pem,
            gate: settings.gate.clone(),
            body_limit: routes.body_limit,
            bounds,
        };
        let front = Front::start(config, clock).map_err(EdgeError::Front)?;
        let (socket, token) = (settings.internal.clone(), settings.token.clone());
        let wakeups = wakeups::Listener::start(socket, token, front.wakes(), clock.clone());
        Ok(Edge { wakeups: wakeups.map_err(EdgeError::Wakeups)?, front, gate })
    }

    /// A certificate that does not fit is logged and changes nothing.
    fn set_certificate(&self, certificate: &WebCertificate) {
        let WebCertificate { chain_pem, key_pem } = certificate;
        match self.front.set_certificate(chain_pem, key_pem.expose()) {
            Ok(()) => ::log::info!("a new web certificate is in use"),
            Err(error) => ::log::error!("the web certificate stays as it was: {error}"),
        }
    }

    fn stop(self, clock: &Clock, deadline: Mono) -> Vec<ThreadError> {
        drop(self.wakeups);
        let mut stuck = self.front.stop(clock, deadline);
        stuck.extend(self.gate.stop(clock, deadline));
        stuck
    }
}
