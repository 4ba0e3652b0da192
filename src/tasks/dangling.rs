//! Servers that name organizations or hosts that do not exist, or whose certificate is gone.

use super::{Report, Round};
use crate::base::ids::{HostId, OrgId, UserId};
use crate::domain::event::Event;
use crate::store::StoreError;
use crate::store::tasks::ServerRefs;
use crate::succession::{self, SuccessionError};
use std::collections::HashSet;

pub fn run(round: &Round<'_>) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let mut last = None;
    while round.goes_on()? {
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

/// What does not exist, of all that some servers name.
struct Missing {
    orgs: Vec<OrgId>,
    hosts: Vec<HostId>,
    holders: HashSet<UserId>,
}

/// What servers name is looked for after they were read: it was there before they named it.
fn mend(round: &Round<'_>, servers: &[ServerRefs], report: &mut Report) -> Result<(), StoreError> {
    let store = &round.ground.store;
    let orgs = servers.iter().flat_map(organizations).collect();
    let hosts = servers.iter().flat_map(|server| server.hosts.iter().copied()).collect();
    let holders = servers.iter().filter_map(|server| server.primary_user).collect();
    let missing = Missing {
        orgs: store.orgs_missing(orgs)?,
        hosts: store.hosts_missing(hosts)?,
        holders: store.server_users_missing(holders)?.into_iter().collect(),
    };
    for server in servers {
        if let Some(mended) = mend_one(round, server, &missing)? {
            report.add(1, u64::from(mended));
            succession::tell(round.ground, server.id);
            round.ground.bus.emit(Event::ServerHosts(server.id));
        }
    }
    Ok(())
}

/// `None`: nothing is wrong with it.
fn mend_one(
    round: &Round<'_>,
    server: &ServerRefs,
    missing: &Missing,
) -> Result<Option<bool>, StoreError> {
    let orgs: Vec<OrgId> = organizations(server).filter(|o| missing.orgs.contains(o)).collect();
    let named = server.hosts.iter().copied();
    let hosts: Vec<HostId> = named.filter(|host| missing.hosts.contains(host)).collect();
    // One without organizations has nobody's certificate to show.
    let wanted = !server.organizations.is_empty();
    let holder = server.primary_user.filter(|user| !missing.holders.contains(user));
    let wrong_holder = holder.is_some() != wanted || server.primary_user.is_some() != wanted;
    if orgs.is_empty() && hosts.is_empty() && !wrong_holder {
        return Ok(None);
    }
    let mut mended = true;
    if !hosts.is_empty() {
        mended = round.ground.store.server_forget_hosts(server.id, &hosts)?;
    }
    if !orgs.is_empty() || wrong_holder {
        mended &= hand_over(round, server, &orgs)?;
    }
    Ok(Some(mended))
}

fn hand_over(round: &Round<'_>, server: &ServerRefs, gone: &[OrgId]) -> Result<bool, StoreError> {
    let ground = round.ground;
    let done = ground.store.transaction("take references out of a server", |tx| {
        match tx.server(server.id)? {
            Some(found) => succession::bequeath(ground, tx, &found, gone),
            None => Ok(false),
        }
    });
    match done {
        Ok(done) => Ok(done),
        Err(SuccessionError::Store(error)) if error.is_passing() => Err(error),
        // Damaged itself: the others are mended all the same.
        Err(error) => {
            log::error!("server {} can not be mended: {error}", server.id);
            Ok(false)
        }
    }
}

/// Attached ones, and the one whose CA signed the server's certificate.
fn organizations(server: &ServerRefs) -> impl Iterator<Item = OrgId> {
    let primary = server.primary_organization.filter(|org| !server.organizations.contains(org));
    server.organizations.iter().copied().chain(primary)
}
