//! The hosts of the simulated cluster: the real functions of the daemon's threads, in loops like
//! theirs, and what befalls a host.

use crate::sim::baton::Topic;
use crate::sim::judge::host_id;
use crate::sim::link::{Link, World};
use crate::sim::{orders, slots};
use mongodb::bson::{Document, doc};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use warren::base::clock::{Clock, Time};
use warren::base::ids::{AdminId, HostId};
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::bus::{Bus, Message};
use warren::ground::{Ground, Hands};
use warren::liveness::{Beater, Identity};
use warren::pki::KeyKind;
use warren::pool::{self, Pools, Refiller, Taken, wake_key};
use warren::queue::{effect, free_lost, step};
use warren::store::admins::AdminDoc;
use warren::store::hosts::HostStart;
use warren::store::jobs::{Claim, JobDoc};
use warren::store::{Store, StoreError};
use warren::tasks::{Report, Runner, Task};
use warren::thread::Stop;

pub const HOSTS: usize = 3;

/// The simulation's time, as one host feels it.
struct Ticks {
    world: Arc<World>,
    since_ms: u64,
}

impl std::fmt::Debug for Ticks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "simulated since {} ms", self.since_ms)
    }
}

impl Time for Ticks {
    fn now(&self) -> Duration {
        Duration::from_millis(self.world.lock().0.now_ms - self.since_ms)
    }

    fn pass(&self, d: Duration) {
        self.world.pass(d.as_millis() as u64, None, |_, _| {});
    }
}

/// One life of a host.
#[derive(Clone)]
pub struct Life {
    pub world: Arc<World>,
    pub ground: Ground,
    pub number: usize,
}

impl Life {
    pub fn below(&self, n: u64) -> u64 {
        self.world.lock().0.below(n)
    }

    pub fn wait(&self, ms: u64) {
        self.world.pass(ms, None, |_, _| {});
    }

    pub fn faults(&self) -> bool {
        self.world.lock().1.faults
    }

    /// Sends what was published: each message is lost, late or doubled for everyone by itself.
    pub fn send(&self) {
        for message in self.ground.bus.take() {
            let topic = match message {
                Message::JobReady => Topic::Jobs,
                Message::PoolTaken => Topic::Pool,
                Message::Wake { key } => Topic::Key(key),
                _ => continue,
            };
            let mut state = self.world.lock();
            let (schedule, database) = &mut *state;
            let faults = database.faults;
            match schedule.below(if faults { 10 } else { 1 }) {
                0..5 => schedule.wake(&topic, schedule.below(20)),
                5 | 6 => schedule.wake(&topic, schedule.below(3_000)),
                7 => (0..2).for_each(|_| schedule.wake(&topic, schedule.below(500))),
                _ => {}
            }
        }
    }

    /// Sends, and sleeps through nothing that comes about `topic`.
    pub fn sleep(&self, ms: u64, topic: Topic) {
        self.send();
        self.world.pass(ms, Some(topic), |_, _| {});
    }

    fn start(&self, name: &'static str, body: impl Fn(&Life) + Send + 'static) {
        let life = self.clone();
        self.world.start(self.number, name, move || {
            loop {
                body(&life);
            }
        });
    }
}

/// The machine: it begins lives of its host, and crashes or pauses them.
pub fn machine(world: &Arc<World>, number: usize) {
    let mut first = true;
    loop {
        let (world, calm) = (Arc::clone(world), world.lock().1.faults);
        if !std::mem::take(&mut first) || calm {
            let pause = world.lock().0.below(3_000);
            world.pass(pause, None, |_, _| {});
        }
        begin(&world, number);
        loop {
            let time = 500 + world.lock().0.below(20_000);
            world.pass(time, None, |_, _| {});
            let mut state = world.lock();
            let (schedule, database) = &mut *state;
            if !database.faults {
                continue;
            }
            let now = schedule.now_ms;
            if schedule.once_in(3) {
                schedule.note(|| format!("host {number} crashes"));
                schedule.crash(number);
                database.judge.goes_down(number, now);
                // The machine, or only the daemon.
                if schedule.once_in(3) {
                    database.judge.processes.remove(&number);
                }
                break;
            }
            let until = now + 1_000 + schedule.below(6_000);
            schedule.note(|| format!("host {number} stands still until {until}"));
            schedule.pause(number, until);
            database.judge.blame(number, now, until + 500);
        }
        while world.lock().0.is_live(number) {
            world.pass(1, None, |_, _| {});
        }
        let down = world.lock().0.below(8_000);
        world.pass(down, None, |_, _| {});
    }
}

