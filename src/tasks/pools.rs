//! Pools whose level fell without anybody's notice, and reservations nobody asks for any more.

use super::{Report, Round};
use crate::pool;
use crate::store::StoreError;

pub fn run(round: &Round<'_>) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let swept = pool::sweep(round.ground)?;
    report.add(usize::try_from(swept).unwrap_or(usize::MAX), swept);
    let planned = pool::refill(round.ground)?;
    report.add(planned, planned as u64);
    Ok(report)
}
