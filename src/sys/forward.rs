//! IP forwarding: switched on where needed, and off again only where we switched it on.

use crate::sys::FileError;
use std::path::{Path, PathBuf};

pub(super) const IPV4: &str = "/proc/sys/net/ipv4/ip_forward";

/// Whether this network namespace forwards IPv4.
pub fn is_on() -> Result<bool, FileError> {
    let text = std::fs::read_to_string(IPV4).map_err(FileError::at("read", Path::new(IPV4)))?;
    Ok(text.trim() == "1")
}

/// Remembers in the state directory, before the change (I6), that it was off.
fn marker(state_dir: &Path) -> PathBuf {
    state_dir.join("forwarding-was-off")
}

/// Switches forwarding on; true if it is on because of us, now or since an earlier life.
pub fn enable(state_dir: &Path) -> Result<bool, FileError> {
    let marker = marker(state_dir);
    if !is_on()? {
        std::fs::write(&marker, crate::sys::host::boot_id().unwrap_or_default())
            .map_err(FileError::at("write", &marker))?;
        set(true)?;
    }
    Ok(ours(state_dir))
}

/// Whether forwarding is on only because we switched it on; a reboot ends that.
pub fn ours(state_dir: &Path) -> bool {
    let boot = std::fs::read_to_string(marker(state_dir)).ok();
    boot.is_some() && boot == crate::sys::host::boot_id().ok()
}

/// Puts forwarding back as it was before [`enable`].
pub fn restore(state_dir: &Path) -> Result<(), FileError> {
    if ours(state_dir) {
        set(false)?;
    }
    let marker = marker(state_dir);
    match std::fs::remove_file(&marker) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(FileError::at("remove", &marker)(e))
        }
        _ => Ok(()),
    }
}

fn set(on: bool) -> Result<(), FileError> {
    let value = if on { "1\n" } else { "0\n" };
    std::fs::write(IPV4, value).map_err(FileError::at("write", Path::new(IPV4)))
}
