//! The thread that beats, looks and declares.

use super::observer::{Event, Observer, Seen};
use crate::base::clock::{Clock, Mono};
use crate::base::ids::HostId;
use crate::limits::{BEAT_PERIOD, DATABASE_SILENT_MAX, READ_SLOW};
use crate::store::hosts::{Beat, Declaration};
use crate::store::{Store, StoreError};
use crate::thread::{self, Stop, StopSource, Thread, ThreadError, stop_pair};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// One life of a host, as [`Store::host_start`] began it.
#[derive(Clone, Debug)]
pub struct Identity {
    pub host: HostId,
    pub epoch: i64,
    pub nonce: String,
}

/// How this host's beat fares; clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Status(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Milliseconds of [`Mono`]; 0: never.
    acknowledged_ms: AtomicU64,
    /// Of the life under way.
    epoch: AtomicI64,
    replaced: AtomicBool,
    lives_changed: AtomicU64,
}

impl Status {
    /// When the newest acknowledged beat was begun.
    pub fn acknowledged(&self) -> Option<Mono> {
        match self.0.acknowledged_ms.load(Ordering::Relaxed) {
            0 => None,
            ms => Some(Mono::from_millis(ms)),
        }
    }

    /// Without an acknowledged beat for this long the database counts as away: whoever can do
    /// without it does not wait for it. One that has not been asked yet counts as there.
    pub fn is_away(&self, now: Mono) -> bool {
        self.acknowledged().is_some_and(|heard| now.since(heard) > DATABASE_SILENT_MAX)
    }

    /// A host that was declared dead comes back with a higher one.
    pub fn epoch(&self) -> i64 {
        self.0.epoch.load(Ordering::Relaxed)
    }

    /// A number that is another one when hosts have begun or ended lives since, this one's
    /// included, as far as its reads have shown.
    pub fn lives_changed(&self) -> u64 {
        self.0.lives_changed.load(Ordering::Relaxed)
    }

    /// A copy of this identity has started: this one beats no more.
    pub fn is_replaced(&self) -> bool {
        self.0.replaced.load(Ordering::Relaxed)
    }
}

/// The beating host. Dropping it ends the beat; without [`Store::host_stop`] the others then
/// declare this host dead.
#[derive(Debug)]
pub struct Handle {
    status: Status,
    // Dropped first, so that the thread ends when it is joined.
    stop: StopSource,
    thread: Thread,
}

impl Handle {
    /// For whoever answers how this host fares.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Ends the thread; a call that hangs in the database is left behind at the deadline.
    pub fn stop(self, clock: &Clock, deadline: Mono) -> Result<(), ThreadError> {
        drop(self.stop);
        self.thread.join(clock, deadline)
    }
}

/// What hears of a host whose life was ended or has begun anew by what this one did.
pub type Tell = Box<dyn Fn(HostId) + Send>;

/// Starts the beat of a host whose life has begun; the others find out by themselves whom it
/// declares dead.
pub fn spawn(store: Store, identity: Identity, clock: Clock) -> Result<Handle, ThreadError> {
    spawn_telling(store, identity, clock, Box::new(|_| ()))
}

/// The same; what it declares is told at once, so that nobody waits until they look.
pub fn spawn_telling(
    store: Store,
    identity: Identity,
    clock: Clock,
    tell: Tell,
) -> Result<Handle, ThreadError> {
    let (source, stop) = stop_pair();
    let mut beater = Beater::new(store, identity, clock, tell);
    let status = beater.status();
    let thread = thread::spawn("beat", move || beater.run(&stop))?;
    Ok(Handle { status, stop: source, thread })
}

/// What the thread does.
pub struct Beater {
    store: Store,
    identity: Identity,
    clock: Clock,
    observer: Observer,
    status: Status,
    /// Living hosts and their epochs at the newest look.
    lives: Vec<(HostId, i64)>,
    tell: Tell,
    /// An outage of the database is under way, and logged.
    away: bool,
}

impl Beater {
    pub fn new(store: Store, identity: Identity, clock: Clock, tell: Tell) -> Beater {
        let status = Status::default();
        status.0.epoch.store(identity.epoch, Ordering::Relaxed);
        let observer = Observer::new(identity.host);
        Beater { store, identity, clock, observer, status, lives: Vec::new(), tell, away: false }
    }

    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// The pause follows the read: three of them and what they separate take at least the time
    /// after which silence means death.
    fn run(&mut self, stop: &Stop) {
        loop {
            let round = self.round(stop);
            self.note_outage(round.err());
            if stop.wait(BEAT_PERIOD) {
                return;
            }
        }
    }

