//! Running jobs whose holders are gone, or that got nowhere for too long. The server removes ended
//! ones by itself.

use super::{Report, Round};
use crate::queue;
use crate::store::StoreError;

pub fn run(round: &Round<'_>) -> Result<Report, StoreError> {
    let queue::Freed { found, freed, .. } = queue::free_lost(round.ground)?;
    Ok(Report { found, mended: freed })
}
