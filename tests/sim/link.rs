//! The seam answered by the model: one host's connection to the simulated database. Every
//! operation takes time in both directions, and its answer or itself may be lost on the way.

use crate::sim::baton::{Baton, Schedule};
use crate::sim::database::{Database, Wrote};
use mongodb::bson::{Document, RawDocumentBuf};
use mongodb::error::Error;
use std::fmt;
use std::sync::Arc;
use warren::limits;
use warren::store::StoreError;
use warren::store::seam::{Again, At, Documents, Each, Failure, Line, Request, Session};

pub type World = Baton<Database>;

pub struct Link {
    pub world: Arc<World>,
    pub host: usize,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link of host {}", self.host)
    }
}

/// How an operation fares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Arrives,
    /// It never reaches the database.
    LostThere,
    /// Its answer never comes.
    LostBack,
    /// Its sender gives up, and then it arrives.
    Late,
}

fn source(text: &str) -> Box<Error> {
    Box::new(Error::custom(text.to_owned()))
}

fn unavailable(operation: &'static str) -> StoreError {
    StoreError::Unavailable { operation, source: source("the model is away") }
}

fn unknown(operation: &'static str) -> StoreError {
    StoreError::Unknown { operation, source: source("no answer") }
}

fn duplicate(operation: &'static str, index: &str) -> StoreError {
    StoreError::Duplicate { operation, index: index.to_owned() }
}

fn transient(error: StoreError) -> Failure {
    Failure { error, again: Again::Transaction }
}

/// Whether a host that waits for it seems dead.
fn is_of_life(at: &At) -> bool {
    at.line == Line::Beat || matches!(at.op, "register this host" | "return to the cluster")
}

fn hand_over(documents: Vec<Document>, each: Each<'_>) {
    for document in documents {
        let raw = RawDocumentBuf::try_from(&document).expect("a document");
        if each(raw).is_break() {
            return;
        }
    }
}

impl Link {
    fn fate(&self) -> Fate {
        let state = self.world.lock();
        let (schedule, database) = &*state;
        if !database.faults || !schedule.once_in(40) {
            return Fate::Arrives;
        }
        match schedule.below(5) {
            0 | 1 => Fate::LostThere,
            2 | 3 => Fate::LostBack,
            _ => Fate::Late,
        }
    }

    /// Half a round trip.
    fn travel(&self) {
        self.travel_or(false, |_, _| {});
    }

    fn travel_or(&self, of_life: bool, at_crash: impl FnOnce(&mut Schedule, &mut Database)) {
        let ms = {
            let mut state = self.world.lock();
            let (schedule, database) = &mut *state;
            let ms = match schedule.below(if database.faults { 300 } else { 250 }) {
                0..250 => schedule.below(3),
                250..298 => schedule.below(400),
                _ => 1_000 + schedule.below(4_000),
            };
            if of_life && ms > 300 {
                let now = schedule.now_ms;
                database.judge.blame(self.host, now, now + ms);
            }
            ms
        };
        self.pass(ms, at_crash);
    }

    fn wait(&self, ms: u64) {
        self.pass(ms, |_, _| {});
    }

    fn pass(&self, ms: u64, at_crash: impl FnOnce(&mut Schedule, &mut Database)) {
        self.world.pass(ms, None, at_crash);
        let mut state = self.world.lock();
        let (schedule, database) = &mut *state;
        database.judge.hosts.insert(schedule.current, self.host);
        database.advance(schedule.now_ms, |n| schedule.random.below(n));
        crate::sim::faults::between_steps(schedule, database);
        if let Some(failure) = database.judge.failure.take() {
            schedule.fail(failure);
        }
    }

    fn is_away(&self) -> bool {
        let state = self.world.lock();
        state.0.now_ms < state.1.away_until
    }

    fn trouble(&self, at: &At, since_ms: u64) {
        if is_of_life(at) {
            let mut state = self.world.lock();
            let (schedule, database) = &mut *state;
            database.judge.blame(self.host, since_ms, schedule.now_ms);
        }
    }

    fn note(&self, at: &At, request: &Request, what: &str) {
        self.world.lock().0.note(|| format!("{}: {what}: {request:?}", at.op));
    }

    /// Reads at once, in one go.
    fn read(&self, at: &At, request: &Request) -> Vec<Document> {
        let mut state = self.world.lock();
        let (schedule, database) = &mut *state;
        let env = database.env(schedule.now_ms);
        let data = database.read_by(self.host, schedule.now_ms);
        let answer = data.answer(at.collection, request, &env, [0; 12]);
        let answer = answer.unwrap_or_else(|e| panic!("{}: a read is refused: {e:?}", at.op));
        schedule.fold(answer.count);
        match request {
            Request::Count { .. } => vec![mongodb::bson::doc! { "n": answer.count as i64 }],
            _ => answer.documents,
        }
    }

