//! Clients that are there already: those of an earlier life of the daemon are matched with what the
//! database knows of them, and everybody is judged again when something may have changed.

use super::super::{Actor, Message};
use super::{Client, Stage};
use crate::base::ids::UserId;
use crate::limits::SESSIONS_RETRY;
use crate::vpn::admission::Person;
use crate::vpn::management::{Command, Kill};
use crate::vpn::records::{Note, Session};
use crate::vpn::settings::Access;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

impl Actor {
    /// After a restart of the daemon: those with an address go on, the others come again.
    pub(in crate::vpn::runner) fn adopt_rows(&mut self, lines: &[String]) {
        for line in lines {
            let cells: Vec<&str> = line.split('\t').collect();
            let ["CLIENT_LIST", user, _, address, _, _, _, _, _, _, cid, ..] = cells[..] else {
                continue;
            };
            let Ok(cid) = cid.parse() else { continue };
            if let Ok(address) = address.parse() {
                let stage = Stage::Found { address, user: user.to_owned() };
                self.clients.by_cid.entry(cid).or_insert(Client::new(stage, true));
            } else {
                self.ask(&Command::Kill { cid, how: Kill::Restart });
            }
        }
        self.ask_for_sessions();
    }

    pub(in crate::vpn::runner) fn ask_again(&mut self) {
        if self.clients.ask_at.is_some_and(|at| at <= self.around.clock.mono()) {
            self.ask_for_sessions();
        }
    }

    fn ask_for_sessions(&mut self) {
        self.clients.ask_at = None;
        let is_found = |client: &Client| matches!(client.stage, Stage::Found { .. });
        if !self.clients.by_cid.values().any(is_found) {
            return;
        }
        let (records, instance) = (Arc::clone(&self.around.records), self.plan.instance);
        let (inbox, waker) = (self.to_self.clone(), self.waker.clone());
        self.around.checks.look_up(Box::new(move || {
            // An actor that has ended adopts nobody.
            let _ = inbox.send(Message::Sessions(records.sessions(instance).ok()));
            waker.wake();
        }));
    }

    /// What the database knows of adopted clients; one that it does not know comes again.
    pub(in crate::vpn::runner) fn match_sessions(&mut self, sessions: Option<Vec<Session>>) {
        let Some(sessions) = sessions else {
            // They go on; until it answers they can be neither counted nor cut.
            self.clients.ask_at = Some(self.around.clock.mono() + SESSIONS_RETRY);
            return;
        };
        let mut known: HashMap<u64, Session> = sessions.into_iter().map(|s| (s.cid, s)).collect();
        let mut unknown = Vec::new();
        for (cid, client) in &mut self.clients.by_cid {
            let of_it = known.remove(cid);
            // It may have been matched by an earlier answer: two questions can be under way.
            let Stage::Found { address, user } = &client.stage else { continue };
            let same = |s: &Session| s.address == *address && s.user.to_string() == *user;
            match of_it.filter(same) {
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
        self.judge_again();
    }

    /// Access or people may have changed: everybody is judged again, without new factors (I3).
    pub(in crate::vpn::runner) fn review(&mut self, access: Access) {
        if self.server.access() != access {
            self.server = Arc::new(self.server.with_access(access));
        }
        self.ask_for_sessions();
        self.judge_again();
    }

    fn judge_again(&mut self) {
        let (mut cut, mut strangers) = (Vec::new(), BTreeSet::new());
        for (cid, client) in self.clients.by_cid.iter().filter(|(_, client)| !client.kicked) {
            let Some(session) = client.session() else { continue };
            match self.around.known.person(session.org, session.user) {
                Some(person) if session.may_stay(&self.server, Some(&person)) => {}
                Some(_) => cut.push(*cid),
                None => drop(strangers.insert(session.user)),
            }
        }
        self.kick_these(cut);
        self.ask_about(strangers.into_iter().collect());
    }

    fn ask_about(&mut self, strangers: Vec<UserId>) {
        if strangers.is_empty() {
            return;
        }
        let records = Arc::clone(&self.around.records);
        let (inbox, waker) = (self.to_self.clone(), self.waker.clone());
        self.around.checks.look_up(Box::new(move || {
            // While the database is away they stay; the next review asks again.
            if let Ok(people) = records.people(&strangers) {
                let _ = inbox.send(Message::Strangers(strangers, people));
                waker.wake();
            }
        }));
    }

    pub(in crate::vpn::runner) fn judge_strangers(&mut self, asked: &[UserId], people: &[Person]) {
        let people: HashMap<UserId, &Person> = people.iter().map(|p| (p.id, p)).collect();
        let server = Arc::clone(&self.server);
        self.kick(|session| {
            asked.contains(&session.user)
                && !session.may_stay(&server, people.get(&session.user).copied())
        });
    }
}
