//! The parent's side: what to start as the edge, and the channel to it.
//!
//! The listeners are the parent's and outlive each edge; clients wait in them while there is none.
//! The gate's socket and the channel are made afresh for each start.

use super::start::{Message, Numbers, Settings, WebCertificate};
use crate::sys::FileError;
use crate::sys::fd;
use crate::sys::process::{Output, Spec};
use crate::sys::users::User;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What stays the same from edge to edge.
pub struct Launch {
    /// Our own program, by a path that `user` can follow (`/proc/self/exe` is one).
    pub program: PathBuf,
    pub user: User,
    pub https: TcpListener,
    pub http: Option<TcpListener>,
    /// Its `gate` is in a directory that `user` may enter and nobody else but us.
    pub settings: Settings,
}

/// Prepares starts and passes certificates on; clones do so for the same edge.
#[derive(Clone)]
pub struct Launcher {
    launch: Arc<Launch>,
    /// Used by the supervisor's thread at a start and by whoever brings a new certificate; both
    /// only write into a socket that has room.
    current: Arc<Mutex<Current>>,
}

struct Current {
    certificate: WebCertificate,
    channel: Option<UnixStream>,
}

impl Launcher {
    pub fn new(launch: Launch, certificate: WebCertificate) -> Launcher {
        let current = Arc::new(Mutex::new(Current { certificate, channel: None }));
        Launcher { launch: Arc::new(launch), current }
    }

    /// For a supervisor, before each start. If something is missing the child ends at once and is
    /// tried again.
    pub fn spec(&self) -> Spec {
        let mut spec = Spec {
            program: self.launch.program.clone(),
            args: vec!["edge".into()],
            run_as: Some(self.launch.user.run_as()),
            stderr: Output::Inherit,
            dies_with_parent: true,
            ..Spec::default()
        };
        match self.prepare() {
            Ok((numbers, keep)) => {
                spec.args.extend(numbers.to_args());
                spec.keep = keep;
            }
            Err(error) => log::error!("the edge can not be prepared: {error}"),
        }
        spec
    }

    fn prepare(&self) -> io::Result<(Numbers, Vec<OwnedFd>)> {
        let Launch { user, https, http, settings, .. } = &*self.launch;
        let (mut ours, theirs) = UnixStream::pair()?;
        // Only the edge's user connects to the gate: its own front does.
        let gate = fd::listen_unix(&settings.gate, 0o600).map_err(of_file)?;
        std::os::unix::fs::chown(&settings.gate, Some(user.uid), Some(user.gid))?;
        let https = https.try_clone()?;
        let http = http.as_ref().map(TcpListener::try_clone).transpose()?;
        let numbers = Numbers {
            channel: theirs.as_raw_fd(),
            https: https.as_raw_fd(),
            gate: gate.as_raw_fd(),
            http: http.as_ref().map(AsRawFd::as_raw_fd),
        };
        let mut current = self.lock();
        Message::Settings(settings.clone()).send(&mut ours)?;
        Message::Certificate(current.certificate.clone()).send(&mut ours)?;
        ours.set_nonblocking(true)?;
        // Closes the channel to the edge before this one.
        current.channel = Some(ours);
        let mut keep: Vec<OwnedFd> = vec![theirs.into(), https.into(), gate.into()];
        keep.extend(http.map(OwnedFd::from));
        Ok((numbers, keep))
    }

    /// Used by new connections from now on, and by later edges.
    pub fn set_certificate(&self, certificate: WebCertificate) {
        let mut current = self.lock();
        let message = Message::Certificate(certificate.clone());
        current.certificate = certificate;
        if let Some(channel) = &mut current.channel
            && let Err(error) = message.send(channel)
        {
            log::warn!("the edge gets the new certificate at its next start: {error}");
            // Half a message would be worse than an edge that starts anew.
            current.channel = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_file(error: FileError) -> io::Error {
    log::error!("{error}");
    error.source
}
