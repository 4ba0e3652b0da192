//! The database of the simulated cluster: a primary whose writes count once a majority has them.
//!
//! Its faults: replication that stands still, a new primary that has lost what no majority had, an
//! old one that some hosts still talk to, abandoned transactions whose locks remain for a while.

use crate::sim::judge::{Judge, Record};
use crate::sim::model::{Answer, Changed, Data, Duplicate, Env, key};
use crate::sim::mutate::Mutation;
use mongodb::bson::Document;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use warren::store::seam::{At, Request};

/// The server's clock when a run begins, milliseconds since the Unix epoch.
pub const EPOCH_MS: i64 = 1_800_000_000_000;
/// A transaction whose host has gone is ended by the server at last.
const ABANDONED_MS: u64 = 60_000;

/// A transaction under way.
pub struct Open {
    /// What it sees: its snapshot and its own writes.
    pub data: Data,
    pub snapshot: u64,
    pub changes: Vec<Changed>,
    /// Begun on a primary that is none any more.
    pub doomed: bool,
    ends_ms: u64,
}

/// A request that is on its way although its sender has given up.
pub struct Late {
    at_ms: u64,
    at: At,
    request: Request,
    who: usize,
}

/// What a host's driver knows.
#[derive(Default)]
pub struct Line {
    /// It talks to the old primary until then.
    stale: Option<(u64, Data)>,
    /// Changes of primary, and when its monitor sees them.
    changes: Vec<u64>,
}

pub struct Database {
    /// What the primary has.
    local: Data,
    pub majority: Data,
    replicating: VecDeque<(Data, Record)>,
    lost: BTreeSet<u64>,
    seq: u64,
    transactions: u64,
    pub term: u64,
    clock_ms: i64,
    /// No primary until then.
    pub away_until: u64,
    stalled_until: u64,
    open: BTreeMap<u64, Open>,
    locks: BTreeMap<(&'static str, Vec<u8>), u64>,
    late: Vec<Late>,
    pub lines: Vec<Line>,
    pub judge: Judge,
    pub mutation: Option<&'static Mutation>,
    pub faults: bool,
}

/// What became of an attempt to write.
pub enum Wrote {
    /// As write `seq`, or nothing had to be written; a majority has it when it has `seq`.
    Done(Answer, u64),
    Refused(&'static str),
    Busy,
}

impl Database {
    pub fn new(hosts: usize, mutation: Option<&'static Mutation>) -> Database {
        Database {
            local: Data::default(),
            majority: Data::default(),
            replicating: VecDeque::new(),
            lost: BTreeSet::new(),
            seq: 0,
            transactions: 0,
            term: 1,
            clock_ms: EPOCH_MS,
            away_until: 0,
            stalled_until: 0,
            open: BTreeMap::new(),
            locks: BTreeMap::new(),
            late: Vec::new(),
            lines: (0..hosts).map(|_| Line::default()).collect(),
            judge: Judge::default(),
            mutation,
            faults: true,
        }
    }

    /// What is there from the beginning.
    pub fn lay(&mut self, collection: &'static str, document: Document) {
        let key = key(document.get("_id").expect("an id"));
        let after = Some(Arc::new(document));
        self.apply(vec![Changed { collection, key, before: None, after }], Record::default());
        self.replicate(1);
    }

    pub fn env(&self, now_ms: u64) -> Env {
        let now_ms = self.clock_ms + i64::try_from(now_ms).expect("a short run");
        let cluster = u32::try_from(self.seq).expect("a short run");
        Env { now_ms, cluster, this: None }
    }

    fn is(&self, flag: fn(&Mutation) -> bool) -> bool {
        self.mutation.is_some_and(flag)
    }

    /// What a read of `host` sees; `None`: as the primary has it.
    pub fn read_by(&mut self, host: usize, now_ms: u64) -> &Data {
        if self.is_stale(host, now_ms)
            && let Some((_, data)) = &self.lines[host].stale
        {
            return data;
        }
        if self.is(|m| m.reads_local) { &self.local } else { &self.majority }
    }

