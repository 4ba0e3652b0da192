//! Hosts that count as alive and have long been silent: nobody could observe them, or each observer
//! is troubled. Only observation may declare a host dead, so this one reports.

use super::{Report, Round};
use crate::store::StoreError;

pub fn run(round: &Round<'_>) -> Result<Report, StoreError> {
    let silent = round.ground.store.hosts_silent()?;
    for host in &silent {
        let seconds = host.silent_ms / 1000;
        log::warn!("host {} counts as alive, but has been silent for {seconds} s", host.name);
    }
    let mut report = Report::default();
    report.add(silent.len(), 0);
    Ok(report)
}
