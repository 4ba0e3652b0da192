//! The local database of a box without `mongodb_uri`: a supervised single-node replica set that
//! listens on a Unix socket only.
//!
//! Threads: its supervisor ([`crate::sys::supervise`]). Keeps: it outlives a crash of the daemon
//! and is adopted by the next start (I7); it has no open port (I8); its cache and log are bounded
//! (I9); a stop ends it cleanly. Must never: touch the files of a `mongod` that somebody else
//! started, or speak to the database; `store` makes it a replica set.
//!
//! ```text
//! <state_dir>/mongodb/data    its files       <run_dir>/mongodb/mongod.sock   its socket
//! <state_dir>/mongodb/log     its log         <run_dir>/mongodb/pid           who it is
//! ```

use crate::base::clock::{Clock, Mono};
use crate::base::secret::Secret;
use crate::limits::{
    MONGOD_FREE_BYTES_MIN, MONGOD_LOG_BYTES_MAX, MONGOD_START_MAX, MONGOD_STOP_MAX,
};
use crate::sys::process::{self, Identity, Process, ProcessError, Spec};
use crate::sys::run::{RunError, run};
use crate::sys::supervise::{self, Event, Plan, Supervisor};
use crate::sys::users::{self, User, UserError};
use crate::sys::{FileError, dirs};
use crate::thread::ThreadError;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name of its replica set.
pub const SET_NAME: &str = "warren";
/// Cache of its storage engine (design section 3).
const CACHE_GB: &str = "0.25";
/// Oldest version with everything that the store uses.
const VERSION_MIN: (u32, u32) = (5, 0);

/// Where and as whom it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    pub program: PathBuf,
    pub state_dir: PathBuf,
    pub run_dir: PathBuf,
    /// Used when the daemon is root; else it runs as the daemon's own user.
    pub user: String,
}

#[derive(Debug)]
pub enum MongodError {
    NotInstalled {
        program: PathBuf,
    },
    TooOld {
        program: PathBuf,
        version: String,
    },
    Version(RunError),
    User(UserError),
    File(FileError),
    /// The data directory's disk is (nearly) full.
    NoSpace {
        path: PathBuf,
        free_bytes: u64,
    },
    Process(ProcessError),
    Thread(ThreadError),
    /// It ended instead of answering; the cause is from its log.
    Ended {
        cause: String,
    },
    Silent,
}

impl fmt::Display for MongodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MongodError::NotInstalled { program } => write!(
                f,
                "there is no {}: install MongoDB 5.0 or newer, or set mongodb_uri to a database \
                 elsewhere",
                program.display()
            ),
            MongodError::TooOld { program, version } => {
                let (major, minor) = VERSION_MIN;
                write!(
                    f,
                    "{} is version {version}; Warren needs {major}.{minor} or newer",
                    program.display()
                )
            }
            MongodError::Version(_) => f.write_str("could not ask mongod for its version"),
            MongodError::User(e) => e.fmt(f),
            MongodError::File(e) => e.fmt(f),
            MongodError::NoSpace { path, free_bytes } => write!(
                f,
                "{} has {} MB left; the local database needs {} MB",
                path.display(),
                free_bytes / 1_000_000,
                MONGOD_FREE_BYTES_MIN / 1_000_000
            ),
            MongodError::Process(e) => e.fmt(f),
            MongodError::Thread(e) => e.fmt(f),
            MongodError::Ended { cause } => write!(f, "the local database did not start: {cause}"),
            MongodError::Silent => {
                write!(f, "the local database did not answer within {MONGOD_START_MAX:?}")
            }
        }
    }
}

impl std::error::Error for MongodError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            MongodError::Version(e) => Some(e),
            MongodError::File(e) => e.source(),
            MongodError::Process(e) => e.source(),
            MongodError::Thread(e) => e.source(),
            _ => None,
        }
    }
}

