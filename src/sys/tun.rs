//! Tunnel devices, made beforehand for an OpenVPN that has no privileges.

use crate::sys::run::{RunError, run, run_with_input};
use crate::sys::users::User;
use std::fmt;
use std::fmt::Write as _;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

const NODE: &str = "/dev/net/tun";

/// How a device is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tun {
    /// At most 15 characters.
    pub name: String,
    /// Only a process of this user and group may attach to it.
    pub owner: User,
    /// With prefix length: `10.8.0.1/24`.
    pub addresses: Vec<String>,
    pub mtu: u16,
}

#[derive(Debug)]
pub enum TunError {
    NoNode,
    NotUsable { user: String, mode: u32 },
    Run(RunError),
}

impl fmt::Display for TunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TunError::NoNode => write!(
                f,
                "there is no {NODE}: this kernel has no TUN support, or it is not loaded \
                 (modprobe tun)"
            ),
            TunError::NotUsable { user, mode } => write!(
                f,
                "{NODE} has mode {mode:04o}, so the unprivileged user {user} can not open it; add \
                 the udev rule KERNEL==\"tun\", MODE=\"0666\" (for now: chmod 0666 {NODE})"
            ),
            TunError::Run(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for TunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TunError::Run(e) => e.source(),
            _ => None,
        }
    }
}

impl From<RunError> for TunError {
    fn from(e: RunError) -> Self {
        TunError::Run(e)
    }
}

/// Whether an OpenVPN of user `name` can open the device node; the error names the cure.
pub fn check_node(name: &str, user: User) -> Result<(), TunError> {
    let node = std::fs::metadata(Path::new(NODE)).map_err(|_| TunError::NoNode)?;
    if !node.file_type().is_char_device() {
        return Err(TunError::NoNode);
    }
    let shift = match () {
        () if node.uid() == user.uid => 6,
        () if node.gid() == user.gid => 3,
        () => 0,
    };
    if user.uid == 0 || (node.mode() >> shift) & 0o6 == 0o6 {
        return Ok(());
    }
    Err(TunError::NotUsable { user: name.to_owned(), mode: node.mode() & 0o7777 })
}

/// Makes the device anew: one that is left over from a crash is taken down first.
pub fn create(tun: &Tun) -> Result<(), TunError> {
    delete(&tun.name)?;
    let Tun { name, owner: User { uid, gid }, addresses, mtu } = tun;
    let mut batch = format!("tuntap add dev {name} mode tun user {uid} group {gid}\n");
    for address in addresses {
        // Writing to a String can not fail.
        let _ = writeln!(batch, "address add {address} dev {name}");
    }
    let _ = writeln!(batch, "link set {name} mtu {mtu} txqueuelen 1000 up");
    run_with_input("ip", &["-batch", "-"], &batch)?;
    Ok(())
}

/// Removes the device; it need not exist.
pub fn delete(name: &str) -> Result<(), TunError> {
    if exists(name) {
        run("ip", &["tuntap", "del", "dev", name, "mode", "tun"])?;
    }
    Ok(())
}

/// In the network namespace of this process.
pub fn exists(name: &str) -> bool {
    Path::new("/proc/sys/net/ipv4/conf").join(name).exists()
}

/// Names of our devices, for clearing what a crash left.
pub fn list(prefix: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc/sys/net/ipv4/conf") else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(prefix)).collect()
}
