//! Slots: who takes them, who keeps them, and who makes way.

use super::Decision::{Claim, Keep, Release, Restamp};
use super::*;
use crate::vpn::records::Living;

fn host(n: u8) -> HostId {
    HostId::from_bytes([n; 16])
}

fn id(n: u8) -> InstanceId {
    InstanceId::from_bytes([n; 12])
}

fn server_id(n: u8) -> ServerId {
    ServerId::from_bytes([n; 12])
}

/// Instance `n` of host `h` in its life `epoch`, of run 1.
fn held(n: u8, h: u8, epoch: i64) -> InstanceDoc {
    InstanceDoc { instance_id: id(n), host_id: host(h), epoch, run: 1, started: None }
}

fn server(n: u8, hosts: &[u8], instances: Vec<InstanceDoc>) -> ServerSlots {
    ServerSlots {
        name: format!("s{n}"),
        id: server_id(n),
        online: true,
        hosts: hosts.iter().copied().map(host).collect(),
        replica_count: 1,
        run: 1,
        instances,
        failure: None,
        organizations: Vec::new(),
        groups: Vec::new(),
        allowed_devices: None,
    }
}

fn lives(of: &[(u8, i64)]) -> BTreeMap<HostId, i64> {
    of.iter().map(|(n, epoch)| (host(*n), *epoch)).collect()
}

fn here(instance: u8, run: i64) -> Here {
    let living = Living { instance: id(instance), run, state: LivingState::Watched };
    Here { living: [(server_id(1), living)].into(), ..Here::default() }
}

fn claim(replaced: &[u8]) -> Option<Decision> {
    Some(Claim { resumes: None, replaced: replaced.iter().copied().map(id).collect() })
}