impl From<FileError> for MongodError {
    fn from(e: FileError) -> Self {
        MongodError::File(e)
    }
}

/// The running database. Dropping it stops it, as [`Mongod::stop`] does.
#[derive(Debug)]
pub struct Mongod {
    supervisor: Supervisor,
    paths: Paths,
}

#[derive(Clone, Debug)]
struct Paths {
    data: PathBuf,
    log: PathBuf,
    socket: PathBuf,
    pid: PathBuf,
    /// Directory of the two.
    run: PathBuf,
}

impl Paths {
    fn of(settings: &Settings) -> Paths {
        let (state, run) = (settings.state_dir.join("mongodb"), settings.run_dir.join("mongodb"));
        Paths {
            data: state.join("data"),
            log: state.join("log"),
            socket: run.join("mongod.sock"),
            pid: run.join("pid"),
            run,
        }
    }

    fn uri(&self) -> Secret {
        let path = self.socket.to_string_lossy().replace('/', "%2F");
        Secret::new(format!("mongodb://{path}/?replicaSet={SET_NAME}"))
    }
}

/// Where it answers when it runs.
pub fn uri_of(settings: &Settings) -> Secret {
    Paths::of(settings).uri()
}

/// Where it says what it does.
pub fn log_of(settings: &Settings) -> PathBuf {
    Paths::of(settings).log
}

/// What keeps it from running, if that can be seen from outside.
pub fn obstacle(settings: &Settings) -> Option<MongodError> {
    let paths = Paths::of(settings);
    let space = || {
        let free_bytes = dirs::free_bytes(&paths.data)?;
        match free_bytes >= MONGOD_FREE_BYTES_MIN {
            true => Ok(()),
            false => Err(MongodError::NoSpace { path: paths.data.clone(), free_bytes }),
        }
    };
    check_version(&settings.program).and_then(|()| space()).err()
}

/// Starts it, or adopts the one that an earlier life of the daemon left, and waits until it
/// answers.
pub fn start(settings: &Settings, clock: &Clock) -> Result<Mongod, MongodError> {
    let paths = Paths::of(settings);
    let adopted = living(&paths.pid)?;
    let user = match users::current().uid {
        0 => Some(users::user(&settings.user).map_err(MongodError::User)?),
        _ => None,
    };
    if adopted.is_none() {
        check_version(&settings.program)?;
        prepare(&paths, user)?;
    }
    let log_start = std::fs::metadata(&paths.log).map_or(0, |log| log.len());
    let (program, at, pid) = (settings.program.clone(), paths.clone(), paths.pid.clone());
    let plan = Plan {
        name: "mongod".to_owned(),
        log: Some(paths.log.clone()),
        spec: Box::new(move || spec(&program, &at, user)),
        started: Box::new(move |process| record(&pid, process)),
        adopted,
        stop_max: MONGOD_STOP_MAX,
    };
    let supervisor = supervise::start(plan).map_err(MongodError::Thread)?;
    wait_until_it_answers(&supervisor, &paths, log_start, clock)?;
    Ok(Mongod { supervisor, paths })
}

impl Mongod {
    /// For the store.
    pub fn uri(&self) -> Secret {
        self.paths.uri()
    }

    /// Its name as a member of its set.
    pub fn member(&self) -> String {
        self.paths.socket.to_string_lossy().into_owned()
    }

    /// Begins a new log file when the old one has grown to its bound; one old file is kept.
    pub fn trim_log(&self) -> Result<(), MongodError> {
        if std::fs::metadata(&self.paths.log).map_or(0, |log| log.len()) < MONGOD_LOG_BYTES_MAX {
            return Ok(());
        }
        rotate(&self.paths.log)?;
        match living(&self.paths.pid)? {
            // It opens its log file anew.
            Some(process) => process.signal(libc::SIGUSR1).map_err(MongodError::Process),
            None => Ok(()),
        }
    }

