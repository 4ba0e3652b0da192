//! Filling the pools: levels, plans under the kind's guard, and the thread `pool-refill`.

use super::{dh, plan};
use crate::bus::{Heard, Message};
use crate::ground::Ground;
use crate::limits;
use crate::pki::DhSize;
use crate::store::jobs::{NewJob, Work};
use crate::store::pool::{PoolCounts, PoolKind};
use crate::store::settings::PoolSettings;
use crate::store::{Store, StoreError};
use crate::thread::Stop;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How full a pool is. What is kept for requesters, or made for them, does not count; servers that
/// lack DH parameters raise the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    pub depth: i64,
    pub target: i64,
    pub making: i64,
    pub taken_10min: i64,
}

/// What was counted of all pools, in as few questions as that takes.
struct Stock {
    depth: PoolCounts,
    making: PoolCounts,
    taken: PoolCounts,
}

impl Stock {
    fn read(store: &Store) -> Result<Stock, StoreError> {
        let taken = store.pool_taken()?;
        Ok(Stock { taken, depth: store.pool_depths()?, making: store.jobs_making()? })
    }

    fn level(&self, settings: &PoolSettings, kind: PoolKind, lacking: i64) -> Level {
        let of = |counts: &PoolCounts| counts.get(&kind).copied().unwrap_or(0);
        let taken_10min = of(&self.taken);
        Level {
            depth: of(&self.depth),
            target: base(settings, kind, taken_10min) + lacking,
            making: of(&self.making),
            taken_10min,
        }
    }
}

/// Servers that lack parameters of a kind of which some were seen to be lacked.
fn lacking(store: &Store, kind: PoolKind, lacked: &[DhSize]) -> Result<i64, StoreError> {
    match kind {
        PoolKind::Dh(size) if lacked.contains(&size) => Ok(signed(store.dh_lacking(size)?)),
        PoolKind::Dh(_) | PoolKind::Key(_) => Ok(0),
    }
}

/// What a pool should hold whatever servers lack.
fn base(settings: &PoolSettings, kind: PoolKind, taken_10min: i64) -> i64 {
    plan::target(taken_10min, plan::floor(settings, kind), plan::ceiling(kind))
}

/// Those of kinds that are in use.
pub fn levels(store: &Store) -> Result<Vec<(PoolKind, Level)>, StoreError> {
    let settings = store.pool_settings()?;
    let lacked = store.dh_sizes_lacked()?;
    let stock = Stock::read(store)?;
    let mut levels = Vec::new();
    for kind in PoolKind::ALL {
        let level = stock.level(&settings, kind, lacking(store, kind, &lacked)?);
        if is_kept(&settings, kind, &lacked) || level.depth > 0 {
            levels.push((kind, level));
        }
    }
    Ok(levels)
}

