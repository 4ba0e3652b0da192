//! VPN servers: who claims their slots, as `vpn::database` does it, and the OpenVPN processes that
//! hosts have, which outlive the daemon. `vpn::claims` decides.

use crate::sim::hosts::{Life, accept};
use crate::sim::judge::host_id;
use crate::sim::link::World;
use crate::sim::orders::{self, ORG};
use mongodb::bson::{Document, serialize_to_document};
use std::collections::BTreeMap;
use warren::base::ids::{Holder, HostId, InstanceId, ServerId, UserId};
use warren::store::StoreError;
use warren::store::instances::{Claim, ServerSlots};
use warren::store::servers::ServerDoc;
use warren::store::users::UserSummary;
use warren::vpn::claims::{Claims, Decision, Facts};
use warren::vpn::records::{Here, Living, LivingState};

/// Servers that somebody uses, and stay.
const SERVERS: u8 = 2;

fn id(number: u8) -> ServerId {
    ServerId::from_bytes([0x50 + number; 12])
}

pub fn ids() -> impl Iterator<Item = ServerId> {
    (0..SERVERS).map(id)
}

/// What there is of them from the beginning: servers, and the holders of their certificates.
pub fn laid() -> Vec<(&'static str, Document)> {
    let mut all = Vec::new();
    for number in 0..SERVERS {
        let holder = UserId::from_bytes([0x60 + number; 12]);
        let network = format!("10.{}.0.0/24", 100 + number);
        let hosts = (0..crate::sim::hosts::HOSTS).map(|n| HostId::from_bytes(host_id(n)));
        let port = 30_000 + i64::from(number);
        let blank = orders::server(id(number), &network, port, HostId::from_bytes(host_id(0)));
        let mut server = ServerDoc {
            organizations: vec![ORG],
            hosts: hosts.collect(),
            online: true,
            run: 1,
            primary_organization: Some(ORG),
            primary_user: Some(holder),
            ..blank
        };
        server.options.replica_count = 1 + i64::from(number);
        let user = UserSummary::server(ORG, holder, server.id, String::new());
        all.push(("servers", serialize_to_document(&server).expect("a document")));
        all.push(("users", serialize_to_document(&orders::user(user)).expect("a document")));
    }
    all
}

/// What administrators do to a server.
pub fn operate(life: &Life) -> Result<(), StoreError> {
    let store = &life.ground.store;
    let server = id(life.below(u64::from(SERVERS)) as u8);
    let host = HostId::from_bytes(host_id(life.below(3) as usize));
    match life.below(8) {
        0 => store.server_stop(server).map(drop),
        1 => store.server_start(server).map(drop),
        2 | 3 => store.server_restart(server).map(drop),
        4 => store.server_set_host(server, host, false).map(drop),
        5 => store.server_set_host(server, host, true).map(drop),
        _ => {
            let replicas = 1 + life.below(2) as i64;
            let changed = store.transaction("change a server", |tx| {
                let Some(mut found) = tx.server(server)? else { return Ok(false) };
                found.options.replica_count = replicas;
                tx.server_change(server, &found.options, &found.routes, None)
            });
            changed.map(drop)
        }
    }
}

/// OpenVPN processes of a host, by server.
pub type Processes = BTreeMap<ServerId, (InstanceId, i64)>;

fn processes(world: &World, host: usize) -> Processes {
    world.lock().1.judge.processes.get(&host).cloned().unwrap_or_default()
}

/// Instances that a daemon finds when it starts.
pub fn left(world: &World, host: usize) -> Vec<InstanceId> {
    processes(world, host).values().map(|(instance, _)| *instance).collect()
}

/// The threads `vpn-fleet` and `vpn-look`.
pub fn look(life: &Life, claims: &mut Claims) {
    match look_once(life, claims) {
        Ok(false) => life.wait(1_000 + life.below(4_000)),
        Ok(true) => life.wait(100),
        Err(error) => {
            accept(Err(error));
            life.wait(1_000);
        }
    }
}

/// Answers whether something moved meanwhile.
fn look_once(life: &Life, claims: &mut Claims) -> Result<bool, StoreError> {
    let (store, number) = (&life.ground.store, life.number);
    let me = Holder { host: life.ground.host, epoch: life.ground.status.epoch() };
    let here = processes(&life.world, number);
    let living = here.iter().map(|(server, (instance, run))| {
        let state = LivingState::Watched;
        (*server, Living { instance: *instance, run: *run, state })
    });
    let here = Here { living: living.collect(), paused: BTreeMap::new() };
    let (servers, lives) = store.slots_and_lives(me.host)?;
    if lives.get(&me.host) != Some(&me.epoch) {
        return Ok(false);
    }
    let facts = Facts { me, lives: &lives, servers: &servers, here: &here };
    let (decisions, _) = claims.step(life.ground.clock.mono(), &facts);
    // Much may happen between a look and what follows from it.
    if !decisions.is_empty() && life.faults() && life.below(2) == 0 {
        life.wait(life.below(3_000));
    }
    let (mut wanted, mut moved) = (Vec::new(), false);
    for (server, decision) in decisions {
        let Some(slots) = servers.iter().find(|slots| slots.id == server) else { continue };
        match carry_out(life, me, slots, decision)? {
            Done::Runs(instance) => wanted.push((server, instance, slots.run)),
            Done::Not => {}
            Done::Moved => moved = true,
        }
    }
    // What is not wanted ends, and then gives its slot back.
    for (server, living) in &here.living {
        if !wanted.iter().any(|(_, instance, _)| *instance == living.instance) {
            life.wait(life.below(200));
            change(&life.world, number, |processes| {
                processes.remove(server);
            });
            store.instance_release(*server, living.instance)?;
        }
    }
    for (server, instance, run) in wanted {
        change(&life.world, number, |processes| {
            processes.entry(server).or_insert((instance, run));
        });
        store.instance_started(server, instance)?;
    }
    Ok(moved)
}

fn change(world: &World, host: usize, how: impl FnOnce(&mut Processes)) {
    how(world.lock().1.judge.processes.entry(host).or_default());
}

enum Done {
    Runs(InstanceId),
    Not,
    /// The document is not as it was seen.
    Moved,
}

fn carry_out(
    life: &Life,
    me: Holder,
    slots: &ServerSlots,
    decision: Decision,
) -> Result<Done, StoreError> {
    let store = &life.ground.store;
    let lives = |instance| {
        let all = processes(&life.world, life.number);
        all.get(&slots.id).is_some_and(|(living, _)| *living == instance)
    };
    Ok(match decision {
        Decision::Keep(instance) => Done::Runs(instance),
        // What lives is stopped first.
        Decision::Release(instance) if lives(instance) => Done::Not,
        Decision::Release(instance) => {
            store.instance_release(slots.id, instance)?;
            Done::Not
        }
        Decision::Restamp { instance, from_epoch } => {
            match store.instance_restamp(slots.id, instance, from_epoch, me.epoch)? {
                true => Done::Runs(instance),
                false => Done::Moved,
            }
        }
        Decision::Claim { resumes, replaced } => {
            let instance = resumes.unwrap_or_else(|| store.new_id());
            let (host, epoch, runs) = (me.host, me.epoch, resumes.is_some());
            let replaced = &replaced;
            match store.instance_claim(&Claim { slots, replaced, instance, host, epoch, runs })? {
                true => Done::Runs(instance),
                false => Done::Moved,
            }
        }
    })
}
