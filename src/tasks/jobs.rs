//! Running jobs whose holders are gone, or that got nowhere for too long, and jobs that are due at
//! a time far off. The server removes ended ones by itself.

use super::{Report, Round};
use crate::bus::Message;
use crate::queue;
use crate::store::StoreError;

pub fn run(round: &Round<'_>) -> Result<Report, StoreError> {
    let queue::Freed { found, freed, .. } = queue::free_lost(round.ground)?;
    let mut report = Report { found, mended: freed };
    let hastened = round.ground.store.jobs_hasten()?;
    if hastened > 0 {
        report.add(usize::try_from(hastened).unwrap_or(usize::MAX), hastened);
        round.ground.bus.publish(Message::JobReady);
    }
    Ok(report)
}
