//! Servers that name organizations or hosts that do not exist.

use super::{Report, Round};
use crate::base::ids::{HostId, OrgId};
use crate::bus::Message;
use crate::domain::event::Event;
use crate::store::StoreError;
use crate::store::tasks::ServerRefs;

pub fn run(round: &Round<'_>) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let mut last = None;
    while !round.stop.is_set() {
        let servers = round.ground.store.servers_after(last)?;
        let Some(end) = servers.last() else { break };
        last = Some(end.id);
        mend(round, &servers, &mut report)?;
    }
    if report.mended > 0 {
        round.ground.bus.emit(Event::Servers);
    }
    Ok(report)
}

/// What servers name is looked for after they were read: it was there before they named it.
fn mend(round: &Round<'_>, servers: &[ServerRefs], report: &mut Report) -> Result<(), StoreError> {
    let store = &round.ground.store;
    let orgs = servers.iter().flat_map(organizations).collect();
    let hosts = servers.iter().flat_map(|server| server.hosts.iter().copied()).collect();
    let (orgs, hosts) = (store.orgs_missing(orgs)?, store.hosts_missing(hosts)?);
    if orgs.is_empty() && hosts.is_empty() {
        return Ok(());
    }
    for server in servers {
        let gone_orgs: Vec<OrgId> = organizations(server).filter(|o| orgs.contains(o)).collect();
        let named = server.hosts.iter().copied();
        let gone_hosts: Vec<HostId> = named.filter(|host| hosts.contains(host)).collect();
        if gone_orgs.is_empty() && gone_hosts.is_empty() {
            continue;
        }
        let mended = store.server_forget(server.id, &gone_orgs, &gone_hosts)?;
        report.add(1, u64::from(mended));
        let bus = &round.ground.bus;
        bus.publish(Message::Server { server: server.id });
        bus.emit(Event::ServerOrganizations(server.id));
        bus.emit(Event::ServerHosts(server.id));
    }
    Ok(())
}

/// Attached ones, and the one whose CA signed the server's certificate.
fn organizations(server: &ServerRefs) -> impl Iterator<Item = OrgId> {
    server.organizations.iter().copied().chain(server.primary_organization)
}
