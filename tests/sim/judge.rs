//! What must hold, whatever happens: a judgement of every write that a majority has, by what truly
//! was so and not by what its condition said.

mod estate;

use crate::sim::baton::Schedule;
use crate::sim::hosts::SLOW;
use crate::sim::model::{Answer, Changed, Data, Env, key};
use crate::sim::slots::Processes;
use mongodb::bson::{Bson, Document};
use std::collections::{BTreeMap, BTreeSet};
use warren::limits;
use warren::queue::policy::FORGOTTEN;
use warren::tasks::TASKS;
use warren::tasks::calendar::{self, HOST_GONE, LATE};

/// A write, as the primary did it.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub op: &'static str,
    pub who: usize,
    /// The server's clock, and the simulation's.
    pub server_ms: i64,
    pub now_ms: u64,
    /// What its decision rests on: the newest write that it saw.
    pub snapshot: u64,
    pub seq: u64,
    pub changes: Vec<Changed>,
}

impl Record {
    pub fn new(op: &'static str, who: usize, env: &Env, now_ms: u64, snapshot: u64) -> Record {
        Record { op, who, server_ms: env.now_ms, now_ms, snapshot, ..Record::default() }
    }
}

#[derive(Default)]
pub struct Judge {
    pub failure: Option<String>,
    /// Nothing is judged.
    pub is_off: bool,
    /// Fences that activities were told they hold: of jobs and tasks.
    held: BTreeMap<(usize, Vec<u8>), i64>,
    claimed: BTreeSet<(Vec<u8>, i64)>,
    /// Who first used a requester's token.
    owners: BTreeMap<String, usize>,
    /// Keys ever made of each job.
    effects: BTreeMap<String, usize>,
    handed_out: BTreeSet<String>,
    ends: BTreeSet<(Vec<u8>, i64)>,
    plans: Vec<(String, u64)>,
    beats: BTreeMap<Vec<u8>, u64>,
    /// When each host itself was in trouble: crashed, paused, or with its beats lost.
    troubles: Vec<(usize, u64, u64)>,
    /// Since when hosts are down.
    down: BTreeMap<usize, u64>,
    /// How many primaries activities know of, and when that last grew.
    primaries: BTreeMap<usize, (u64, Option<u64>)>,
    /// The hosts of activities.
    pub hosts: BTreeMap<usize, usize>,
    /// OpenVPN processes of hosts: they outlive the daemon.
    pub processes: BTreeMap<usize, Processes>,
    /// Activities whose requests are open.
    pub waiting: BTreeSet<usize>,
    pub counts: BTreeMap<&'static str, u64>,
}

fn long(document: &Document, field: &str) -> i64 {
    document.get_i64(field).unwrap_or(0)
}

fn text<'a>(document: &'a Document, field: &str) -> Option<&'a str> {
    document.get_str(field).ok()
}

fn flag(document: &Document, field: &str) -> Option<bool> {
    document.get_bool(field).ok()
}

fn date(document: &Document, field: &str) -> Option<i64> {
    document.get_datetime(field).ok().map(|date| date.timestamp_millis())
}

/// The id of the simulation's host `number`, as stored.
pub fn host_id(number: usize) -> [u8; 16] {
    [u8::try_from(number + 1).expect("few"); 16]
}

impl Judge {
    fn check(&mut self, holds: bool, rule: &str, record: &Record) {
        if !holds && self.failure.is_none() {
            let Record { op, who, now_ms, changes, .. } = record;
            let text = format!("{rule}: \"{op}\" of activity {who} at {now_ms} ms: {changes:?}");
            self.failure = Some(text);
        }
    }

    pub fn blame(&mut self, host: usize, from_ms: u64, until_ms: u64) {
        self.troubles.push((host, from_ms, until_ms));
    }

    pub fn knows_primaries(&mut self, who: usize, changes: u64, now_ms: u64) {
        let (known, grew) = self.primaries.entry(who).or_insert((changes, None));
        if *known != changes {
            (*known, *grew) = (changes, Some(now_ms));
        }
    }

    /// Somebody is about to declare a host dead.
    pub fn decides(&mut self, who: usize, now_ms: u64) {
        let grew = self.primaries.get(&who).and_then(|(_, grew)| *grew);
        let settled = |at: u64| at + limits::PRIMARY_SETTLE.as_millis() as u64;
        if !self.is_off && grew.is_some_and(|at| now_ms < settled(at)) {
            let text = format!("{who} declares a host dead right after a change of primary");
            self.failure.get_or_insert(text);
        }
    }

