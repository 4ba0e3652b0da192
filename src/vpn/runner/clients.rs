//! The clients of one OpenVPN: from the knock to the end, and being cut off in between.

use super::{Actor, Message};
use crate::base::ids::ClientId;
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
}

struct Client {
    stage: Stage,
    has_address: bool,
    kicked: bool,
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
    pub(super) fn blocked(&self) -> Vec<Ipv4Addr> {
        self.blocked.iter().copied().collect()
    }
}

impl Actor {
    pub(super) fn knocks(&mut self, cid: u64, kid: u64, env: &Env, again: bool) {
        let knock = match Knock::read(env) {
            Ok(knock) => knock,
            Err(reason) => return self.refuse(cid, kid, None, reason),
        };
        let known = again && self.clients.by_cid.get(&cid).is_some_and(|c| c.session().is_some());
        if !known {
            let stage = Stage::Checking(Box::new(knock.clone()));
            self.clients.by_cid.insert(cid, Client { stage, has_address: false, kicked: false });
        }
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
            self.refuse(cid, kid, Some(&knock), Reason::Busy);
        }
    }

    pub(super) fn answer(&mut self, cid: u64, kid: u64, result: Result<Admitted, Reason>) {
        // It may have gone meanwhile.
        let Some(client) = self.clients.by_cid.get(&cid) else { return };
        let knock = match &client.stage {
            Stage::Checking(knock) => Some(knock.clone()),
            _ => None,
        };
        match (result, knock) {
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
        let (log, client) = (reason.code(), reason.for_client());
        self.ask(&Command::Deny { cid, kid, log, client });
        let who = knock.map_or_else(|| "somebody".to_owned(), |knock| knock.user.to_string());
        self.output(&format!("refused {who}: {} ({})", reason.for_admin(), reason.code()));
        let (org, user) = (knock.map(|k| k.org), knock.map(|k| k.user));
        self.around.pen.note(Note::Refused { server: self.server.id, org, user, reason });
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
        self.output(&format!("{} connected with {}", session.user_name, session.address));
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
        if let Some(address) = client.address().filter(|_| client.kicked) {
            self.unblock(address);
        }
        if let Stage::Connected(session) = &client.stage {
            self.output(&format!("{} disconnected", session.user_name));
            self.around.pen.note(Note::Gone { client: session.id, server: session.server });
        }
    }

    pub(super) fn clients_gone(&mut self) {
        for (_, client) in self.clients.by_cid.drain() {
            if let Stage::Connected(session) = client.stage {
                self.around.pen.note(Note::Gone { client: session.id, server: session.server });
            }
        }
        self.clients.blocked.clear();
    }

    pub(super) fn kick(&mut self, who: impl Fn(&Session) -> bool) {
        let is = |client: &Client| client.session().is_some_and(&who);
        let cids: Vec<u64> =
            self.clients.by_cid.iter().filter(|(_, c)| is(c)).map(|(cid, _)| *cid).collect();
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

    /// After a restart of the daemon: those with an address go on, the others come again.
    pub(super) fn adopt_rows(&mut self, lines: &[String]) {
        for line in lines {
            let cells: Vec<&str> = line.split('\t').collect();
            let ["CLIENT_LIST", user, _, address, _, _, _, _, _, _, cid, ..] = cells[..] else {
                continue;
            };
            let Ok(cid) = cid.parse() else { continue };
            if let Ok(address) = address.parse() {
                let stage = Stage::Found { address, user: user.to_owned() };
                let client = Client { stage, has_address: true, kicked: false };
                self.clients.by_cid.entry(cid).or_insert(client);
            } else {
                self.ask(&Command::Kill { cid, how: Kill::Restart });
            }
        }
        let (records, instance) = (Arc::clone(&self.around.records), self.plan.instance);
        let (inbox, waker) = (self.to_self.clone(), self.waker.clone());
        let look_up = move || {
            if let Ok(sessions) = records.sessions(instance) {
                // An actor that has ended adopts nobody.
                let _ = inbox.send(Message::Sessions(sessions));
                waker.wake();
            }
        };
        if !self.clients.by_cid.is_empty() {
            self.around.checks.look_up(Box::new(look_up));
        }
    }

    /// What the database knows of adopted clients; one that it does not know comes again.
    pub(super) fn match_sessions(&mut self, sessions: Vec<Session>) {
        let mut known: HashMap<u64, Session> = sessions.into_iter().map(|s| (s.cid, s)).collect();
        let mut unknown = Vec::new();
        for (cid, client) in &mut self.clients.by_cid {
            let Stage::Found { address, user } = &client.stage else { continue };
            let same = |s: &Session| s.address == *address && s.user.to_string() == *user;
            match known.remove(cid).filter(same) {
                Some(session) => client.stage = Stage::Connected(Box::new(session)),
                None => unknown.push(*cid),
            }
        }
        for cid in unknown {
            self.ask(&Command::Kill { cid, how: Kill::Restart });
        }
        for Session { id, server, .. } in known.into_values() {
            self.around.pen.note(Note::Gone { client: id, server });
        }
    }
}

fn report(result: Result<(), crate::sys::run::RunError>) {
    if let Err(e) = result {
        log::error!("{e}");
    }
}
