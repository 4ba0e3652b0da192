//! The servers of this host: what should run against what does.
//!
//! One thread. It asks the database what this host should run, on every hint and at least every
//! [`RECONCILE_PERIOD`] (I3), and starts, adopts and stops what differs. While the database is away
//! nothing changes: what runs goes on (I7). Living OpenVPN processes of an earlier life are
//! adopted, or ended when nobody wants them any more.
//!
//! Dropping the handle leaves all servers running; [`Fleet::stop`] ends them and puts the host back
//! as it was, IP forwarding included.

use crate::base::clock::Mono;
use crate::base::ids::{ClientId, ServerId, UserId};
use crate::limits::{FLEET_INBOX_MAX, FLEET_TICK, RECONCILE_PERIOD};
use crate::sys::supervise::Backoff;
use crate::sys::{forward, nft, process};
use crate::thread::{self, Thread, ThreadError};
use crate::vpn::firewall::{self, HOST_TABLE};
use crate::vpn::runner::{self, Plan, Record, Runner, Surroundings, records_in};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

enum Message {
    Look,
    KickUser(UserId),
    KickClient(ClientId),
    Stop,
}

/// Handle on this host's servers.
pub struct Fleet {
    inbox: Option<Sender<Message>>,
    thread: Thread,
}

/// Starts the thread. `state_dir` remembers that forwarding was off.
pub fn spawn(around: Surroundings, state_dir: PathBuf) -> Result<Fleet, ThreadError> {
    let (inbox, messages) = bounded(FLEET_INBOX_MAX);
    let mut keeper = Keeper {
        around,
        state_dir,
        running: BTreeMap::new(),
        stopping: BTreeMap::new(),
        failed: BTreeMap::new(),
        forwarding: false,
    };
    let thread = thread::spawn("vpn-fleet", move || keeper.run(&messages))?;
    Ok(Fleet { inbox: Some(inbox), thread })
}

impl Fleet {
    /// Something about servers has changed: look now.
    pub fn look(&self) {
        self.send(Message::Look);
    }

    /// Cuts all of a user's tunnels on this host.
    pub fn kick_user(&self, user: UserId) {
        self.send(Message::KickUser(user));
    }

    pub fn kick_client(&self, client: ClientId) {
        self.send(Message::KickClient(client));
    }

    /// Ends all servers; returns when nothing is left of them.
    pub fn stop(mut self) {
        self.send(Message::Stop);
        self.inbox = None;
    }

    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    fn send(&self, message: Message) {
        if let Some(inbox) = &self.inbox {
            // A thread that has ended was stopped, and its servers with it.
            let _ = inbox.send(message);
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // The thread ends with the last sender; its own drop then waits for it.
        self.inbox = None;
    }
}

/// What to do about one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Start(ServerId),
    Adopt(ServerId),
    Stop(ServerId),
    /// A process of an earlier life that nobody wants.
    End(ServerId),
}

/// A start that failed: tried again after a pause that grows.
struct Failure {
    backoff: Backoff,
    until: Mono,
}

/// The difference, server by server.
fn steps(
    wanted: &BTreeSet<ServerId>,
    running: &BTreeSet<ServerId>,
    left: &BTreeSet<ServerId>,
    paused: &BTreeSet<ServerId>,
) -> Vec<Step> {
    let stop = running.difference(wanted).map(|id| Step::Stop(*id));
    let end = left.difference(wanted).filter(|id| !running.contains(id)).map(|id| Step::End(*id));
    let missing = wanted.difference(running).filter(|id| !paused.contains(id));
    let begin = missing.map(|id| match left.contains(id) {
        true => Step::Adopt(*id),
        false => Step::Start(*id),
    });
    stop.chain(end).chain(begin).collect()
}

struct Keeper {
    around: Surroundings,
    state_dir: PathBuf,
    running: BTreeMap<ServerId, Runner>,
    /// Each takes two seconds to tell its clients, for which nobody else waits.
    stopping: BTreeMap<ServerId, Runner>,
    failed: BTreeMap<ServerId, Failure>,
    forwarding: bool,
}

