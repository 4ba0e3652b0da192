//! What goes wrong, and when: a plan that follows from a seed alone.

use super::super::rig::{HOSTS, MEMBERS, Site};
use crate::support::daemon::{Daemon, Home};
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{pause, seconds, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use warren::base::random::Random;

/// What goes wrong. Those of the database meet whoever is its primary then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// -9; started again after its time, as a service manager does.
    Killed(usize),
    Frozen(usize),
    CutOff(usize),
    PrimaryKilled,
    PrimaryCutOff,
    StepDown,
    /// Nobody reaches the database.
    DatabaseCutOff,
}

impl Fault {
    /// One who is in one trouble gets no other.
    fn victim(self) -> Option<usize> {
        match self {
            Fault::Killed(host) | Fault::Frozen(host) | Fault::CutOff(host) => Some(host),
            _ => None,
        }
    }

    /// How long it lasts at most.
    fn longest_ms(self) -> u64 {
        match self {
            Fault::StepDown => 1,
            Fault::Killed(_) | Fault::PrimaryKilled => 6_000,
            Fault::PrimaryCutOff => 9_000,
            Fault::Frozen(_) | Fault::CutOff(_) => 14_000,
            Fault::DatabaseCutOff => 12_000,
        }
    }
}

/// In the order of the moments at which something happens: begins or ends.
pub type Plan = Vec<(Duration, Fault, bool)>;

/// Troubles for `length`; whatever has begun ends.
pub fn plan(random: &Random, length: Duration) -> Plan {
    let mut plan = Plan::new();
    let mut busy_until = BTreeMap::new();
    let mut at = Duration::ZERO;
    loop {
        at += Duration::from_millis(400 + random.below(2_600));
        if at >= length {
            break;
        }
        let host = usize::try_from(random.below(HOSTS.len() as u64)).expect("few");
        let fault = match random.below(10) {
            0..=1 => Fault::Killed(host),
            2..=3 => Fault::Frozen(host),
            4..=5 => Fault::CutOff(host),
            6 => Fault::PrimaryKilled,
            7 => Fault::PrimaryCutOff,
            8 => Fault::StepDown,
            _ => Fault::DatabaseCutOff,
        };
        let lasts = Duration::from_millis(random.below(fault.longest_ms()));
        if busy_until.get(&fault.victim()).is_some_and(|until| at < *until) {
            continue;
        }
        // A database needs a moment for its members to agree.
        let rest = if fault.victim().is_none() { seconds(5) } else { seconds(1) };
        busy_until.insert(fault.victim(), at + lasts + rest);
        plan.push((at, fault, true));
        plan.push((at + lasts, fault, false));
    }
    plan.sort();
    // What begins and ends at once begins first.
    plan.sort_by_key(|(at, _, begins)| (*at, !*begins));
    plan
}

/// Starts its daemon whenever it is gone.
struct Seat<'a> {
    home: &'a Home,
    daemon: Option<Daemon<'a>>,
    wanted: bool,
    frozen: bool,
}

impl<'a> Seat<'a> {
    /// A service manager's look.
    fn look(&mut self) {
        if let Some(daemon) = &mut self.daemon
            && !daemon.process.is_running()
        {
            // Without a database, or while a child of the last one has its lock for a moment.
            let code = daemon.process.wait_end(seconds(1)).code();
            assert_eq!(code, Some(75), "it ended by itself");
            self.daemon = None;
        }
        if self.daemon.is_none() && self.wanted {
            self.daemon = Some(self.home.launch());
        }
    }

    fn kill(&mut self) {
        self.wanted = false;
        if let Some(mut daemon) = self.daemon.take() {
            daemon.process.kill_9();
        }
    }

    fn freeze(&mut self, is: bool) {
        if let Some(daemon) = &mut self.daemon
            && daemon.process.is_running()
        {
            if is {
                daemon.process.freeze()
            } else {
                daemon.process.thaw()
            }
            self.frozen = is;
        }
    }
}

