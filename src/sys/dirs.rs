//! Directories with their owner and permissions, and whether they can be written at all.

use crate::sys::FileError;
use crate::sys::users::{self, User};
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// Creates `path` and gives it this mode and owner; parents are made as usual, for all to enter.
pub fn create(path: &Path, mode: u32, owner: Option<User>) -> Result<(), FileError> {
    let made = || match DirBuilder::new().mode(mode).create(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            std::fs::create_dir_all(path.parent().unwrap_or(path))?;
            DirBuilder::new().mode(mode).create(path)
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        result => result,
    };
    made().map_err(FileError::at("create", path))?;
    let now = std::fs::metadata(path).map_err(FileError::at("look at", path))?;
    let give = |to: User| {
        std::os::unix::fs::chown(path, Some(to.uid), Some(to.gid))
            .map_err(FileError::at("change the owner of", path))
    };
    // Without being root only the owner may change the mode: it is given away afterwards.
    let misfits = now.mode() & 0o7777 != mode;
    let me = users::current();
    let foreign = misfits && me.uid != 0 && now.uid() != me.uid;
    if foreign {
        give(User { uid: me.uid, gid: now.gid() })?;
    }
    if misfits {
        std::fs::set_permissions(path, Permissions::from_mode(mode))
            .map_err(FileError::at("set the permissions of", path))?;
    }
    match owner {
        Some(owner) if foreign || (now.uid(), now.gid()) != (owner.uid, owner.gid) => give(owner),
        _ => Ok(()),
    }
}

/// Writes and syncs something into `path`: a full or read-only disk is found before it hurts.
pub fn check_writable(path: &Path) -> Result<(), FileError> {
    let probe = path.join(format!(".writable-{}", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = File::create(&probe)?;
        file.write_all(&[0; 4096])?;
        file.sync_all()
    };
    let written = write();
    // There may be nothing to remove.
    let _ = std::fs::remove_file(&probe);
    written.map_err(FileError::at("write into", path))
}

/// Bytes that an unprivileged process may still write on the file system of `path`.
pub fn free_bytes(path: &Path) -> Result<u64, FileError> {
    use std::os::unix::ffi::OsStrExt;
    let failed = || FileError::at("look at", path);
    let c_path = std::ffi::CString::new(path.as_os_str().as_bytes())
        .map_err(|_| failed()(io::ErrorKind::InvalidInput.into()))?;
    // SAFETY: statvfs is plain data, for which all zeroes is a value; both pointers live across the
    // call.
    unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        if libc::statvfs(c_path.as_ptr(), &raw mut stat) != 0 {
            return Err(failed()(io::Error::last_os_error()));
        }
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// As root: gives a file to the owner of its directory, as whom the next start may run. A link is
/// given away itself, not what it points to.
pub fn give_to_owner_of_directory(path: &Path) -> Result<(), FileError> {
    if !users::is_root() {
        return Ok(());
    }
    let give = || {
        let directory = std::fs::metadata(path.parent().unwrap_or(path))?;
        std::os::unix::fs::lchown(path, Some(directory.uid()), Some(directory.gid()))
    };
    give().map_err(FileError::at("change the owner of", path))
}

/// Writes a file that is either there in full or not at all.
pub fn write_atomically(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    use std::os::unix::fs::OpenOptionsExt;
    let fresh = path.with_extension("new");
    let write = || -> io::Result<()> {
        // What a killed process left of it may be somebody else's.
        let _ = std::fs::remove_file(&fresh);
        let mut options = File::options();
        let mut file = options.write(true).create_new(true).mode(mode).open(&fresh)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)
    };
    write().map_err(FileError::at("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_get_their_mode_and_files_are_whole() {
        let path = std::env::temp_dir().join(format!("warren-dirs-{}", std::process::id()));
        create(&path.join("a/b"), 0o750, None).expect("created");
        let mode = std::fs::metadata(path.join("a/b")).expect("there").mode();
        assert_eq!(mode & 0o7777, 0o750);
        check_writable(&path).expect("writable");
        assert!(free_bytes(&path).expect("known") > 0);
        write_atomically(&path.join("f"), b"x", 0o600).expect("written");
        let names: Vec<_> = std::fs::read_dir(&path).expect("listed").flatten().collect();
        assert_eq!(names.len(), 2, "no probe and no temporary file is left: {names:?}");
        std::fs::remove_dir_all(&path).expect("removed");
        assert!(check_writable(&path).is_err());
    }
}