    /// Ends it cleanly and leaves no socket behind.
    pub fn stop(self, clock: &Clock, deadline: Mono) -> Result<(), MongodError> {
        self.supervisor.stop(clock, deadline).map_err(MongodError::Thread)?;
        let directory = &self.paths.run;
        std::fs::remove_dir_all(directory).map_err(FileError::at("remove", directory))?;
        Ok(())
    }
}

/// Whether an earlier life of the daemon left something of it.
pub fn is_left(settings: &Settings) -> bool {
    Paths::of(settings).run.exists()
}

/// Ends the one that an earlier life of the daemon left, as [`Mongod::stop`] does; answers its pid
/// if it lived.
pub fn end_left(settings: &Settings, clock: &Clock) -> Result<Option<u32>, MongodError> {
    let paths = Paths::of(settings);
    let pid = match living(&paths.pid)? {
        Some(mut process) => {
            let ended = process.stop(clock, clock.mono() + MONGOD_STOP_MAX);
            ended.map_err(MongodError::Process)?;
            Some(process.pid())
        }
        None => None,
    };
    let directory = &paths.run;
    std::fs::remove_dir_all(directory).map_err(FileError::at("remove", directory))?;
    Ok(pid)
}

/// The database of an earlier life, if it is still there.
fn living(pid: &Path) -> Result<Option<Process>, MongodError> {
    let recorded = std::fs::read_to_string(pid).ok();
    match recorded.as_deref().and_then(Identity::parse) {
        Some(identity) => process::adopt(&identity).map_err(MongodError::Process),
        None => Ok(None),
    }
}

fn record(pid: &Path, process: &Process) {
    let written = dirs::write_atomically(pid, process.identity().to_string().as_bytes(), 0o600);
    if let Err(e) = written {
        log::error!("{e}: {}; a crash of the daemon would lose track of mongod", e.source);
    }
}

/// Whether somebody listens at its socket, whom this user may ask.
pub fn reach(settings: &Settings) -> io::Result<()> {
    UnixStream::connect(Paths::of(settings).socket).map(drop)
}

/// Whether the program is there and new enough; the error says what to do.
pub fn check_version(program: &Path) -> Result<(), MongodError> {
    let text = match run(&program.to_string_lossy(), &["--version"]) {
        Ok(text) => text,
        Err(e) if e.not_installed() => {
            return Err(MongodError::NotInstalled { program: program.to_owned() });
        }
        Err(e) => return Err(MongodError::Version(e)),
    };
    let version = version_in(&text);
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    if (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < VERSION_MIN {
        let program = program.to_owned();
        return Err(MongodError::TooOld { program, version: version.to_owned() });
    }
    Ok(())
}

/// From a line as `db version v6.0.5`.
fn version_in(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("db version v")).unwrap_or("unknown").trim()
}

/// A directory that was made for nothing goes again.
fn check_space(directory: &Path) -> Result<(), MongodError> {
    let free_bytes = dirs::free_bytes(directory)?;
    if free_bytes >= MONGOD_FREE_BYTES_MIN {
        return Ok(());
    }
    // One that is not empty stays.
    let _ = std::fs::remove_dir(directory);
    Err(MongodError::NoSpace { path: directory.to_owned(), free_bytes })
}

fn prepare(paths: &Paths, user: Option<User>) -> Result<(), MongodError> {
    if let Some(directory) = paths.data.parent() {
        dirs::create(directory, 0o700, user)?;
        check_space(directory)?;
    }
    if let Some(directory) = paths.pid.parent() {
        dirs::create(directory, 0o700, user)?;
    }
    dirs::create(&paths.data, 0o700, user)?;
    dirs::check_writable(&paths.data)?;
    if std::fs::metadata(&paths.log).map_or(0, |log| log.len()) > MONGOD_LOG_BYTES_MAX {
        rotate(&paths.log)?;
    }
    Ok(())
}

