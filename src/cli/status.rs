//! `warren status`: works with the daemon, the database or both down.

use super::{Failure, chain, exit, say};
use crate::base::clock::Clock;
use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::config::Config;
use crate::mongod;
use crate::node;
use crate::store::hosts::HostDoc;
use crate::store::{Facts, Store, StoreError};
use crate::sys::lock;
use serde_json::{Value, json};

/// The database this host uses, whether or not it runs.
pub fn uri(config: &Config) -> Secret {
    let local = || mongod::uri_of(&node::mongod_settings(config));
    config.mongodb_uri.clone().unwrap_or_else(local)
}

pub fn status(config: &Config, as_json: bool) -> Result<(), Failure> {
    let pid = lock::holder(&config.state_dir);
    let database = look(&uri(config));
    match as_json {
        true => say(&to_json(pid, &database).to_string())?,
        false => people(config, pid, &database)?,
    }
    match (pid, database) {
        (Some(_), Ok(_)) => Ok(()),
        _ => Err(Failure::new(exit::FOUND, "")),
    }
}

fn look(uri: &Secret) -> Result<(Facts, Vec<HostDoc>), StoreError> {
    let facts = Store::examine(uri)?;
    let store = Store::connect(uri, Clock::system(), Random::system())?;
    Ok((facts, store.hosts(0, 0)?))
}

type Look = Result<(Facts, Vec<HostDoc>), StoreError>;

fn to_json(pid: Option<u32>, database: &Look) -> Value {
    let database_json = match database {
        Ok((facts, _)) => json!({
            "reachable": true, "version": facts.version, "members": facts.members,
        }),
        Err(e) => json!({ "reachable": false, "error": chain(e) }),
    };
    let hosts = database.as_ref().map_or(&[][..], |(_, hosts)| hosts.as_slice());
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "daemon": { "running": pid.is_some(), "pid": pid },
        "database": database_json,
        "hosts": hosts.iter().map(host_json).collect::<Vec<_>>(),
    })
}

fn host_json(host: &HostDoc) -> Value {
    json!({ "id": host.id.to_string(), "name": host.name, "online": host.alive })
}

fn people(config: &Config, pid: Option<u32>, database: &Look) -> Result<(), Failure> {
    match pid {
        Some(pid) => say(&format!("daemon    running, pid {pid}"))?,
        None => say(&format!("daemon    not running on {}", config.state_dir.display()))?,
    }
    let (facts, hosts) = match database {
        Ok(found) => found,
        Err(e) => return say(&format!("database  {}", chain(e))),
    };
    say(&format!("database  MongoDB {}, replica set {}", facts.version, facts.set_name))?;
    for host in hosts {
        let state = if host.alive { "online" } else { "offline" };
        say(&format!("host      {:<24} {state}", host.name))?;
    }
    Ok(())
}
