//! The composition root: builds a host from its configuration, in the order of the dependencies,
//! and stops it in the reverse order.
//!
//! Threads: none of its own; the calling thread waits. Keeps: I6 for starts (what fails leaves
//! nothing behind that the next start does not take over), I7 (a crash ends neither `mongod` nor
//! OpenVPN). Must never: decide anything that a module below could.

mod door;
mod error;
mod first_admin;
mod identity;
mod servers;
mod tools;

pub use error::NodeError;
pub use identity::known_host_id;

use crate::base::clock::Clock;
use crate::base::log::Format;
use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::bus;
use crate::config::Config;
use crate::domain::event::Event;
use crate::ground::{Ground, Hands};
use crate::http::wakeups::{Sending, Wakeups};
use crate::internal::{self, App, Feed, Internal};
use crate::limits;
use crate::liveness;
use crate::mongod::{self, Mongod};
use crate::pool;
use crate::queue;
use crate::store::{self, Store};
use crate::sys::lock::{self, Lock};
use crate::sys::supervise::Supervisor;
use crate::sys::{FileError, dirs, hardening};
use crate::tasks;
use crate::vpn::{self, Vpn};
use std::path::{Path, PathBuf};

/// A running host. Fields are in the order of their stop.
pub struct Node {
    ground: Ground,
    /// With the sockets of the two tiers; gone after a stop.
    sockets: PathBuf,
    edge: Supervisor,
    internal: Internal,
    feed: Feed,
    _wakeups: Sending,
    vpn: Vpn,
    tasks: tasks::Handle,
    light: queue::LightHandle,
    queue: queue::Handle,
    pool: pool::Handle,
    bus: bus::Handle,
    life: liveness::Identity,
    liveness: liveness::Handle,
    mongod: Option<Mongod>,
    _lock: Lock,
}

/// Starts a host; what it says on failure is meant for the person at the keyboard.
pub fn start(config: &Config, clock: &Clock, random: &Random) -> Result<Node, NodeError> {
    hardening::hide_memory().map_err(FileError::at("protect", Path::new("/proc/self")))?;
    // The database's user passes through both; what is inside has its own permissions.
    dirs::create(&config.state_dir, 0o711, None)?;
    dirs::create(&config.run_dir, 0o755, None)?;
    dirs::check_writable(&config.state_dir)?;
    let lock = lock::take(&config.state_dir, clock)?;
    tools::check(config)?;
    let doors = door::claim(config)?;
    let (mongod, uri) = database(config, clock)?;
    let store = Store::connect(&uri, clock.clone(), random.clone())?;
    let web = identity::app_settings(&store, random, clock)?;
    first_admin::ensure(&store, random)?;
    let (life, host) = identity::begin_life(&store, config, random, clock)?;
    let (bus, bus_handle) = bus::spawn(store.clone(), life.host, clock.clone())?;
    bus.emit(Event::Hosts(Some(life.host)));
    let tell = telling(&bus);
    let liveness = liveness::spawn_telling(store.clone(), life.clone(), clock.clone(), tell)?;
    let directory = sockets(config);
    let ground = Ground {
        bus: bus.clone(),
        store,
        clock: clock.clone(),
        random: random.clone(),
        host: life.host,
        status: liveness.status(),
        hands: Hands::default(),
    };
    let (pools, pool) = pool::spawn(ground.clone())?;
    let queue = queue::spawn(ground.clone())?;
    let light = queue::spawn_light(ground.clone(), pools.clone())?;
    let tasks = tasks::spawn(ground.clone())?;
    let vpn = vpn::start(servers::settings(config, &ground.store, &host)?, &ground)?;
    let (wakeups, sending) = Wakeups::start()?;
    let settings = door::settings(config, &directory, random);
    let listener = door::internal_listener(&directory, &settings, doors.user)?;
    let (events, feed) = Feed::start(ground.store.clone(), &bus, clock.clone(), wakeups.clone())?;
    let app = App::new(ground.clone(), pools, wakeups, events, &web.cookie_secret);
    let internal = internal::start(listener, settings.token.clone(), app)?;
    let edge = door::open(doors, settings, web)?;
    Ok(Node {
        ground,
        sockets: directory,
        edge,
        internal,
        feed,
        _wakeups: sending,
        vpn,
        tasks,
        light,
        queue,
        pool,
        bus: bus_handle,
        life,
        liveness,
        mongod,
        _lock: lock,
    })
}