type Row = (&'static str, ServerSlots, Here, Option<Decision>);

/// What host 1, in its life 5, does about one server; hosts 2 and 3 live in theirs, 5.
fn check(rows: impl IntoIterator<Item = Row>) {
    let lives = lives(&[(1, 5), (2, 5), (3, 5)]);
    let me = Holder { host: host(1), epoch: 5 };
    for (what, server, here, want) in rows {
        let facts = Facts { me, lives: &lives, servers: &[server], here: &here };
        let (decisions, _) = Claims::default().step(Mono::ZERO, &facts);
        assert_eq!(decisions.into_iter().next().map(|(_, d)| d), want, "{what}");
    }
}

fn changed(change: fn(&mut ServerSlots), instances: Vec<InstanceDoc>) -> ServerSlots {
    let mut server = server(1, &[1], instances);
    change(&mut server);
    server
}

#[test]
fn a_free_slot_is_taken_and_a_held_one_kept_while_it_is_wanted() {
    let none = Here::default;
    check([
        ("free", server(1, &[1], vec![]), none(), claim(&[])),
        ("not attached", server(1, &[2], vec![]), none(), None),
        ("stopped", changed(|s| s.online = false, vec![]), none(), None),
        ("another's", server(1, &[1, 2], vec![held(7, 2, 5)]), none(), None),
        ("of the dead", server(1, &[1, 4], vec![held(7, 4, 4)]), none(), claim(&[7])),
        ("of one that came back", server(1, &[1, 2], vec![held(7, 2, 4)]), none(), None),
        ("of one that is gone", server(1, &[1], vec![held(7, 9, 5)]), none(), claim(&[7])),
        ("held", server(1, &[1], vec![held(7, 1, 5)]), here(7, 1), Some(Keep(id(7)))),
        ("held, not started", server(1, &[1], vec![held(7, 1, 5)]), none(), Some(Keep(id(7)))),
        (
            "stopped while held",
            changed(|s| s.online = false, vec![held(7, 1, 5)]),
            here(7, 1),
            Some(Release(id(7))),
        ),
        ("detached", server(1, &[2], vec![held(7, 1, 5)]), here(7, 1), Some(Release(id(7)))),
        ("restarted", changed(|s| s.run = 2, vec![held(7, 1, 5)]), here(7, 1), claim(&[7])),
    ]);
}

#[test]
fn what_lived_through_another_life_is_kept_unless_its_slot_was_taken() {
    let none = Here::default;
    check([
        (
            "of an earlier life, alive",
            server(1, &[1], vec![held(7, 1, 4)]),
            here(7, 1),
            Some(Restamp { instance: id(7), from_epoch: 4 }),
        ),
        ("of an earlier life, dead", server(1, &[1], vec![held(7, 1, 4)]), none(), claim(&[7])),
        (
            "of an earlier life, restarted since",
            changed(|s| s.run = 2, vec![held(7, 1, 4)]),
            here(7, 1),
            claim(&[7]),
        ),
        (
            "of an earlier life, taken over",
            server(1, &[1, 2], vec![held(7, 1, 4), held(8, 2, 5)]),
            here(7, 1),
            Some(Release(id(7))),
        ),
        ("taken over and tidied up", server(1, &[1, 2], vec![held(8, 2, 5)]), here(7, 1), None),
        (
            "given up by others, alive here",
            server(1, &[1, 2], vec![]),
            here(7, 1),
            Some(Claim { resumes: Some(id(7)), replaced: vec![] }),
        ),
        ("alive here of an older run", changed(|s| s.run = 2, vec![]), here(7, 1), claim(&[])),
        (
            "a surplus of replicas",
            server(1, &[1, 2], vec![held(8, 2, 5), held(7, 1, 5)]),
            here(7, 1),
            Some(Release(id(7))),
        ),
        (
            "the other one is the surplus",
            server(1, &[1, 2], vec![held(7, 1, 5), held(8, 2, 5)]),
            here(7, 1),
            Some(Keep(id(7))),
        ),
    ]);
}

/// Who claims which of these servers, as each of the hosts sees it.
fn shares(servers: &[ServerSlots], lives: &BTreeMap<HostId, i64>) -> Vec<(HostId, ServerId)> {
    let mut shares = Vec::new();
    for (host, epoch) in lives {
        let me = Holder { host: *host, epoch: *epoch };
        let facts = Facts { me, lives, servers, here: &Here::default() };
        let (decisions, _) = Claims::default().step(Mono::ZERO, &facts);
        let claims = decisions.into_iter().filter(|(_, d)| matches!(d, Claim { .. }));
        shares.extend(claims.map(|(server, _)| (*host, server)));
    }
    shares
}

#[test]
fn many_servers_are_shared_out_evenly_and_each_once() {
    let lives = lives(&[(1, 1), (2, 1), (3, 1)]);
    let servers: Vec<_> = (0..30).map(|n| server(n, &[1, 2, 3], vec![])).collect();
    let shares = shares(&servers, &lives);
    assert_eq!(shares.len(), 30, "each server once");
    for at in lives.keys() {
        assert_eq!(shares.iter().filter(|(host, _)| host == at).count(), 10);
    }
}

#[test]
fn replicas_go_to_different_hosts_and_the_least_loaded_come_first() {
    let lives = lives(&[(1, 1), (2, 1), (3, 1)]);
    let busy = server(1, &[1], vec![held(7, 1, 1)]);
    let twice = ServerSlots { replica_count: 2, ..server(2, &[1, 2, 3], vec![]) };
    let got = shares(&[busy, twice], &lives);
    assert_eq!(got, [(host(2), server_id(2)), (host(3), server_id(2))]);
}

#[test]
fn a_server_returns_to_its_host_unless_that_one_is_too_busy() {
    let lives = lives(&[(1, 5), (2, 5)]);
    let old = || server(9, &[1, 2], vec![held(7, 1, 4)]);
    let busy = |n: u8| server(n, &[1], vec![held(n, 1, 5)]);
    let claimed = |servers: &[ServerSlots]| {
        let shares = shares(servers, &lives);
        shares.into_iter().find(|(_, server)| *server == server_id(9)).expect("claimed").0
    };
    assert_eq!(claimed(&[old()]), host(1));
    assert_eq!(claimed(&[busy(1), old()]), host(1), "a difference of one is none");
    assert_eq!(claimed(&[busy(1), busy(2), old()]), host(2));
}

#[test]
fn a_slot_left_free_is_anybodys_after_a_while() {
    let lives = lives(&[(1, 1), (2, 1)]);
    let servers = [server(1, &[1, 2], vec![])];
    let here = Here::default();
    let me = Holder { host: host(2), epoch: 1 };
    let facts = Facts { me, lives: &lives, servers: &servers, here: &here };
    let mut claims = Claims::default();
    let at = |ms| Mono::from_millis(ms);
    assert_eq!(claims.step(at(0), &facts), (vec![], Some(CLAIM_PATIENCE)));
    let left = Some(CLAIM_PATIENCE - Duration::from_millis(500));
    assert_eq!(claims.step(at(500), &facts), (vec![], left));
    let (decisions, _) = claims.step(at(2000), &facts);
    assert_eq!(decisions.len(), 1);
    // Taken meanwhile, and free again later: the wait begins anew.
    let taken = [server(1, &[1, 2], vec![held(7, 1, 1)])];
    claims.step(at(2100), &Facts { servers: &taken, ..facts });
    let facts = Facts { me, lives: &lives, servers: &servers, here: &here };
    assert_eq!(claims.step(at(2200), &facts).0, []);
}

#[test]
fn one_that_just_failed_here_is_left_to_others_until_it_is_asked_for_again() {
    let lives = lives(&[(1, 5), (2, 5)]);
    let me = Holder { host: host(1), epoch: 5 };
    let here = Here { paused: [(server_id(1), 1)].into(), ..Here::default() };
    let mut servers = [server(1, &[1, 2], vec![])];
    let step = |servers: &[ServerSlots], now| {
        Claims::default().step(now, &Facts { me, lives: &lives, servers, here: &here }).0
    };
    assert_eq!(step(&servers, Mono::from_millis(9000)), []);
    servers[0].run = 2;
    assert_eq!(step(&servers, Mono::ZERO).len(), 1, "another run, another try");
}