    pub fn goes_down(&mut self, host: usize, now_ms: u64) {
        self.down.insert(host, now_ms);
    }

    pub fn is_up(&mut self, host: usize, now_ms: u64) {
        if let Some(since) = self.down.remove(&host) {
            self.blame(host, since, now_ms);
        }
    }

    /// What an activity was told.
    pub fn answered(&mut self, who: usize, op: &'static str, answer: &Answer) {
        let Some(document) = answer.documents.first().filter(|_| !self.is_off) else { return };
        let id = key(document.get("_id").expect("an id"));
        let fence = long(document, "fence");
        match op {
            "claim a job" => {
                if !self.claimed.insert((id.clone(), fence)) {
                    let what = format!("two holders of fence {fence} of {document}");
                    self.failure.get_or_insert(what);
                }
                self.held.insert((who, id), fence);
            }
            "reserve a task" => {
                self.held.insert((who, id), fence);
            }
            _ => {}
        }
    }

    /// A requester was given keys.
    pub fn took(&mut self, keys: impl Iterator<Item = String>) {
        for key in keys {
            if !self.handed_out.insert(key.clone()) {
                self.failure.get_or_insert(format!("handed out twice: {key}"));
            }
        }
    }

    pub fn see(&mut self, record: &Record, data: &Data) {
        if self.is_off {
            return;
        }
        *self.counts.entry(record.op).or_default() += 1;
        for change in &record.changes {
            match change.collection {
                "jobs" => self.job(record, change, data),
                "pool" => self.pooled(record, change),
                "tasks" => self.task(record, change, data),
                "hosts" => self.host(record, change),
                "servers" => self.server(record, change, data),
                _ => {}
            }
        }
        match record.op {
            "refill a pool" => self.plan(record),
            "begin a bulk creation" | "retry a bulk creation" | "create users" => {
                self.bulk(record, data);
            }
            "create a server" => self.places(record, data),
            "change an administrator" => {
                let charged = |d: &Document| {
                    flag(d, "super_user") != Some(false) && flag(d, "disabled") != Some(true)
                };
                let some = data.all("administrators").any(charged);
                self.check(some, "nobody is in charge", record);
            }
            _ => {}
        }
    }

    /// Whether the host of activity `who` is the holder, in any life.
    fn holds(&self, who: usize, document: &Document) -> bool {
        let holder = document.get_document("holder").ok().and_then(|h| text(h, "host"));
        let host = self.hosts.get(&who).map(|host| warren::base::ids::to_hex(&host_id(*host)));
        host.is_some() && holder == host.as_deref()
    }

    fn owner(&mut self, record: &Record, document: &Document) {
        if let Some(token) = text(document, "reserved_for") {
            self.owners.entry(token.to_owned()).or_insert(record.who);
        }
    }

    fn job(&mut self, record: &Record, change: &Changed, data: &Data) {
        if let Some(after) = &change.after {
            self.owner(record, after);
        }
        if let (Some(before), None) = (&change.before, &change.after) {
            let over = matches!(text(before, "state"), Some("done" | "failed"));
            return self.check(over, "a job that is not over stays", record);
        }
        let (Some(before), Some(after)) = (&change.before, &change.after) else { return };
        let (state, fence) = (text(before, "state"), long(before, "fence"));
        let mine = self.held.get(&(record.who, change.key.clone())) == Some(&fence);
        let running = state == Some("running");
        let nobodys = text(before, "reserved_for").is_none();
        match record.op {
            "claim a job" => {
                self.check(state == Some("ready"), "a job has one holder", record);
                self.check(long(after, "fence") > fence, "a claim has its own fence", record);
            }
            "cancel a job" => {
                let open = matches!(state, Some("ready" | "running"));
                self.check(open, "what is over is not cancelled", record);
                self.check(long(after, "fence") > fence, "a cancelled job is nobody's", record);
            }
            "retry a job" | "retry a bulk creation" => {
                let waits = state == Some("ready") && text(before, "error").is_some();
                self.check(waits || state == Some("failed"), "what failed is retried", record);
            }
            "give a job back" | "put a job off" => {
                self.check(running && mine, "only its holder ends it", record)
            }
            "record a failed job" => {
                let idle_ms = date(before, "touched").map_or(0, |at| record.server_ms - at);
                let forgotten = text(after, "error") == Some(FORGOTTEN) && idle_ms > 30_000;
                let silent = idle_ms > 180_000;
                let free = mine || forgotten || silent || holder_is_gone(before, data);
                self.check(running && free, "only its holder ends it, or none", record);
            }
            "end a job" => {
                self.check(running && mine, "only its holder ends it", record);
                let due = date(before, "reserved_until").is_some_and(|at| at > record.server_ms);
                let token = text(before, "reserved_for").filter(|_| due);
                let mut kept = record.changes.iter().filter(|c| c.collection == "pool");
                let key = kept.find_map(|change| change.after.as_ref());
                let same = key.is_none_or(|key| text(key, "reserved_for") == token);
                self.check(same, "no reservation is ignored", record);
            }
            "reserve a job" => {
                let open = matches!(state, Some("ready" | "running"));
                self.check(open && nobodys, "what is reserved is another's", record);
            }
            "release expired reservations" => self.expired(record, before),
            _ => {}
        }
    }

