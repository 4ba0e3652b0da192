//! Organizations whose deletion began and did not end, because its host or its client went away.

use super::{Report, Round};
use crate::base::ids::OrgId;
use crate::domain::event::Event;
use crate::limits;
use crate::store::StoreError;
use crate::store::organizations::DeletionStep;
use crate::succession::{self, SuccessionError};

pub fn run(round: &Round<'_>) -> Result<Report, StoreError> {
    let mut report = Report::default();
    for org in round.ground.store.orgs_deleting(limits::REPAIR_BATCH)? {
        report.add(1, u64::from(finish(round, org)?));
    }
    if report.mended > 0 {
        round.ground.bus.emit(Event::Servers);
        round.ground.bus.emit(Event::Organizations);
    }
    Ok(report)
}

/// All steps that are left. `false`: there was no time for all.
fn finish(round: &Round<'_>, org: OrgId) -> Result<bool, StoreError> {
    while round.goes_on()? {
        match succession::deletion_step(round.ground, org) {
            Ok(DeletionStep::Detached(server)) => succession::tell(round.ground, server),
            Ok(DeletionStep::Users(_)) => {}
            Ok(DeletionStep::Finished) => return Ok(true),
            Err(SuccessionError::Store(error)) => return Err(error),
            Err(SuccessionError::Pki(error)) => {
                log::error!("organization {org} can not be deleted: {error}");
                return Ok(false);
            }
        }
    }
    Ok(false)
}
