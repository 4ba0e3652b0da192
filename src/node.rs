//! The composition root: builds a host from its configuration, in the order of the dependencies,
//! and stops it in the reverse order.
//!
//! Threads: none of its own; the calling thread waits. Keeps: I6 for starts (what fails leaves
//! nothing behind that the next start does not take over), I7 (a crash ends neither `mongod` nor
//! OpenVPN). Must never: decide anything that a module below could.

use crate::base::clock::Clock;
use crate::base::ids::{HostId, to_hex};
use crate::base::log::Format;
use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::config::Config;
use crate::edge::launch::{Launch, Launcher};
use crate::edge::start::{Settings as EdgeSettings, WebCertificate};
use crate::http::HttpError;
use crate::internal::{self, Internal};
use crate::limits;
use crate::liveness;
use crate::mongod::{self, Mongod, MongodError};
use crate::pki::{PkiError, web};
use crate::store::hosts::HostStart;
use crate::store::settings::AppSettings;
use crate::store::{self, Store, StoreError};
use crate::sys::lock::{self, Lock, LockError};
use crate::sys::supervise::{self, Plan, Supervisor};
use crate::sys::users::{self, User, UserError};
use crate::sys::{FileError, dirs, fd, hardening, host};
use crate::thread::ThreadError;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why a host did not start. Each has its exit code in `cli`.
#[derive(Debug)]
pub enum NodeError {
    Lock(LockError),
    File(FileError),
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    User(UserError),
    Mongod(MongodError),
    Store(StoreError),
    /// `host-id` in the state directory holds something else.
    HostId {
        path: PathBuf,
    },
    Pki(PkiError),
    Http(HttpError),
    Thread(ThreadError),
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeError::Listen { address, .. } => write!(f, "could not listen on {address}"),
            NodeError::HostId { path } => {
                write!(f, "{} does not hold a host id; remove it to get a new one", path.display())
            }
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
            NodeError::HostId { .. } | NodeError::User(_) => None,
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
    ThreadError => Thread,
);

/// A running host. Fields are in the order of their stop.
pub struct Node {
    clock: Clock,
    /// With the sockets of the two tiers; gone after a stop.
    sockets: PathBuf,
    edge: Supervisor,
    internal: Internal,
    store: Store,
    life: liveness::Identity,
    liveness: liveness::Handle,
    mongod: Option<Mongod>,
    _lock: Lock,
}

/// Starts a host; what it says on failure is meant for the person at the keyboard.
pub fn start(config: &Config, clock: &Clock, random: &Random) -> Result<Node, NodeError> {
    hardening::hide_memory().map_err(FileError::at("protect", Path::new("/proc/self")))?;
    // The database's user passes through both; what is inside has its own permissions.
    dirs::create(&config.state_dir, 0o711, None)?;
    dirs::create(&config.run_dir, 0o755, None)?;
    dirs::check_writable(&config.state_dir)?;
    let lock = lock::take(&config.state_dir)?;
    let edge_user = users::user(&config.edge_user)?;
    let https = listen(config.listen_https)?;
    let http = config.listen_http.map(listen).transpose()?;
    let (mongod, uri) = database(config, clock)?;
    let store = Store::connect(&uri, clock.clone(), random.clone())?;
    let app = app_settings(&store, random, clock)?;
    let life = begin_life(&store, config, random)?;
    let liveness = liveness::spawn(store.clone(), life.clone(), clock.clone())?;

    let directory = config.run_dir.join("edge");
    let owner = User { uid: users::current().uid, gid: edge_user.gid };
    dirs::create(&directory, 0o750, Some(owner))?;
    let settings = EdgeSettings {
        internal: directory.join("internal.sock"),
        gate: directory.join("gate.sock"),
        token: Secret::new(random.alphanumeric(32)),
        https_port: config.listen_https.port(),
        log_format: log_format(config),
        log_level: config.log_level,
    };
    let listener = fd::listen_unix(&settings.internal, 0o660)?;
    std::os::unix::fs::chown(&settings.internal, None, Some(edge_user.gid))
        .map_err(FileError::at("change the owner of", &settings.internal))?;
    let token = settings.token.clone();
    let internal = internal::start(listener, token, liveness.status(), clock.clone())?;
    let program = PathBuf::from("/proc/self/exe");
    let launch = Launch { program, user: edge_user, https, http, settings };
    let certificate = WebCertificate {
        chain_pem: app.web_certificate.into_bytes(),
        key_pem: Secret::new(app.web_private_key.into_bytes()),
    };
    let edge = supervised(Launcher::new(launch, certificate))?;
    let clock = clock.clone();
    Ok(Node {
        clock,
        sockets: directory,
        edge,
        internal,
        store,
        life,
        liveness,
        mongod,
        _lock: lock,
    })
}