    fn expired(&mut self, record: &Record, before: &Document) {
        let over = date(before, "reserved_until").is_some_and(|at| at < record.server_ms);
        self.check(over, "a reservation is kept for its time", record);
    }

    fn pooled(&mut self, record: &Record, change: &Changed) {
        let Some(before) = &change.before else {
            let content = change.after.as_ref().and_then(|key| text(key, "content"));
            let job = content.unwrap_or("").split(':').next().unwrap_or("").to_owned();
            let effects = self.effects.entry(job).or_default();
            *effects += 1;
            let once = *effects == 1;
            return self.check(once, "a job has its effect once", record);
        };
        if let Some(after) = &change.after {
            self.owner(record, after);
        }
        let token = text(before, "reserved_for");
        match record.op {
            "take from a pool" => {
                let mine = token.is_none_or(|token| self.owners.get(token) == Some(&record.who));
                self.check(mine, "what is reserved is another's", record);
            }
            "reserve from a pool" => {
                self.check(token.is_none(), "what is reserved is another's", record);
            }
            "release expired reservations" => self.expired(record, before),
            _ => {}
        }
    }

    fn task(&mut self, record: &Record, change: &Changed, data: &Data) {
        let (before, Some(after)) = (&change.before, &change.after) else { return };
        let task = TASKS.iter().chain(SLOW).find(|task| Some(task.name) == text(after, "_id"));
        let task = task.expect("a task of the calendar");
        let passed = |at: Option<i64>, time: std::time::Duration| {
            at.is_none_or(|at| record.server_ms - at >= time.as_millis() as i64)
        };
        match (record.op, before) {
            ("reserve a task", Some(before)) => {
                let (done, started) = (date(before, "done_at"), date(before, "started"));
                let over = done.is_some() && done >= started;
                let is_held = before.get_document("holder").is_ok();
                let sign = date(before, "kept").or(started);
                // Its holder itself, a life of which runs one task at a time, begins again.
                let forgotten = before.get("holder") == after.get("holder");
                let late = forgotten || passed(sign, task.timeout) || holder_is_gone(before, data);
                let due = match long(after, "run") - long(before, "run") {
                    1 => {
                        let wanted = date(before, "wanted").is_some_and(|at| Some(at) >= started);
                        !is_held && over && (wanted || passed(done, task.period))
                    }
                    _ => (is_held && late) || (!is_held && !over),
                };
                self.check(due, "a task is run when it is due", record);
                let raised = long(after, "fence") > long(before, "fence");
                self.check(raised, "a reservation has its own fence", record);
            }
            ("go on with a task", Some(before)) => {
                let held = self.held.get(&(record.who, change.key.clone()));
                let mine = held == Some(&long(before, "fence"));
                self.check(mine, "only its holder goes on with a task", record);
            }
            ("end a task", Some(before)) => {
                let held = self.held.get(&(record.who, change.key.clone()));
                let mine = held == Some(&long(before, "fence"));
                let given_up = match text(after, "error") {
                    Some(calendar::FORGOTTEN) => self.holds(record.who, before),
                    Some(LATE | HOST_GONE) => {
                        passed(date(before, "kept").or(date(before, "started")), task.timeout)
                            || holder_is_gone(before, data)
                    }
                    _ => false,
                };
                self.check(mine || given_up, "only its holder ends a run", record);
                if date(after, "done_at") != date(before, "done_at") {
                    let first = self.ends.insert((change.key.clone(), long(after, "run")));
                    self.check(first, "a run ends once", record);
                }
            }
            _ => {}
        }
    }

