//! Hosts that are nothing but a bus, ears that write down what they hear, and a wire to the
//! database that can be cut for one host alone.

use crate::support::mongo::ReplicaSet;
use crate::support::wait::{pause, seconds, wait_until};
use mongodb::bson::{Document, doc};
use mongodb::sync::Client;
use std::collections::HashSet;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use warren::base::clock::{Clock, wall_ms};
use warren::base::ids::HostId;
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::bus::{self, Bus, Heard, Message};
use warren::limits;
use warren::store::Store;
use warren::thread::{Stop, StopSource, Thread, spawn, stop_pair};

/// The longest message there may be.
pub const LONGEST: usize = limits::BUS_MESSAGE_BYTES_MAX;

pub struct Host {
    pub bus: Bus,
    pub store: Store,
    pub clock: Clock,
    pub handle: bus::Handle,
}

pub fn store(uri: &str, clock: &Clock) -> Result<Store, warren::store::StoreError> {
    Store::connect(&Secret::new(uri.to_owned()), clock.clone(), Random::system())
}

/// A host whose clock is wrong by `skew_s`.
pub fn host(uri: &str, number: u8, skew_s: i64) -> Host {
    let clock = Clock::system();
    clock.learn_cluster_ms(wall_ms() + skew_s * 1000);
    let host = begin(store(uri, &clock).expect("a store"), number, clock);
    // What is said before the bus is open is not heard: whoever listens then gets a gap.
    let probe = host.bus.subscribe("probe");
    wait_until("an open bus", seconds(15), || {
        host.bus.publish(Message::JobReady);
        probe.next(&Stop::never(), Duration::from_millis(20)).is_some()
    });
    host
}

pub fn begin(store: Store, number: u8, clock: Clock) -> Host {
    let id = HostId::from_bytes([number; 16]);
    let (bus, handle) = bus::spawn(store.clone(), id, clock.clone()).expect("a bus");
    Host { bus, store, clock, handle }
}

impl Host {
    pub fn say(&self, key: &str) {
        self.bus.publish(Message::Wake { key: key.to_owned() });
    }

    /// Says `count` things, one each `period`, on a thread of its own.
    pub fn speak(&self, name: &str, count: u32, period: Duration) -> Thread {
        let (bus, name) = (self.bus.clone(), name.to_owned());
        let body = move || {
            for n in 0..count {
                bus.publish(Message::Wake { key: format!("{name}/{n}") });
                pause(period);
            }
        };
        spawn("speaker", body).expect("a thread")
    }

    pub fn stop(self) -> Vec<String> {
        let stuck = self.handle.stop(&self.clock, self.clock.mono() + seconds(10));
        stuck.iter().map(ToString::to_string).collect()
    }
}

/// A subscriber and what it has heard so far.
pub struct Ear {
    heard: Arc<Mutex<Vec<Heard>>>,
    _stop: StopSource,
    _thread: Thread,
}

impl Ear {
    pub fn on(host: &Host) -> Ear {
        let subscription = host.bus.subscribe("ear");
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let (source, stop) = stop_pair();
        let into = Arc::clone(&heard);
        let body = move || {
            while !stop.is_set() {
                if let Some(next) = subscription.next(&stop, seconds(1)) {
                    into.lock().expect("unpoisoned").push(next);
                }
            }
        };
        let thread = spawn("ear", body).expect("a thread");
        Ear { heard, _stop: source, _thread: thread }
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("unpoisoned").clone()
    }

    /// Forgets what it has heard.
    pub fn clear(&self) {
        self.heard.lock().expect("unpoisoned").clear();
    }

    pub fn count(&self) -> usize {
        self.heard.lock().expect("unpoisoned").len()
    }

    pub fn gaps(&self) -> usize {
        self.heard().iter().filter(|heard| **heard == Heard::Gap).count()
    }

    /// What it heard, each as often as it did.
    pub fn keys(&self) -> Vec<String> {
        self.heard().iter().filter_map(key).collect()
    }
}

fn key(heard: &Heard) -> Option<String> {
    match heard {
        Heard::Message(Message::Wake { key }) => Some(key.clone()),
        _ => None,
    }
}