fn begin(world: &Arc<World>, number: usize) {
    let host = HostId::from_bytes(host_id(number));
    let (seed, since_ms) = {
        let state = world.lock();
        (state.0.random.u64(), state.0.now_ms)
    };
    let random = Random::seeded(seed);
    let clock = Clock::simulated(Arc::new(Ticks { world: Arc::clone(world), since_ms }));
    clock.learn_cluster_ms(crate::sim::database::EPOCH_MS + since_ms as i64);
    let link = Link { world: Arc::clone(world), host: number };
    let store = Store::on(Arc::new(link), clock.clone(), random.clone());
    let start = HostStart {
        id: host,
        name: format!("h{number}"),
        hostname: format!("h{number}"),
        public_address: None,
        web_port: 443,
        nonce: random.alphanumeric(16),
        version: "0".to_owned(),
        local_address: None,
        local_networks: Vec::new(),
    };
    let begun = loop {
        match store.host_begin(&start, &slots::left(world, number)) {
            Ok(host) => break host,
            Err(error) if error.is_passing() => world.pass(500, None, |_, _| {}),
            Err(error) => panic!("{error}"),
        }
    };
    let identity = Identity { host, epoch: begun.epoch, nonce: start.nonce };
    let mut beater = Beater::new(store.clone(), identity, clock.clone(), Box::new(|_| ()));
    let status = beater.status();
    {
        let mut state = world.lock();
        let (schedule, database) = &mut *state;
        database.judge.is_up(number, schedule.now_ms);
    }
    let ground =
        Ground { store, bus: Bus::idle(), clock, random, host, status, hands: Hands::default() };
    let life = Life { world: Arc::clone(world), ground, number };
    let beats = life.clone();
    world.start(number, "beat", move || {
        loop {
            let stop = Stop::on(beats.ground.clock.clone());
            accept(beater.round(&stop));
            assert!(
                !beats.ground.status.is_replaced(),
                "host {number} believes that it was copied"
            );
            beats.wait(1_000);
        }
    });
    activities(&life);
}

/// An error that passes is a part of life; all others are failures of the run.
pub fn accept(result: Result<(), StoreError>) {
    if let Err(error) = result {
        assert!(error.is_passing(), "{error}: {error:?}");
    }
}

fn activities(life: &Life) {
    life.start("work", |life| work(life, false));
    life.start("work urgent", |life| work(life, true));
    life.start("look", |life| {
        accept(free_lost(&life.ground).map(drop));
        life.sleep(3_000, Topic::Jobs);
    });
    let (pools, refiller) = pool::parts(life.ground.clone());
    life.start("refill", move |life| refill(life, &refiller));
    life.start("request", move |life| request(life, &pools));
    life.start("admins", administrate);
    life.start("orders", orders::order);
    life.start("work light", orders::light);
    let claims = Mutex::default();
    life.start("slots", move |life| {
        // One thread has them; whoever unwinds has no use for them.
        slots::look(life, &mut claims.lock().expect("only used here"));
    });
    let slow = Runner::with(life.ground.clone(), SLOW);
    life.start("slow task", move |life| run_tasks(life, &slow));
    let runner = Runner::new(life.ground.clone());
    life.start("tasks", move |life| run_tasks(life, &runner));
}

fn run_tasks(life: &Life, runner: &Runner) {
    let stop = Stop::on(life.ground.clock.clone());
    let pause = runner.round(&stop).unwrap_or_else(|error| {
        assert!(error.is_passing(), "{error}: {error:?}");
        Duration::from_secs(15)
    });
    life.send();
    life.wait(pause.as_millis() as u64 + life.below(2_000));
}

