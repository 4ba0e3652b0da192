//! `warren doctor`: what stands in the way here, and what to do about it.

use super::{Failure, away, chain, exit, say, status};
use crate::base::clock::{Clock, wall_ms};
use crate::base::random::Random;
use crate::config::Config;
use crate::domain::network::Network4;
use crate::limits;
use crate::mongod;
use crate::node;
use crate::store::Store;
use crate::sys::run::run;
use crate::sys::{conntrack, dirs, fd, forward, host, lock, tun, users};
use crate::vpn::settings::DEVICE_PREFIX;
use std::io::ErrorKind;
use std::net::SocketAddr;

/// What a check found.
enum Finding {
    Good(String),
    /// With the cure.
    Bad(String),
}

use Finding::{Bad, Good};

pub fn doctor(config: &Config) -> Result<(), Failure> {
    let running = lock::holder(&config.state_dir).is_some();
    let mut checks = vec![("database", database(config, running))];
    checks.extend(state(config).map(|found| ("state", found)));
    checks.push(("tun", tun_node(config)));
    checks.push(("openvpn", program(&config.openvpn.to_string_lossy(), "openvpn")));
    checks.push(("nftables", program("nft", "nftables")));
    checks.push(("iproute2", program_with("ip", "iproute2", "-V")));
    checks.push(("conntrack", conntrack_tool()));
    checks.push(("edge user", user(&config.edge_user)));
    for address in [Some(config.listen_https), config.listen_http].into_iter().flatten() {
        checks.push(("port", port(address, running)));
    }
    checks.push(("forwarding", forwarding()));
    if let Some(found) = networks(config, running) {
        checks.push(("networks", found));
    }
    checks.push(("kernel", kernel()));
    let mut bad = 0;
    for (name, finding) in checks {
        let (mark, text) = match finding {
            Good(text) => ("ok  ", text),
            Bad(text) => {
                bad += 1;
                ("BAD ", text)
            }
        };
        say(&format!("{mark}{name:<12}{text}"))?;
    }
    match bad {
        0 => Ok(()),
        n => Err(Failure::new(exit::FOUND, format!("{n} of these need attention"))),
    }
}

fn database(config: &Config, running: bool) -> Finding {
    if config.mongodb_uri.is_none() && !running {
        return match mongod::check_version(&config.mongod) {
            Ok(()) => Good("one of our own, started with the daemon".to_owned()),
            Err(e) => Bad(format!("no mongodb_uri is set, and {}", chain(&e))),
        };
    }
    if let Some(failure) = status::own_is_away(config) {
        return Bad(failure.text);
    }
    let facts = match Store::examine(&status::uri(config)) {
        Ok(facts) => facts,
        Err(e) => return Bad(away::explain(config, &e)),
    };
    let ahead_ms = wall_ms() - facts.now_ms;
    if ahead_ms.abs() > limits::CLOCK_SKEW_MS_MAX {
        return Bad(format!(
            "this host's clock is {:.1} s off the database's: set up time synchronisation",
            ahead_ms as f64 / 1000.0
        ));
    }
    if !facts.arbiters.is_empty() {
        return Bad(format!("has arbiters ({}): replace them", facts.arbiters.join(", ")));
    }
    Good(format!("MongoDB {}, {} member(s)", facts.version, facts.members.len()))
}

/// `None`: there is none yet, or it is not for us to say.
fn state(config: &Config) -> Option<Finding> {
    let path = &config.state_dir;
    if !path.exists() {
        return None;
    }
    match dirs::check_writable(path) {
        Ok(()) => Some(Good(format!("{} can be written", path.display()))),
        Err(e) if e.source.kind() == ErrorKind::PermissionDenied && !users::is_root() => None,
        Err(e) => Some(Bad(chain(&e))),
    }
}

