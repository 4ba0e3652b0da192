//! `warren doctor`: what stands in the way here, and what to do about it.

use super::{Failure, chain, exit, say, status};
use crate::base::clock::wall_ms;
use crate::config::Config;
use crate::limits;
use crate::store::Store;
use crate::sys::run::run;
use crate::sys::{conntrack, fd, forward, host, lock, tun, users};
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
    let mut checks = vec![("database", database(config, running)), ("tun", tun_node(config))];
    checks.push(("openvpn", program(&config.openvpn.to_string_lossy(), "openvpn")));
    checks.push(("nftables", program("nft", "nftables")));
    checks.push(("iproute2", program_with("ip", "iproute2", "-V")));
    checks.push(("conntrack", conntrack_tool()));
    checks.push(("edge user", user(&config.edge_user)));
    for address in [Some(config.listen_https), config.listen_http].into_iter().flatten() {
        checks.push(("port", port(address, running)));
    }
    checks.push(("forwarding", forwarding()));
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
        return match run(&config.mongod.to_string_lossy(), &["--version"]) {
            Ok(_) => Good("one of our own, started with the daemon".to_owned()),
            Err(e) => Bad(format!("no mongodb_uri is set, and {}", chain(&e))),
        };
    }
    let facts = match Store::examine(&status::uri(config)) {
        Ok(facts) => facts,
        Err(e) => return Bad(chain(&e)),
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
