//! What a daemon that was killed has left of its servers, seen and ended without a daemon: for the
//! command line, which holds the lock of the state directory meanwhile.

use crate::base::clock::Clock;
use crate::base::ids::ServerId;
use crate::limits::OPENVPN_STOP_MAX;
use crate::sys::forward;
use crate::sys::process::{self, Process, ProcessError};
use crate::vpn::fleet::stop_forwarding;
use crate::vpn::runner::{Record, chain, clear, records_in, servers_in};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// What became of a server's OpenVPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenVpn {
    Lives {
        pid: u32,
    },
    Ended,
    /// The record can not be read, by this user or at all.
    Unknown,
}

/// What was ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ended {
    pub servers: Vec<(ServerId, OpenVpn)>,
    /// IP forwarding was on because of servers.
    pub forwarding: bool,
    pub problems: Vec<String>,
}

/// Servers that this host has something of, running or not.
pub fn here(run_dir: &Path) -> BTreeMap<ServerId, OpenVpn> {
    let records: BTreeMap<ServerId, Record> =
        records_in(run_dir).into_iter().map(|record| (record.server, record)).collect();
    let state = |id: &ServerId| match records.get(id) {
        Some(Record { identity, .. }) => match process::adopt(identity) {
            Ok(Some(_)) => OpenVpn::Lives { pid: identity.pid },
            Ok(None) => OpenVpn::Ended,
            Err(_) => OpenVpn::Unknown,
        },
        None => OpenVpn::Unknown,
    };
    servers_in(run_dir).into_iter().map(|id| (id, state(&id))).collect()
}

/// Whether there is anything to end.
pub fn are_there(run_dir: &Path, state_dir: &Path) -> bool {
    !servers_in(run_dir).is_empty() || forward::ours(state_dir)
}

/// Ends all of it, and puts the host back as it was before the first server.
pub fn end(run_dir: &Path, state_dir: &Path, clock: &Clock) -> Ended {
    let servers = here(run_dir);
    let mut ended = Ended::default();
    let (mut living, mut stay) = (Vec::new(), Vec::new());
    for record in records_in(run_dir) {
        let begun = process::adopt(&record.identity).and_then(|found| {
            // All at once: each tells its clients for two seconds.
            found.iter().try_for_each(|process| process.signal(libc::SIGTERM)).map(|()| found)
        });
        match begun {
            Ok(process) => living.extend(process.map(|process| (record.server, process))),
            Err(e) => {
                stay.push(record.server);
                ended.problems.push(chain(&e));
            }
        }
    }
    let deadline = clock.mono() + OPENVPN_STOP_MAX;
    for (server, mut process) in living {
        if let Err(e) = finish(&mut process, deadline.since(clock.mono())) {
            stay.push(server);
            ended.problems.push(chain(&e));
        }
    }
    for (server, was) in servers {
        // With its record, so that the next attempt finds it.
        if !stay.contains(&server) {
            ended.problems.extend(clear(run_dir, server));
            ended.servers.push((server, was));
        }
    }
    if stay.is_empty() {
        ended.forwarding = forward::ours(state_dir);
        ended.problems.extend(stop_forwarding(state_dir));
    }
    ended
}

/// One that was told to end already: a second signal would cut its farewell short.
fn finish(process: &mut Process, limit: Duration) -> Result<(), ProcessError> {
    match process.wait(limit) {
        Some(_) => Ok(()),
        None => process.kill().map(drop),
    }
}
