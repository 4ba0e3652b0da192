//! The clients of one OpenVPN: from the knock to the end, and being cut off in between.

mod review;

use super::{Actor, Message};
use crate::base::clock::Mono;
use crate::base::ids::{ClientId, UserId};
use crate::sys::{conntrack, nft};
use crate::vpn::admission::{Knock, Reason};
use crate::vpn::checks::{Admitted, Job};
use crate::vpn::client_config::{ClientFacts, directives};
use crate::vpn::firewall;
use crate::vpn::management::{Command, Env, Kill};
use crate::vpn::records::{Note, Session};
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Keyed by OpenVPN's client number: one person may be here twice for a moment.
#[derive(Default)]
pub(super) struct Clients {
    by_cid: HashMap<u64, Client>,
    blocked: BTreeSet<Ipv4Addr>,
    /// When to ask again for what the database knows of adopted ones: it did not answer.
    ask_at: Option<Mono>,
}

struct Client {
    stage: Stage,
    has_address: bool,
    kicked: bool,
    /// Its user was cut off while it was being checked: what the check rested on may be old.
    again: bool,
}

enum Stage {
    Checking(Box<Knock>),
    /// Told to OpenVPN, the tunnel is not up yet.
    Admitted(Box<Session>),
    Connected(Box<Session>),
    /// Found in the status after a restart of the daemon; its user is being looked up.
    Found {
        address: Ipv4Addr,
        user: String,
    },
}

impl Client {
    fn new(stage: Stage, has_address: bool) -> Client {
        Client { stage, has_address, kicked: false, again: false }
    }

    fn session(&self) -> Option<&Session> {
        match &self.stage {
            Stage::Admitted(session) | Stage::Connected(session) => Some(session),
            _ => None,
        }
    }

    fn address(&self) -> Option<Ipv4Addr> {
        match &self.stage {
            Stage::Found { address, .. } => Some(*address),
            _ => self.session().map(|session| session.address),
        }
    }
}

impl Clients {
    pub(super) fn ask_at(&self) -> Option<Mono> {
        self.ask_at
    }

    pub(super) fn blocked(&self) -> Vec<Ipv4Addr> {
        self.blocked.iter().copied().collect()
    }
}

impl Actor {
    pub(super) fn knocks(&mut self, cid: u64, kid: u64, env: &Env, again: bool) {
        let knock = match Knock::read(env) {
            Ok(knock) => knock,
            Err(reason) => {
                let who = ("somebody".to_owned(), Knock::address(env));
                return self.refuse_as(cid, kid, who, reason);
            }
        };
        let known = again && self.clients.by_cid.get(&cid).is_some_and(|c| c.session().is_some());
        if !known {
            let stage = Stage::Checking(Box::new(knock.clone()));
            self.clients.by_cid.insert(cid, Client::new(stage, false));
        }
        self.check(cid, kid, &knock, known);
    }

    fn check(&mut self, cid: u64, kid: u64, knock: &Knock, known: bool) {
        let (inbox, waker, process) =
            (self.to_self.clone(), self.waker.clone(), self.process_number);
        let done = move |result| {
            // An actor that has ended answers nobody any more.
            let _ = inbox.send(Message::Judged { cid, kid, process, result });
            waker.wake();
        };
        let server = Arc::clone(&self.server);
        let job = Job { knock: knock.clone(), server, known, done: Box::new(done) };
        if !self.around.checks.submit(job) {
            self.refuse(cid, kid, Some(knock), Reason::Busy);
        }
    }