/// Parameters of most sizes are made for servers that lack them, and not kept in store.
fn is_kept(settings: &PoolSettings, kind: PoolKind, lacked: &[DhSize]) -> bool {
    match kind {
        PoolKind::Key(_) => true,
        PoolKind::Dh(size) => plan::floor(settings, kind) > 0 || lacked.contains(&size),
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Plans what is missing in every pool; answers how many jobs that made.
pub fn refill(ground: &Ground) -> Result<usize, StoreError> {
    let settings = ground.store.pool_settings()?;
    let lacked = ground.store.dh_sizes_lacked()?;
    dh::hand_out(ground, &lacked)?;
    let stock = Stock::read(&ground.store)?;
    let mut planned = 0;
    for kind in PoolKind::ALL.into_iter().filter(|kind| is_kept(&settings, *kind, &lacked)) {
        let lacking = lacking(&ground.store, kind, &lacked)?;
        let Level { depth, target, making, taken_10min } = stock.level(&settings, kind, lacking);
        let base = base(&settings, kind, taken_10min);
        let mut missing = plan::missing(target, depth, making);
        while missing > 0 {
            let made = plan_under_guard(ground, kind, base)?;
            planned += made;
            // None if another host was faster.
            missing = if made == 0 { 0 } else { missing.saturating_sub(made) };
        }
    }
    if planned > 0 {
        log::debug!("{planned} things are to be made for the pools");
        ground.bus.publish(Message::JobReady);
    }
    Ok(planned)
}

/// The decision rests on what it reads: of two hosts one runs again and finds the other's jobs.
fn plan_under_guard(ground: &Ground, kind: PoolKind, base: i64) -> Result<usize, StoreError> {
    ground.store.transaction("refill a pool", |tx| {
        tx.guard(&format!("pool {kind}"))?;
        let lacking = match kind {
            PoolKind::Key(_) => 0,
            PoolKind::Dh(size) => signed(tx.dh_lacking(size)?),
        };
        let (depth, making) = (signed(tx.pool_depth(kind)?), signed(tx.jobs_making(kind)?));
        let missing =
            plan::missing(base + lacking, depth, making).min(limits::TRANSACTION_DOCUMENTS_MAX);
        for _ in 0..missing {
            let (id, work) = (tx.store().new_id(), Work::to_fill(kind));
            tx.job_insert(NewJob { id, work, reserved_for: None })?;
        }
        Ok(missing)
    })
}

/// What expired reservations held is anybody's; answers how many there were.
pub fn sweep(ground: &Ground) -> Result<u64, StoreError> {
    Ok(ground.store.pool_release_expired()? + ground.store.jobs_release_expired()?)
}

/// What this host took and has not counted in the database yet.
#[derive(Debug, Default)]
pub struct Counters([AtomicUsize; PoolKind::ALL.len()]);

impl Counters {
    pub fn add(&self, kind: PoolKind, count: usize) {
        let counters = PoolKind::ALL.iter().zip(&self.0);
        for (_, counter) in counters.filter(|(of, _)| **of == kind) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// What can not be recorded now is kept for the next time.
    fn record(&self, ground: &Ground) -> Result<(), StoreError> {
        for (kind, counter) in PoolKind::ALL.into_iter().zip(&self.0) {
            let count = counter.swap(0, Ordering::Relaxed);
            if count > 0
                && let Err(error) = ground.store.pool_note_taken(kind, count as u64)
            {
                counter.fetch_add(count, Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    }

    fn is_zero(&self) -> bool {
        self.0.iter().all(|counter| counter.load(Ordering::Relaxed) == 0)
    }
}

/// What the thread does.
pub struct Refiller {
    pub(super) ground: Ground,
    pub(super) taken: Arc<Counters>,
}

impl Refiller {
    pub fn run(&self, stop: &Stop) {
        let news = self.ground.bus.subscribe("pool-refill");
        let clock = &self.ground.clock;
        // A fresh box has nothing yet; an older one may have been stopped in between.
        let mut plan_at = Some(clock.mono() + self.delay());
        loop {
            let now = clock.mono();
            let left = plan_at.map_or(limits::RECONCILE_PERIOD, |at| at.since(now));
            let heard = news.next(stop, left);
            if stop.is_set() {
                return;
            }
            let taken = matches!(heard, Some(Heard::Message(Message::PoolTaken) | Heard::Gap))
                // Own takes are a reason, heard of or not. Without one the task is enough.
                || (heard.is_none() && !self.taken.is_zero());
            if plan_at.is_some_and(|at| at <= clock.mono()) {
                plan_at = None;
                self.plan();
            } else if taken {
                plan_at.get_or_insert(now + self.delay());
            }
        }
    }

    /// Hosts hear of a take at the same time: one of them is first, and the others find it done.
    fn delay(&self) -> Duration {
        let spread = u64::try_from(limits::POOL_REFILL_PAUSE.as_millis()).unwrap_or(0);
        limits::POOL_REFILL_PAUSE + Duration::from_millis(self.ground.random.below(spread))
    }

    /// Counts what was taken and plans what is missing.
    pub fn plan(&self) {
        let planned = self.taken.record(&self.ground).and_then(|()| refill(&self.ground));
        if let Err(error) = planned {
            log::debug!("the pools are not refilled: {error}");
        }
    }
}
