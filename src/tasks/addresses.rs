//! Addresses of users that are gone are free again; those of servers that are gone go too.

use super::{Report, Round};
use crate::base::ids::UserId;
use crate::store::StoreError;
use crate::store::tasks::AddressRow;

pub fn run(round: &Round<'_>) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let mut last = None;
    while !round.stop.is_set() {
        let rows = round.ground.store.addresses_after(last.as_ref())?;
        let Some(end) = rows.last().cloned() else { break };
        mend(round, rows, &mut report)?;
        last = Some(end);
    }
    Ok(report)
}

/// Servers and users are looked for after the rows were read: those a row names were there first.
fn mend(round: &Round<'_>, rows: Vec<AddressRow>, report: &mut Report) -> Result<(), StoreError> {
    let store = &round.ground.store;
    let servers = store.servers_missing(rows.iter().map(|row| row.server_id).collect())?;
    let is_lost = |row: &AddressRow| servers.contains(&row.server_id);
    let (lost, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_lost);
    if !lost.is_empty() {
        report.add(lost.len(), store.addresses_delete(&lost)?);
    }
    let users: Vec<UserId> = rows.iter().filter_map(|row| row.user_id).collect();
    for user in store.users_missing(users.into_iter().collect())? {
        let is_theirs = |row: &&AddressRow| row.user_id == Some(user);
        let theirs: Vec<AddressRow> = rows.iter().filter(is_theirs).cloned().collect();
        report.add(theirs.len(), store.addresses_free(user, &theirs)?);
    }
    Ok(())
}