    pub(super) fn answer(&mut self, cid: u64, kid: u64, result: Result<Admitted, Reason>) {
        // It may have gone meanwhile.
        let Some(client) = self.clients.by_cid.get_mut(&cid) else { return };
        let knock = match &client.stage {
            Stage::Checking(knock) => Some(knock.clone()),
            _ => None,
        };
        let again = std::mem::take(&mut client.again);
        match (result, knock) {
            (Ok(_), Some(knock)) if again => self.check(cid, kid, &knock, false),
            (Ok(admitted), Some(knock)) => self.admit(cid, kid, &knock, admitted),
            // New keys of a connected client: it keeps what it has.
            (Ok(_), None) => {
                self.ask(&Command::Accept { cid, kid, directives: &[], announce: false });
            }
            (Err(reason), knock) => self.refuse(cid, kid, knock.as_deref(), reason),
        }
    }

    fn admit(&mut self, cid: u64, kid: u64, knock: &Knock, admitted: Admitted) {
        let address = admitted.address;
        let taken = self.clients.by_cid.iter().any(|(other, client)| {
            *other != cid && !client.kicked && client.address() == Some(address)
        });
        if taken && self.server.multi_device {
            return self.refuse(cid, kid, Some(knock), Reason::NoAddress);
        }
        self.unblock(address);
        let facts = ClientFacts {
            address,
            platform: &knock.platform,
            second_factor: admitted.second_factor,
            reached: self.around.place.public_address,
        };
        let lines = directives(&self.server, facts);
        let announce = knock.takes_pending;
        self.ask(&Command::Accept { cid, kid, directives: &lines, announce });
        let session = Session {
            id: ClientId::from_bytes(self.around.random.bytes()),
            server: self.server.id,
            instance: self.plan.instance,
            org: knock.org,
            user: knock.user,
            user_name: admitted.user_name,
            cut: admitted.cut,
            cid,
            platform: knock.platform.clone(),
            device_name: knock.device_name.clone(),
            mac_address: knock.mac_address.clone(),
            real_address: knock.real_address.clone(),
            address,
            since_s: self.around.clock.cluster_s(),
        };
        if let Some(client) = self.clients.by_cid.get_mut(&cid) {
            client.stage = Stage::Admitted(Box::new(session));
        }
    }

    fn refuse(&mut self, cid: u64, kid: u64, knock: Option<&Knock>, reason: Reason) {
        let session = self.clients.by_cid.get(&cid).and_then(Client::session);
        let who = match (knock, session) {
            (Some(knock), _) => {
                let person = self.around.known.person(knock.org, knock.user);
                let name = person.map_or_else(|| knock.user.to_string(), |person| person.name);
                (name, knock.real_address.clone())
            }
            (None, Some(session)) => (session.user_name.clone(), session.real_address.clone()),
            (None, None) => ("somebody".to_owned(), "an unknown address".to_owned()),
        };
        self.refuse_as(cid, kid, who, reason);
    }

    /// `who`: name or id, and where from.
    fn refuse_as(&mut self, cid: u64, kid: u64, (who, from): (String, String), reason: Reason) {
        let (log, client) = (reason.code(), reason.for_client());
        self.ask(&Command::Deny { cid, kid, log, client });
        let server = &self.server.name;
        log::info!("client refused from {from}: user {who}, server {server} ({log})");
        self.around.pen.note(Note::Refused { server: self.server.id, who, reason });
        // A connected one that may not go on is cut at once.
        self.cut(&[cid]);
    }

    pub(super) fn has_address(&mut self, cid: u64, primary: bool) {
        if let Some(client) = self.clients.by_cid.get_mut(&cid) {
            client.has_address |= primary;
        }
    }

    pub(super) fn established(&mut self, cid: u64) {
        let Some(client) = self.clients.by_cid.get_mut(&cid) else { return };
        let Some(session) = client.session().cloned().filter(|_| client.has_address) else {
            log::error!("server {}: a client came up without an address", self.server.name);
            return self.ask(&Command::Kill { cid, how: Kill::Restart });
        };
        client.stage = Stage::Connected(Box::new(session.clone()));
        let Session { real_address: from, user_name, address, .. } = &session;
        let server = &self.server.name;
        log::info!("client connected from {from}: user {user_name}, server {server}, {address}");
        self.output(&format!("{user_name} connected with {address}"));
        self.around.pen.note(Note::Connected(session));
    }

