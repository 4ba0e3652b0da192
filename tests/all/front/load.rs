//! Measurements, run by hand: `cargo nextest run --run-ignored only load:: --no-capture`.

use super::rig::{Client, Rig, bounds, connector};
use crate::support::wait::pause;
use std::fs;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SPAN: Duration = Duration::from_secs(3);

/// Requests one after the other on `connections` kept connections.
pub fn measure(what: &str, connections: usize, target: &'static str, open: impl Fn() -> Client) {
    let clients: Vec<Client> = (0..connections).map(|_| open()).collect();
    let start = Instant::now();
    let workers: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            thread::spawn(move || {
                let mut times = Vec::new();
                while start.elapsed() < SPAN {
                    let asked = Instant::now();
                    assert_eq!(client.get(target).status, 200);
                    times.push(asked.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times: Vec<Duration> =
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect();
    times.sort();
    let rate = times.len() as f64 / SPAN.as_secs_f64();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("{what}, {connections} connections: {rate:.0} requests/s, p50 {p50:?}, p99 {p99:?}");
}

fn resident_kb() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
#[ignore = "a measurement"]
fn requests_per_second_through_the_front() {
    let rig = Rig::start(bounds());
    for connections in [1, 4, 16, 32] {
        measure("front and application", connections, "/hello", || rig.client());
    }
}

#[test]
#[ignore = "a measurement"]
fn handshakes_per_second() {
    let rig = Rig::start(bounds());
    let connector = connector();
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < SPAN {
        Client::connect_with(&connector, rig.https).expect("a TLS connection");
        count += 1;
    }
    println!(
        "new connections, one after the other: {:.0}/s",
        f64::from(count) / SPAN.as_secs_f64()
    );
}

/// Both ends are in this process; plain sockets of clients cost next to nothing here, so the
/// clients' TLS is thrown away and the difference is the front's.
#[test]
#[ignore = "a measurement"]
fn memory_of_idle_connections() {
    let rig = Rig::start(bounds());
    let connector = connector();
    rig.client().get("/hello");
    let before = resident_kb();
    let mut kept = Vec::new();
    for _ in 0..1000 {
        let mut client = Client::connect_with(&connector, rig.https).expect("a TLS connection");
        assert_eq!(client.get("/hello").status, 200);
        kept.push(client.stream.get_ref().try_clone().expect("a descriptor"));
    }
    println!("1000 idle TLS connections: {} kB", resident_kb() - before);
}

/// A house full of silent clients, and new handshakes all the time.
#[test]
#[ignore = "a measurement"]
fn beside_a_hostile_crowd() {
    let rig = Rig::start(bounds());
    measure("quiet", 1, "/hello", || rig.client());
    let start = Instant::now();
    let silent: Vec<_> = (0..4000).map(|_| TcpStream::connect(rig.https)).collect();
    println!("4000 silent connections came in {:?}", start.elapsed());
    measure("beside 4000 silent connections", 1, "/hello", || rig.client());
    let address = rig.https;
    let stop = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&stop);
    let flood = thread::spawn(move || {
        let (connector, mut count) = (connector(), 0);
        while !ended.load(Ordering::Relaxed) {
            drop(Client::connect_with(&connector, address));
            count += 1;
            pause(Duration::from_millis(2));
        }
        count
    });
    measure("and new handshakes beside", 1, "/hello", || rig.client());
    stop.store(true, Ordering::Relaxed);
    println!("handshakes meanwhile: {} connections", flood.join().expect("a count"));
    drop(silent);
}
