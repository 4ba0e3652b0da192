//! The thread that starts, adopts and stops servers. It never waits for the database.

use super::Message;
use super::steps::{Instances, Step, steps};
use crate::base::clock::Mono;
use crate::base::ids::{ClientId, InstanceId, ServerId};
use crate::limits::{
    FLEET_RETRY, FLEET_STOP_TICK, FLEET_TICK, OPENVPN_STOP_MAX, RECONCILE_PERIOD, START_PAUSES_MAX,
};
use crate::sys::supervise::Backoff;
use crate::sys::{forward, nft, process};
use crate::vpn::firewall;
use crate::vpn::people::{People, Servers, Serving};
use crate::vpn::records::{Here, Living, LivingState, Note, Outlook, Wanted};
use crate::vpn::runner::{self, Plan, Record, Runner, Surroundings, records_in};
use crate::vpn::settings::Access;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// A server of this life.
struct Running {
    runner: Runner,
    instance: InstanceId,
    run: i64,
    generation: i64,
    access: Access,
}

/// A start that failed: tried again after a pause that grows, or at once in another run.
struct Failure {
    run: i64,
    backoff: Backoff,
    until: Mono,
}

pub(super) struct Keeper {
    around: Surroundings,
    people: People,
    lives: super::Lives,
    lives_seen: u64,
    questions: Sender<Here>,
    state_dir: PathBuf,
    running: BTreeMap<ServerId, Running>,
    /// Each takes two seconds to tell its clients, for which nobody else waits.
    stopping: BTreeMap<ServerId, Running>,
    failed: BTreeMap<ServerId, Failure>,
    serving: Servers,
    /// A question is under way.
    looking: bool,
    /// When the next one is due.
    next: Mono,
    forwarding: bool,
    /// An answer has come: what an earlier life left is adopted or ended.
    settled: bool,
}

impl Keeper {
    pub(super) fn new(
        around: Surroundings,
        people: People,
        lives: super::Lives,
        questions: Sender<Here>,
        state_dir: PathBuf,
    ) -> Keeper {
        Keeper {
            next: around.clock.mono(),
            lives_seen: lives(),
            around,
            people,
            lives,
            questions,
            state_dir,
            running: BTreeMap::new(),
            stopping: BTreeMap::new(),
            failed: BTreeMap::new(),
            serving: Servers::new(),
            looking: false,
            forwarding: false,
            settled: false,
        }
    }

