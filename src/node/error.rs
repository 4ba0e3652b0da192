//! Why a host did not start; each has its exit code in `cli`.

use crate::base::ids::HostId;
use crate::http::HttpError;
use crate::mongod::MongodError;
use crate::pki::PkiError;
use crate::store::StoreError;
use crate::sys::FileError;
use crate::sys::lock::LockError;
use crate::sys::run::RunError;
use crate::sys::tun::TunError;
use crate::sys::users::UserError;
use crate::thread::ThreadError;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a host did not start. Each has its exit code in `cli`.
#[derive(Debug)]
pub enum NodeError {
    Lock(LockError),
    File(FileError),
    /// `key` of the configuration asks for it.
    Listen {
        key: &'static str,
        address: SocketAddr,
        source: std::io::Error,
    },
    User(UserError),
    /// A program is not installed.
    Tool {
        program: String,
        package: &'static str,
    },
    Run(RunError),
    Tun(TunError),
    Mongod(MongodError),
    Store(StoreError),
    /// `host-id` in the state directory holds something else.
    HostId {
        path: PathBuf,
    },
    /// Another daemon lives under this host's identity.
    Twin {
        id: HostId,
    },
    Pki(PkiError),
    Http(HttpError),
    Thread(ThreadError),
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeError::Listen { key, address, .. } => {
                write!(f, "could not listen on {address} ({key})")
            }
            NodeError::HostId { path } => {
                write!(f, "{} does not hold a host id; remove it to get a new one", path.display())
            }
            NodeError::Twin { id } => write!(
                f,
                "another daemon runs with this host's identity {id}: this state directory is a \
                 copy; remove host-id from it to make it a host of its own"
            ),
            NodeError::Tool { program, package } => {
                write!(f, "there is no {program}: apt-get install {package}")
            }
            NodeError::Run(e) => e.fmt(f),
            NodeError::Tun(e) => e.fmt(f),
            NodeError::Lock(e) => e.fmt(f),
            NodeError::File(e) => e.fmt(f),
            NodeError::User(e) => e.fmt(f),
            NodeError::Mongod(e) => e.fmt(f),
            NodeError::Store(e) => e.fmt(f),
            NodeError::Pki(e) => e.fmt(f),
            NodeError::Http(e) => e.fmt(f),
            NodeError::Thread(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for NodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            NodeError::Listen { source, .. } => Some(source),
            NodeError::HostId { .. } | NodeError::Twin { .. } => None,
            NodeError::User(_) | NodeError::Tool { .. } => None,
            NodeError::Run(e) => e.source(),
            NodeError::Tun(e) => e.source(),
            NodeError::Lock(e) => e.source(),
            NodeError::File(e) => e.source(),
            NodeError::Mongod(e) => e.source(),
            NodeError::Store(e) => e.source(),
            NodeError::Pki(e) => e.source(),
            NodeError::Http(e) => e.source(),
            NodeError::Thread(e) => e.source(),
        }
    }
}

macro_rules! from {
    ($($source:ident => $variant:ident),* $(,)?) => {$(
        impl From<$source> for NodeError {
            fn from(e: $source) -> Self {
                NodeError::$variant(e)
            }
        }
    )*};
}

from!(
    LockError => Lock, FileError => File, UserError => User, MongodError => Mongod,
    StoreError => Store, PkiError => Pki, HttpError => Http,
    ThreadError => Thread, TunError => Tun,
);
