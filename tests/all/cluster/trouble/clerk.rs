//! An administrator at one host's console who keeps book of what was ordered and what was answered.

use super::super::rig::scaled;
use crate::support::http::Http;
use crate::support::wait::pause;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use warren::base::random::Random;

/// Of a bulk order: more than one step of its job.
const LOT: usize = 60;
/// What one clerk orders at most, so that there are keys for all of it.
const ORGS_MAX: usize = 8;
pub const SERVERS_MAX: usize = 6;
const LOTS_MAX: usize = 15;

/// What is known of something that was ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    There,
    Gone,
    /// Nobody answered in time.
    Unknown,
}

#[derive(Debug)]
pub struct Org {
    /// Empty if nobody told.
    pub id: String,
    pub fate: Fate,
    /// Single ones, by name.
    pub users: BTreeMap<String, Fate>,
    /// Bulk orders: all users of one or none.
    pub lots: Vec<(Vec<String>, Fate)>,
    /// Of single users that are there.
    ids: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct Server {
    id: String,
    pub fate: Fate,
}

impl Org {
    pub fn new(id: String, fate: Fate) -> Org {
        Org { id, fate, users: BTreeMap::new(), lots: Vec::new(), ids: Vec::new() }
    }
}

/// What one clerk did. Names are never used again.
#[derive(Debug, Default)]
pub struct Book {
    pub orgs: BTreeMap<String, Org>,
    pub servers: BTreeMap<String, Server>,
    /// Requests by what came of them.
    pub answers: BTreeMap<String, usize>,
}

/// What a request came to.
enum Answer {
    Yes(Value),
    No,
    Nobody,
}

pub struct Clerk {
    pub number: usize,
    http: Http,
    random: Random,
    book: Book,
    names: usize,
    lots: usize,
}

impl Clerk {
    pub fn new(number: usize, http: Http, random: Random) -> Clerk {
        Clerk { number, http, random, book: Book::default(), names: 0, lots: 0 }
    }

    pub fn work(mut self, over: &AtomicBool) -> Book {
        while !over.load(Ordering::Relaxed) {
            match self.random.below(10) {
                0 => self.create_org(),
                1..=2 => self.order_lot(),
                3..=6 => self.create_user(),
                7 => self.create_server(),
                8 => self.delete_user(),
                _ => self.delete_other(),
            }
            pause(Duration::from_millis(100 + self.random.below(500)));
        }
        self.book
    }

    fn name(&mut self, what: &str) -> String {
        self.names += 1;
        format!("{what}-{}-{:05}", self.number, self.names)
    }

    fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let (key, answer) = match self.http.try_send(method, path, body) {
            Ok(reply) => {
                let answer = match reply.status {
                    200 | 202 => Answer::Yes(reply.json()),
                    400..=499 => Answer::No,
                    _ => Answer::Nobody,
                };
                (reply.status.to_string(), answer)
            }
            Err(_) => ("no answer".to_owned(), Answer::Nobody),
        };
        *self.book.answers.entry(key).or_default() += 1;
        answer
    }

    /// One of those that are certainly there.
    fn some_org(&mut self) -> Option<String> {
        let there = self.book.orgs.iter().filter(|(_, org)| org.fate == Fate::There);
        let names: Vec<&String> = there.map(|(name, _)| name).collect();
        let index = self.random.below(names.len() as u64);
        names.get(usize::try_from(index).ok()?).map(|name| (*name).clone())
    }

    fn create_org(&mut self) {
        if self.book.orgs.len() >= ORGS_MAX {
            return;
        }
        let name = self.name("org");
        let answer = self.ask("POST", "/organization", Some(&json!({ "name": name })));
        let (id, fate) = created(&answer);
        self.book.orgs.insert(name, Org::new(id, fate));
    }