    pub(super) fn run(&mut self, inbox: &Receiver<Message>) {
        loop {
            self.notice_ends();
            self.ask();
            let due = self.next.since(self.around.clock.mono());
            let tick = if self.stopping.is_empty() { FLEET_TICK } else { FLEET_STOP_TICK };
            let wait = if self.looking { tick } else { due.min(tick) };
            match inbox.recv_timeout(wait) {
                Ok(Message::Look) => self.next = self.around.clock.mono(),
                Ok(Message::Found(Ok(outlook))) => self.reconcile(outlook),
                Ok(Message::Found(Err(_))) => {
                    self.looking = false;
                    self.next = self.next.min(self.around.clock.mono() + FLEET_RETRY);
                }
                Ok(Message::Review) => {
                    self.running.values().for_each(|r| r.runner.review(r.access.clone()));
                }
                Ok(Message::KickUser(user)) => {
                    self.running.values().for_each(|r| r.runner.kick_user(user));
                }
                Ok(Message::KickClient(client)) => self.kick_client(client),
                Ok(Message::Stop) => return self.stop(),
                Ok(Message::Leave) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn kick_client(&self, client: ClientId) {
        self.running.values().for_each(|r| r.runner.kick_client(client));
    }

    /// Hints that come while a question is under way are answered by one more.
    fn ask(&mut self) {
        let now = self.around.clock.mono();
        let lives = (self.lives)();
        if lives != self.lives_seen {
            self.lives_seen = lives;
            self.next = now;
        }
        if self.looking || now < self.next {
            return;
        }
        self.looking = self.questions.try_send(self.here(now)).is_ok();
        self.next = now + RECONCILE_PERIOD;
    }

    fn here(&self, now: Mono) -> Here {
        let mut here = Here::default();
        for record in records_in(&self.around.place.run_dir) {
            if matches!(process::adopt(&record.identity), Ok(Some(_))) {
                let Record { server, instance, run, .. } = record;
                here.living.insert(server, Living { instance, run, state: LivingState::Left });
            }
        }
        let states =
            [(&self.running, LivingState::Watched), (&self.stopping, LivingState::Stopping)];
        for (servers, state) in states {
            for (id, Running { instance, run, .. }) in servers {
                here.living.insert(*id, Living { instance: *instance, run: *run, state });
            }
        }
        let paused = self.failed.iter().filter(|(_, failure)| failure.until > now);
        here.paused = paused.map(|(id, failure)| (*id, failure.run)).collect();
        here
    }

    fn reconcile(&mut self, outlook: Outlook) {
        self.looking = false;
        let now = self.around.clock.mono();
        if let Some(again) = outlook.again {
            self.next = self.next.min(now + again);
        }
        let mut wanted: BTreeMap<ServerId, Wanted> =
            outlook.wanted.into_iter().map(|wanted| (wanted.server, wanted)).collect();
        let mut left: BTreeMap<ServerId, Record> =
            records_in(&self.around.place.run_dir).into_iter().map(|r| (r.server, r)).collect();
        // One that is still ending is neither left by an earlier life nor to be started yet.
        left.retain(|id, _| !self.stopping.contains_key(id));
        let busy: BTreeSet<ServerId> = self.stopping.keys().copied().collect();
        let todo = steps(
            &wanted.iter().map(|(id, wanted)| (*id, wanted.instance)).collect(),
            &self.running.iter().map(|(id, running)| (*id, running.instance)).collect(),
            &left.iter().map(|(id, record)| (*id, record.instance)).collect::<Instances>(),
            &busy,
        );
        for step in todo {
            match step {
                Step::Stop(id) => self.begin_stop(id),
                Step::End(id) => self.end(left.remove(&id)),
                Step::Start(id) => self.start(wanted.remove(&id), None),
                Step::Adopt(id) => self.start(wanted.remove(&id), left.remove(&id)),
            }
        }
        for (id, Wanted { access, .. }) in wanted {
            if let Some(running) = self.running.get_mut(&id) {
                running.access = access.clone();
                running.runner.review(access);
            }
        }
        outlook.cut.into_iter().for_each(|client| self.kick_client(client));
        self.serve();
        // A crash may have left it on for servers that are not wanted any more.
        let first = !std::mem::replace(&mut self.settled, true);
        if first && self.running.is_empty() && forward::ours(&self.state_dir) {
            self.stop_forwarding();
        }
    }

    /// Whose users are to be known.
    fn serve(&mut self) {
        let serving = self.running.iter().map(|(id, running)| {
            let organizations = running.access.organizations.clone();
            (*id, Serving { generation: running.generation, organizations })
        });
        let serving: Servers = serving.collect();
        if serving != self.serving {
            self.serving = serving.clone();
            self.people.serve(serving);
        }
    }

    fn begin_stop(&mut self, id: ServerId) {
        if let Some(mut running) = self.running.remove(&id) {
            running.runner.begin_stop();
            self.stopping.insert(id, running);
        }
    }

    fn start(&mut self, wanted: Option<Wanted>, record: Option<Record>) {
        let Some(Wanted { server, instance, access, plan: Some(plan) }) = wanted else { return };
        self.start_forwarding();
        let adopted = record.and_then(|record| match process::adopt(&record.identity) {
            Ok(living) => living,
            Err(e) => {
                log::error!("{e}");
                None
            }
        });
        let Plan { run, .. } = plan;
        let generation = plan.server.generation;
        match runner::spawn(plan, self.around.clone(), adopted) {
            Ok(runner) => {
                let running = Running { runner, instance, run, generation, access };
                self.running.insert(server, running);
            }
            Err(e) => log::error!("{e}"),
        }
    }

    /// Ends a process whose server was stopped or deleted while no daemon ran.
    fn end(&self, record: Option<Record>) {
        let Some(record) = record else { return };
        let deadline = self.around.clock.mono() + OPENVPN_STOP_MAX;
        match process::adopt(&record.identity) {
            Ok(Some(mut living)) => {
                if let Err(e) = living.stop(&self.around.clock, deadline) {
                    log::error!("{e}");
                }
            }
            Ok(None) => {}
            Err(e) => log::error!("{e}"),
        }
        for problem in runner::clear(&self.around.place.run_dir, record.server) {
            log::error!("{problem}");
        }
        let Record { server, instance, .. } = record;
        log::info!("server {server}, which an earlier life left running, stopped");
        self.around.pen.note(Note::Ended { server, instance });
    }

    /// What has been stopped may be started again; what failed is tried again after a pause.
    fn notice_ends(&mut self) {
        let now = self.around.clock.mono();
        let before = self.stopping.len();
        self.stopping.retain(|_, stopping| !stopping.runner.has_ended());
        if self.stopping.len() < before {
            self.next = now;
        }
        let ended: Vec<ServerId> =
            self.running.iter().filter(|(_, r)| r.runner.has_ended()).map(|(id, _)| *id).collect();
        for id in ended {
            if let Some(Running { run, .. }) = self.running.remove(&id) {
                self.note_failure(id, run, now);
            }
        }
        // Soon again where a pause is over.
        let over = self.failed.values().map(|failure| failure.until);
        let over = over.filter(|until| *until > now).min();
        self.next = over.map_or(self.next, |over| self.next.min(over));
        if self.forwarding && self.running.is_empty() && self.stopping.is_empty() {
            self.stop_forwarding();
        }
    }

    fn note_failure(&mut self, id: ServerId, run: i64, now: Mono) {
        let known = self.failed.remove(&id).filter(|failure| failure.run == run);
        let mut backoff = known.map(|failure| failure.backoff).unwrap_or_default();
        let until = now + backoff.pause(Duration::ZERO);
        if self.failed.len() >= START_PAUSES_MAX {
            self.failed.retain(|_, failure| failure.until > now);
        }
        self.failed.insert(id, Failure { run, backoff, until });
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
        for problem in super::stop_forwarding(&self.state_dir) {
            log::error!("{problem}");
        }
    }

    /// All at once: each waits two seconds for its clients to be told.
    fn stop(&mut self) {
        self.running.values_mut().for_each(|running| running.runner.begin_stop());
        self.running.clear();
        self.stopping.clear();
        for record in records_in(&self.around.place.run_dir) {
            self.end(Some(record));
        }
        self.stop_forwarding();
    }
}
