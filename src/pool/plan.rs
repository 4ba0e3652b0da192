//! How full a pool should be, and what is missing. Pure.

use crate::limits::{POOL_DH2048_MAX, POOL_RSA2048_MAX, POOL_RSA4096_MAX};
use crate::pki::{DhSize, KeyKind};
use crate::store::pool::PoolKind;
use crate::store::settings::PoolSettings;

/// How many a pool should hold when `taken` went in the last ten minutes: enough for twice as many
/// in the next ones, between floor and ceiling. A floor above the ceiling counts.
pub fn target(taken: i64, floor: i64, ceiling: i64) -> i64 {
    taken.max(0).saturating_mul(2).min(ceiling).max(floor).max(0)
}

/// How many to make on top of what is there and under way.
pub fn missing(target: i64, depth: i64, making: i64) -> usize {
    usize::try_from(target.saturating_sub(depth).saturating_sub(making)).unwrap_or(0)
}

pub fn floor(settings: &PoolSettings, kind: PoolKind) -> i64 {
    match kind {
        PoolKind::Key(KeyKind::Rsa2048) => settings.rsa2048_floor,
        PoolKind::Key(KeyKind::Rsa4096) => settings.rsa4096_floor,
        PoolKind::Dh(DhSize::Bits2048) => settings.dh2048_floor,
        PoolKind::Key(_) | PoolKind::Dh(_) => 0,
    }
}

pub const fn ceiling(kind: PoolKind) -> i64 {
    match kind {
        PoolKind::Key(KeyKind::Rsa2048) => POOL_RSA2048_MAX,
        PoolKind::Key(KeyKind::Rsa4096) => POOL_RSA4096_MAX,
        PoolKind::Dh(DhSize::Bits2048) => POOL_DH2048_MAX,
        // Others are made for servers that lack them.
        PoolKind::Key(_) | PoolKind::Dh(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_follows_what_was_taken_between_floor_and_ceiling() {
        for (taken, floor, ceiling, expected) in [
            (0, 64, 1024, 64),
            (32, 64, 1024, 64),
            (33, 64, 1024, 66),
            (511, 64, 1024, 1022),
            (5000, 64, 1024, 1024),
            (i64::MAX, 64, 1024, 1024),
            // Settings are somebody's wish.
            (0, 2000, 1024, 2000),
            (0, -5, 1024, 0),
            (-1, 0, 1024, 0),
        ] {
            assert_eq!(target(taken, floor, ceiling), expected, "{taken} {floor} {ceiling}");
        }
    }

    #[test]
    fn what_is_there_or_under_way_is_not_made_again() {
        for (target, depth, making, expected) in [
            (64, 0, 0, 64),
            (64, 60, 0, 4),
            (64, 60, 3, 1),
            (64, 60, 4, 0),
            (64, 70, 0, 0),
            (64, 0, 100, 0),
            (0, 0, 0, 0),
        ] {
            assert_eq!(missing(target, depth, making), expected, "{target} {depth} {making}");
        }
    }

    #[test]
    fn every_pool_has_a_floor_and_a_ceiling_but_those_on_demand() {
        let settings = PoolSettings::default();
        for kind in PoolKind::ALL {
            let (floor, ceiling) = (floor(&settings, kind), ceiling(kind));
            assert!(floor <= ceiling, "{kind}");
            let on_demand = matches!(kind, PoolKind::Dh(size) if size != DhSize::Bits2048);
            assert_eq!(floor == 0, on_demand, "{kind}");
        }
    }
}
