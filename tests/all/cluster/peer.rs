//! A host that is nothing but a bus, in a process of its own: it speaks, and writes down what it
//! hears. This test program is its program, so that it stands in the lab like a daemon, with a
//! network, a clock and a life of its own.

use super::rig::{CLOCKS_S, HOSTS, Site};
use crate::bus::rig::{LONGEST, host};
use crate::support::clock;
use crate::support::process::Process;
use crate::support::temp::TempDir;
use crate::support::wait::{pause, seconds, wait_until};
use log::LevelFilter;
use std::collections::HashSet;
use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use warren::base::log::Format;
use warren::bus::{Heard, Message};
use warren::thread::Stop;

const SELF: &str = "cluster::peer::a_host_of_another_test";
const URI: &str = "WARREN_PEER_URI";
const NUMBER: &str = "WARREN_PEER_NUMBER";
const FILES: &str = "WARREN_PEER_FILES";

/// What a line of its notes says when it may have missed something.
pub const GAP: &str = "GAP";

/// A running host, as its test sees it.
pub struct Peer {
    name: &'static str,
    files: TempDir,
    pub process: Process,
}

impl Peer {
    /// On a host of the site, with that host's clock.
    pub fn start(site: &Site, uri: &str, number: usize) -> Peer {
        let files = TempDir::new("peer");
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.args([SELF, "--exact", "--ignored", "--nocapture"]);
        command.env(URI, uri).env(NUMBER, number.to_string()).env(FILES, files.path());
        command.envs(clock::wrong_by(CLOCKS_S[number]));
        let process = Process::start(site.host(number), &mut command, &files.join("log"));
        Peer { name: HOSTS[number], files, process }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Has it say `count` things, one each `period`, filled up to `bytes`.
    pub fn speak(&self, name: &str, count: usize, period: Duration, bytes: usize) {
        let part = self.files.join("order.part");
        let order = format!("{name} {count} {} {bytes}", period.as_micros());
        fs::write(&part, order).expect("a file");
        fs::rename(part, self.files.join("order")).expect("a file");
    }

    /// What it has heard, in this order; [`GAP`] for a gap.
    pub fn heard(&self) -> Vec<String> {
        let text = fs::read_to_string(self.files.join("heard")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(str::to_owned).collect()
    }
}

/// Waits until every peer hears every other, which each says in its own name.
pub fn settle(peers: &[Peer]) {
    wait_until("open ears", seconds(30), || {
        peers.iter().all(|peer| peer.files.join("heard").exists())
    });
    for peer in peers {
        peer.speak(&format!("hello-{}", peer.name()), 1, Duration::ZERO, 0);
    }
    wait_until("everybody hears everybody", seconds(30), || {
        peers.iter().all(|ear| {
            let heard: HashSet<String> = ear.heard().into_iter().collect();
            peers.iter().all(|peer| heard.contains(&format!("hello-{}/0", peer.name())))
        })
    });
}

#[test]
#[ignore = "part of another test"]
fn a_host_of_another_test() {
    let Ok(uri) = env::var(URI) else { return };
    let number: u8 = env::var(NUMBER).expect("a number").parse().expect("a number");
    let files = PathBuf::from(env::var_os(FILES).expect("a directory"));
    warren::base::log::init(Format::Text { priority: false }, LevelFilter::Debug);
    let host = host(&uri, number + 1, 0);
    let ear = host.bus.subscribe("ear");
    let mut notes = File::create(files.join("heard")).expect("a file");
    let bus = host.bus.clone();
    let orders = files.clone();
    std::thread::spawn(move || {
        loop {
            if let Some(order) = next_order(&orders) {
                order.say(|key| bus.publish(Message::Wake { key }));
            }
            pause(Duration::from_millis(5));
        }
    });
    // Its test ends this process.
    loop {
        let mut lines = String::new();
        let mut next = ear.next(&Stop::never(), seconds(1));
        while let Some(heard) = next {
            match heard {
                Heard::Message(Message::Wake { key }) => lines.push_str(key.trim_end_matches('x')),
                Heard::Message(_) => {
                    next = ear.next(&Stop::never(), Duration::ZERO);
                    continue;
                }
                Heard::Gap => lines.push_str(GAP),
            }
            lines.push('\n');
            next = ear.next(&Stop::never(), Duration::ZERO);
        }
        notes.write_all(lines.as_bytes()).expect("written");
    }
}

struct Order {
    name: String,
    numbers: [u64; 3],
}

fn next_order(files: &Path) -> Option<Order> {
    let path = files.join("order");
    let text = fs::read_to_string(&path).ok()?;
    fs::remove_file(path).expect("removed");
    let mut words = text.split(' ');
    let name = words.next()?.to_owned();
    let mut number = || words.next().expect("a number").parse().expect("a number");
    Some(Order { name, numbers: [number(), number(), number()] })
}

impl Order {
    fn say(&self, publish: impl Fn(String)) {
        let [count, period_us, bytes] = self.numbers;
        let bytes = usize::try_from(bytes).expect("small").min(LONGEST);
        for n in 0..count {
            let key = format!("{}/{n}", self.name);
            let fill = "x".repeat(bytes.saturating_sub(key.len()));
            publish(key + &fill);
            pause(Duration::from_micros(period_us));
        }
    }
}
