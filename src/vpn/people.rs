//! Keeping [`Known`] up to date.
//!
//! One thread. It reads everybody of an organization when a server of it starts here, and from then
//! on what has changed: on every hint, and at least every [`RECONCILE_PERIOD`] (I3). Once an hour
//! everything is read again, so that nothing that was missed stays wrong.

use crate::base::clock::{Clock, Mono};
use crate::base::ids::{OrgId, ServerId};
use crate::limits::{
    KNOWN_PAUSE, KNOWN_RELOAD_PERIOD, KNOWN_RETRY, PEOPLE_INBOX_MAX, RECONCILE_PERIOD, REV_OVERLAP,
};
use crate::thread::{self, Stop, Thread, ThreadError};
use crate::vpn::known::Known;
use crate::vpn::records::{Away, Records};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// A server that runs here, as far as its users are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving {
    pub generation: i64,
    pub organizations: Vec<OrgId>,
}

pub type Servers = BTreeMap<ServerId, Serving>;

enum Message {
    /// What runs here now.
    Serve(Servers),
    Look,
}

/// For those who know that something has changed; clones share the thread.
#[derive(Clone)]
pub struct People(Sender<Message>);

impl People {
    pub fn serve(&self, servers: Servers) {
        // A thread that has ended has nothing to keep.
        let _ = self.0.send(Message::Serve(servers));
    }

    /// Users or settings have changed. A full inbox is a look that is due already.
    pub fn look(&self) {
        if let Err(TrySendError::Full(_)) = self.0.try_send(Message::Look) {
            log::debug!("the people of this host are looked at already");
        }
    }
}

/// Starts the thread; `changed` is told when anybody is not what they were. It ends with the stop.
pub fn spawn(
    records: Arc<dyn Records>,
    known: Known,
    clock: Clock,
    stop: Stop,
    changed: impl Fn() + Send + 'static,
) -> Result<(People, Thread), ThreadError> {
    let (tx, rx) = bounded(PEOPLE_INBOX_MAX);
    let mut keeper = Keeper {
        records,
        known,
        serving: Servers::new(),
        read_orgs: BTreeMap::new(),
        read_servers: BTreeMap::new(),
        newest_s: None,
        clock,
    };
    let thread = thread::spawn("vpn-people", move || keeper.run(&rx, &stop, &changed))?;
    Ok((People(tx), thread))
}

struct Keeper {
    records: Arc<dyn Records>,
    known: Known,
    clock: Clock,
    serving: Servers,
    /// When each was last read as a whole.
    read_orgs: BTreeMap<OrgId, Mono>,
    read_servers: BTreeMap<ServerId, i64>,
    /// Of the changes seen, by the database's clock.
    newest_s: Option<u32>,
}

impl Keeper {
    fn run(&mut self, inbox: &Receiver<Message>, stop: &Stop, changed: &dyn Fn()) {
        let mut next = self.clock.mono() + RECONCILE_PERIOD;
        loop {
            let wait = next.since(self.clock.mono());
            crossbeam_channel::select! {
                recv(stop.channel()) -> _ => return,
                recv(inbox) -> message => match message {
                    Ok(message) => self.hear(message),
                    Err(_) => return,
                },
                default(wait) => {}
            }
            // Hints come in swarms, and one look answers all of them.
            if stop.wait(KNOWN_PAUSE) {
                return;
            }
            while let Ok(message) = inbox.try_recv() {
                self.hear(message);
            }
            let pause = match self.round(stop) {
                Ok(news) => {
                    if news {
                        changed();
                    }
                    RECONCILE_PERIOD
                }
                Err(Away) => KNOWN_RETRY,
            };
            next = self.clock.mono() + pause;
        }
    }

    fn hear(&mut self, message: Message) {
        if let Message::Serve(servers) = message {
            self.serving = servers;
            let orgs: BTreeSet<OrgId> = self.orgs();
            self.read_orgs.retain(|org, _| orgs.contains(org));
            self.read_servers.retain(|id, _| self.serving.contains_key(id));
            self.known.narrow(&orgs, &self.serving.keys().copied().collect());
        }
    }

    fn orgs(&self) -> BTreeSet<OrgId> {
        self.serving.values().flat_map(|serving| serving.organizations.iter().copied()).collect()
    }

    /// Whether anybody is not what they were.
    fn round(&mut self, stop: &Stop) -> Result<bool, Away> {
        if self.serving.is_empty() {
            return Ok(false);
        }
        self.known.put_pin_mode(self.records.pin_mode()?);
        let overlap = u32::try_from(REV_OVERLAP.as_secs()).unwrap_or(u32::MAX);
        // Before the first whole reading: what changes during it is seen by the next round.
        let begin_s = u32::try_from(self.clock.cluster_s()).unwrap_or(0);
        let since_s = *self.newest_s.get_or_insert(begin_s);
        let changes = self.records.people_changed(since_s.saturating_sub(overlap))?;
        let orgs = self.orgs();
        let mut news = false;
        for person in changes.changed.iter().filter(|person| orgs.contains(&person.org)) {
            news |= self.known.put(person);
        }
        for user in changes.deleted {
            news |= self.known.forget(user);
        }
        self.newest_s = changes.newest_s.max(self.newest_s);
        for org in orgs {
            if stop.is_set() {
                return Ok(news);
            }
            news |= self.read_org(org, stop)?;
        }
        for (server, Serving { generation, .. }) in self.serving.clone() {
            self.read_addresses(server, generation)?;
        }
        Ok(news)
    }

    fn read_org(&mut self, org: OrgId, stop: &Stop) -> Result<bool, Away> {
        let now = self.clock.mono();
        let read = self.read_orgs.get(&org);
        if read.is_some_and(|read| now.since(*read) < KNOWN_RELOAD_PERIOD) {
            return Ok(false);
        }
        let (mut shown, mut news) = (HashSet::new(), false);
        self.records.people_of(org, &mut |page| {
            for person in page {
                news |= self.known.put(&person);
                shown.insert(person.id);
            }
            !stop.is_set()
        })?;
        if stop.is_set() {
            return Ok(news);
        }
        news |= self.known.sweep(org, &shown);
        self.read_orgs.insert(org, now);
        Ok(news)
    }

    fn read_addresses(&mut self, server: ServerId, generation: i64) -> Result<(), Away> {
        if self.read_servers.get(&server) == Some(&generation) {
            return Ok(());
        }
        self.records.addresses_of(server, generation, &mut |page| {
            for (user, address) in page {
                self.known.put_address(server, generation, user, address);
            }
        })?;
        self.read_servers.insert(server, generation);
        Ok(())
    }
}