/// Whether a server that may run here has a network that this host is on. `None`: nobody can tell.
fn networks(config: &Config, running: bool) -> Option<Finding> {
    let this = node::known_host_id(&config.state_dir)?;
    if config.mongodb_uri.is_none() && !running {
        return None;
    }
    let store = Store::open(&status::uri(config), Clock::system(), Random::system());
    let servers = store.ok()?.0.server_glances().ok()?;
    let here = servers.iter().filter(|server| server.hosts.contains(&this));
    let here: Vec<_> = here.map(|server| (&*server.name, &*server.network)).collect();
    Some(match overlap(&here, &host::networks(DEVICE_PREFIX)) {
        None => Good("no server of this host has a network that the host is on".to_owned()),
        Some(text) => Bad(text),
    })
}

/// The first server, by name and network, that overlaps one of `local`.
fn overlap(servers: &[(&str, &str)], local: &[String]) -> Option<String> {
    let net = |text: &str| text.parse::<Network4>().ok();
    servers.iter().find_map(|(name, network)| {
        let own = net(network)?;
        let hit = local.iter().find(|local| net(local).is_some_and(|local| local.overlaps(own)))?;
        Some(format!(
            "server {name} has the network {network}, and this host is on {hit}: one of them can \
             not be reached here; give the server another network"
        ))
    })
}

fn tun_node(config: &Config) -> Finding {
    let checked = users::user(&config.openvpn_user).map_err(|e| chain(&e));
    let name = &config.openvpn_user;
    let checked = checked.and_then(|user| tun::check_node(name, user).map_err(|e| chain(&e)));
    match checked {
        Ok(()) => Good(format!("{name} may open /dev/net/tun")),
        Err(text) => Bad(text),
    }
}

fn program(name: &str, package: &str) -> Finding {
    program_with(name, package, "--version")
}

fn program_with(name: &str, package: &str, flag: &str) -> Finding {
    match run(name, &[flag]) {
        Ok(text) => Good(text.lines().next().unwrap_or_default().to_owned()),
        Err(e) if e.not_installed() => {
            Bad(format!("{name} is not installed: apt-get install {package}"))
        }
        Err(e) => Bad(chain(&e)),
    }
}

fn conntrack_tool() -> Finding {
    match conntrack::installed() {
        true => Good("installed".to_owned()),
        false => Bad("not installed: apt-get install conntrack (cuts kicked users)".to_owned()),
    }
}

fn user(name: &str) -> Finding {
    match users::user(name) {
        Ok(_) => Good(format!("{name} exists")),
        Err(e) => Bad(chain(&e)),
    }
}

fn port(address: SocketAddr, running: bool) -> Finding {
    match fd::listen_tcp(address) {
        Ok(_) => Good(format!("{address} is free")),
        Err(_) if running => Good(format!("{address} is in use, by the running daemon")),
        Err(e) => Bad(format!("can not listen on {address}: {e}")),
    }
}

fn forwarding() -> Finding {
    match forward::is_on() {
        Ok(true) => Good("IPv4 forwarding is on".to_owned()),
        Ok(false) => Good("off; switched on while a server runs".to_owned()),
        Err(e) => Bad(chain(&e)),
    }
}

fn kernel() -> Finding {
    let missing = host::missing_features();
    match missing.is_empty() {
        true => Good(host::kernel_release()),
        false => Bad(format!("{} lacks {}", host::kernel_release(), missing.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_a_network_of_the_host_is_named() {
        let local = ["10.77.0.0/24", "172.17.0.0/16", "odd"].map(str::to_owned);
        let servers = [("a", "10.8.0.0/24"), ("damaged", "?"), ("b", "10.77.0.128/25")];
        let text = overlap(&servers, &local).expect("one overlaps");
        assert!(text.contains("server b has the network 10.77.0.128/25"), "{text}");
        assert!(text.contains("on 10.77.0.0/24"), "{text}");
        assert_eq!(overlap(&servers[..2], &local), None);
        assert_eq!(overlap(&servers, &local[1..]), None);
    }
}
