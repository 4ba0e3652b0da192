//! `warren status`: works with the daemon, the database or both down.
//!
//! What the database says of this host is believed only while its daemon runs: a document can not
//! know that its host was killed. What lives here is read from the run directory, not from it.

use super::{Failure, away, database_code, exit, say};
use crate::base::clock::Clock;
use crate::base::ids::{HostId, ServerId};
use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::config::Config;
use crate::internal::ServerState;
use crate::mongod;
use crate::node;
use crate::pool::{self, Level};
use crate::store::counts::{Connected, Living, ServerGlance};
use crate::store::hosts::HostDoc;
use crate::store::pool::PoolKind;
use crate::store::{Facts, Store, StoreError};
use crate::sys::lock;
use crate::vpn::leftovers::{self, OpenVpn};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;

/// The database this host uses, whether or not it runs.
pub fn uri(config: &Config) -> Secret {
    let local = || mongod::uri_of(&node::mongod_settings(config));
    config.mongodb_uri.clone().unwrap_or_else(local)
}

/// The database for a command that needs it, with words for the usual reasons why there is none.
pub fn open(config: &Config, clock: Clock, random: Random) -> Result<Store, Failure> {
    if let Some(failure) = own_is_away(config) {
        return Err(failure);
    }
    let opened = Store::open(&uri(config), clock, random);
    opened.map(|(store, _)| store).map_err(|e| {
        let text = away::explain(config, &e);
        Failure::new(database_code(&e), text)
    })
}

/// Why a database of the daemon's own can not be asked, without waiting for it.
pub fn own_is_away(config: &Config) -> Option<Failure> {
    if config.mongodb_uri.is_some() {
        return None;
    }
    let error = mongod::reach(&node::mongod_settings(config)).err()?;
    if error.kind() == ErrorKind::PermissionDenied {
        let text = "permission denied: only root may ask the daemon's own database";
        return Some(Failure::new(exit::REFUSED, text));
    }
    // With a daemon that is starting it may be there in a moment.
    lock::holder(&config.state_dir).is_none().then(|| {
        let text = "the daemon does not run: start it, its own database runs with it";
        Failure::new(exit::NOT_NOW, text)
    })
}

/// Everything that is shown.
struct Status {
    pid: Option<u32>,
    database: Result<Seen, String>,
    here: BTreeMap<ServerId, OpenVpn>,
    /// Which of the hosts this one is, if it ever ran.
    this: Option<HostId>,
}

/// What the database says.
struct Seen {
    facts: Facts,
    hosts: Vec<HostDoc>,
    servers: Vec<ServerGlance>,
    connected: HashMap<ServerId, Connected>,
    pools: Vec<(PoolKind, Level)>,
}

pub fn status(config: &Config, as_json: bool) -> Result<(), Failure> {
    let pid = lock::holder(&config.state_dir);
    let this = node::known_host_id(&config.state_dir);
    let database = match pid.is_none() && mongod_is_down(config) {
        true => Err("one of our own, which runs with the daemon".to_owned()),
        false => match own_is_away(config) {
            Some(failure) => Err(failure.text),
            None => look(&uri(config), this.filter(|_| pid.is_none()))
                .map_err(|e| away::explain(config, &e)),
        },
    };
    let status = Status { pid, database, here: leftovers::here(&config.run_dir), this };
    match as_json {
        true => say(&status.to_json().to_string())?,
        false => status.lines(config).iter().try_for_each(|line| say(line))?,
    }
    match (status.pid, status.database) {
        (Some(_), Ok(_)) => Ok(()),
        _ => Err(Failure::new(exit::FOUND, "")),
    }
}

/// There is nobody to wait for.
fn mongod_is_down(config: &Config) -> bool {
    config.mongodb_uri.is_none() && !mongod::is_left(&node::mongod_settings(config))
}

/// `down`: the host that this is, whose daemon does not run.
fn look(uri: &Secret, down: Option<HostId>) -> Result<Seen, StoreError> {
    let (store, facts) = Store::open(uri, Clock::system(), Random::system())?;
    let mut hosts = store.hosts(0, 0)?;
    hosts.iter_mut().filter(|host| Some(host.id) == down).for_each(|host| host.alive = false);
    let servers = store.server_glances()?;
    let living = Living::among(&hosts);
    let instances = servers.iter().flat_map(|server| living.instances(&server.instances));
    let instances: Vec<_> = instances.map(|instance| instance.instance_id).collect();
    let connected = store.connected_by_server(&instances)?;
    let pools = pool::levels(&store)?;
    Ok(Seen { facts, hosts, servers, connected, pools })
}

impl Seen {
    fn state(&self, server: &ServerGlance) -> &'static str {
        ServerState::of(server.online, &server.instances, &Living::among(&self.hosts)).as_str()
    }

    /// Names of those that run it.
    fn hosts_of(&self, server: &ServerGlance) -> Vec<&str> {
        let living = Living::among(&self.hosts);
        let held = living.instances(&server.instances).map(|instance| instance.host_id);
        let name = |id| self.hosts.iter().find(|host| host.id == id).map(|h| h.name.as_str());
        held.filter_map(name).collect()
    }

    /// Devices that are connected to it.
    fn clients(&self, server: &ServerGlance) -> i64 {
        self.connected.get(&server.id).map_or(0, |connected| connected.devices)
    }
}

