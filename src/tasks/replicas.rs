//! Servers with fewer replicas than they should have, and slots that hosts left behind which do not
//! come back.
//!
//! Hosts claim free slots by themselves, on each hint and at each reconciliation. This one looks
//! whether they did: a server that some living host may run gets another hint, and one that no
//! living host may run is reported. There is no recovery setting yet: a server comes up wherever
//! it may.

use super::{Report, Round};
use crate::base::ids::{HostId, ServerId};
use crate::bus::Message;
use crate::domain::event::Event;
use crate::limits;
use crate::store::StoreError;
use crate::store::servers::InstanceDoc;
use crate::store::tasks::{HostPulse, ServerRun};
use std::collections::HashMap;
use std::time::Duration;

pub fn run(round: &Round<'_>) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let mut last = None;
    while round.goes_on()? {
        let servers = round.ground.store.server_runs_after(last)?;
        let Some(end) = servers.last() else { break };
        last = Some(end.id);
        // Read after the servers: a holding can not be newer than what is said of its host.
        let hosts = round.ground.store.host_pulses()?;
        let hosts: Hosts = hosts.into_iter().map(|host| (host.id, host)).collect();
        for server in &servers {
            mend(round, server, &hosts, &mut report)?;
        }
    }
    Ok(report)
}

type Hosts = HashMap<HostId, HostPulse>;

fn mend(
    round: &Round<'_>,
    server: &ServerRun,
    hosts: &Hosts,
    report: &mut Report,
) -> Result<(), StoreError> {
    for instance in server.instances.iter().filter(|instance| is_left(server, instance, hosts)) {
        let store = &round.ground.store;
        let pruned = store.instance_prune(server.id, instance.instance_id, instance.epoch)?;
        report.add(1, u64::from(pruned));
        tell(round, server.id);
    }
    match lack(server, hosts) {
        Lack::Nothing => {}
        Lack::Hint => {
            round.ground.bus.publish(Message::Server { server: server.id });
            report.add(1, 1);
        }
        Lack::Hosts => {
            log::warn!("server {} runs nowhere: none of its hosts is alive", server.name);
            report.add(1, 0);
        }
    }
    Ok(())
}

fn tell(round: &Round<'_>, server: ServerId) {
    round.ground.bus.emit(Event::Servers);
    round.ground.bus.emit(Event::ServerHosts(server));
}

/// Whether a slot is of nobody who might still come back for it. A host that lives gives back its
/// own ones by itself; one that died may return and adopt what it had started (I7).
fn is_left(server: &ServerRun, instance: &InstanceDoc, hosts: &Hosts) -> bool {
    let Some(host) = hosts.get(&instance.host_id) else { return true };
    let silent = Duration::from_millis(u64::try_from(host.silent_ms).unwrap_or(0));
    !host.alive && (!server.online || silent > limits::HOST_RETURN_MAX)
}

#[derive(Debug, PartialEq, Eq)]
enum Lack {
    Nothing,
    /// Some living host may take a free slot, and has not.
    Hint,
    /// It runs nowhere, and no host that may run it lives.
    Hosts,
}

