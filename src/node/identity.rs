//! Who this host is, and what all hosts share.

use super::NodeError;
use crate::base::clock::Clock;
use crate::base::ids::{HostId, to_hex};
use crate::base::random::Random;
use crate::config::Config;
use crate::limits;
use crate::liveness;
use crate::pki::web;
use crate::store::Store;
use crate::store::hosts::{HostDoc, HostStart};
use crate::store::settings::AppSettings;
use crate::sys::{FileError, dirs, host};
use crate::vpn;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Registers this host, or its next life, which goes on with the servers of the one before that
/// still run; refused while another daemon lives under the same identity, as a copy of a disk makes
/// it.
pub fn begin_life(
    store: &Store,
    config: &Config,
    random: &Random,
    clock: &Clock,
) -> Result<(liveness::Identity, HostDoc), NodeError> {
    let hostname = host::name();
    let id = host_id(&config.state_dir, random)?;
    let (mark, place) = (config.state_dir.join("place"), place(&config.state_dir)?);
    if std::fs::read_to_string(&mark).ok().as_deref() != Some(&place) {
        watch_for_a_twin(store, id, clock)?;
    }
    dirs::write_atomically(&mark, place.as_bytes(), 0o644)?;
    dirs::give_to_owner_of_directory(&mark)?;
    let start = HostStart {
        id,
        name: config.host_name.clone().unwrap_or_else(|| hostname.clone()),
        hostname,
        public_address: config.public_address.clone(),
        web_port: config.listen_https.port(),
        nonce: to_hex(&random.bytes::<16>()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        local_address: host::address().map(|address| address.to_string()),
        local_networks: host::networks(vpn::settings::DEVICE_PREFIX),
    };
    let begun = store.host_begin(&start, &vpn::left_running(&config.run_dir))?;
    let identity =
        liveness::Identity { host: begun.id, epoch: begun.epoch, nonce: begun.nonce.clone() };
    Ok((identity, begun))
}

/// Made at the first start and kept: this host's identity in the cluster.
fn host_id(state_dir: &Path, random: &Random) -> Result<HostId, NodeError> {
    let path = state_dir.join("host-id");
    match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|_| NodeError::HostId { path }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let id = HostId::from_bytes(random.bytes());
            dirs::write_atomically(&path, format!("{id}\n").as_bytes(), 0o644)?;
            dirs::give_to_owner_of_directory(&path)?;
            Ok(id)
        }
        Err(e) => Err(FileError::at("read", &path)(e).into()),
    }
}

/// The identity that an earlier start made, if there was one.
pub fn known_host_id(state_dir: &Path) -> Option<HostId> {
    std::fs::read_to_string(state_dir.join("host-id")).ok()?.trim().parse().ok()
}

/// Where the identity lies: this boot of this kernel, this file of this file system. A copy lies
/// elsewhere, and so does the original after a reboot.
fn place(state_dir: &Path) -> Result<String, NodeError> {
    let path = state_dir.join("host-id");
    let file = std::fs::metadata(&path).map_err(FileError::at("look at", &path))?;
    let boot = host::boot_id().map_err(FileError::at("read the boot id for", &path))?;
    Ok(format!("{boot} {} {}\n", file.dev(), file.ino()))
}

/// The lock of the state directory does not reach to another machine: only the beat tells.
fn watch_for_a_twin(store: &Store, id: HostId, clock: &Clock) -> Result<(), NodeError> {
    let beat = || Ok::<_, NodeError>(store.host(id)?.filter(|host| host.alive).map(|h| h.beat));
    let Some(first) = beat()? else { return Ok(()) };
    let end = clock.mono() + limits::TWIN_WATCH;
    while clock.mono() < end {
        clock.pause(limits::TWIN_LOOK);
        if beat()?.is_some_and(|now| now != first) {
            return Err(NodeError::Twin { id });
        }
    }
    Ok(())
}

/// What all hosts share for the console; the first host makes it.
pub fn app_settings(
    store: &Store,
    random: &Random,
    clock: &Clock,
) -> Result<AppSettings, NodeError> {
    let there = store.app_settings()?;
    if !there.cookie_secret.is_empty() {
        return Ok(there);
    }
    let names = [host::name(), "localhost".to_owned()];
    let (key, certificate) = web::issue(&names, random, clock.cluster_s())?;
    let fresh = AppSettings {
        theme: None,
        cookie_secret: openssl::base64::encode_block(&random.bytes::<32>()),
        web_certificate: certificate.to_pem()?,
        web_private_key: key.to_pem()?.expose().clone(),
    };
    Ok(store.app_secrets_or(&fresh)?)
}
