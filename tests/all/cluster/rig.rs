//! A cluster of three hosts, whose clocks are right, an hour ahead and an hour behind.

use crate::support::daemon::{Daemon, Home};
use crate::support::http::Http;
use crate::support::lab::{Host, Lab};
use crate::support::mongo::ReplicaSet;
use crate::support::wait::{pause, seconds, wait_until};
use mongodb::bson::{Document, doc};
use mongodb::sync::{Client, Collection};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use warren::base::clock::Clock;
use warren::base::random::Random;
use warren::base::secret::Secret;
use warren::store::Store;

pub const HOSTS: [&str; 3] = ["h1", "h2", "h3"];
pub const MEMBERS: [&str; 3] = ["db1", "db2", "db3"];
pub const CLOCKS_S: [i64; 3] = [0, 3600, -3600];
pub const PASSWORD: &str = "four words of mine";
const DATABASE: &str = "warren";

/// Whether full counts are asked for: `make prove`.
pub fn is_full() -> bool {
    std::env::var_os("WARREN_PROVE").is_some()
}

/// The count of `make prove`, or the small one of `make test`.
pub fn scaled<T>(full: T, small: T) -> T {
    if is_full() { full } else { small }
}

/// What connects the hosts beside the database: nothing needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    Open,
    Cut,
}

impl Links {
    /// `make prove` runs every test with them and without.
    fn of_this_run(self) -> Links {
        match std::env::var("WARREN_LINKS").as_deref() {
            Ok("open") => Links::Open,
            Ok("cut") => Links::Cut,
            _ => self,
        }
    }
}

pub struct Site {
    pub lab: Lab,
    pub homes: Vec<Home>,
    links: Links,
}

/// A site whose daemons do not run yet, with a pool that wants this many keys.
pub fn site(links: Links, keys: i64) -> (Site, ReplicaSet) {
    site_with(links, keys, &[])
}

/// The same with further machines.
pub fn site_with(links: Links, keys: i64, others: &[&str]) -> (Site, ReplicaSet) {
    let lab = Lab::new(&[&HOSTS, &MEMBERS, others].concat());
    let set = ReplicaSet::on(&MEMBERS.map(|name| lab.host(name)));
    let floors = doc! { "_id": "pool", "rsa2048_floor": keys, "rsa4096_floor": 0_i64,
    "dh2048_floor": 0_i64 };
    collection(&set, "settings").insert_one(floors).run().expect("settings");
    let homes = HOSTS.iter().zip(CLOCKS_S).map(|(name, clock_s)| {
        let home = Home::new(lab.host(name), Some(set.uri())).with_clock(clock_s);
        home.configure(&format!("host_name = {name:?}\n"));
        home
    });
    let site = Site { homes: homes.collect(), lab, links: links.of_this_run() };
    site.heal();
    (site, set)
}

impl Site {
    pub fn host(&self, number: usize) -> &Host {
        self.lab.host(HOSTS[number])
    }

    /// Starts every daemon and waits until each is known to be alive.
    pub fn start(&self, set: &ReplicaSet) -> Vec<Daemon<'_>> {
        let mut daemons: Vec<Daemon<'_>> = self.homes.iter().map(Home::launch).collect();
        daemons.iter_mut().for_each(Daemon::wait_ready);
        wait_until("all hosts", seconds(5), || {
            let hosts = hosts(&set.client());
            HOSTS.iter().all(|name| hosts.get(*name).is_some_and(|host| host.alive))
        });
        daemons
    }

    /// Undoes all cuts but those between the hosts, if there should be none.
    pub fn heal(&self) {
        self.lab.heal();
        if self.links == Links::Cut {
            for (a, b) in [("h1", "h2"), ("h1", "h3"), ("h2", "h3")] {
                self.lab.cut_pair(a, b);
            }
        }
    }

    /// Cuts the whole database off, which drops what it is sent without a word.
    pub fn cut_database(&self) {
        MEMBERS.iter().for_each(|member| self.lab.cut(member));
    }

    /// An administrator on the console of each host that runs.
    pub fn sign_in(&self, daemons: &[Daemon<'_>]) -> Vec<Http> {
        let mut first = self.homes[0].http();
        first.login("admin", &daemons[0].default_password()).ok();
        first.put("/settings", &json!({ "username": "admin", "password": PASSWORD })).ok();
        let consoles = self.homes[..daemons.len()].iter().map(|home| {
            let mut http = home.http();
            http.login("admin", PASSWORD).ok();
            http
        });
        consoles.collect()
    }
}