    /// Writes, and waits until a majority has it.
    fn write(&self, at: &At, request: &Request) -> Result<(u64, Vec<Document>), StoreError> {
        let give_up = self.world.lock().0.now_ms + limits::STORE_OPERATION_MAX.as_millis() as u64;
        let (answer, seq) = loop {
            let wrote = {
                let mut state = self.world.lock();
                let (schedule, database) = &mut *state;
                let now = schedule.now_ms;
                if database.is_stale(self.host, now) {
                    drop(state);
                    self.wait(500);
                    // Its beats are for a primary that is none: to the others it is silent.
                    self.trouble(at, now);
                    return Err(unknown(at.op));
                }
                let who = schedule.current;
                database.write(at, request, who, now, schedule.random.bytes())
            };
            match wrote {
                Wrote::Done(answer, seq) => break (answer, seq),
                Wrote::Refused(index) => return Err(duplicate(at.op, index)),
                Wrote::Busy if self.world.lock().0.now_ms > give_up => {
                    return Err(unavailable(at.op));
                }
                Wrote::Busy => self.wait(3),
            }
        };
        self.majority(seq, give_up).map_err(|()| unknown(at.op))?;
        let mut state = self.world.lock();
        state.0.fold(answer.count);
        let who = state.0.current;
        state.1.judge.answered(who, at.op, &answer);
        drop(state);
        if matches!(at.op, "reserve a task" | "claim a job") && answer.count > 0 {
            self.stand_still();
        }
        Ok((answer.count, answer.documents))
    }

    /// Hosts often stand still where it matters: with something in their hands.
    fn stand_still(&self) {
        let ms = {
            let mut state = self.world.lock();
            let (schedule, database) = &mut *state;
            if !database.faults || !schedule.once_in(8) {
                return;
            }
            let (now, ms) = (schedule.now_ms, 3_000 + schedule.below(6_000));
            schedule.pause(self.host, now + ms);
            database.judge.blame(self.host, now, now + ms + 500);
            ms
        };
        self.wait(ms);
    }

    fn majority(&self, seq: u64, give_up: u64) -> Result<(), ()> {
        let mut pause = 1;
        loop {
            let (has, now) = {
                let state = self.world.lock();
                (state.1.has(seq), state.0.now_ms)
            };
            match has {
                Some(true) => return Ok(()),
                // Steps of those who wait would be none of those who work.
                Some(false) if now <= give_up => {
                    self.wait(pause);
                    pause = (2 * pause).min(16);
                }
                _ => return Err(()),
            }
        }
    }
}

impl Documents for Link {
    fn run(&self, at: &At, request: Request, each: Each<'_>) -> Result<u64, StoreError> {
        let mutation = self.world.lock().1.mutation;
        let request = match mutation {
            Some(mutation) => mutation.edit(at.op, request, at.collection),
            None => request,
        };
        let (writes, fate) = (request.writes(), self.fate());
        let started = self.world.lock().0.now_ms;
        let lost = || if writes { unknown(at.op) } else { unavailable(at.op) };
        self.note(at, &request, "sent");
        if at.op == "declare a host dead" {
            let mut state = self.world.lock();
            let (schedule, database) = &mut *state;
            database.judge.decides(schedule.current, started);
        }
        // And observers where the observed may come back.
        if at.op == "declare a host dead" && self.world.lock().0.once_in(3) {
            let ms = self.world.lock().0.below(4_000);
            self.world.lock().1.judge.blame(self.host, started, started + ms);
            self.wait(ms);
        }
        self.travel_or(is_of_life(at), |schedule, database| {
            if writes && schedule.once_in(2) {
                let at_ms = schedule.now_ms + schedule.below(50);
                database.send_late(at_ms, *at, request.clone(), schedule.current);
            }
        });
        if self.is_away() {
            self.wait(200);
            return Err(unavailable(at.op));
        }
        if fate == Fate::LostThere || (fate == Fate::Late && writes) {
            if fate == Fate::Late {
                let mut state = self.world.lock();
                let (schedule, database) = &mut *state;
                let at_ms = schedule.now_ms + schedule.below(1_000);
                database.send_late(at_ms, *at, request, schedule.current);
            }
            self.wait(20);
            self.trouble(at, started);
            return Err(lost());
        }
        let (count, documents) = match writes {
            true => self.write(at, &request)?,
            false => (0, self.read(at, &request)),
        };
        self.travel_or(is_of_life(at), |_, _| {});
        if fate == Fate::LostBack {
            self.trouble(at, started);
            self.note(at, &request, "answer lost");
            return Err(lost());
        }
        let read = documents.len() as u64;
        if let Request::Count { .. } = request {
            return Ok(documents.first().and_then(|d| d.get_i64("n").ok()).unwrap_or(0) as u64);
        }
        hand_over(documents, each);
        Ok(if writes { count } else { read })
    }