impl Keeper {
    fn run(&mut self, inbox: &Receiver<Message>) {
        let mut next = self.around.clock.mono();
        loop {
            let now = self.around.clock.mono();
            let stopped = self.notice_stops();
            if now >= next || stopped || self.a_pause_is_over(now) {
                self.reconcile(now);
                next = now + RECONCILE_PERIOD;
            }
            match inbox.recv_timeout(FLEET_TICK.min(next.since(now))) {
                Ok(Message::Look) => next = now,
                Ok(Message::KickUser(user)) => {
                    self.running.values().for_each(|runner| runner.kick_user(user));
                }
                Ok(Message::KickClient(client)) => {
                    self.running.values().for_each(|runner| runner.kick_client(client));
                }
                Ok(Message::Stop) => return self.stop(),
                Err(RecvTimeoutError::Timeout) => self.notice_failures(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn a_pause_is_over(&self, now: Mono) -> bool {
        let over =
            |failure: &Failure| failure.until <= now && now.since(failure.until) < FLEET_TICK;
        self.failed.values().any(over)
    }

    fn reconcile(&mut self, now: Mono) {
        self.notice_failures();
        let Ok(plans) = self.around.records.wanted() else { return };
        let mut plans: BTreeMap<_, _> = plans.into_iter().map(|p| (p.server.id, p)).collect();
        let mut left: BTreeMap<_, _> = records_in(&self.around.place.run_dir)
            .into_iter()
            .map(|record| (record.server, record))
            .collect();
        let wanted: BTreeSet<_> = plans.keys().copied().collect();
        self.failed.retain(|id, _| wanted.contains(id));
        let paused = self.failed.iter().filter(|(_, failure)| failure.until > now);
        // One that is still ending is neither left by an earlier life nor to be started yet.
        left.retain(|id, _| !self.stopping.contains_key(id));
        let paused = paused.map(|(id, _)| *id).chain(self.stopping.keys().copied()).collect();
        let running = self.running.keys().copied().collect();
        for step in steps(&wanted, &running, &left.keys().copied().collect(), &paused) {
            match step {
                Step::Stop(id) => self.begin_stop(id),
                Step::End(id) => self.end(left.remove(&id)),
                Step::Start(id) => self.start(plans.remove(&id), None),
                Step::Adopt(id) => self.start(plans.remove(&id), left.remove(&id)),
            }
        }
    }

    fn begin_stop(&mut self, id: ServerId) {
        if let Some(mut runner) = self.running.remove(&id) {
            runner.begin_stop();
            self.stopping.insert(id, runner);
        }
    }

    fn start(&mut self, plan: Option<Plan>, record: Option<Record>) {
        let Some(mut plan) = plan else { return };
        self.start_forwarding();
        let adopted = record.and_then(|record| match process::adopt(&record.identity) {
            Ok(living) => {
                plan.instance = record.instance;
                living
            }
            Err(e) => {
                log::error!("{e}");
                None
            }
        });
        let server = plan.server.id;
        match runner::spawn(plan, self.around.clone(), adopted) {
            Ok(runner) => drop(self.running.insert(server, runner)),
            Err(e) => log::error!("{e}"),
        }
    }

    /// Ends a process whose server was stopped or deleted while no daemon ran.
    fn end(&self, record: Option<Record>) {
        let Some(record) = record else { return };
        let deadline = self.around.clock.mono() + crate::limits::OPENVPN_STOP_MAX;
        match process::adopt(&record.identity) {
            Ok(Some(mut living)) => {
                if let Err(e) = living.stop(&self.around.clock, deadline) {
                    log::error!("{e}");
                }
            }
            Ok(None) => {}
            Err(e) => log::error!("{e}"),
        }
        runner::clear(&self.around.place, record.server);
    }

    /// True when one has ended, so that it may be started again.
    fn notice_stops(&mut self) -> bool {
        let before = self.stopping.len();
        self.stopping.retain(|_, runner| !runner.has_ended());
        if self.forwarding && self.running.is_empty() && self.stopping.is_empty() {
            self.stop_forwarding();
        }
        self.stopping.len() < before
    }

    fn notice_failures(&mut self) {
        let now = self.around.clock.mono();
        let ended: Vec<_> =
            self.running.iter().filter(|(_, r)| r.has_ended()).map(|(id, _)| *id).collect();
        for id in ended {
            self.running.remove(&id);
            let failure = self.failed.entry(id);
            let failure =
                failure.or_insert_with(|| Failure { backoff: Backoff::default(), until: now });
            failure.until = now + failure.backoff.pause(Duration::ZERO);
        }
    }

    fn start_forwarding(&mut self) {
        if self.forwarding {
            return;
        }
        match forward::enable(&self.state_dir) {
            Ok(false) => {}
            // On because of us: nothing but tunnels is to profit from it.
            Ok(true) => {
                if let Err(e) = nft::apply(&firewall::host_ruleset()) {
                    log::error!("{e}");
                }
            }
            Err(e) => log::error!("{e}: {}; tunnels lead nowhere", e.source),
        }
        self.forwarding = true;
    }

    fn stop_forwarding(&mut self) {
        self.forwarding = false;
        if let Err(e) = forward::restore(&self.state_dir) {
            log::error!("{e}: {}", e.source);
        }
        if let Err(e) = nft::delete_table(HOST_TABLE) {
            log::error!("{e}");
        }
    }

    /// All at once: each waits two seconds for its clients to be told.
    fn stop(&mut self) {
        self.running.values_mut().for_each(Runner::begin_stop);
        self.running.clear();
        self.stopping.clear();
        for record in records_in(&self.around.place.run_dir) {
            self.end(Some(record));
        }
        self.stop_forwarding();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_mended() {
        let id = |n: u8| ServerId::from_bytes([n; 12]);
        let set = |ids: &[u8]| ids.iter().map(|n| id(*n)).collect::<BTreeSet<_>>();
        // Wanted, running, left by an earlier life, paused.
        type Row<'a> = (&'a [u8], &'a [u8], &'a [u8], &'a [u8], &'a [Step]);
        let rows: [Row<'_>; 7] = [
            (&[], &[], &[], &[], &[]),
            (&[1], &[], &[], &[], &[Step::Start(id(1))]),
            (&[1], &[1], &[1], &[], &[]),
            (&[1], &[], &[1], &[], &[Step::Adopt(id(1))]),
            (&[], &[1], &[1], &[], &[Step::Stop(id(1))]),
            (&[], &[], &[1], &[], &[Step::End(id(1))]),
            (&[1, 2], &[], &[], &[1], &[Step::Start(id(2))]),
        ];
        for (wanted, running, left, paused, want) in rows {
            let got = steps(&set(wanted), &set(running), &set(left), &set(paused));
            assert_eq!(got, want, "{wanted:?} {running:?} {left:?} {paused:?}");
        }
    }
}
