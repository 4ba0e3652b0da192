//! A seeded world of observers around one database, in simulated time: beats, reads and
//! declarations take their time, hosts pause and are killed, the database is frozen, away or
//! changes its primary. Checked at every declaration: the dead host was to blame, and was silent
//! for long enough. Checked at the end: every killed host was declared dead.

use crate::base::clock::Mono;
use crate::base::ids::HostId;
use crate::base::random::Random;
use crate::liveness::observer::{Event, Observer, Seen};
use std::collections::BTreeMap;

const HOSTS: u8 = 5;
/// Faults happen until then; what follows is long enough to settle and to decide.
const QUIET_MS: u64 = 120_000;
const END_MS: u64 = QUIET_MS + 25_000;

/// What a host does next.
#[derive(Clone)]
enum Step {
    Round,
    BeatAtDatabase,
    BeatOver { acknowledged: bool },
    ReadAtDatabase,
    ReadOver { seen: Option<Vec<Seen>> },
    DeclareAtDatabase(Seen),
}

struct Host {
    observer: Observer,
    /// The epoch this life goes by.
    epoch: i64,
    /// When the call under way began.
    started: u64,
    killed: bool,
    /// The newest pause, from and until.
    paused: (u64, u64),
}

struct Document {
    epoch: i64,
    beat: i64,
    beat_at: u64,
    alive: bool,
}

struct World {
    random: Random,
    now: u64,
    agenda: BTreeMap<(u64, u64), (u8, Step)>,
    number: u64,
    hosts: BTreeMap<u8, Host>,
    documents: BTreeMap<u8, Document>,
    faults: bool,
    /// Calls that reach the database before these times: wait until then, or fail.
    frozen_until: u64,
    away_until: u64,
    failure_ms: u64,
    /// When each new primary took over.
    primaries: Vec<u64>,
    /// Silence of each host declared dead, in milliseconds.
    silences: Vec<u64>,
}

fn id(number: u8) -> HostId {
    HostId::from_bytes([number; 16])
}

fn number_of(host: HostId) -> u8 {
    (1..=HOSTS).find(|number| id(*number) == host).expect("one of ours")
}

impl World {
    fn new(seed: u64, faults: bool) -> World {
        let mut world = World {
            random: Random::seeded(seed),
            now: 0,
            agenda: BTreeMap::new(),
            number: 0,
            hosts: BTreeMap::new(),
            documents: BTreeMap::new(),
            faults,
            frozen_until: 0,
            away_until: 0,
            failure_ms: 1,
            primaries: Vec::new(),
            silences: Vec::new(),
        };
        for host in 1..=HOSTS {
            let observer = Observer::new(id(host));
            let new = Host { observer, epoch: 1, started: 0, killed: false, paused: (0, 0) };
            world.hosts.insert(host, new);
            let document = Document { epoch: 1, beat: 1, beat_at: 0, alive: true };
            world.documents.insert(host, document);
            let first = world.random.below(1000);
            world.after(first, host, Step::Round);
        }
        world
    }

    fn run(mut self) -> World {
        let mut fault_at = 5_000;
        while let Some(((at, _), (host, step))) = self.agenda.pop_first() {
            self.now = at;
            if at > END_MS {
                break;
            }
            if at >= fault_at && at < QUIET_MS {
                self.fault();
                fault_at = at + 1_000 + self.random.below(15_000);
            }
            if !self.host(host).killed {
                self.step(host, step);
            }
        }
        self
    }

    fn host(&mut self, host: u8) -> &mut Host {
        self.hosts.get_mut(&host).expect("a host")
    }

    fn document(&mut self, host: u8) -> &mut Document {
        self.documents.get_mut(&host).expect("a document")
    }

    fn chance(&self, percent: u64) -> bool {
        self.faults && self.now < QUIET_MS && self.random.below(100) < percent
    }

    fn after(&mut self, ms: u64, host: u8, step: Step) {
        self.number += 1;
        self.agenda.insert((self.now + ms, self.number), (host, step));
    }

    /// Half a call: mostly quick, at times slow, and rarely the host itself stands still.
    fn travel(&mut self, host: u8) -> u64 {
        if self.random.below(1000) < 3 && self.chance(100) {
            let pause = 1_000 + self.random.below(9_000);
            self.host(host).paused = (self.now, self.now + pause);
            return pause;
        }
        let most = if self.chance(4) { 400 } else { 10 };
        1 + self.random.below(most)
    }

    fn fault(&mut self) {
        let lasts = 100 + self.random.below(8_000);
        match self.random.below(if self.faults { 4 } else { 1 }) {
            0 => {
                let alive = self.hosts.values().filter(|host| !host.killed).count();
                let victim = u8::try_from(1 + self.random.below(u64::from(HOSTS))).expect("small");
                // Somebody has to be left to tell.
                self.host(victim).killed |= alive > 2;
            }
            1 => self.frozen_until = self.now + lasts,
            2 => (self.away_until, self.failure_ms) = (self.now + lasts, 500),
            _ => {
                (self.away_until, self.failure_ms) = (self.now + lasts.min(3_000), 2_000);
                self.primaries.push(self.away_until);
            }
        }
    }

