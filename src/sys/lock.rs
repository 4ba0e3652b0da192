//! One daemon per state directory.

use crate::base::clock::Clock;
use crate::limits;
use crate::sys::process::{self, Identity};
use crate::sys::{FileError, dirs};
use std::fmt;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Says for all to read who holds the lock; worth as much as that process lives.
const RECORD: &str = "daemon";

/// Held until dropped; the kernel lets go of it when the process dies, however that happens.
#[derive(Debug)]
pub struct Lock {
    record: PathBuf,
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Best effort: it names a process that will not live.
        let _ = std::fs::remove_file(&self.record);
    }
}

#[derive(Debug)]
pub enum LockError {
    Held { path: PathBuf, pid: String },
    File(FileError),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockError::Held { path, pid } => {
                write!(f, "another daemon (pid {pid}) already uses {}", path.display())
            }
            LockError::File(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for LockError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LockError::Held { .. } => None,
            LockError::File(e) => e.source(),
        }
    }
}

/// Takes the lock of `directory` or says who has it. One that is held for a moment is waited for:
/// a child of a killed daemon shares its lock until it executes its own program.
pub fn take(directory: &Path, clock: &Clock) -> Result<Lock, LockError> {
    let end = clock.mono() + limits::LOCK_WAIT_MAX;
    loop {
        match try_to_take(directory) {
            Err(LockError::Held { .. }) if clock.mono() < end => clock.pause(limits::LOCK_LOOK),
            done => return done,
        }
    }
}

fn try_to_take(directory: &Path) -> Result<Lock, LockError> {
    let path = directory.join("lock");
    let file = |action| {
        move |source| LockError::File(FileError { action, path: directory.join("lock"), source })
    };
    let mut options = OpenOptions::new();
    // Whoever may open it may lock it, and so keep every daemon from starting.
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags(libc::O_NOFOLLOW);
    let lock = options.open(&path).map_err(file("open"))?;
    let permissions = Permissions::from_mode(0o600);
    lock.set_permissions(permissions).map_err(file("set the permissions of"))?;
    dirs::give_to_owner_of_directory(&path).map_err(LockError::File)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = holder(directory).map_or("unknown".to_owned(), |pid| pid.to_string());
            return Err(LockError::Held { path: directory.to_owned(), pid });
        }
        Err(TryLockError::Error(e)) => return Err(file("lock")(e)),
    }
    let own = Identity::of(std::process::id()).map_err(file("lock"))?;
    let record = directory.join(RECORD);
    let written = dirs::write_atomically(&record, own.to_string().as_bytes(), 0o644);
    written.map_err(LockError::File)?;
    Ok(Lock { record, _file: lock })
}

/// The pid of the daemon that holds the lock of `directory`, if one does. It asks no lock, which
/// could be in the way of a daemon that starts, and never names a later process of that number.
pub fn holder(directory: &Path) -> Option<u32> {
    let record = std::fs::read_to_string(directory.join(RECORD)).ok()?;
    let recorded = Identity::parse(&record)?;
    matches!(process::adopt(&recorded), Ok(Some(_))).then_some(recorded.pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::{spawn, stop_pair};
    use std::time::Duration;

    #[test]
    fn the_lock_is_its_owners_alone_and_its_holder_is_the_one_that_lives() {
        let directory = std::env::temp_dir().join(format!("warren-holder-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        std::fs::write(directory.join("lock"), "as an earlier version left it").expect("written");
        assert_eq!(holder(&directory), None);
        let lock = take(&directory, &Clock::system()).expect("free");
        let mode = directory.join("lock").metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(holder(&directory), Some(std::process::id()));
        drop(lock);
        assert!(!directory.join(RECORD).exists());
        let earlier = Identity { start: 1, ..Identity::of(std::process::id()).expect("alive") };
        std::fs::write(directory.join(RECORD), earlier.to_string()).expect("written");
        assert_eq!(holder(&directory), None, "the number belongs to a later process");
        std::fs::remove_dir_all(&directory).expect("removed");
    }

    #[test]
    fn a_lock_is_waited_for_a_moment_and_refused_when_somebody_keeps_it() {
        let directory = std::env::temp_dir().join(format!("warren-lock-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let clock = Clock::system();
        let first = take(&directory, &clock).expect("nobody has it");
        let refused = take(&directory, &clock).expect_err("held").to_string();
        assert!(refused.contains(&format!("pid {}", std::process::id())), "{refused}");
        assert_eq!(holder(&directory), Some(std::process::id()));

        let (_source, stop) = stop_pair();
        let body = move || {
            stop.wait(Duration::from_millis(100));
            drop(first);
        };
        let thread = spawn("holder", body).expect("a thread");
        let second = take(&directory, &clock);
        assert!(second.is_ok(), "{:?}", second.err());
        drop(thread);
        std::fs::remove_dir_all(&directory).expect("removed");
    }
}
