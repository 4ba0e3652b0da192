//! The VPN side of a host, put together: started and stopped as one.

use crate::base::clock::{Clock, Mono};
use crate::base::ids::InstanceId;
use crate::base::secret::Secret;
use crate::domain::password::{StoredHash, Use, Verdict};
use crate::domain::totp;
use crate::ground::Ground;
use crate::sys::{host, process};
use crate::thread::{StopSource, Thread, ThreadError, stop_pair};
use crate::vpn::checks::{self, Factors};
use crate::vpn::database::Database;
use crate::vpn::fleet::{self, Fleet};
use crate::vpn::known::Known;
use crate::vpn::records::Records;
use crate::vpn::runner::{Place, Record, Surroundings, records_in};
use crate::vpn::settings::Guards;
use crate::vpn::{books, hints, people};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the configuration says about servers.
#[derive(Clone, Debug)]
pub struct Settings {
    pub openvpn: PathBuf,
    pub openvpn_user: String,
    pub run_dir: PathBuf,
    pub state_dir: PathBuf,
    /// As it stands in lines of output.
    pub host_name: String,
    /// Where clients reach this host, if that is known as an IPv4 address.
    pub public_address: Option<Ipv4Addr>,
    /// What clients must not reach unless a route says so.
    pub guards: Guards,
}

/// The running parts, in the order of their stop: who tells, who acts, who writes it down.
pub struct Vpn {
    hints: (StopSource, Thread),
    fleet: Fleet,
    people: (StopSource, Thread),
    checks: Vec<Thread>,
    books: (StopSource, Thread),
}

const FACTORS: Factors = Factors {
    pin: |pin, hash| {
        let stored = StoredHash::parse(&Secret::new(hash.to_owned()), Use::Pin);
        stored.check(&Secret::new(pin.to_owned())) != Verdict::Wrong
    },
    code: |code, secret, now_s| {
        let secret = Secret::new(secret.to_owned());
        totp::matching_step(&secret, code, now_s).map(|step| step.0)
    },
};

/// Instances whose OpenVPN an earlier life of the daemon left running.
pub fn left_running(run_dir: &Path) -> Vec<InstanceId> {
    let lives = |record: &Record| matches!(process::adopt(&record.identity), Ok(Some(_)));
    records_in(run_dir).into_iter().filter(lives).map(|record| record.instance).collect()
}

/// Starts everything; what is to run here begins to run. What a server turns out to lack keeps that
/// server from starting, which then says so, and nothing else.
pub fn start(settings: Settings, ground: &Ground) -> Result<Vpn, ThreadError> {
    let Settings { openvpn, openvpn_user, run_dir, state_dir, host_name, .. } = settings;
    // Before the first look at the documents, so that no change falls between the two.
    let subscription = ground.bus.subscribe("vpn");
    let place = Place {
        openvpn,
        user_name: openvpn_user,
        run_dir,
        host_name: host_name.clone(),
        public_address: settings.public_address,
        dual_stack: host::has_ipv6(),
    };
    let database = Database::new(ground.clone(), host_name, settings.guards);
    let records: Arc<dyn Records> = Arc::new(database);
    let (clock, random) = (ground.clock.clone(), ground.random.clone());
    let known = Known::default();
    let (books_stop, stop) = stop_pair();
    let (pen, books) = books::spawn(Arc::clone(&records), clock.clone(), stop)?;
    let shared = Arc::clone(&records);
    let (checks, check_threads) = checks::spawn(shared, known.clone(), FACTORS, &clock, &random)?;
    let inbox = fleet::Inbox::default();
    let line = inbox.line();
    let (people_stop, stop) = stop_pair();
    let review = line.clone();
    let (people, people_thread) =
        people::spawn(Arc::clone(&records), known.clone(), clock.clone(), stop, move || {
            review.review();
        })?;
    let place = Arc::new(place);
    let around = Surroundings { place, records, known: known.clone(), checks, pen, clock, random };
    let status = ground.status.clone();
    let lives = Box::new(move || status.lives_changed());
    let fleet = fleet::spawn(inbox, around, people.clone(), lives, state_dir)?;
    let (hints_stop, stop) = stop_pair();
    let hints = hints::spawn(subscription, line, people, known, stop)?;
    Ok(Vpn {
        hints: (hints_stop, hints),
        fleet,
        people: (people_stop, people_thread),
        checks: check_threads,
        books: (books_stop, books),
    })
}

impl Vpn {
    /// Ends all servers, tells their clients, and writes down what happened.
    pub fn stop(self, clock: &Clock, deadline: Mono) -> Vec<ThreadError> {
        let Vpn { hints, fleet, people, checks, books } = self;
        let end = |(source, thread): (StopSource, Thread)| {
            drop(source);
            thread.join(clock, deadline).err()
        };
        let mut stuck = Vec::new();
        stuck.extend(end(hints));
        stuck.extend(fleet.stop(clock, deadline));
        stuck.extend(end(people));
        // Their last sender ended with the servers.
        stuck.extend(checks.into_iter().filter_map(|thread| thread.join(clock, deadline).err()));
        stuck.extend(end(books));
        stuck
    }
}
