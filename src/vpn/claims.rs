//! Which replica slots of servers this host takes, keeps and gives back: pure, from what the
//! documents say and what lives here.
//!
//! ```text
//!            first choice, or patience is over          stopped, detached, surplus
//!   free ─────────────────────────────────────► held ─────────────────────────────► free
//!    │       or its OpenVPN lives here still      ▲ │
//!    │                                   restamp  │ │ the holder's life is over
//!    │      replaced by whoever may take it       │ ▼
//!    ◄─────────────────────────────────────── of the dead
//! ```
//!
//! Every host computes the same choice from the same documents: the least loaded host that may run
//! the server, with a small advantage for the one that did. So they seldom want the same slot;
//! where they do, the claim's condition decides. A host that can not start a server leaves its slot
//! free, and after [`CLAIM_PATIENCE`] others need not be the first choice.

use crate::base::clock::Mono;
use crate::base::ids::{Holder, HostId, InstanceId, ServerId};
use crate::limits::{CLAIM_HYSTERESIS, CLAIM_PATIENCE};
use crate::store::instances::ServerSlots;
use crate::store::servers::InstanceDoc;
use crate::vpn::records::{Here, LivingState};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a decision rests on.
pub struct Facts<'a> {
    pub me: Holder,
    /// Living hosts with the epoch of the life under way; this one is among them.
    pub lives: &'a BTreeMap<HostId, i64>,
    /// Every server that should run anywhere, and those that this host holds.
    pub servers: &'a [ServerSlots],
    pub here: &'a Here,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Keep(InstanceId),
    /// Held in an earlier life, and its OpenVPN lives.
    Restamp {
        instance: InstanceId,
        from_epoch: i64,
    },
    /// `resumes`: an OpenVPN that lives here already.
    Claim {
        resumes: Option<InstanceId>,
        replaced: Vec<InstanceId>,
    },
    Release(InstanceId),
}

/// Remembers since when slots are free.
#[derive(Default)]
pub struct Claims {
    free_since: BTreeMap<ServerId, Mono>,
}

/// How many servers each host runs, as it will be.
type Loads = BTreeMap<HostId, usize>;

impl Facts<'_> {
    fn holds(&self, instance: &InstanceDoc) -> bool {
        self.lives.get(&instance.host_id) == Some(&instance.epoch)
    }

    fn living<'s>(&self, server: &'s ServerSlots) -> Vec<&'s InstanceDoc> {
        server.instances.iter().filter(|instance| self.holds(instance)).collect()
    }

    fn loads(&self) -> Loads {
        let mut loads: Loads = self.lives.keys().map(|host| (*host, 0)).collect();
        let servers = self.servers.iter().filter(|server| server.online);
        for instance in servers.flat_map(|server| self.living(server)) {
            *loads.entry(instance.host_id).or_default() += 1;
        }
        loads
    }

    fn is_paused(&self, server: &ServerSlots) -> bool {
        self.here.paused.get(&server.id) == Some(&server.run)
    }

    /// Hosts that should take the free slots of a server.
    fn choice(&self, server: &ServerSlots, living: &[&InstanceDoc], loads: &Loads) -> Vec<HostId> {
        let free = replicas(server).saturating_sub(living.len());
        let may = |host: &HostId| {
            self.lives.contains_key(host)
                && !living.iter().any(|instance| instance.host_id == *host)
                && !(*host == self.me.host && self.is_paused(server))
        };
        let ran = |host: &HostId| server.instances.iter().any(|i| i.host_id == *host);
        let mut hosts: Vec<HostId> = server.hosts.iter().copied().filter(may).collect();
        hosts.sort_by_key(|host| {
            let load = loads.get(host).copied().unwrap_or(0);
            let handicap = if ran(host) { 0 } else { CLAIM_HYSTERESIS };
            (load + handicap, !ran(host), *host)
        });
        hosts.truncate(free);
        hosts
    }
}

fn replicas(server: &ServerSlots) -> usize {
    usize::try_from(server.replica_count).unwrap_or(0).max(1)
}

impl Claims {
    /// What to do about the servers that are any business of this host, and when to look again at
    /// the latest because of a free slot.
    pub fn step(
        &mut self,
        now: Mono,
        facts: &Facts<'_>,
    ) -> (Vec<(ServerId, Decision)>, Option<Duration>) {
        let mut loads = facts.loads();
        let (mut decisions, mut again) = (Vec::new(), None::<Duration>);
        let before = std::mem::take(&mut self.free_since);
        for server in facts.servers {
            let living = facts.living(server);
            let choice = match server.online {
                true => facts.choice(server, &living, &loads),
                false => Vec::new(),
            };
            for host in &choice {
                *loads.entry(*host).or_default() += 1;
            }
            let is_free = server.online && living.len() < replicas(server);
            let mut waited = Duration::ZERO;
            if is_free {
                let since = before.get(&server.id).copied().unwrap_or(now);
                self.free_since.insert(server.id, since);
                waited = now.since(since);
            }
            let first = choice.contains(&facts.me.host);
            match decide(facts, server, &living, first || waited >= CLAIM_PATIENCE) {
                Some(decision) => decisions.push((server.id, decision)),
                None if is_free && server.hosts.contains(&facts.me.host) => {
                    let left = CLAIM_PATIENCE.saturating_sub(waited);
                    let left = Some(left).filter(|left| !left.is_zero());
                    again = again.into_iter().chain(left).min();
                }
                None => {}
            }
        }
        (decisions, again)
    }
}

/// `may_take`: the turn is this host's, if there is a free slot.
fn decide(
    facts: &Facts<'_>,
    server: &ServerSlots,
    living: &[&InstanceDoc],
    may_take: bool,
) -> Option<Decision> {
    let me = facts.me;
    let own = server.instances.iter().find(|instance| instance.host_id == me.host);
    let attached = server.online && server.hosts.contains(&me.host);
    let here = facts.here.living.get(&server.id);
    let here = here.filter(|h| h.run == server.run && h.state != LivingState::Stopping);
    let others = living.iter().filter(|instance| instance.host_id != me.host).count();
    let has_room = others < replicas(server);
    let replaced = || {
        let gone = |i: &&InstanceDoc| i.host_id == me.host || !facts.holds(i);
        server.instances.iter().filter(gone).map(|i| i.instance_id).collect()
    };
    if let Some(own) = own {
        let mine = own.epoch == me.epoch;
        let rank = living.iter().position(|i| i.instance_id == own.instance_id);
        let surplus = rank.is_some_and(|rank| rank >= replicas(server));
        if !attached || surplus || (!mine && !has_room) {
            return Some(Decision::Release(own.instance_id));
        }
        let current = own.run == server.run;
        if mine && current {
            return Some(Decision::Keep(own.instance_id));
        }
        if current && here.is_some_and(|here| here.instance == own.instance_id) {
            let instance = own.instance_id;
            return Some(Decision::Restamp { instance, from_epoch: own.epoch });
        }
        if facts.is_paused(server) {
            return Some(Decision::Release(own.instance_id));
        }
        // A run that was asked for anew: the slot stays with the host.
        if mine {
            return Some(Decision::Claim { resumes: None, replaced: replaced() });
        }
    }
    if !attached || !has_room {
        return None;
    }
    if let Some(here) = here {
        return Some(Decision::Claim { resumes: Some(here.instance), replaced: replaced() });
    }
    let take = may_take && !facts.is_paused(server);
    take.then(|| Decision::Claim { resumes: None, replaced: replaced() })
}

#[cfg(test)]
mod tests;