impl Node {
    /// Work that comes up once in a while; called by the thread that waits for the stop.
    pub fn look_after(&self) {
        if let Some(Err(e)) = self.mongod.as_ref().map(Mongod::trim_log) {
            log::warn!("{e}");
        }
    }

    /// Stops everything in reverse order and answers what did not go well.
    pub fn stop(self) -> Vec<String> {
        let deadline = self.clock.mono() + limits::STOP_MAX;
        let Node { clock, sockets, edge, internal, store, life, liveness, mongod, _lock } = self;
        let mut failures = Vec::new();
        let mut note = |result: Result<(), String>| failures.extend(result.err());
        note(edge.stop(&clock, deadline).map_err(|e| e.to_string()));
        for stuck in internal.stop(&clock, deadline) {
            note(Err(stuck.to_string()));
        }
        let removed = std::fs::remove_dir_all(&sockets);
        note(removed.map_err(|e| format!("could not remove {}: {e}", sockets.display())));
        let epoch = liveness.status().epoch();
        note(liveness.stop(&clock, deadline).map_err(|e| e.to_string()));
        // The others know at once; without the database they find out by themselves.
        let said = store.host_stop(life.host, epoch, &life.nonce);
        note(said.map(drop).map_err(|e| e.to_string()));
        if let Some(mongod) = mongod {
            note(mongod.stop(&clock, deadline).map_err(|e| e.to_string()));
        }
        failures
    }
}

/// How lines are written, here and in the edge.
pub fn log_format(config: &Config) -> Format {
    match config.log_json {
        true => Format::Json,
        false => Format::Text { priority: std::env::var_os("JOURNAL_STREAM").is_some() },
    }
}

/// The settings of this host's own database.
pub fn mongod_settings(config: &Config) -> mongod::Settings {
    mongod::Settings {
        program: config.mongod.clone(),
        state_dir: config.state_dir.clone(),
        run_dir: config.run_dir.clone(),
        user: config.database_user.clone(),
    }
}

/// The shared database, or one of our own.
fn database(config: &Config, clock: &Clock) -> Result<(Option<Mongod>, Secret), NodeError> {
    if let Some(uri) = &config.mongodb_uri {
        return Ok((None, uri.clone()));
    }
    let mongod = mongod::start(&mongod_settings(config), clock)?;
    let uri = mongod.uri();
    store::initiate_local(&uri, &mongod.member())?;
    Ok((Some(mongod), uri))
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, NodeError> {
    fd::listen_tcp(address).map_err(|source| NodeError::Listen { address, source })
}

/// Registers this host, or its next life.
fn begin_life(
    store: &Store,
    config: &Config,
    random: &Random,
) -> Result<liveness::Identity, NodeError> {
    let hostname = host::name();
    let begun = store.host_start(&HostStart {
        id: host_id(&config.state_dir, random)?,
        name: config.host_name.clone().unwrap_or_else(|| hostname.clone()),
        hostname,
        public_address: config.public_address.clone(),
        nonce: to_hex(&random.bytes::<16>()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        local_networks: Vec::new(),
    })?;
    Ok(liveness::Identity { host: begun.id, epoch: begun.epoch, nonce: begun.nonce })
}

/// Made at the first start and kept: this host's identity in the cluster.
fn host_id(state_dir: &Path, random: &Random) -> Result<HostId, NodeError> {
    let path = state_dir.join("host-id");
    match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|_| NodeError::HostId { path }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let id = HostId::from_bytes(random.bytes());
            dirs::write_atomically(&path, format!("{id}\n").as_bytes(), 0o644)?;
            Ok(id)
        }
        Err(e) => Err(FileError::at("read", &path)(e).into()),
    }
}

/// What all hosts share for the console; the first host makes it.
fn app_settings(store: &Store, random: &Random, clock: &Clock) -> Result<AppSettings, NodeError> {
    let there = store.app_settings()?;
    if !there.cookie_secret.is_empty() {
        return Ok(there);
    }
    let names = [host::name(), "localhost".to_owned()];
    let (key, certificate) = web::issue(&names, random, clock.cluster_s())?;
    let fresh = AppSettings {
        theme: None,
        cookie_secret: openssl::base64::encode_block(&random.bytes::<32>()),
        web_certificate: certificate.to_pem()?,
        web_private_key: key.to_pem()?.expose().clone(),
    };
    Ok(store.app_secrets_or(&fresh)?)
}

fn supervised(launcher: Launcher) -> Result<Supervisor, ThreadError> {
    supervise::start(Plan {
        name: "edge".to_owned(),
        spec: Box::new(move || launcher.spec()),
        started: Box::new(|_| {}),
        adopted: None,
        stop_max: limits::CHILD_STOP_MAX,
    })
}
