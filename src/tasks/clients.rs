//! Client records of instances that no server names any more: their hosts could not forget them.

use super::{Report, Round};
use crate::base::ids::{ClientId, InstanceId, OrgId};
use crate::domain::event::Event;
use crate::store::StoreError;
use std::collections::HashSet;

pub fn run(round: &Round<'_>) -> Result<Report, StoreError> {
    let store = &round.ground.store;
    let mut report = Report::default();
    // Clients first: an instance is named by its server before it has clients.
    let recorded = store.client_instances()?;
    let named = store.server_instances()?;
    let mut organizations = HashSet::new();
    for instance in recorded.into_iter().filter(|instance| !named.contains(instance)) {
        forget(round, instance, &mut report, &mut organizations)?;
    }
    if report.mended > 0 {
        for org in organizations {
            round.ground.bus.emit(Event::Users(org));
        }
        round.ground.bus.emit(Event::Servers);
    }
    Ok(report)
}

/// All clients of an instance, in batches.
fn forget(
    round: &Round<'_>,
    instance: InstanceId,
    report: &mut Report,
    organizations: &mut HashSet<OrgId>,
) -> Result<(), StoreError> {
    while round.goes_on()? {
        let clients = round.ground.store.clients_of_instance(instance)?;
        if clients.is_empty() {
            break;
        }
        let ids: Vec<ClientId> = clients.iter().map(|client| client.id).collect();
        report.add(ids.len(), round.ground.store.clients_forget(&ids)?);
        organizations.extend(clients.iter().map(|client| client.org_id));
    }
    Ok(())
}