    pub fn is_stale(&mut self, host: usize, now_ms: u64) -> bool {
        let line = &mut self.lines[host];
        if line.stale.as_ref().is_some_and(|(until, _)| *until <= now_ms) {
            line.stale = None;
        }
        line.stale.is_some()
    }

    /// How many changes of primary the monitor of `host` has seen, and how many there were to see.
    pub fn primary_changes(&self, host: usize, now_ms: u64) -> (u64, u64) {
        let there = self.lines[host].changes.iter().filter(|at| **at <= now_ms).count() as u64;
        (if self.is(|m| m.primary_unseen) { 0 } else { there }, there)
    }

    /// Whether somebody else's open transaction, or a write after `snapshot`, is in the way.
    fn is_taken(&self, change: &Changed, by: Option<u64>, snapshot: Option<u64>) -> bool {
        if self.is(|m| m.no_conflicts) {
            return false;
        }
        let (collection, key) = (change.collection, &change.key);
        let lock = self.locks.get(&(collection, key.clone()));
        let newer = |snapshot| self.local.written(collection, key).is_some_and(|s| s > snapshot);
        match lock {
            Some(holder) => Some(*holder) != by,
            None => snapshot.is_some_and(newer),
        }
    }

    /// One write outside of transactions.
    pub fn write(
        &mut self,
        at: &At,
        request: &Request,
        who: usize,
        now_ms: u64,
        fresh: [u8; 12],
    ) -> Wrote {
        let env = self.env(now_ms);
        let answer = match self.local.answer(at.collection, request, &env, fresh) {
            Ok(answer) => answer,
            Err(Duplicate(index)) => return Wrote::Refused(index),
        };
        if answer.changes.iter().any(|change| self.is_taken(change, None, None)) {
            return Wrote::Busy;
        }
        if !answer.changes.is_empty() {
            let changes = answer.changes.clone();
            self.apply(changes, Record::new(at.op, who, &env, now_ms, self.local.seq));
        }
        Wrote::Done(answer, self.local.seq)
    }

    fn apply(&mut self, changes: Vec<Changed>, record: Record) {
        self.seq += 1;
        self.local.put(&changes, self.seq);
        let record = Record { changes, seq: self.seq, ..record };
        self.replicating.push_back((self.local.clone(), record));
    }

    /// Whether the majority has write `seq`. `None`: it was rolled back.
    pub fn has(&self, seq: u64) -> Option<bool> {
        if self.is(|m| m.no_majority) {
            return Some(true);
        }
        if self.lost.contains(&seq) { None } else { Some(self.majority.seq >= seq) }
    }

    pub fn begin(&mut self, host: usize, now_ms: u64) -> u64 {
        let doomed = self.is_stale(host, now_ms);
        let data = match &self.lines[host].stale {
            Some((_, data)) => data.clone(),
            None => self.local.clone(),
        };
        self.transactions += 1;
        let open = Open {
            snapshot: data.seq,
            data,
            changes: Vec::new(),
            doomed,
            ends_ms: now_ms + ABANDONED_MS,
        };
        self.open.insert(self.transactions, open);
        self.transactions
    }

    pub fn in_transaction(
        &mut self,
        id: u64,
        at: &At,
        request: &Request,
        now_ms: u64,
        fresh: [u8; 12],
    ) -> Wrote {
        let env = self.env(now_ms);
        // It was ended meanwhile.
        let Some(open) = self.open.get(&id) else { return Wrote::Busy };
        let answer = match open.data.answer(at.collection, request, &env, fresh) {
            Ok(answer) => answer,
            Err(Duplicate(index)) => return Wrote::Refused(index),
        };
        let (snapshot, doomed) = (open.snapshot, open.doomed);
        let taken = |change: &Changed| self.is_taken(change, Some(id), Some(snapshot));
        if !doomed && answer.changes.iter().any(taken) {
            return Wrote::Busy;
        }
        if !doomed {
            for change in &answer.changes {
                self.locks.insert((change.collection, change.key.clone()), id);
            }
        }
        if let Some(open) = self.open.get_mut(&id) {
            let seq = open.data.seq;
            open.data.put(&answer.changes, seq);
            open.changes.extend(answer.changes.iter().cloned());
        }
        Wrote::Done(answer, 0)
    }