/// Waits until what each host says is heard by all, then forgets it.
pub fn settle(hosts: &[&Host], ears: &[&Ear]) {
    let hello = |n: usize| format!("hello/{n}");
    hosts.iter().enumerate().for_each(|(n, host)| host.say(&hello(n)));
    wait_until("everybody hears everybody", seconds(15), || {
        ears.iter().all(|ear| {
            let keys = ear.keys();
            (0..hosts.len()).all(|n| keys.contains(&hello(n)))
        })
    });
    ears.iter().for_each(|ear| ear.clear());
}

/// Waits until every ear has heard `count` different things of each speaker.
pub fn wait_heard(ears: &[&Ear], names: &[&str], count: u32, limit: Duration) {
    let count = usize::try_from(count).expect("small");
    wait_until("all ears to hear all", limit, || {
        ears.iter().all(|ear| {
            let keys: HashSet<String> = ear.keys().into_iter().collect();
            let of = |name: &str| keys.iter().filter(|k| k.split('/').next() == Some(name)).count();
            names.iter().all(|name| of(name) == count)
        })
    });
}

/// Fills the collection more than once, no faster than `ears` hear it.
pub fn flood(speaker: &Host, name: &str, ears: &[&Ear]) -> u32 {
    let size = usize::try_from(limits::BUS_BYTES).expect("small");
    let count = u32::try_from(3 * size / LONGEST / 2).expect("small");
    let ahead = limits::BUS_SUBSCRIBER_MAX / 4;
    let before: Vec<usize> = ears.iter().map(|ear| ear.count()).collect();
    for n in 0..count {
        let key = format!("{name}/{n}/");
        speaker.say(&format!("{key}{}", "x".repeat(LONGEST - key.len())));
        let said = usize::try_from(n).expect("small");
        let keeps_up = |(ear, before): (&&Ear, &usize)| ear.count() + ahead > said + before;
        wait_until("the ears to keep up", seconds(15), || ears.iter().zip(&before).all(keeps_up));
    }
    count
}

/// What stands in the database, in its natural order.
pub fn natural_order(set: &ReplicaSet) -> Vec<String> {
    natural_order_of(&set.client())
}

/// The same as one member has it.
pub fn natural_order_of(client: &Client) -> Vec<String> {
    let bus = client.database("warren").collection::<Document>("bus");
    let all = bus.find(doc! { "topic": "wake" }).run().expect("a cursor");
    let key = |document: Document| {
        document.get_document("body").and_then(|body| body.get_str("key")).map(str::to_owned)
    };
    all.map(|document| key(document.expect("a document")).expect("a key")).collect()
}

/// A wire from loopback to the first member of a set, for one host.
pub struct Wire {
    address: SocketAddr,
    state: Arc<Mutex<Open>>,
    _thread: Thread,
    stop: Option<StopSource>,
}

#[derive(Default)]
struct Open {
    is_cut: bool,
    ends: Vec<(TcpStream, UnixStream)>,
}

impl Wire {
    pub fn to(socket: PathBuf) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::<Mutex<Open>>::default();
        let (source, stop) = stop_pair();
        let accepting = Arc::clone(&state);
        let body = move || accept(&listener, &socket, &accepting, &stop);
        let thread = spawn("wire", body).expect("a thread");
        Wire { address, state, _thread: thread, stop: Some(source) }
    }

    pub fn uri(&self) -> String {
        format!("mongodb://{}/?directConnection=true", self.address)
    }

    pub fn cut(&self) {
        let mut state = self.state.lock().expect("unpoisoned");
        state.is_cut = true;
        for (client, server) in state.ends.drain(..) {
            let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
        }
    }

    pub fn heal(&self) {
        self.state.lock().expect("unpoisoned").is_cut = false;
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut();
        self.stop = None;
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, socket: &PathBuf, state: &Mutex<Open>, stop: &Stop) {
    for client in listener.incoming() {
        if stop.is_set() {
            return;
        }
        let mut state = state.lock().expect("unpoisoned");
        if let (false, Ok(client)) = (state.is_cut, client)
            && let Ok(server) = UnixStream::connect(socket)
        {
            carry(&client, &server).expect("a copy of a socket");
            state.ends.push((client, server));
        }
    }
}

fn carry(client: &TcpStream, server: &UnixStream) -> io::Result<()> {
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || io::copy(&mut from_client, &mut to_server));
    std::thread::spawn(move || io::copy(&mut from_server, &mut to_client));
    Ok(())
}

/// Runs `work` and says how long it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}