    fn session(&self, _: &'static str) -> Result<Box<dyn Session + '_>, StoreError> {
        Ok(Box::new(Transactions { link: self, open: None, committed: None, broken: false }))
    }

    fn primary_changes(&self) -> u64 {
        let mut state = self.world.lock();
        let (schedule, database) = &mut *state;
        let (seen, there) = database.primary_changes(self.host, schedule.now_ms);
        database.judge.knows_primaries(schedule.current, there, schedule.now_ms);
        seen
    }
}

struct Transactions<'a> {
    link: &'a Link,
    open: Option<u64>,
    committed: Option<u64>,
    /// An answer was lost: what follows at once may be as well.
    broken: bool,
}

impl Session for Transactions<'_> {
    fn start(&mut self, _: &'static str) -> Result<(), StoreError> {
        (self.open, self.committed, self.broken) = (None, None, false);
        Ok(())
    }

    fn run(&mut self, at: &At, request: Request, each: Each<'_>) -> Result<u64, Failure> {
        let mutation = self.link.world.lock().1.mutation;
        if let Some(mutation) = mutation {
            if mutation.drops(at.op, &request) {
                return Ok(1);
            }
            if mutation.no_transactions {
                return self.link.run(at, request, each).map_err(transient);
            }
        }
        let request = mutation
            .map_or(request.clone(), |mutation| mutation.edit(at.op, request, at.collection));
        self.link.note(at, &request, "in a transaction");
        let fate = self.link.fate();
        self.link.travel();
        if fate != Fate::Arrives || self.link.is_away() {
            return Err(transient(unavailable(at.op)));
        }
        let wrote = {
            let mut state = self.link.world.lock();
            let (schedule, database) = &mut *state;
            let now = schedule.now_ms;
            let id = *self.open.get_or_insert_with(|| database.begin(self.link.host, now));
            let wrote = database.in_transaction(id, at, &request, now, schedule.random.bytes());
            if let Wrote::Done(answer, _) = &wrote {
                schedule.fold(answer.count);
            }
            wrote
        };
        self.link.travel();
        match wrote {
            Wrote::Done(answer, _) => {
                hand_over(answer.documents, each);
                Ok(answer.count)
            }
            Wrote::Refused(index) => {
                Err(Failure { error: duplicate(at.op, index), again: Again::Nothing })
            }
            Wrote::Busy => Err(transient(unavailable(at.op))),
        }
    }

    fn commit(&mut self, op: &'static str) -> Result<(), Failure> {
        let again = |again| Failure { error: unknown(op), again };
        let Some(id) = self.open else { return Ok(()) };
        let fate = match self.link.fate() {
            Fate::Arrives if self.broken && self.link.world.lock().0.once_in(2) => Fate::LostThere,
            fate => fate,
        };
        self.link.travel();
        if matches!(fate, Fate::LostThere | Fate::Late) || self.link.is_away() {
            return Err(again(Again::Commit));
        }
        let (seq, give_up) = {
            let mut state = self.link.world.lock();
            let (schedule, database) = &mut *state;
            let (who, now) = (schedule.current, schedule.now_ms);
            let done = self.committed.filter(|seq| database.has(*seq).is_some());
            let seq = done.or_else(|| database.commit(id, op, who, now));
            (seq, now + limits::STORE_OPERATION_MAX.as_millis() as u64)
        };
        self.link.world.lock().0.note(|| format!("{op}: commit {seq:?}"));
        let Some(seq) = seq else { return Err(again(Again::Transaction)) };
        self.committed = Some(seq);
        let acknowledged = self.link.majority(seq, give_up);
        self.link.travel();
        if acknowledged.is_err() || fate == Fate::LostBack {
            self.broken = true;
            return Err(again(Again::Commit));
        }
        self.open = None;
        Ok(())
    }

    fn abort(&mut self) {
        if let Some(id) = self.open.take() {
            self.link.travel();
            self.link.world.lock().1.abort(id);
        }
    }
}

impl Drop for Transactions<'_> {
    fn drop(&mut self) {
        let Some(id) = self.open.take() else { return };
        let mut state = self.link.world.lock();
        let (schedule, database) = &mut *state;
        match std::thread::panicking() {
            true => database.abandon(id, schedule.now_ms + schedule.below(60_000)),
            false => database.abort(id),
        }
    }
}