/// A cluster to which things happen.
pub struct Stage<'a> {
    site: &'a Site,
    set: &'a mut ReplicaSet,
    seats: Vec<Seat<'a>>,
    /// Whom the switch passes nothing to.
    cut: BTreeSet<&'static str>,
    /// Members that are down.
    down: BTreeSet<usize>,
    /// The primary whom something has happened to.
    member: usize,
}

impl<'a> Stage<'a> {
    pub fn new(site: &'a Site, set: &'a mut ReplicaSet, daemons: Vec<Daemon<'a>>) -> Stage<'a> {
        let seat =
            |(home, daemon)| Seat { home, daemon: Some(daemon), wanted: true, frozen: false };
        let seats = site.homes.iter().zip(daemons).map(seat).collect();
        Stage { site, set, seats, cut: BTreeSet::new(), down: BTreeSet::new(), member: 0 }
    }

    /// Everything that is planned, and then an end to all of it.
    pub fn play(&mut self, plan: &Plan) {
        let begin = Instant::now();
        for (at, fault, begins) in plan {
            while begin.elapsed() < *at {
                pause(at.saturating_sub(begin.elapsed()).min(Duration::from_millis(500)));
                self.seats.iter_mut().for_each(Seat::look);
            }
            println!("{at:>8.1?} {fault:?} {}", if *begins { "begins" } else { "ends" });
            self.happen(*fault, *begins);
        }
        self.set.wait_in_step();
    }

    fn happen(&mut self, fault: Fault, begins: bool) {
        match fault {
            Fault::Killed(host) if begins => self.seats[host].kill(),
            Fault::Killed(host) => self.seats[host].wanted = true,
            Fault::Frozen(host) => self.seats[host].freeze(begins),
            Fault::CutOff(host) => self.cut(&[HOSTS[host]], begins),
            Fault::DatabaseCutOff => self.cut(&MEMBERS, begins),
            Fault::StepDown if begins => self.set.step_down(),
            Fault::StepDown => {}
            Fault::PrimaryKilled if begins => {
                self.member = self.set.primary();
                self.down.insert(self.member);
                self.set.members[self.member].kill_9();
            }
            Fault::PrimaryKilled => {
                self.down.remove(&self.member);
                self.set.members[self.member].restart();
            }
            Fault::PrimaryCutOff => {
                if begins {
                    self.member = self.set.primary();
                }
                self.cut(&[MEMBERS[self.member]], begins);
            }
        }
    }

    fn cut(&mut self, names: &[&'static str], begins: bool) {
        for name in names {
            if begins {
                self.cut.insert(name)
            } else {
                self.cut.remove(name)
            };
        }
        self.site.heal();
        self.cut.iter().for_each(|name| self.site.lab.cut(name));
    }

    /// Waits until every daemon answers; then nothing can happen to them any more.
    pub fn settle(mut self) -> Vec<Daemon<'a>> {
        assert!(self.cut.is_empty() && self.down.is_empty(), "everything ends");
        assert!(self.seats.iter().all(|seat| seat.wanted && !seat.frozen), "everything ends");
        for seat in &mut self.seats {
            let mut http = seat.home.http();
            wait_until("an answer to /ping", seconds(60), || {
                seat.look();
                let reply = http.try_send("GET", "/ping", None);
                let answers = reply.is_ok_and(|reply| reply.status == 200);
                if !answers {
                    pause(Duration::from_millis(500));
                }
                answers
            });
        }
        self.seats.into_iter().map(|seat| seat.daemon.expect("it answers")).collect()
    }
}

#[test]
fn a_seed_means_a_plan_in_which_everything_ends() {
    let of = |seed| plan(&Random::seeded(seed), seconds(100));
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
    let mut kinds = BTreeSet::new();
    for seed in 0..50 {
        let mut open = BTreeSet::new();
        for (_, fault, begins) in of(seed) {
            let changed = if begins { open.insert(fault) } else { open.remove(&fault) };
            assert!(changed, "{fault:?} of seed {seed}");
            kinds.insert(fault);
        }
        assert!(open.is_empty(), "{open:?} of seed {seed}");
    }
    assert_eq!(kinds.len(), 3 * HOSTS.len() + 4, "each happens");
}
