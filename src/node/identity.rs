//! Who this host is, and what all hosts share.

use super::NodeError;
use crate::base::clock::Clock;
use crate::base::ids::{HostId, to_hex};
use crate::base::random::Random;
use crate::config::Config;
use crate::liveness;
use crate::pki::web;
use crate::store::Store;
use crate::store::hosts::HostStart;
use crate::store::settings::AppSettings;
use crate::sys::{FileError, dirs, host};
use std::path::Path;

/// Registers this host, or its next life.
pub fn begin_life(
    store: &Store,
    config: &Config,
    random: &Random,
) -> Result<liveness::Identity, NodeError> {
    let hostname = host::name();
    let begun = store.host_start(&HostStart {
        id: host_id(&config.state_dir, random)?,
        name: config.host_name.clone().unwrap_or_else(|| hostname.clone()),
        hostname,
        public_address: config.public_address.clone(),
        nonce: to_hex(&random.bytes::<16>()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        local_networks: Vec::new(),
    })?;
    Ok(liveness::Identity { host: begun.id, epoch: begun.epoch, nonce: begun.nonce })
}

/// Made at the first start and kept: this host's identity in the cluster.
fn host_id(state_dir: &Path, random: &Random) -> Result<HostId, NodeError> {
    let path = state_dir.join("host-id");
    match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|_| NodeError::HostId { path }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let id = HostId::from_bytes(random.bytes());
            dirs::write_atomically(&path, format!("{id}\n").as_bytes(), 0o644)?;
            Ok(id)
        }
        Err(e) => Err(FileError::at("read", &path)(e).into()),
    }
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
