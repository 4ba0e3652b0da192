//! What to do about the difference between what should run here and what does: pure.

use crate::base::ids::{InstanceId, ServerId};
use std::collections::{BTreeMap, BTreeSet};

/// What to do about one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Start(ServerId),
    Adopt(ServerId),
    Stop(ServerId),
    /// A process of an earlier life that nobody wants.
    End(ServerId),
}

pub type Instances = BTreeMap<ServerId, InstanceId>;

/// The difference, server by server: what is in the way goes first. `left`: by an earlier life;
/// `busy`: still ending, or failed a moment ago.
pub fn steps(
    wanted: &Instances,
    running: &Instances,
    left: &Instances,
    busy: &BTreeSet<ServerId>,
) -> Vec<Step> {
    let differs = |have: &Instances, id: &ServerId| have.get(id) != wanted.get(id);
    let stop = running.keys().filter(|id| differs(running, id)).map(|id| Step::Stop(*id));
    let strays = left.keys().filter(|id| !running.contains_key(id) && differs(left, id));
    let end = strays.map(|id| Step::End(*id));
    let missing = wanted.keys().filter(|id| !running.contains_key(id) && !busy.contains(id));
    let begin = missing.map(|id| match left.contains_key(id) && !differs(left, id) {
        true => Step::Adopt(*id),
        false => Step::Start(*id),
    });
    stop.chain(end).chain(begin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_mended() {
        let id = |n: u8| ServerId::from_bytes([n; 12]);
        // Server and instance.
        type Set<'a> = &'a [(u8, u8)];
        let set = |of: Set<'_>| -> Instances {
            of.iter().map(|(s, i)| (id(*s), InstanceId::from_bytes([*i; 12]))).collect()
        };
        // Wanted, running, left by an earlier life, busy.
        type Row<'a> = (Set<'a>, Set<'a>, Set<'a>, &'a [u8], &'a [Step]);
        let rows: [Row<'_>; 9] = [
            (&[], &[], &[], &[], &[]),
            (&[(1, 1)], &[], &[], &[], &[Step::Start(id(1))]),
            (&[(1, 1)], &[(1, 1)], &[(1, 1)], &[], &[]),
            (&[(1, 1)], &[], &[(1, 1)], &[], &[Step::Adopt(id(1))]),
            (&[], &[(1, 1)], &[(1, 1)], &[], &[Step::Stop(id(1))]),
            (&[], &[], &[(1, 1)], &[], &[Step::End(id(1))]),
            (&[(1, 1), (2, 2)], &[], &[], &[1], &[Step::Start(id(2))]),
            // Another instance than the one that is there; it starts when that has ended.
            (&[(1, 2)], &[(1, 1)], &[(1, 1)], &[], &[Step::Stop(id(1))]),
            (&[(1, 2)], &[], &[(1, 1)], &[], &[Step::End(id(1)), Step::Start(id(1))]),
        ];
        for (wanted, running, left, busy, want) in rows {
            let busy = busy.iter().map(|n| id(*n)).collect();
            let got = steps(&set(wanted), &set(running), &set(left), &busy);
            assert_eq!(got, want, "{wanted:?} {running:?} {left:?} {busy:?}");
        }
    }
}