impl Node {
    /// Work that comes up once in a while; called by the thread that waits for the stop.
    pub fn look_after(&self) {
        if let Some(Err(e)) = self.mongod.as_ref().map(Mongod::trim_log) {
            log::warn!("{e}");
        }
    }

    /// A copy of this host's identity has started elsewhere: this one is nobody any more.
    pub fn is_replaced(&self) -> bool {
        self.ground.status.is_replaced()
    }

    /// The internal tier has stopped receiving by itself.
    pub fn is_deaf(&self) -> bool {
        self.internal.is_broken()
    }

    /// Stops everything in reverse order and answers what did not go well.
    pub fn stop(self) -> Vec<String> {
        let deadline = self.ground.clock.mono() + limits::STOP_MAX;
        let Node { ground, sockets, edge, internal, feed, _wakeups, vpn, .. } = self;
        let Node { tasks, light, queue, pool, bus, life, liveness, mongod, _lock, .. } = self;
        let Ground { store, clock, .. } = ground;
        let mut failures = Vec::new();
        let mut note = |result: Result<(), String>| failures.extend(result.err());
        note(edge.stop(&clock, deadline).map_err(|e| e.to_string()));
        for stuck in internal.stop(&clock, deadline) {
            note(Err(stuck.to_string()));
        }
        note(feed.stop(&clock, deadline).map_err(|e| e.to_string()));
        let stuck = [
            vpn.stop(&clock, deadline),
            tasks.stop(&clock, deadline),
            light.stop(&clock, deadline),
            queue.stop(&clock, deadline),
            pool.stop(&clock, deadline),
            bus.stop(&clock, deadline),
        ];
        stuck.iter().flatten().for_each(|stuck| note(Err(stuck.to_string())));
        let removed = std::fs::remove_dir_all(&sockets);
        note(removed.map_err(|e| format!("could not remove {}: {e}", sockets.display())));
        let status = liveness.status();
        note(liveness.stop(&clock, deadline).map_err(|e| e.to_string()));
        // The others know at once; without the database they find out by themselves.
        if status.is_away(clock.mono()) {
            note(Err("the database is away: the others will see that this host is silent".into()));
        } else {
            let said = store.host_stop(life.host, status.epoch(), &life.nonce);
            note(said.map(drop).map_err(|e| e.to_string()));
        }
        if let Some(mongod) = mongod {
            note(mongod.stop(&clock, deadline).map_err(|e| e.to_string()));
        }
        failures
    }
}

/// Jobs and tasks of a host that is declared dead are free at once, and the console shows it.
fn telling(bus: &bus::Bus) -> liveness::Tell {
    let bus = bus.clone();
    Box::new(move |host| {
        bus.publish(bus::Message::HostGone { host });
        bus.emit(Event::Hosts(Some(host)));
    })
}

/// How lines are written, here and in the edge.
pub fn log_format(config: &Config) -> Format {
    match config.log_json {
        true => Format::Json,
        false => Format::Text { priority: std::env::var_os("JOURNAL_STREAM").is_some() },
    }
}

/// Directory of the sockets of the two tiers, while the host runs.
pub fn sockets(config: &Config) -> PathBuf {
    config.run_dir.join("edge")
}

/// The settings of this host's own database.
pub fn mongod_settings(config: &Config) -> mongod::Settings {
    mongod::Settings {
        program: config.mongod.clone(),
        state_dir: config.state_dir.clone(),
        run_dir: config.run_dir.clone(),
        user: config.database_user.clone(),
    }
}

/// The shared database, or one of our own.
fn database(config: &Config, clock: &Clock) -> Result<(Option<Mongod>, Secret), NodeError> {
    if let Some(uri) = &config.mongodb_uri {
        return Ok((None, uri.clone()));
    }
    let mongod = mongod::start(&mongod_settings(config), clock)?;
    let uri = mongod.uri();
    store::initiate_local(&uri, &mongod.member())?;
    Ok((Some(mongod), uri))
}