/// A calendar beside the daemon's: a repair that takes longer than it may be silent, and is silent
/// for too long at times.
pub const SLOW: &[Task] = &[Task {
    name: "slow",
    period: Duration::from_secs(20),
    timeout: Duration::from_secs(8),
    fills: false,
    run: |round| {
        for _ in 0..4 {
            if !round.goes_on()? {
                break;
            }
            let Ground { clock, random, .. } = round.ground;
            clock.pause(Duration::from_millis(1_000 + random.below(8_000)));
        }
        Ok(Report::default())
    },
}];

/// Disables an administrator, or enables one, as the handler of the API does.
fn administrate(life: &Life) {
    life.wait(life.below(3_000));
    let id = AdminId::from_bytes([u8::try_from(life.below(2)).expect("small"); 12]);
    let disabled = Some(life.below(2) == 0);
    let changed = life.ground.store.transaction("change an administrator", |tx| {
        tx.guard_admins()?;
        let Some(before) = tx.admin(id)? else { return Ok(()) };
        let after = AdminDoc { disabled, ..before };
        if !tx.other_super_user(id)? && after.is_disabled() {
            return Ok(());
        }
        tx.admin_replace(&after)
    });
    accept(changed);
}

/// Two who are in charge.
pub fn administrators() -> impl Iterator<Item = Document> {
    (0..2_u8).map(|number| {
        let id = AdminId::from_bytes([number; 12]);
        let name = format!("admin{number}");
        doc! { "_id": id, "username": name, "password": "", "token": "", "secret": "" }
    })
}

fn refill(life: &Life, refiller: &Refiller) {
    refiller.plan();
    life.sleep(15_000, Topic::Pool);
    life.wait(life.below(200));
}

fn work(life: &Life, urgent: bool) {
    let Some(job) = step::claim(&life.ground, urgent, Duration::ZERO) else {
        return life.sleep(5_000, Topic::Jobs);
    };
    let claim = job.claim();
    let longest = if life.below(20) == 0 { 120_000 } else { 1_000 };
    life.wait(life.below(longest));
    let ended = match life.below(if life.faults() { 10 } else { 1 }) {
        7 | 8 => step::give_back(&life.ground, &job, claim),
        9 => step::fail(&life.ground, &job, claim, "it failed"),
        _ => done(life, &job, claim),
    };
    accept(ended);
    life.send();
}

fn done(life: &Life, job: &JobDoc, claim: Claim) -> Result<(), StoreError> {
    let key = format!("{}:{}:{}", job.id, job.fence, life.ground.random.u64());
    let stop = Stop::on(life.ground.clock.clone());
    let kind = job.work.pool().expect("heavy work fills a pool");
    effect::apply(&life.ground, job, claim, kind, &Secret::new(key), &stop)
}

/// A request for keys: asked again until there are enough, or given up.
fn request(life: &Life, pools: &Pools) {
    life.send();
    life.wait(life.below(2_000));
    if !life.faults() {
        return life.wait(5_000);
    }
    let kind = if life.below(4) == 0 { KeyKind::Rsa4096 } else { KeyKind::Rsa2048 };
    let count = [1, 1, 2, 3][life.below(4) as usize];
    let mut token: Option<String> = None;
    let me = life.world.lock().0.current;
    let over = || {
        life.world.lock().1.judge.waiting.remove(&me);
    };
    loop {
        match pools.take(kind, count, token.as_deref()) {
            Ok(Taken::Keys(keys)) => {
                assert_eq!(keys.len(), count);
                let keys = keys.into_iter().map(|key| key.expose().clone());
                over();
                return life.world.lock().1.judge.took(keys);
            }
            Ok(Taken::Making { token: new }) => token = Some(new),
            Ok(Taken::Failed { .. }) => return over(),
            Err(error) => assert!(error.is_passing(), "{error}: {error:?}"),
        }
        if life.faults() && life.below(10) == 0 {
            return over();
        }
        life.world.lock().1.judge.waiting.insert(me);
        let key = token.as_deref().map(wake_key).unwrap_or_default();
        life.sleep(5_000, Topic::Key(key));
    }
}
