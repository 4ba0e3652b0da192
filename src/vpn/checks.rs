//! The work of admission that takes time: reading the user, hashing a PIN, spending a code, taking
//! an address. A few threads with a bounded queue; OpenVPN and other clients never wait for it.
//!
//! Whom this host knows ([`Known`]) it lets in without asking the database. Nobody is refused by
//! that alone: before a refusal the database is read, so that what was changed a moment ago counts.
//! While it is away, what is known decides (I7).

use crate::base::clock::{Clock, Mono};
use crate::base::ids::UserId;
use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::limits::{
    ADMISSION_WORKERS, ADMISSIONS_WAITING_MAX, KNOWN_USERS_MAX, LOGIN_ATTEMPTS_MAX,
    LOGIN_WINDOW_SECONDS, PIN_CHECKS_MAX,
};
use crate::thread::{self, Thread, ThreadError};
use crate::vpn::admission::{Knock, Person, PinMode, Reason, judge};
use crate::vpn::known::Known;
use crate::vpn::records::{Away, Records};
use crate::vpn::settings::Server;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How what was typed is proved.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    /// PIN and its stored hash.
    pub pin: fn(&str, &str) -> bool,
    /// Code, secret and cluster time in seconds: the time step it belongs to.
    pub code: fn(&str, &str, i64) -> Option<i64>,
}

/// Let in, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    pub user_name: String,
    /// [`Person::cut`] as it was judged.
    pub cut: i64,
    pub address: Ipv4Addr,
    pub second_factor: bool,
}

pub struct Job {
    pub knock: Knock,
    pub server: Arc<Server>,
    /// It proved its factors when it connected.
    pub known: bool,
    pub done: Box<dyn FnOnce(Result<Admitted, Reason>) + Send>,
}

/// Handle on the workers; clones share them. They end when the last clone is gone.
#[derive(Clone)]
pub struct Checks(Sender<Work>);

enum Work {
    Admit(Job),
    LookUp(Box<dyn FnOnce() + Send>),
}

impl Checks {
    /// `false`: too many wait, the job is dropped.
    #[must_use]
    pub fn submit(&self, job: Job) -> bool {
        self.0.try_send(Work::Admit(job)).is_ok()
    }

    /// Asks the database something else for a running server, at leisure.
    pub fn look_up(&self, question: Box<dyn FnOnce() + Send>) {
        if self.0.try_send(Work::LookUp(question)).is_err() {
            log::warn!("too many checks wait: a question to the database was dropped");
        }
    }
}

pub fn spawn(
    records: Arc<dyn Records>,
    known: Known,
    factors: Factors,
    clock: &Clock,
    random: &Random,
) -> Result<(Checks, Vec<Thread>), ThreadError> {
    let (tx, rx) = bounded(ADMISSIONS_WAITING_MAX);
    let (slots_tx, slots) = bounded(PIN_CHECKS_MAX);
    let shared = Arc::new(Shared {
        records,
        known,
        factors,
        clock: clock.clone(),
        pin_key: Secret::new(random.bytes::<32>().to_vec()),
        pin_slots: (slots_tx, slots),
        memory: Mutex::new(Memory::default()),
    });
    let mut threads = Vec::new();
    for number in 0..ADMISSION_WORKERS {
        let (shared, jobs) = (Arc::clone(&shared), rx.clone());
        threads.push(thread::spawn(format!("vpn-check-{number}"), move || work(&shared, &jobs))?);
    }
    Ok((Checks(tx), threads))
}

fn work(shared: &Shared, inbox: &Receiver<Work>) {
    for work in inbox {
        let job = match work {
            Work::Admit(job) => job,
            Work::LookUp(question) => {
                question();
                continue;
            }
        };
        let judged = thread::guard(|| shared.admit(&job.knock, &job.server, job.known));
        (job.done)(judged.unwrap_or_else(|reason| {
            log::error!("an admission panicked: {reason}");
            Err(Reason::Unavailable)
        }));
    }
}

struct Shared {
    records: Arc<dyn Records>,
    known: Known,
    factors: Factors,
    clock: Clock,
    /// Of this process only: what the cache of PINs holds is worth nothing to anybody else.
    pin_key: Secret<Vec<u8>>,
    /// A token in here is a PIN being hashed.
    pin_slots: (Sender<()>, Receiver<()>),
    /// Shared by the workers; never held across I/O or hashing.
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    proved_pins: HashSet<Vec<u8>>,
    spent_codes: HashSet<(UserId, i64)>,
    failures: HashMap<UserId, (Mono, u32)>,
}

/// What a judgement rests on.
type Facts = (Option<Person>, PinMode);

impl Shared {
    fn admit(&self, knock: &Knock, server: &Server, known: bool) -> Result<Admitted, Reason> {
        let person = self.known.person(knock.org, knock.user);
        let remembered: Option<Facts> =
            person.is_some().then_some(person).zip(self.known.pin_mode());
        let first = remembered.as_ref().map(|facts| self.prove(knock, server, facts, known));
        let (proved, facts) = match (first, remembered) {
            (Some(Ok(second_factor)), Some(facts)) => (Ok(second_factor), facts),
            // No change of a user makes a used code fresh.
            (Some(Err(reason @ Reason::CodeReplayed)), _) => return Err(reason),
            (first, remembered) => match self.ask(knock) {
                Ok(facts) if remembered.as_ref() == Some(&facts) => {
                    (first.unwrap_or(Err(Reason::Unavailable)), facts)
                }
                Ok(facts) => (self.prove(knock, server, &facts, known), facts),
                Err(Away) => return Err(self.failed(knock.user, first)),
            },
        };
        let second_factor = proved.map_err(|reason| self.failed(knock.user, Some(Err(reason))))?;
        let address = self.address(server, knock.user)?;
        let (user_name, cut) = facts.0.map(|p| (p.name, p.cut)).unwrap_or_default();
        Ok(Admitted { user_name, cut, address, second_factor })
    }