fn rotate(log: &Path) -> Result<(), FileError> {
    std::fs::rename(log, log.with_extension("old")).map_err(FileError::at("rename", log))
}

fn spec(program: &Path, paths: &Paths, user: Option<User>) -> Spec {
    let mut args = vec!["--dbpath".into(), paths.data.clone().into()];
    args.extend(["--logpath".into(), paths.log.clone().into()]);
    args.extend(["--bind_ip".into(), paths.socket.clone().into()]);
    // No second socket under /tmp; a port is part of its identity but is not opened.
    let fixed = ["--nounixsocket", "--port", "27017", "--replSet", SET_NAME];
    let quiet = ["--logappend", "--logRotate", "reopen", "--quiet"];
    let small = ["--wiredTigerCacheSizeGB", CACHE_GB, "--filePermissions", "0600"];
    let silent = ["--setParameter", "diagnosticDataCollectionEnabled=false"];
    // What a killed daemon left open holds its documents for so long; the server's own is a minute.
    let brief = ["--setParameter", "transactionLifetimeLimitSeconds=10"];
    let rest = fixed.iter().chain(&quiet).chain(&small).chain(&silent).chain(&brief);
    args.extend(rest.map(Into::into));
    Spec { program: program.to_owned(), args, run_as: user.map(User::run_as), ..Spec::default() }
}

fn wait_until_it_answers(
    supervisor: &Supervisor,
    paths: &Paths,
    log_start: u64,
    clock: &Clock,
) -> Result<(), MongodError> {
    let deadline = clock.mono() + MONGOD_START_MAX;
    while clock.mono() < deadline {
        if UnixStream::connect(&paths.socket).is_ok() {
            return Ok(());
        }
        match supervisor.events().recv_timeout(Duration::from_millis(10)) {
            Ok(Event::Failed(e)) => return Err(MongodError::Process(e)),
            Ok(Event::Ended { exit }) => {
                let cause = cause_in_log(&paths.log, log_start).unwrap_or_else(|| exit.to_string());
                return Err(MongodError::Ended { cause });
            }
            _ => {}
        }
    }
    Err(MongodError::Silent)
}

/// The first error it wrote into its log since `start`.
fn cause_in_log(log: &Path, start: u64) -> Option<String> {
    let mut file = std::fs::File::open(log).ok()?;
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut text = String::new();
    io::BufReader::new(file).take(MONGOD_LOG_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.lines().find_map(error_in_line)
}

/// Message of a log line of severity error or fatal, with its `error` attribute.
fn error_in_line(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    if !matches!(line["s"].as_str(), Some("E" | "F")) {
        return None;
    }
    let message = line["msg"].as_str()?;
    match &line["attr"]["error"] {
        serde_json::Value::Null => Some(message.to_owned()),
        serde_json::Value::String(detail) => Some(format!("{message}: {detail}")),
        detail => Some(format!("{message}: {detail}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_judged() {
        assert_eq!(version_in("db version v6.0.5\nBuild Info: {"), "6.0.5");
        assert_eq!(version_in("nonsense"), "unknown");
        let missing = check_version(Path::new("/nonexistent/mongod")).expect_err("missing");
        assert!(missing.to_string().contains("install MongoDB 5.0"), "{missing}");
        let old = check_version(Path::new("true")).expect_err("no version");
        assert!(matches!(old, MongodError::TooOld { .. }), "{old}");
    }

    #[test]
    fn the_cause_of_a_failed_start_is_in_its_log() {
        let rows = [
            (r#"{"s":"I","msg":"x"}"#, None),
            (r#"{"s":"F","msg":"Fatal","attr":{"error":"disk full"}}"#, Some("Fatal: disk full")),
            (r#"{"s":"E","msg":"Failed"}"#, Some("Failed")),
            ("not json", None),
        ];
        for (line, want) in rows {
            assert_eq!(error_in_line(line).as_deref(), want, "{line}");
        }
    }
}