fn lack(server: &ServerRun, hosts: &Hosts) -> Lack {
    // What keeps it from starting is known, and shown.
    if !server.online || server.failure.is_some() {
        return Lack::Nothing;
    }
    let lives = |host: &HostId| hosts.get(host).filter(|host| host.alive);
    let held = |instance: &&InstanceDoc| {
        lives(&instance.host_id).is_some_and(|host| host.epoch == instance.epoch)
    };
    let held: Vec<HostId> =
        server.instances.iter().filter(held).map(|instance| instance.host_id).collect();
    let replicas = usize::try_from(server.replica_count).unwrap_or(0).max(1);
    let may = |host: &HostId| lives(host).is_some() && !held.contains(host);
    match server.hosts.iter().any(may) {
        _ if held.len() >= replicas => Lack::Nothing,
        true => Lack::Hint,
        false if held.is_empty() => Lack::Hosts,
        // As many replicas as there are hosts for them.
        false => Lack::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::InstanceId;
    use crate::store::servers::StartFailure;

    const MINUTE_MS: i64 = 60_000;

    fn hosts(pulses: &[(u8, i64, bool, i64)]) -> Hosts {
        let pulse = |&(number, epoch, alive, silent_ms): &(u8, i64, bool, i64)| {
            let id = HostId::from_bytes([number; 16]);
            (id, HostPulse { id, epoch, alive, silent_ms })
        };
        pulses.iter().map(pulse).collect()
    }

    fn instance(host: u8, epoch: i64) -> InstanceDoc {
        InstanceDoc {
            instance_id: InstanceId::from_bytes([host; 12]),
            host_id: HostId::from_bytes([host; 16]),
            epoch,
            run: 1,
            started: None,
        }
    }

    fn server(online: bool, hosts: &[u8], instances: Vec<InstanceDoc>) -> ServerRun {
        ServerRun {
            id: ServerId::from_bytes([1; 12]),
            name: "office".to_owned(),
            online,
            failure: None,
            hosts: hosts.iter().map(|host| HostId::from_bytes([*host; 16])).collect(),
            replica_count: 2,
            instances,
        }
    }

    #[test]
    fn only_slots_that_nobody_comes_back_for_are_left() {
        for (online, pulse, left, why) in [
            (true, (1, 5, true, 0), false, "its life is under way"),
            (true, (1, 6, true, 0), false, "it is back, and decides by itself"),
            (true, (1, 6, false, MINUTE_MS), false, "it may come back"),
            (true, (1, 6, false, 11 * MINUTE_MS), true, "it does not come back"),
            (false, (1, 6, false, MINUTE_MS), true, "nobody wants it any more"),
            (false, (1, 6, true, 0), false, "it is ending there"),
            (true, (2, 6, true, 0), true, "there is no such host"),
        ] {
            let server = server(online, &[1, 2], vec![instance(1, 5)]);
            assert_eq!(is_left(&server, &server.instances[0], &hosts(&[pulse])), left, "{why}");
        }
    }

    #[test]
    fn a_free_slot_is_hinted_at_where_somebody_may_take_it() {
        let (one, both) = (vec![instance(1, 5)], vec![instance(1, 5), instance(2, 5)]);
        let lives = hosts(&[(1, 5, true, 0), (2, 5, true, 0)]);
        let (dead, alone) =
            (hosts(&[(1, 6, false, 0)]), hosts(&[(1, 5, true, 0), (2, 6, false, 0)]));
        for (server, hosts, expected, why) in [
            (server(true, &[1, 2], both), &lives, Lack::Nothing, "both run"),
            (server(true, &[1, 2], one.clone()), &lives, Lack::Hint, "one is free"),
            (server(true, &[1, 2], one.clone()), &alone, Lack::Nothing, "no other host lives"),
            (server(true, &[1], one.clone()), &lives, Lack::Nothing, "no other host may"),
            (server(true, &[1], one), &dead, Lack::Hosts, "its host is dead"),
            (server(true, &[1, 2], vec![]), &lives, Lack::Hint, "nobody took it"),
            (server(true, &[], vec![]), &lives, Lack::Hosts, "it has no host"),
            (server(false, &[1, 2], vec![]), &lives, Lack::Nothing, "it is stopped"),
        ] {
            assert_eq!(lack(&server, hosts), expected, "{why}");
        }
        let (at, cause) = (mongodb::bson::DateTime::from_millis(0), "no tun".to_owned());
        let failure = StartFailure { host_id: HostId::from_bytes([1; 16]), cause, at };
        let failed = ServerRun { failure: Some(failure), ..server(true, &[1], vec![]) };
        assert_eq!(lack(&failed, &lives), Lack::Nothing, "it is known why");
    }
}
