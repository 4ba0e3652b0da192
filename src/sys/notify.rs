//! What systemd is told about this service; without systemd nothing happens.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

pub fn ready() {
    send("READY=1");
}

pub fn stopping() {
    send("STOPPING=1");
}

/// To be sent at least every half of [`super::env::watchdog_us`].
pub fn watchdog() {
    send("WATCHDOG=1");
}

fn send(message: &str) {
    let Some(name) = super::env::notify_socket() else { return };
    let address = match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path)),
    };
    let sent =
        address.and_then(|to| UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &to));
    if let Err(e) = sent {
        log::warn!("could not tell systemd {message}: {e}");
    }
}
