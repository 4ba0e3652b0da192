//! What this host should run: slots are claimed, kept and given back, and what is to be started
//! gets its keys.

use super::{Database, away};
use crate::base::ids::{Holder, ServerId};
use crate::bus::Message;
use crate::domain::event::Event;
use crate::domain::server::{AllowedDevices, wake_key};
use crate::limits::CLAIM_TRIES_MAX;
use crate::store::StoreError;
use crate::store::instances::{Claim, Failed, ServerSlots};
use crate::store::servers::ServerDoc;
use crate::vpn::claims::{Claims, Decision, Facts};
use crate::vpn::plan::{self, Papers};
use crate::vpn::records::{Away, Here, LivingState, Outlook, Wanted};
use crate::vpn::runner::Plan;
use crate::vpn::settings::Access;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Something moved while it was looked at: soon again.
const AGAIN: Duration = Duration::from_millis(100);

/// How one decision was carried out.
enum Done {
    Runs(Box<Wanted>),
    /// Not here, or not now.
    Not,
    /// The document is not as it was seen.
    Moved,
}

/// Documents and papers of servers that are to be started, as far as they could be read.
type Plans = HashMap<ServerId, Result<Plan, plan::Fault>>;

impl Database {
    pub(super) fn look(&self, claims: &mut Claims, here: &Here) -> Result<Outlook, Away> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (outlook, moved) = self.look_once(claims, here)?;
            if !moved || tries >= CLAIM_TRIES_MAX {
                let again = if moved { Some(AGAIN) } else { outlook.again };
                return Ok(Outlook { again, ..outlook });
            }
        }
    }

    fn look_once(&self, claims: &mut Claims, here: &Here) -> Result<(Outlook, bool), Away> {
        let me = Holder { host: self.host, epoch: self.status.epoch() };
        let (servers, lives) = away(self.store.slots_and_lives(me.host))?;
        // Declared dead a moment ago: nothing may be decided before the next life has begun.
        if lives.get(&me.host) != Some(&me.epoch) {
            return Err(Away);
        }
        let facts = Facts { me, lives: &lives, servers: &servers, here };
        let (decisions, again) = claims.step(self.clock.mono(), &facts);
        let mut plans = self.plans(&decisions, here)?;
        let slots: HashMap<ServerId, &ServerSlots> = servers.iter().map(|s| (s.id, s)).collect();
        let mut outlook = Outlook { again, ..Outlook::default() };
        let mut moved = false;
        for (id, decision) in decisions {
            let Some(slots) = slots.get(&id) else { continue };
            let plan = plans.remove(&id);
            match away(self.carry_out(me, here, slots, decision, plan))? {
                Done::Runs(wanted) => outlook.wanted.push(*wanted),
                Done::Not => {}
                Done::Moved => moved = true,
            }
        }
        let instances: Vec<_> = here.living.values().map(|living| living.instance).collect();
        outlook.cut = away(self.store.clients_to_cut(&instances))?;
        Ok((outlook, moved))
    }

    /// For everything that does not run yet in this life.
    fn plans(&self, decisions: &[(ServerId, Decision)], here: &Here) -> Result<Plans, Away> {
        let starts = |(id, decision): &(ServerId, Decision)| {
            let watched = here.living.get(id).filter(|l| l.state == LivingState::Watched);
            let keeps = match decision {
                Decision::Release(_) => return None,
                Decision::Keep(instance) | Decision::Restamp { instance, .. } => Some(*instance),
                Decision::Claim { resumes, .. } => *resumes,
            };
            let runs = watched.is_some_and(|living| keeps == Some(living.instance));
            (!runs).then_some(*id)
        };
        let ids: Vec<ServerId> = decisions.iter().filter_map(starts).collect();
        if ids.is_empty() {
            return Ok(Plans::new());
        }
        let docs = away(self.store.servers_by_id(&ids))?;
        let orgs: Vec<_> = docs.iter().flat_map(|doc| doc.organizations.clone()).collect();
        let users: Vec<_> = docs.iter().filter_map(|doc| doc.primary_user).collect();
        let authorities = away(self.store.authorities(&orgs))?;
        let identities = away(self.store.server_identities(&users))?;
        let papers = Papers::of(authorities, identities);
        Ok(docs.into_iter().map(|doc| (doc.id, self.plan(&doc, &papers))).collect())
    }

    /// The instance is filled in once it is known.
    fn plan(&self, doc: &ServerDoc, papers: &Papers) -> Result<Plan, plan::Fault> {
        Ok(Plan {
            server: Arc::new(plan::server(doc)?),
            keys: plan::keys(doc, papers)?,
            guards: self.guards.clone(),
            instance: self.store.new_id(),
            run: doc.run,
        })
    }

    fn carry_out(
        &self,
        me: Holder,
        here: &Here,
        slots: &ServerSlots,
        decision: Decision,
        plan: Option<Result<Plan, plan::Fault>>,
    ) -> Result<Done, StoreError> {
        let release = |instance| {
            // What lives is stopped first, and gives its slot back when it has ended.
            let living = here.living.get(&slots.id);
            if living.is_some_and(|living| living.instance == instance) {
                return Ok(Done::Not);
            }
            if self.store.instance_release(slots.id, instance)? {
                self.tell(slots.id);
            }
            Ok(Done::Not)
        };
        if let Decision::Release(instance) = decision {
            return release(instance);
        }
        let mut plan = match plan {
            // The server was changed or deleted between two readings.
            Some(Ok(plan)) if plan.run != slots.run => return Ok(Done::Moved),
            Some(Ok(plan)) => Some(plan),
            Some(Err(fault)) => {
                self.note_fault(slots, &fault)?;
                let own = slots.instances.iter().find(|i| i.host_id == me.host);
                return own.map_or(Ok(Done::Not), |own| release(own.instance_id));
            }
            None => None,
        };
        let instance = match decision {
            Decision::Release(_) => return Ok(Done::Not),
            Decision::Keep(instance) => instance,
            Decision::Restamp { instance, from_epoch } => {
                if !self.store.instance_restamp(slots.id, instance, from_epoch, me.epoch)? {
                    return Ok(Done::Moved);
                }
                instance
            }
            Decision::Claim { resumes, replaced } => {
                let instance = resumes.unwrap_or_else(|| self.store.new_id());
                let (host, epoch) = (me.host, me.epoch);
                let runs = resumes.is_some();
                let claim = Claim { slots, replaced: &replaced, instance, host, epoch, runs };
                if !self.store.instance_claim(&claim)? {
                    return Ok(Done::Moved);
                }
                let gone: Vec<_> = replaced.into_iter().filter(|id| *id != instance).collect();
                self.store.instance_clients_forget(&gone)?;
                log::info!("server {} is this host's to run", slots.name);
                instance
            }
        };
        if let Some(plan) = &mut plan {
            plan.instance = instance;
        }
        let allowed = slots.allowed_devices.as_deref().and_then(AllowedDevices::parse);
        let access = Access {
            organizations: slots.organizations.clone(),
            groups: slots.groups.clone(),
            allowed_devices: allowed.map(plan::devices),
        };
        Ok(Done::Runs(Box::new(Wanted { server: slots.id, instance, access, plan })))
    }

    /// Written once: every host that may run the server finds the same.
    fn note_fault(&self, slots: &ServerSlots, fault: &plan::Fault) -> Result<(), StoreError> {
        let cause = fault.to_string();
        if slots.failure.as_ref().is_some_and(|failure| failure.cause == cause) {
            return Ok(());
        }
        log::error!("server {} can not be started: {cause}", slots.name);
        if self.store.server_failed(slots.id, self.host, Failed::Run(slots.run), &cause)? {
            self.tell(slots.id);
        }
        Ok(())
    }

    /// Those who wait for the server, and those who look at it.
    pub(super) fn tell(&self, server: ServerId) {
        self.bus.publish(Message::Wake { key: wake_key(server) });
        self.bus.emit(Event::Servers);
        self.bus.emit(Event::ServerHosts(server));
    }
}