/// What a host's document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostNow {
    pub id: String,
    pub epoch: i64,
    pub alive: bool,
    pub beat: i64,
    /// Milliseconds since the Unix epoch.
    pub beat_at: i64,
}

/// By their names.
pub fn hosts(client: &Client) -> BTreeMap<String, HostNow> {
    try_hosts(client).expect("the hosts")
}

pub fn try_hosts(client: &Client) -> mongodb::error::Result<BTreeMap<String, HostNow>> {
    let found = client.database(DATABASE).collection::<Document>("hosts").find(doc! {}).run()?;
    let read = |host: Document| {
        let now = HostNow {
            id: host.get_str("_id").expect("an id").to_owned(),
            epoch: host.get_i64("epoch").expect("an epoch"),
            alive: host.get_bool("alive").expect("a state"),
            beat: host.get_i64("beat").expect("a beat"),
            beat_at: host.get_datetime("beat_at").expect("a date").timestamp_millis(),
        };
        (host.get_str("name").expect("a name").to_owned(), now)
    };
    found.map(|host| host.map(read)).collect()
}

/// Waits until the database has heard every host again, more than once.
pub fn wait_beats(set: &ReplicaSet, limit: Duration) {
    let client = set.client();
    let before = hosts(&client);
    wait_until("beats of every host", limit, || {
        let now = try_hosts(&client).unwrap_or_default();
        now.iter().all(|(name, host)| host.beat > before[name].beat + 1) && !now.is_empty()
    });
}

/// Nobody was declared dead since `before`, nor is within the time in which that could follow.
pub fn assert_all_live_on(site: &Site, set: &ReplicaSet, before: &BTreeMap<String, HostNow>) {
    wait_beats(set, seconds(30));
    pause(seconds(5));
    let now = hosts(&set.client());
    for (name, host) in &now {
        assert!(host.alive && host.epoch == before[name].epoch, "{name}: {before:?}, now {now:?}");
    }
    for home in &site.homes {
        let log = home.log();
        let line = log.lines().find(|line| line.contains("declared host"));
        assert_eq!(line, None);
    }
}

pub fn collection(set: &ReplicaSet, name: &str) -> Collection<Document> {
    set.client().database(DATABASE).collection(name)
}

pub fn documents(set: &ReplicaSet, name: &str) -> Vec<Document> {
    let found = collection(set, name).find(doc! {}).run().expect("a cursor");
    found.collect::<Result<_, _>>().expect("documents")
}

/// The primary of this moment, for programs outside of the lab's network.
pub fn primary_uri(set: &ReplicaSet) -> String {
    format!("{}?directConnection=true", set.members[set.primary()].uri())
}

/// The store of a program that talks to the primary of this moment.
pub fn store(set: &ReplicaSet) -> Store {
    Store::connect(&Secret::new(primary_uri(set)), Clock::system(), Random::system())
        .expect("a store")
}

/// Smallest, median and largest of some times.
pub fn distribution(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort();
    match times.as_slice() {
        [] => "none".to_owned(),
        [min, .., max] => {
            format!("{} of {min:.2?} .. {:.2?} .. {max:.2?}", times.len(), times[times.len() / 2])
        }
        [only] => format!("{only:.2?}"),
    }
}