    fn step(&mut self, host: u8, step: Step) {
        let at_database = matches!(
            step,
            Step::BeatAtDatabase | Step::ReadAtDatabase | Step::DeclareAtDatabase(_)
        );
        if at_database && self.now < self.frozen_until {
            return self.after(self.frozen_until - self.now, host, step);
        }
        let away = at_database && self.now < self.away_until;
        match step {
            Step::Round => self.call(host, Step::BeatAtDatabase),
            Step::BeatAtDatabase if away => self.fail(host, Step::BeatOver { acknowledged: false }),
            Step::BeatAtDatabase => self.beat(host),
            Step::BeatOver { acknowledged } => {
                let started = Mono::from_millis(self.host(host).started);
                self.observe(host, Event::Beat { started, acknowledged });
                self.call(host, Step::ReadAtDatabase);
            }
            Step::ReadAtDatabase if away => self.fail(host, Step::ReadOver { seen: None }),
            Step::ReadAtDatabase => {
                let alive = self.documents.iter().filter(|(_, document)| document.alive);
                let seen = alive.map(|(n, d)| Seen { host: id(*n), epoch: d.epoch, beat: d.beat });
                let seen = Some(seen.collect()).filter(|_| !self.chance(2));
                let back = self.travel(host);
                self.after(back, host, Step::ReadOver { seen });
            }
            Step::ReadOver { seen } => self.look(host, seen),
            Step::DeclareAtDatabase(_) if away => {}
            Step::DeclareAtDatabase(seen) => self.declare(seen),
        }
    }

    fn call(&mut self, host: u8, at_database: Step) {
        self.host(host).started = self.now;
        let there = self.travel(host);
        self.after(there, host, at_database);
    }

    fn fail(&mut self, host: u8, over: Step) {
        let later = 1 + self.random.below(self.failure_ms);
        self.after(later, host, over);
    }

    fn beat(&mut self, host: u8) {
        let (now, epoch) = (self.now, self.host(host).epoch);
        let document = self.document(host);
        let mine = document.epoch == epoch;
        if !mine {
            // Replaced: it begins a new life, with a new observer.
            document.epoch += 1;
            document.alive = true;
        }
        document.beat += 1;
        document.beat_at = now;
        let epoch = document.epoch;
        if !mine {
            self.host(host).epoch = epoch;
            self.host(host).observer = Observer::new(id(host));
        }
        let acknowledged = !self.chance(2);
        let back = self.travel(host);
        self.after(back, host, Step::BeatOver { acknowledged });
    }

    fn look(&mut self, host: u8, seen: Option<Vec<Seen>>) {
        // The driver's monitor notices a new primary up to two seconds late.
        let noticed = self.now.saturating_sub(self.random.below(2_000));
        let known = self.primaries.iter().filter(|at| **at <= noticed).count();
        let started = Mono::from_millis(self.host(host).started);
        let primary_changes = u64::try_from(known).expect("few");
        let event = Event::Read { started, primary_changes, seen };
        for silent in self.observe(host, event) {
            let there = self.travel(host);
            self.after(there, host, Step::DeclareAtDatabase(silent));
        }
        let pause = 1_000 + self.travel(host);
        self.after(pause, host, Step::Round);
    }

    fn observe(&mut self, host: u8, event: Event) -> Vec<Seen> {
        let now = Mono::from_millis(self.now);
        self.host(host).observer.step(now, event)
    }

    fn declare(&mut self, seen: Seen) {
        let (now, host) = (self.now, number_of(seen.host));
        let document = self.document(host);
        if (document.epoch, document.beat, document.alive) != (seen.epoch, seen.beat, true) {
            return;
        }
        document.epoch += 1;
        document.alive = false;
        let beat_at = document.beat_at;
        let silence = now - beat_at;
        assert!(silence >= 3_000, "host {host} was silent for {silence} ms only");
        let Host { killed, paused: (from, until), .. } = *self.host(host);
        let stood_still = until > beat_at && from <= now;
        assert!(killed || stood_still, "at {now} host {host} was declared dead without blame");
        self.silences.push(silence);
    }
}

#[test]
fn no_blameless_host_is_declared_dead_and_every_killed_one_is() {
    let mut declared = 0;
    for seed in 0..300 {
        let mut world = World::new(seed, true).run();
        declared += world.silences.len();
        for host in 1..=HOSTS {
            let (killed, alive) = (world.host(host).killed, world.document(host).alive);
            assert_eq!(killed, !alive, "seed {seed}, host {host} at the end");
        }
    }
    assert!(declared > 300, "the world is too kind: {declared} declarations");
}

#[test]
fn without_other_trouble_death_is_declared_within_its_bounds() {
    for seed in 0..100 {
        let mut world = World::new(seed, false).run();
        assert!(!world.silences.is_empty(), "seed {seed} killed nobody");
        for silence in &world.silences {
            assert!((3_000..=4_300).contains(silence), "seed {seed}: {silence} ms");
        }
        let killed = world.hosts.values().filter(|host| host.killed).count();
        assert_eq!(killed, world.silences.len(), "seed {seed}");
        assert!((1..=HOSTS).all(|n| world.host(n).killed != world.document(n).alive));
    }
}