    fn host(&mut self, record: &Record, change: &Changed) {
        if record.op != "declare a host dead" {
            self.beats.insert(change.key.clone(), record.now_ms);
            return;
        }
        let beat_ms = self.beats.get(&change.key).copied().unwrap_or(0);
        self.check(record.now_ms >= beat_ms + 3_000, "a dead host was silent for 3 s", record);
        let id = change.after.as_ref().and_then(|host| text(host, "_id")).unwrap_or_default();
        let down = self.down.iter().map(|(host, since)| (*host, *since, u64::MAX));
        let in_trouble = self.troubles.iter().copied().chain(down).any(|(host, from, until)| {
            let name = warren::base::ids::to_hex(&host_id(host));
            name == id && until >= beat_ms && from <= record.now_ms
        });
        self.check(in_trouble, "no living host is declared dead", record);
    }

    /// Two plans of one pool must not rest on the same reading.
    fn plan(&mut self, record: &Record) {
        let made = record.changes.iter().find(|c| c.collection == "jobs" && c.before.is_none());
        let Some(made) = made.and_then(|change| change.after.as_ref()) else { return };
        let pool = text(made, "pool").unwrap_or_default().to_owned();
        let seen = |(other, seq): &(String, u64)| *other != pool || *seq <= record.snapshot;
        let knew_all = self.plans.iter().all(seen);
        self.check(knew_all, "a pool is filled once", record);
        self.plans.push((pool, record.seq));
    }

    /// What is not as it should be after a while without faults.
    pub fn unsettled(&self, data: &Data, schedule: &Schedule) -> Option<String> {
        if let Some(host) = data.all("hosts").find(|host| flag(host, "alive") != Some(true)) {
            return Some(format!("not alive: {host}"));
        }
        for job in data.all("jobs") {
            if matches!(text(job, "state"), Some("ready" | "running")) {
                return Some(format!("not done: {job}"));
            }
            if text(job, "pool").is_none() {
                continue;
            }
            let made = job.get_object_id("_id").map(|id| self.effects.get(&id.to_hex()).copied());
            let made = made.expect("an id").unwrap_or(0);
            if made != usize::from(text(job, "state") == Some("done")) {
                return Some(format!("{made} effects: {job}"));
            }
        }
        if let Some(key) = data.all("pool").find(|key| text(key, "reserved_for").is_some()) {
            return Some(format!("kept for nobody: {key}"));
        }
        for (kind, floor) in [("rsa2048", 3), ("rsa4096", 1)] {
            let depth = data.all("pool").filter(|key| text(key, "kind") == Some(kind)).count();
            if depth < floor {
                return Some(format!("{depth} of {floor} keys of {kind}"));
            }
        }
        if let Some(rest) = self.unsettled_users(data).or_else(|| self.unsettled_servers(data)) {
            return Some(rest);
        }
        for task in TASKS.iter().chain(SLOW) {
            let seen = data.all("tasks").find(|seen| text(seen, "_id") == Some(task.name));
            let rest = seen.is_some_and(|seen| {
                let wanted = date(seen, "wanted") >= date(seen, "started");
                seen.get("holder") == Some(&Bson::Null)
                    && date(seen, "done_at").is_some()
                    && !wanted
            });
            if !rest {
                return Some(format!("task {} did not run: {seen:?}", task.name));
            }
        }
        let open = self.waiting.iter().find(|id| schedule.is_running(**id));
        open.map(|id| format!("the request of activity {id} is open"))
    }
}

/// Whether the host of a holder has gone, or has begun another life.
fn holder_is_gone(document: &Document, data: &Data) -> bool {
    let Ok(holder) = document.get_document("holder") else { return true };
    let host = data.get("hosts", &key(holder.get("host").unwrap_or(&Bson::Null)));
    host.is_none_or(|host| {
        let epoch = long(&host, "epoch") - long(holder, "epoch");
        epoch > 0 || (epoch == 0 && flag(&host, "alive") != Some(true))
    })
}