    fn create_user(&mut self) {
        let Some(org) = self.some_org() else { return self.create_org() };
        let (name, path) = (self.name("one"), format!("/user/{}", self.book.orgs[&org].id));
        let answer = match self.ask("POST", &path, Some(&json!({ "name": name }))) {
            Answer::Yes(list) => Answer::Yes(list[0].clone()),
            other => other,
        };
        let (id, fate) = created(&answer);
        let org = self.book.orgs.get_mut(&org).expect("a known one");
        if fate == Fate::There {
            org.ids.push((name.clone(), id));
        }
        org.users.insert(name, fate);
    }

    fn order_lot(&mut self) {
        let Some(org) = self.some_org() else { return self.create_org() };
        if self.lots >= scaled(LOTS_MAX, 3) {
            return self.create_user();
        }
        let lot = self.name("lot");
        let names: Vec<String> = (0..LOT).map(|n| format!("{lot}-{n:02}")).collect();
        let body: Value = names.iter().map(|name| json!({ "name": name })).collect();
        let path = format!("/user/{}/multi", self.book.orgs[&org].id);
        let fate = match self.ask("POST", &path, Some(&body)) {
            Answer::Yes(_) => Fate::There,
            Answer::No => Fate::Gone,
            Answer::Nobody => Fate::Unknown,
        };
        self.lots += usize::from(fate != Fate::Gone);
        self.book.orgs.get_mut(&org).expect("a known one").lots.push((names, fate));
    }

    fn create_server(&mut self) {
        let Some(org) = self.some_org() else { return self.create_org() };
        if self.book.servers.len() >= SERVERS_MAX {
            return self.create_user();
        }
        let name = self.name("server");
        let body = json!({
            "name": name, "network": format!("10.{}.{}.0/24", 100 + self.number, self.names % 250),
            "port": 10_000 * (self.number + 1) + self.names, "protocol": "udp",
            "cipher": "aes128", "hash": "sha256",
        });
        let answer = self.ask("POST", "/server", Some(&body));
        let (id, fate) = created(&answer);
        if fate == Fate::There {
            let path = format!("/server/{id}/organization/{}", self.book.orgs[&org].id);
            self.ask("PUT", &path, Some(&json!({})));
        }
        self.book.servers.insert(name, Server { id, fate });
    }

    fn delete_user(&mut self) {
        let Some(org) = self.some_org() else { return };
        let org = self.book.orgs.get_mut(&org).expect("a known one");
        let Some((name, id)) = org.ids.pop() else { return };
        let path = format!("/user/{}/{id}", org.id);
        let org = org.id.clone();
        let fate = self.delete(&path);
        let org = self.book.orgs.values_mut().find(|one| one.id == org).expect("a known one");
        org.users.insert(name, fate);
    }

    /// An organization, if others are left, with all that is being done for it; or a server.
    fn delete_other(&mut self) {
        let there = self.book.orgs.values().filter(|org| org.fate == Fate::There).count();
        if there > 3 && self.random.below(2) == 0 {
            let Some(name) = self.some_org() else { return };
            let path = format!("/organization/{}", self.book.orgs[&name].id);
            let fate = self.delete(&path);
            self.book.orgs.get_mut(&name).expect("a known one").fate = fate;
            return;
        }
        let known = |(_, server): &(&String, &Server)| server.fate == Fate::There;
        let Some((name, server)) = self.book.servers.iter().find(known) else { return };
        let (name, path) = (name.clone(), format!("/server/{}", server.id));
        let fate = self.delete(&path);
        self.book.servers.get_mut(&name).expect("a known one").fate = fate;
    }

    fn delete(&mut self, path: &str) -> Fate {
        match self.ask("DELETE", path, None) {
            Answer::Yes(_) => Fate::Gone,
            Answer::No => Fate::There,
            Answer::Nobody => Fate::Unknown,
        }
    }
}

fn created(answer: &Answer) -> (String, Fate) {
    match answer {
        Answer::Yes(made) => (made["id"].as_str().expect("an id").to_owned(), Fate::There),
        Answer::No => (String::new(), Fate::Gone),
        Answer::Nobody => (String::new(), Fate::Unknown),
    }
}