    /// Whether a code was among what it proved.
    fn prove(
        &self,
        knock: &Knock,
        server: &Server,
        (person, pin_mode): &Facts,
        known: bool,
    ) -> Result<bool, Reason> {
        let proofs = judge(knock, server, person.as_ref(), *pin_mode, known)?;
        if !proofs.is_empty() && self.failed_too_often(knock.user) {
            return Err(Reason::TooManyAttempts);
        }
        if let Some((pin, hash)) = &proofs.pin
            && !self.pin_holds(pin, hash)
        {
            return Err(Reason::PinWrong);
        }
        if let Some((code, secret)) = &proofs.code {
            self.spend(knock.user, code, secret)?;
        }
        Ok(proofs.code.is_some())
    }

    /// What the database says now.
    fn ask(&self, knock: &Knock) -> Result<Facts, Away> {
        let mode = self.records.pin_mode()?;
        self.known.put_pin_mode(mode);
        let person = self.records.people(&[knock.user])?.into_iter().next();
        match &person {
            Some(person) => drop(self.known.put(person)),
            None => drop(self.known.forget(knock.user)),
        }
        Ok((person.filter(|person| person.org == knock.org), mode))
    }

    fn address(&self, server: &Server, user: UserId) -> Result<Ipv4Addr, Reason> {
        if let Some(address) = self.known.address(server.id, server.generation, user) {
            return Ok(address);
        }
        match self.records.address(server, user) {
            Ok(Some(address)) => {
                self.known.put_address(server.id, server.generation, user, address);
                Ok(address)
            }
            Ok(None) => Err(Reason::NoAddress),
            Err(Away) => Err(Reason::Unavailable),
        }
    }

    fn remember<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut memory)
    }

    /// The hash takes tens of milliseconds on purpose; one that was proved before is recognised by
    /// a keyed digest of the pair.
    fn pin_holds(&self, pin: &Secret, hash: &Secret) -> bool {
        let digest = self.digest(pin, hash);
        if let Some(digest) = &digest
            && self.remember(|memory| memory.proved_pins.contains(digest))
        {
            return true;
        }
        let (take, give_back) = &self.pin_slots;
        // Both ends live in `self`, so neither call fails.
        let _ = take.send(());
        let holds = (self.factors.pin)(pin.expose(), hash.expose());
        let _ = give_back.recv();
        if let Some(digest) = digest.filter(|_| holds) {
            self.remember(|memory| {
                if memory.proved_pins.len() >= KNOWN_USERS_MAX {
                    memory.proved_pins.clear();
                }
                memory.proved_pins.insert(digest)
            });
        }
        holds
    }

    fn digest(&self, pin: &Secret, hash: &Secret) -> Option<Vec<u8>> {
        let key = openssl::pkey::PKey::hmac(self.pin_key.expose()).ok()?;
        let sha256 = openssl::hash::MessageDigest::sha256();
        let mut signer = openssl::sign::Signer::new(sha256, &key).ok()?;
        signer.update(hash.expose().as_bytes()).ok()?;
        signer.update(&[0]).ok()?;
        signer.sign_oneshot_to_vec(pin.expose().as_bytes()).ok()
    }

    /// Refuses a wrong code, and one that was used before, here or anywhere.
    fn spend(&self, user: UserId, code: &Secret, secret: &Secret) -> Result<(), Reason> {
        let now_s = self.clock.cluster_s();
        let step = (self.factors.code)(code.expose(), secret.expose(), now_s);
        let step = step.ok_or(Reason::CodeWrong)?;
        let fresh_here = self.remember(|memory| {
            if memory.spent_codes.len() >= KNOWN_USERS_MAX {
                memory.spent_codes.clear();
            }
            memory.spent_codes.insert((user, step))
        });
        // While the database is away, what this host knows decides.
        let fresh = fresh_here && self.records.use_code(user, step).unwrap_or(true);
        if fresh { Ok(()) } else { Err(Reason::CodeReplayed) }
    }

    fn failed_too_often(&self, user: UserId) -> bool {
        let now = self.clock.mono();
        self.remember(|memory| match memory.failures.get(&user) {
            Some((since, count)) if now.since(*since) < window() => *count >= LOGIN_ATTEMPTS_MAX,
            _ => false,
        })
    }

    /// Why it is refused; guesses are counted.
    fn failed(&self, user: UserId, proved: Option<Result<bool, Reason>>) -> Reason {
        let Some(Err(reason)) = proved else { return Reason::Unavailable };
        if matches!(reason, Reason::PinWrong | Reason::CodeWrong) {
            let now = self.clock.mono();
            self.remember(|memory| {
                let (mut since, mut count) =
                    memory.failures.get(&user).copied().unwrap_or((now, 0));
                if now.since(since) >= window() {
                    (since, count) = (now, 0);
                }
                insert(&mut memory.failures, user, (since, count + 1));
            });
        }
        reason
    }
}

fn window() -> Duration {
    Duration::from_secs(LOGIN_WINDOW_SECONDS.unsigned_abs())
}

/// At the bound the map begins anew: it is a memory, the database has the truth.
fn insert<K: Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>, key: K, value: V) {
    if map.len() >= KNOWN_USERS_MAX && !map.contains_key(&key) {
        map.clear();
    }
    map.insert(key, value);
}

#[cfg(test)]
mod tests;
