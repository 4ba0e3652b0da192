//! The rules by which a host is declared dead: pure, without clock or database.

use crate::base::clock::Mono;
use crate::base::ids::HostId;
use crate::limits::{DEAD_AFTER, OWN_BEATS_MIN, PRIMARY_SETTLE, READ_SLOW};
use std::collections::BTreeMap;

/// A host in one of its lives, as a read showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub host: HostId,
    pub epoch: i64,
    pub beat: i64,
}

/// What the observer's host has just done, begun at `started` and over by the `now` of the step.
#[derive(Clone, Debug)]
pub enum Event {
    /// Its own beat.
    Beat { started: Mono, acknowledged: bool },
    /// A read of all living hosts; `None`: it failed.
    Read { started: Mono, primary_changes: u64, seen: Option<Vec<Seen>> },
}

/// A beat that has not moved since.
struct Window {
    seen: Seen,
    since: Mono,
    own_beats: u32,
}

/// Watches the beats of all hosts but its own.
pub struct Observer {
    own: HostId,
    windows: BTreeMap<HostId, Window>,
    primary_changes: Option<u64>,
    settled: Mono,
}

impl Observer {
    pub fn new(own: HostId) -> Observer {
        let windows = BTreeMap::new();
        Observer { own, windows, primary_changes: None, settled: Mono::ZERO }
    }

    /// Takes in what happened; answers who is to be declared dead, under the condition that it
    /// still is as seen.
    pub fn step(&mut self, now: Mono, event: Event) -> Vec<Seen> {
        match event {
            Event::Beat { started, acknowledged } => {
                if acknowledged && now.since(started) <= READ_SLOW {
                    for window in self.windows.values_mut() {
                        window.own_beats += 1;
                    }
                } else {
                    self.windows.clear();
                }
                Vec::new()
            }
            Event::Read { started, primary_changes, seen } => {
                self.note_primary(now, primary_changes);
                match seen {
                    Some(seen) if now.since(started) <= READ_SLOW => self.look(started, now, &seen),
                    _ => {
                        self.windows.clear();
                        Vec::new()
                    }
                }
            }
        }
    }

    fn note_primary(&mut self, now: Mono, changes: u64) {
        let before = self.primary_changes.replace(changes);
        if before.is_some_and(|before| before != changes) {
            self.settled = now + PRIMARY_SETTLE;
        }
        if now < self.settled {
            self.windows.clear();
        }
    }

    /// A beat was unmoved at least from the end of the read that first showed it until the begin
    /// of the newest one.
    fn look(&mut self, started: Mono, now: Mono, seen: &[Seen]) -> Vec<Seen> {
        if now < self.settled {
            return Vec::new();
        }
        let mut before = std::mem::take(&mut self.windows);
        let mut dead = Vec::new();
        for &seen in seen.iter().filter(|seen| seen.host != self.own) {
            let known = before.remove(&seen.host).filter(|window| window.seen == seen);
            let window = known.unwrap_or(Window { seen, since: now, own_beats: 0 });
            if window.own_beats >= OWN_BEATS_MIN && started.since(window.since) >= DEAD_AFTER {
                dead.push(seen);
            } else {
                self.windows.insert(seen.host, window);
            }
        }
        dead
    }
}
