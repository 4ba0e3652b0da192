//! Users of organizations that are gone: an organization takes its users with it.

use super::{Report, Round};
use crate::base::ids::OrgId;
use crate::domain::event::Event;
use crate::store::StoreError;

pub fn run(round: &Round<'_>) -> Result<Report, StoreError> {
    let store = &round.ground.store;
    let mut report = Report::default();
    // Users first: an organization is there before it has any.
    for org in store.orgs_missing(store.orgs_of_users()?)? {
        delete(round, org, &mut report)?;
        // Whoever keeps users in memory looks at what has become of them.
        round.ground.bus.emit(Event::Users(org));
    }
    Ok(report)
}

/// All users of an organization, in batches.
fn delete(round: &Round<'_>, org: OrgId, report: &mut Report) -> Result<(), StoreError> {
    while round.goes_on()? {
        let gone = round.ground.store.users_delete_some(org)?;
        if gone == 0 {
            break;
        }
        report.add(gone, gone as u64);
    }
    Ok(())
}