    pub(super) fn counted(&self, cid: u64, received: u64, sent: u64) {
        let client = self.clients.by_cid.get(&cid).and_then(Client::session);
        if let Some(Session { id, server, .. }) = client {
            self.around.pen.note(Note::Bytes { client: *id, server: *server, received, sent });
        }
    }

    pub(super) fn disconnected(&mut self, cid: u64, env: &Env) {
        let bytes = |name: &str| env.get(name).parse().ok();
        if let (Some(received), Some(sent)) = (bytes("bytes_received"), bytes("bytes_sent")) {
            self.counted(cid, received, sent);
        }
        let Some(client) = self.clients.by_cid.remove(&cid) else { return };
        let mut others = self.clients.by_cid.values();
        if let Some(address) = client.address().filter(|_| client.kicked)
            && !others.any(|other| other.kicked && other.address() == Some(address))
        {
            self.unblock(address);
        }
        if let Stage::Connected(session) = &client.stage {
            self.output(&format!("{} disconnected", session.user_name));
            self.log_end(session);
            self.around.pen.note(Note::Gone { client: session.id, server: session.server });
        }
    }

    pub(super) fn clients_gone(&mut self) {
        for (_, client) in std::mem::take(&mut self.clients.by_cid) {
            if let Stage::Connected(session) = client.stage {
                self.log_end(&session);
                self.around.pen.note(Note::Gone { client: session.id, server: session.server });
            }
        }
        self.clients.blocked.clear();
    }

    fn log_end(&self, Session { real_address: from, user_name, .. }: &Session) {
        let server = &self.server.name;
        log::info!("client disconnected from {from}: user {user_name}, server {server}");
    }

    /// Also one that is being checked (it is checked again) and one of an earlier life that is not
    /// matched yet.
    pub(super) fn kick_user(&mut self, user: UserId) {
        let mut found = Vec::new();
        for (cid, client) in &mut self.clients.by_cid {
            match &client.stage {
                Stage::Checking(knock) if knock.user == user => client.again = true,
                Stage::Found { user: name, .. } if *name == user.to_string() => found.push(*cid),
                _ => {}
            }
        }
        self.kick_these(found);
        self.kick(|session| session.user == user);
    }

    pub(super) fn kick(&mut self, who: impl Fn(&Session) -> bool) {
        let is = |client: &Client| client.session().is_some_and(&who);
        let clients = self.clients.by_cid.iter();
        self.kick_these(clients.filter(|(_, c)| is(c)).map(|(cid, _)| *cid).collect());
    }

    fn kick_these(&mut self, cids: Vec<u64>) {
        let all = &self.clients.by_cid;
        let names = cids.iter().filter_map(|cid| all.get(cid)).filter(|client| !client.kicked);
        let names = names.filter_map(|client| Some(client.session()?.user_name.clone()));
        for name in names.collect::<Vec<_>>() {
            self.output(&format!("{name} is cut off"));
        }
        self.cut(&cids);
        for cid in cids {
            self.ask(&Command::Kill { cid, how: Kill::Restart });
        }
    }

    /// Stops their packets now: OpenVPN alone takes five seconds.
    fn cut(&mut self, cids: &[u64]) {
        for cid in cids {
            let Some(client) = self.clients.by_cid.get_mut(cid) else { continue };
            let Some(address) = client.address() else { continue };
            client.kicked = true;
            if self.clients.blocked.insert(address) {
                report(nft::apply(&firewall::block(&self.server, address)));
            }
            report(conntrack::forget(IpAddr::V4(address)));
        }
    }

    fn unblock(&mut self, address: Ipv4Addr) {
        if self.clients.blocked.remove(&address) {
            report(nft::apply(&firewall::unblock(&self.server, address)));
        }
    }
}

fn report(result: Result<(), crate::sys::run::RunError>) {
    if let Err(e) = result {
        log::error!("{e}");
    }
}
