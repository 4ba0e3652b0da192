//! One daemon per state directory.

use crate::base::clock::Clock;
use crate::limits;
use crate::sys::{FileError, dirs};
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Held until dropped; the kernel lets go of it when the process dies, however that happens.
#[derive(Debug)]
pub struct Lock {
    _file: File,
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
/// a child of a killed daemon shares its lock until it executes its own program, and [`holder`]
/// holds it while it looks.
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
    options.read(true).write(true).create(true).truncate(false);
    options.custom_flags(libc::O_NOFOLLOW);
    let mut lock = options.open(&path).map_err(file("open"))?;
    dirs::give_to_owner_of_directory(&path).map_err(LockError::File)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = lock.read_to_string(&mut pid);
            let pid = pid.trim().to_owned();
            return Err(LockError::Held { path: directory.to_owned(), pid });
        }
        Err(TryLockError::Error(e)) => return Err(file("lock")(e)),
    }
    lock.set_len(0).map_err(file("write"))?;
    lock.rewind().map_err(file("write"))?;
    writeln!(lock, "{}", std::process::id()).map_err(file("write"))?;
    Ok(Lock { _file: lock })
}

/// The pid of the daemon that holds the lock of `directory`, if one does.
pub fn holder(directory: &Path) -> Option<u32> {
    let mut file = File::open(directory.join("lock")).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        _ => return None,
    }
    let mut pid = String::new();
    file.read_to_string(&mut pid).ok()?;
    pid.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::{spawn, stop_pair};
    use std::time::Duration;

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
