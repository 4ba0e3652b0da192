//! System users and groups by name, and who we are.

use crate::sys::process::RunAs;
use std::ffi::CString;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

impl User {
    /// With no groups but its own.
    pub fn run_as(self) -> RunAs {
        RunAs { uid: self.uid, gid: self.gid, groups: Vec::new() }
    }
}

/// The name is in neither the user nor the group database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserError {
    NoUser { name: String },
    NoGroup { name: String },
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserError::NoUser { name } => write!(
                f,
                "system user {name:?} does not exist (create it: useradd --system --user-group \
                 --no-create-home --shell /usr/sbin/nologin {name})"
            ),
            UserError::NoGroup { name } => write!(
                f,
                "system group {name:?} does not exist (create it: groupadd --system {name})"
            ),
        }
    }
}

impl std::error::Error for UserError {}

/// Room for one entry of the database; a longer one counts as missing.
const ENTRY_BYTES_MAX: usize = 16 * 1024;

pub fn user(name: &str) -> Result<User, UserError> {
    let missing = || UserError::NoUser { name: name.to_owned() };
    let c_name = CString::new(name).map_err(|_| missing())?;
    let mut buffer = vec![0; ENTRY_BYTES_MAX];
    let mut found = std::ptr::null_mut();
    // SAFETY: passwd is plain data, for which all zeroes is a value. The pointers live across the
    // call and the buffer's length is passed; the entry is copied before the buffer goes.
    unsafe {
        let mut entry: libc::passwd = std::mem::zeroed();
        let (at, room) = (buffer.as_mut_ptr(), buffer.len());
        libc::getpwnam_r(c_name.as_ptr(), &raw mut entry, at, room, &raw mut found);
        if found.is_null() {
            return Err(missing());
        }
        Ok(User { uid: entry.pw_uid, gid: entry.pw_gid })
    }
}

pub fn group(name: &str) -> Result<u32, UserError> {
    let missing = || UserError::NoGroup { name: name.to_owned() };
    let c_name = CString::new(name).map_err(|_| missing())?;
    let mut buffer = vec![0; ENTRY_BYTES_MAX];
    let mut found = std::ptr::null_mut();
    // SAFETY: as in `user`, for the group database.
    unsafe {
        let mut entry: libc::group = std::mem::zeroed();
        let (at, room) = (buffer.as_mut_ptr(), buffer.len());
        libc::getgrnam_r(c_name.as_ptr(), &raw mut entry, at, room, &raw mut found);
        if found.is_null() {
            return Err(missing());
        }
        Ok(entry.gr_gid)
    }
}

/// Who this process runs as.
pub fn current() -> User {
    // SAFETY: these calls always succeed and touch nothing.
    unsafe { User { uid: libc::geteuid(), gid: libc::getegid() } }
}

pub fn is_root() -> bool {
    current().uid == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up() {
        assert_eq!(user("root"), Ok(User { uid: 0, gid: 0 }));
        assert_eq!(group("root"), Ok(0));
        let missing = user("warren-nobody").expect_err("missing");
        assert!(missing.to_string().contains("useradd"), "{missing}");
        assert!(group("no\0group").is_err());
    }
}