    /// Commits; answers the write's number. `None`: there is no such transaction any more.
    pub fn commit(&mut self, id: u64, op: &'static str, who: usize, now_ms: u64) -> Option<u64> {
        let open = self.open.get(&id).filter(|open| !open.doomed)?;
        let (snapshot, changes) = (open.snapshot, net(open.changes.clone()));
        self.abort(id);
        if !changes.is_empty() {
            let record = Record::new(op, who, &self.env(now_ms), now_ms, snapshot);
            self.apply(changes, record);
        }
        Some(self.local.seq)
    }

    pub fn abort(&mut self, id: u64) {
        self.open.remove(&id);
        self.locks.retain(|_, holder| *holder != id);
    }

    /// Its host is gone; the server does not know yet.
    pub fn abandon(&mut self, id: u64, ends_ms: u64) {
        if let Some(open) = self.open.get_mut(&id) {
            open.ends_ms = ends_ms;
        }
    }

    pub fn send_late(&mut self, at_ms: u64, at: At, request: Request, who: usize) {
        self.late.push(Late { at_ms, at, request, who });
    }

    /// What happens between two steps, by `dice`.
    pub fn advance(&mut self, now_ms: u64, mut dice: impl FnMut(u64) -> u64) {
        let ended: Vec<u64> =
            self.open.iter().filter(|(_, o)| o.ends_ms <= now_ms).map(|(id, _)| *id).collect();
        ended.into_iter().for_each(|id| self.abort(id));
        if let Some(due) = self.late.iter().position(|late| late.at_ms <= now_ms) {
            let Late { at, request, who, .. } = self.late.swap_remove(due);
            let fresh = [u8::try_from(due).unwrap_or(0); 12];
            let _ = self.write(&at, &request, who, now_ms, fresh);
        }
        if now_ms >= self.stalled_until && (!self.faults || dice(3) > 0) {
            let most = if self.faults { dice(4) } else { u64::MAX };
            self.replicate(most);
        }
    }

    fn replicate(&mut self, most: u64) {
        for _ in 0..most {
            let Some((data, record)) = self.replicating.pop_front() else { return };
            self.majority = data;
            self.judge.see(&record, &self.majority);
        }
    }

    pub fn stall(&mut self, until_ms: u64) {
        self.stalled_until = until_ms;
    }

    /// A new primary, which has only some of what no majority had.
    pub fn change_primary(&mut self, now_ms: u64, away_ms: u64, mut dice: impl FnMut(u64) -> u64) {
        let waiting = self.replicating.len() as u64;
        let old = self.majority.clone();
        self.replicate(dice(waiting + 1));
        self.lost.extend(self.replicating.drain(..).map(|(_, record)| record.seq));
        self.local = self.majority.clone();
        // A write that is lost keeps its number.
        self.open.clear();
        self.locks.clear();
        self.term += 1;
        self.away_until = now_ms + away_ms;
        let clock_ms = i64::try_from(dice(400)).expect("small") - 200;
        self.clock_ms = EPOCH_MS + clock_ms;
        for line in &mut self.lines {
            line.changes.push(self.away_until + dice(2_000));
            line.stale = (dice(3) == 0).then(|| (now_ms + dice(9_000), old.clone()));
        }
    }

    pub fn is_settled(&self, now_ms: u64) -> bool {
        let stale = |line: &Line| line.stale.as_ref().is_some_and(|(until, _)| *until > now_ms);
        now_ms >= self.away_until && !self.lines.iter().any(stale)
    }
}

/// The first state and the last one of each document.
fn net(changes: Vec<Changed>) -> Vec<Changed> {
    let mut all: Vec<Changed> = Vec::new();
    for change in changes {
        let same = |c: &&mut Changed| (c.collection, &c.key) == (change.collection, &change.key);
        match all.iter_mut().find(same) {
            Some(earlier) => earlier.after = change.after,
            None => all.push(change),
        }
    }
    all
}