    /// The read comes whatever became of the beat: the observer has to know of both.
    pub fn round(&mut self, stop: &Stop) -> Result<(), StoreError> {
        let beaten = self.beat();
        if stop.is_set() {
            return beaten.map(drop);
        }
        let silent = self.look(beaten.as_ref().ok().copied().flatten());
        beaten?;
        silent?.into_iter().try_for_each(|silent| self.declare(silent))
    }

    /// Answers when an acknowledged, not too slow beat was over.
    fn beat(&mut self) -> Result<Option<Mono>, StoreError> {
        let Identity { host, epoch, nonce } = &self.identity;
        let started = self.clock.mono();
        let answer = self.store.host_beat(*host, *epoch, nonce);
        let now = self.clock.mono();
        let acknowledged = matches!(answer, Ok(Beat::Acknowledged));
        self.observer.step(now, Event::Beat { started, acknowledged });
        if acknowledged {
            self.status.0.acknowledged_ms.store(started.as_millis().max(1), Ordering::Relaxed);
        }
        if matches!(answer, Ok(Beat::Replaced)) {
            self.come_back()?;
        }
        answer.map(|_| (acknowledged && now.since(started) <= READ_SLOW).then_some(now))
    }

    /// Declared dead by others although it goes on: another life begins. What the old epoch held
    /// is free, and may be another's by now.
    fn come_back(&mut self) -> Result<(), StoreError> {
        match self.store.host_return(self.identity.host, &self.identity.nonce)? {
            Some(epoch) => {
                log::warn!("this host was declared dead; it is back with epoch {epoch}");
                self.identity.epoch = epoch;
                self.status.0.epoch.store(epoch, Ordering::Relaxed);
                (self.tell)(self.identity.host);
            }
            None if !self.status.0.replaced.swap(true, Ordering::Relaxed) => {
                log::error!("another daemon has started with this host's identity");
            }
            None => {}
        }
        Ok(())
    }

    /// Answers who is to be declared dead.
    fn look(&mut self, beaten: Option<Mono>) -> Result<Vec<Seen>, StoreError> {
        let started = self.clock.mono();
        let answer = self.store.hosts_seen();
        let now = self.clock.mono();
        let own = |id: HostId| id == self.identity.host;
        if let (Ok(hosts), Some(beaten)) = (&answer, beaten)
            && let Some(own) = hosts.iter().find(|host| own(host.id))
        {
            let since = i64::try_from(now.since(beaten).as_millis()).unwrap_or(0);
            self.clock.learn_cluster_ms(own.beat_at_ms() + since);
        }
        if let Ok(hosts) = &answer {
            let mut lives: Vec<_> = hosts.iter().map(|host| (host.id, host.epoch)).collect();
            lives.sort_unstable();
            if lives != self.lives {
                self.lives = lives;
                self.status.0.lives_changed.fetch_add(1, Ordering::Relaxed);
            }
        }
        let seen = answer.as_ref().ok().map(|hosts| {
            let seen = hosts.iter();
            seen.map(|h| Seen { host: h.id, epoch: h.epoch, beat: h.beat }).collect()
        });
        let primary_changes = self.store.primary_changes();
        let silent = self.observer.step(now, Event::Read { started, primary_changes, seen });
        answer.map(|_| silent)
    }

    /// Acted on by everyone only as they find it in the database.
    fn declare(&self, silent: Seen) -> Result<(), StoreError> {
        let Seen { host, epoch, beat } = silent;
        match self.store.host_declare_dead(host, epoch, beat)? {
            Declaration::Declared => {
                log::warn!("declared host {host} dead");
                (self.tell)(host);
            }
            Declaration::Moved => log::info!("host {host} was silent, but is back"),
        }
        Ok(())
    }

    fn note_outage(&mut self, error: Option<StoreError>) {
        match &error {
            Some(error) if !self.away => log::warn!("no beats for now: {error}"),
            None if self.away => log::info!("beats are acknowledged again"),
            _ => {}
        }
        self.away = error.is_some();
    }
}
