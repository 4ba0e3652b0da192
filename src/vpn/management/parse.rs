//! Bytes to events, a piece at a time.

use crate::base::secret::Secret;
use crate::limits::{MANAGEMENT_BLOCK_LINES_MAX, MANAGEMENT_ENV_MAX, MANAGEMENT_LINE_BYTES_MAX};
use std::collections::BTreeMap;
use std::fmt;

/// What OpenVPN says.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// It waits for `hold release`.
    Hold,
    /// Its state as `CONNECTED`, `EXITING`.
    State(String),
    Log(String),
    /// It is about to end; the text says why.
    Fatal(String),
    Client(ClientEvent),
    Reply(Reply),
}

#[derive(Debug, PartialEq, Eq)]
pub enum ClientEvent {
    Connect {
        cid: u64,
        kid: u64,
        env: Env,
    },
    /// A connected client negotiates new keys and sends its credentials again.
    Reauth {
        cid: u64,
        kid: u64,
        env: Env,
    },
    Established {
        cid: u64,
        env: Env,
    },
    /// Without a primary one before `Established`, it has no address.
    Address {
        cid: u64,
        address: String,
        primary: bool,
    },
    ByteCount {
        cid: u64,
        received: u64,
        sent: u64,
    },
    Disconnect {
        cid: u64,
        env: Env,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    Success(String),
    Error(String),
    /// Lines of a status, say.
    Block(Vec<String>),
}

/// What is known about a client. The password is apart, so that printing the rest is harmless.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env {
    values: BTreeMap<String, String>,
    pub password: Secret,
}

impl Env {
    /// Empty when absent.
    pub fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    fn insert(&mut self, entry: &str) {
        let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
        if name == "password" {
            self.password = Secret::new(value.to_owned());
        } else if self.values.len() < MANAGEMENT_ENV_MAX {
            self.values.insert(name.to_owned(), value.to_owned());
        }
    }

    #[cfg(test)]
    pub fn of(entries: &[&str]) -> Env {
        let mut env = Env::default();
        entries.iter().for_each(|entry| env.insert(entry));
        env
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Env({} values)", self.values.len())
    }
}

/// The kind, client and key of an event whose environment is still coming.
type Head = (String, u64, u64);

#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    client: Option<(Head, Env)>,
    block: Vec<String>,
}

impl Parser {
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                let line = String::from_utf8_lossy(&line);
                events.extend(self.line(line.trim_end_matches('\r')));
            } else if self.line.len() < MANAGEMENT_LINE_BYTES_MAX {
                self.line.push(byte);
            }
        }
        events
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        let Some(notice) = line.strip_prefix('>') else { return self.reply(line) };
        let (kind, rest) = notice.split_once(':').unwrap_or((notice, ""));
        match kind {
            "CLIENT" => self.client(rest),
            "BYTECOUNT_CLI" => byte_count(rest),
            "HOLD" => Some(Event::Hold),
            "STATE" => Some(Event::State(rest.split(',').nth(1)?.to_owned())),
            "LOG" => Some(Event::Log(rest.splitn(3, ',').nth(2)?.to_owned())),
            "FATAL" => Some(Event::Fatal(rest.to_owned())),
            _ => None,
        }
    }

    fn reply(&mut self, line: &str) -> Option<Event> {
        if self.block.is_empty() {
            if let Some(text) = line.strip_prefix("SUCCESS:") {
                return Some(Event::Reply(Reply::Success(text.trim().to_owned())));
            }
            if let Some(text) = line.strip_prefix("ERROR:") {
                return Some(Event::Reply(Reply::Error(text.trim().to_owned())));
            }
        }
        if line == "END" {
            return Some(Event::Reply(Reply::Block(std::mem::take(&mut self.block))));
        }
        if self.block.len() < MANAGEMENT_BLOCK_LINES_MAX {
            self.block.push(line.to_owned());
        }
        None
    }

    fn client(&mut self, rest: &str) -> Option<Event> {
        let (kind, fields) = rest.split_once(',')?;
        if kind == "ENV" {
            if fields == "END" {
                let (head, env) = self.client.take()?;
                return finished(head, env);
            }
            if let Some((_, env)) = &mut self.client {
                env.insert(fields);
            }
            return None;
        }
        let mut fields = fields.split(',');
        let cid = fields.next()?.parse().ok()?;
        if kind == "ADDRESS" {
            let address = fields.next()?.to_owned();
            let primary = fields.next() == Some("1");
            return Some(Event::Client(ClientEvent::Address { cid, address, primary }));
        }
        let kid = fields.next().and_then(|kid| kid.parse().ok()).unwrap_or(0);
        self.client = Some(((kind.to_owned(), cid, kid), Env::default()));
        None
    }
}

fn finished((kind, cid, kid): Head, env: Env) -> Option<Event> {
    Some(Event::Client(match kind.as_str() {
        "CONNECT" => ClientEvent::Connect { cid, kid, env },
        "REAUTH" => ClientEvent::Reauth { cid, kid, env },
        "ESTABLISHED" => ClientEvent::Established { cid, env },
        "DISCONNECT" => ClientEvent::Disconnect { cid, env },
        _ => return None,
    }))
}

fn byte_count(fields: &str) -> Option<Event> {
    let mut numbers = fields.split(',').map(str::parse);
    let (Some(Ok(cid)), Some(Ok(received)), Some(Ok(sent))) =
        (numbers.next(), numbers.next(), numbers.next())
    else {
        return None;
    };
    Some(Event::Client(ClientEvent::ByteCount { cid, received, sent }))
}