impl Status {
    fn to_json(&self) -> Value {
        let database = match &self.database {
            Ok(Seen { facts, .. }) => json!({
                "reachable": true, "version": facts.version, "members": facts.members,
            }),
            Err(error) => json!({ "reachable": false, "error": error }),
        };
        let seen = self.database.as_ref().ok();
        let hosts = seen.map_or(&[][..], |seen| &seen.hosts).iter().map(|host| {
            json!({
                "id": host.id.to_string(), "name": host.name, "online": host.alive,
                "this": Some(host.id) == self.this,
            })
        });
        let servers = seen.iter().flat_map(|seen| {
            seen.servers.iter().map(|server| {
                json!({
                    "id": server.id.to_string(), "name": server.name, "state": seen.state(server),
                    "port": server.port, "protocol": server.protocol,
                    "hosts": seen.hosts_of(server), "clients": seen.clients(server),
                })
            })
        });
        let pools = seen.iter().flat_map(|seen| &seen.pools).map(|(kind, level)| {
            let Level { depth, target, making, taken_10min } = level;
            json!({
                "kind": kind.as_str(), "depth": depth, "target": target, "making": making,
                "taken_10min": taken_10min,
            })
        });
        let here = self.here.iter().map(|(id, openvpn)| {
            let pid = match openvpn {
                OpenVpn::Lives { pid } => Some(pid),
                OpenVpn::Ended | OpenVpn::Unknown => None,
            };
            json!({ "server": id.to_string(), "running": pid.is_some(), "pid": pid })
        });
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "daemon": { "running": self.pid.is_some(), "pid": self.pid },
            "database": database,
            "hosts": hosts.collect::<Vec<_>>(),
            "servers": servers.collect::<Vec<_>>(),
            "pools": pools.collect::<Vec<_>>(),
            "here": here.collect::<Vec<_>>(),
        })
    }

    fn lines(&self, config: &Config) -> Vec<String> {
        let mut lines = vec![match self.pid {
            Some(pid) => format!("daemon    running, pid {pid}"),
            None => format!("daemon    not running on {}", config.state_dir.display()),
        }];
        match &self.database {
            Ok(seen) => {
                let Facts { version, set_name, .. } = &seen.facts;
                lines.push(format!("database  MongoDB {version}, replica set {set_name}"));
                lines.extend(seen.hosts.iter().map(|host| self.host_line(host)));
                lines.extend(seen.servers.iter().map(|server| server_line(seen, server)));
                lines.extend(seen.pools.iter().map(pool_line));
            }
            Err(error) => lines.push(format!("database  {error}")),
        }
        lines.extend(self.here.iter().map(|(id, openvpn)| self.here_line(*id, *openvpn)));
        if self.pid.is_none() && !self.here.is_empty() {
            lines.push(
                "          left by a daemon that was killed: the next `warren run` goes on \
                        with it, `warren stop` ends it"
                    .to_owned(),
            );
        }
        lines
    }

    fn host_line(&self, host: &HostDoc) -> String {
        let state = match (Some(host.id) == self.this, host.alive) {
            (true, true) => "online (this host)",
            (true, false) if self.pid.is_none() => "this host: not running",
            (true, false) => "offline (this host)",
            (false, true) => "online",
            (false, false) => "offline",
        };
        format!("host      {:<24} {state}", host.name)
    }

    fn here_line(&self, id: ServerId, openvpn: OpenVpn) -> String {
        let servers = self.database.as_ref().map_or(&[][..], |seen| &seen.servers);
        let name = servers.iter().find(|server| server.id == id).map(|server| &server.name);
        let name = name.map_or_else(|| id.to_string(), String::clone);
        let state = match openvpn {
            OpenVpn::Lives { pid } => format!("OpenVPN runs, pid {pid}"),
            OpenVpn::Ended => "OpenVPN does not run".to_owned(),
            OpenVpn::Unknown => "its record can not be read (root can)".to_owned(),
        };
        format!("here      {name:<24} {state}")
    }
}

fn pool_line((kind, level): &(PoolKind, Level)) -> String {
    let Level { depth, target, making, taken_10min } = level;
    let name = kind.as_str();
    format!(
        "pool      {name:<24} {depth} of {target}, {making} in the making, {taken_10min} taken in \
         10 minutes"
    )
}

fn server_line(seen: &Seen, server: &ServerGlance) -> String {
    let ServerGlance { name, port, protocol, .. } = server;
    let state = seen.state(server);
    let mut line = format!("server    {name:<24} {state:<8} {protocol} {port}");
    let hosts = seen.hosts_of(server);
    if !hosts.is_empty() {
        let clients = seen.clients(server);
        let noun = if clients == 1 { "client" } else { "clients" };
        line = format!("{line}, {clients} {noun}, on {}", hosts.join(", "));
    }
    line
}
