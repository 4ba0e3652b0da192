//! `warren stop`: ends the daemon of this state directory and waits for its end. Where one was
//! killed, it ends what that one left, as a stop of the daemon would have done.

use super::{Failure, exit, say, start_failure};
use crate::base::clock::Clock;
use crate::config::Config;
use crate::limits;
use crate::mongod;
use crate::node::{self, NodeError};
use crate::sys::lock;
use crate::sys::process::{self, Identity};
use crate::vpn::leftovers::{self, OpenVpn};
use std::path::Path;

pub fn stop(config: &Config) -> Result<(), Failure> {
    let Some(pid) = lock::holder(&config.state_dir) else {
        return clean_up(config);
    };
    let running = Identity::of(pid).ok().map(|identity| process::adopt(&identity)).transpose();
    let running = running.map_err(|e| Failure::of(exit::SYSTEM, &e))?.flatten();
    if let Some(mut daemon) = running {
        daemon.signal(libc::SIGTERM).map_err(|e| Failure::of(exit::REFUSED, &e))?;
        if daemon.wait(limits::STOP_MAX * 2).is_none() {
            let text = format!("the daemon (pid {pid}) is still stopping; see its log");
            return Err(Failure::new(exit::NOT_NOW, text));
        }
    }
    say("stopped")
}

/// No daemon runs: ends what a killed one left, or says that there is nothing.
fn clean_up(config: &Config) -> Result<(), Failure> {
    let (run_dir, state_dir) = (config.run_dir.as_path(), config.state_dir.as_path());
    let (database, sockets) = (node::mongod_settings(config), node::sockets(config));
    let none = !leftovers::are_there(run_dir, state_dir);
    let nobody = format!("no daemon runs on {}", state_dir.display());
    if none && !mongod::is_left(&database) && !sockets.exists() {
        return Err(Failure::new(exit::FOUND, nobody));
    }
    // Held to the end, so that no daemon starts meanwhile.
    let clock = Clock::system();
    let _lock = lock::take(state_dir, &clock).map_err(|e| start_failure(&NodeError::Lock(e)))?;
    // It ends even if nobody can be told of it.
    let tell = |line: &str| drop(say(line));
    tell(&format!("{nobody}; ending what one has left:"));
    let ended = leftovers::end(run_dir, state_dir, &clock);
    for (server, openvpn) in ended.servers {
        let what = match openvpn {
            OpenVpn::Lives { pid } => format!("OpenVPN (pid {pid}), device and firewall"),
            OpenVpn::Ended | OpenVpn::Unknown => "device and firewall".to_owned(),
        };
        tell(&format!("  {what} of server {server}"));
    }
    if ended.forwarding {
        tell("  IP forwarding, which is off again");
    }
    let mut problems = ended.problems;
    problems.extend(remove(&sockets));
    if mongod::is_left(&database) {
        match mongod::end_left(&database, &clock) {
            Ok(Some(pid)) => tell(&format!("  the local database (pid {pid})")),
            Ok(None) => tell("  the socket of the local database"),
            Err(e) => problems.push(super::chain(&e)),
        }
    }
    match problems.is_empty() {
        true => say("stopped"),
        false => Err(Failure::new(exit::SYSTEM, problems.join("; "))),
    }
}

fn remove(sockets: &Path) -> Option<String> {
    if !sockets.exists() {
        return None;
    }
    let removed = std::fs::remove_dir_all(sockets);
    removed.err().map(|e| format!("could not remove {}: {e}", sockets.display()))
}
