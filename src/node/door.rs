//! The way in: ports, the edge process behind them, and the socket between the two tiers.

use super::{NodeError, log_format};
use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::config::Config;
use crate::edge::launch::{Launch, Launcher};
use crate::edge::start::{Settings, WebCertificate};
use crate::limits;
use crate::store::settings::AppSettings;
use crate::sys::supervise::{self, Plan, Supervisor};
use crate::sys::users::{self, User};
use crate::sys::{FileError, dirs, fd};
use crate::thread::ThreadError;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Ports, and who serves them.
pub struct Doors {
    pub user: User,
    https: TcpListener,
    http: Option<TcpListener>,
}

/// Takes the ports before anything is changed.
pub fn claim(config: &Config) -> Result<Doors, NodeError> {
    Ok(Doors {
        user: users::user(&config.edge_user)?,
        https: listen("listen_https", config.listen_https)?,
        http: config.listen_http.map(|at| listen("listen_http", at)).transpose()?,
    })
}

fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, NodeError> {
    fd::listen_tcp(address).map_err(|source| NodeError::Listen { key, address, source })
}

/// What the edge is told; `directory` holds the sockets of the two tiers.
pub fn settings(config: &Config, directory: &Path, random: &Random) -> Settings {
    Settings {
        internal: directory.join("internal.sock"),
        gate: directory.join("gate.sock"),
        token: Secret::new(random.alphanumeric(32)),
        https_port: config.listen_https.port(),
        log_format: log_format(config),
        log_level: config.log_level,
    }
}

/// The internal tier's socket, open to the edge's group alone.
pub fn internal_listener(
    directory: &Path,
    settings: &Settings,
    edge: User,
) -> Result<UnixListener, NodeError> {
    let owner = User { uid: users::current().uid, gid: edge.gid };
    dirs::create(directory, 0o750, Some(owner))?;
    let listener = fd::listen_unix(&settings.internal, 0o660)?;
    std::os::unix::fs::chown(&settings.internal, None, Some(edge.gid))
        .map_err(FileError::at("change the owner of", &settings.internal))?;
    Ok(listener)
}

/// Starts the edge and keeps it running.
pub fn open(doors: Doors, settings: Settings, web: AppSettings) -> Result<Supervisor, NodeError> {
    let Doors { user, https, http } = doors;
    let program = PathBuf::from("/proc/self/exe");
    let launch = Launch { program, user, https, http, settings };
    let certificate = WebCertificate {
        chain_pem: web.web_certificate.into_bytes(),
        key_pem: Secret::new(web.web_private_key.into_bytes()),
    };
    Ok(supervised(Launcher::new(launch, certificate))?)
}

fn supervised(launcher: Launcher) -> Result<Supervisor, ThreadError> {
    supervise::start(Plan {
        name: "edge".to_owned(),
        log: None,
        spec: Box::new(move || launcher.spec()),
        started: Box::new(|_| {}),
        adopted: None,
        stop_max: limits::CHILD_STOP_MAX,
    })
}
