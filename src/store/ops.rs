//! The few operations that named queries are made of, plain and inside a transaction.

mod server_side;

pub(super) use server_side::{in_time, literal, ms};

use super::seam::{Again, At, Failure, Line, Request, Session};
use super::{Store, StoreError, collections};
use crate::limits;
use mongodb::bson::{Document, RawDocumentBuf, doc};
use mongodb::error::Error;
use mongodb::options::{FindOptions, UpdateModifications};
use serde::{Serialize, de::DeserializeOwned};
use std::ops::ControlFlow;

/// A document type and the collection it lives in.
pub(super) trait Stored: Serialize + DeserializeOwned + Send + Sync + Unpin {
    const COLLECTION: &'static str;
}

/// What an update of one document did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matched {
    Yes,
    No,
}

impl Matched {
    pub(super) fn yes(self) -> bool {
        self == Matched::Yes
    }

    fn of(count: u64) -> Matched {
        if count > 0 { Matched::Yes } else { Matched::No }
    }
}

/// A document as it is sent.
pub(super) fn written<T: Serialize>(
    op: &'static str,
    value: &T,
) -> Result<RawDocumentBuf, StoreError> {
    let document = mongodb::bson::serialize_to_raw_document_buf(value);
    document.map_err(|e| StoreError::write(op, e.into()))
}

/// A document as it came.
pub(super) fn read<T: DeserializeOwned>(
    op: &'static str,
    document: RawDocumentBuf,
) -> Result<T, StoreError> {
    let value = super::read::document(&document);
    value.map_err(|e| StoreError::read(op, mongodb::error::Error::custom(e)))
}

fn at<T: Stored>(op: &'static str) -> At {
    At { op, collection: T::COLLECTION, line: Line::Work }
}

fn one(filter: Document) -> Request {
    let options = FindOptions::builder().limit(-1).build().into();
    Request::Find { filter, options }
}

fn update_one(filter: Document, update: UpdateModifications) -> Request {
    Request::Update { filter, update, upsert: false, many: false }
}

fn modify(filter: Document, update: Document, fields: Option<Document>) -> Request {
    Request::Modify { filter, update: update.into(), sort: None, fields, upsert: false }
}

/// `{$currentDate: {rev: timestamp}}` merged into an update, for documents that decide access.
pub(super) fn touch(mut update: Document) -> Document {
    let stamp = doc! { "$type": "timestamp" };
    if let Ok(dates) = update.get_document_mut("$currentDate") {
        dates.insert("rev", stamp);
    } else {
        update.insert("$currentDate", doc! { "rev": stamp });
    }
    update
}

/// Reads what is of its type. What is not was written by others: it is left out of lists, so that
/// all the rest goes on. What it holds is not logged: it may be a secret.
fn readable<P: DeserializeOwned>(at: &At, document: RawDocumentBuf) -> Option<P> {
    let value = read(at.op, document);
    if value.is_err() {
        log::error!("could not {}: one in `{}` is damaged and left out", at.op, at.collection);
    }
    value.ok()
}

/// Runs `ask` for its one document, if there is one.
fn single<E>(
    ask: impl FnOnce(&mut dyn FnMut(RawDocumentBuf) -> ControlFlow<()>) -> Result<u64, E>,
) -> Result<Option<RawDocumentBuf>, E> {
    let mut found = None;
    ask(&mut |document| {
        found = Some(document);
        ControlFlow::Break(())
    })?;
    Ok(found)
}

fn nothing(_: RawDocumentBuf) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

impl Store {
    /// One operation below the seam that answers a count.
    pub(super) fn ask(&self, at: &At, request: Request) -> Result<u64, StoreError> {
        self.0.documents.run(at, request, &mut nothing)
    }

    pub(super) fn ask_one<P: DeserializeOwned>(
        &self,
        at: &At,
        request: Request,
    ) -> Result<Option<P>, StoreError> {
        let found = single(|each| self.0.documents.run(at, request, each))?;
        found.map(|document| read(at.op, document)).transpose()
    }

    /// All documents of an answer, the damaged ones included as errors.
    pub(super) fn ask_all<P: DeserializeOwned>(
        &self,
        at: &At,
        request: Request,
    ) -> Result<Vec<P>, StoreError> {
        let mut all = Ok(Vec::new());
        self.ask_while(at, request, |item| match (&mut all, item) {
            (Ok(items), Ok(item)) => {
                items.push(item);
                ControlFlow::Continue(())
            }
            (_, Err(error)) => {
                all = Err(error);
                ControlFlow::Break(())
            }
            (Err(_), _) => ControlFlow::Break(()),
        })?;
        all
    }

    /// All documents of an answer but the damaged ones.
    pub(super) fn ask_readable<P: DeserializeOwned>(
        &self,
        at: &At,
        request: Request,
    ) -> Result<Vec<P>, StoreError> {
        let mut all = Vec::new();
        self.each_readable(at, request, |found| all.push(found))?;
        Ok(all)
    }

    fn each_readable<P: DeserializeOwned>(
        &self,
        at: &At,
        request: Request,
        mut each: impl FnMut(P),
    ) -> Result<(), StoreError> {
        let run = self.0.documents.run(at, request, &mut |document| {
            readable(at, document).into_iter().for_each(&mut each);
            ControlFlow::Continue(())
        });
        run.map(drop)
    }

    /// Hands on documents of an answer as long as they are wanted.
    pub(super) fn ask_while<P: DeserializeOwned>(
        &self,
        at: &At,
        request: Request,
        mut each: impl FnMut(Result<P, StoreError>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let run = self.0.documents.run(at, request, &mut |document| each(read(at.op, document)));
        run.map(drop)
    }

    pub(super) fn insert<T: Stored>(&self, op: &'static str, value: &T) -> Result<(), StoreError> {
        let documents = vec![written(op, value)?];
        self.ask(&at::<T>(op), Request::Insert { documents }).map(drop)
    }

    pub(super) fn insert_many<T: Stored>(
        &self,
        op: &'static str,
        values: &[T],
    ) -> Result<(), StoreError> {
        if values.is_empty() {
            return Ok(());
        }
        let documents = values.iter().map(|v| written(op, v)).collect::<Result<_, _>>()?;
        self.ask(&at::<T>(op), Request::Insert { documents }).map(drop)
    }

    pub(super) fn find_one<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
    ) -> Result<Option<T>, StoreError> {
        self.ask_one(&at::<T>(op), one(filter))
    }

    /// Use with a limit in `options` or a filter that bounds the result.
    pub(super) fn find<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
        options: FindOptions,
    ) -> Result<Vec<T>, StoreError> {
        self.find_as::<T, T>(op, filter, options)
    }

    /// Like [`Store::find`] with a projection read as `P`.
    pub(super) fn find_as<T: Stored, P: DeserializeOwned + Send + Sync + Unpin>(
        &self,
        op: &'static str,
        filter: Document,
        options: FindOptions,
    ) -> Result<Vec<P>, StoreError> {
        self.ask_readable(&at::<T>(op), Request::Find { filter, options: options.into() })
    }

    /// The same one by one, for answers that are long: none has to wait in memory for the others.
    pub(super) fn find_each<T: Stored, P: DeserializeOwned>(
        &self,
        op: &'static str,
        filter: Document,
        options: FindOptions,
        each: impl FnMut(P),
    ) -> Result<(), StoreError> {
        let request = Request::Find { filter, options: options.into() };
        self.each_readable(&at::<T>(op), request, each)
    }

    pub(super) fn count<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
    ) -> Result<u64, StoreError> {
        self.ask(&at::<T>(op), Request::Count { filter })
    }

    pub(super) fn update<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
        update: impl Into<UpdateModifications>,
    ) -> Result<Matched, StoreError> {
        self.ask(&at::<T>(op), update_one(filter, update.into())).map(Matched::of)
    }

    /// Updates one document and answers it as it is afterwards.
    pub(super) fn update_get<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
        update: Document,
    ) -> Result<Option<T>, StoreError> {
        self.ask_one(&at::<T>(op), modify(filter, update, None))
    }

    pub(super) fn delete<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
    ) -> Result<Matched, StoreError> {
        self.ask(&at::<T>(op), Request::Delete { filter, many: false }).map(Matched::of)
    }

    /// Runs `body` in a transaction until it commits, with bounded tries. `body` may run several
    /// times and must have no effect outside. One whose decision rests on reading other documents
    /// also writes their guard document (I6).
    pub fn transaction<R, E: From<StoreError>>(
        &self,
        op: &'static str,
        mut body: impl FnMut(&mut Tx<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut session = self.0.documents.session(op)?;
        let mut last = None;
        let end = self.0.clock.mono() + limits::TRANSACTION_TIME_MAX;
        for attempt in 0..limits::TRANSACTION_TRIES_MAX {
            if attempt > 0 {
                if self.0.clock.mono() >= end {
                    break;
                }
                let pause = self.0.random.below(10 << attempt.min(5));
                self.0.clock.pause(std::time::Duration::from_millis(pause));
            }
            session.start(op)?;
            let mut tx = Tx { store: self, session: &mut *session, transient: None };
            let result = body(&mut tx);
            let transient = tx.transient.take();
            match (result, transient) {
                (Ok(value), None) => match commit(op, &mut *session) {
                    Ok(()) => return Ok(value),
                    Err(Failure { error, again: Again::Transaction }) => last = cause(&error),
                    Err(failure) => return Err(failure.error.into()),
                },
                (_, Some(source)) => {
                    session.abort();
                    last = Some(source);
                }
                (Err(error), None) => {
                    session.abort();
                    return Err(error);
                }
            }
        }
        Err(match last {
            Some(source) => StoreError::Unavailable { operation: op, source },
            None => StoreError::Unusable(format!("no attempt of {op} was made")),
        }
        .into())
    }
}

/// Commits, repeating a commit whose fate is unknown: committing twice is the same as once.
fn commit(op: &'static str, session: &mut dyn Session) -> Result<(), Failure> {
    let mut tries = 0;
    loop {
        match session.commit(op) {
            Err(Failure { again: Again::Commit, .. }) if tries < 2 => tries += 1,
            done => return done,
        }
    }
}

fn cause(error: &StoreError) -> Option<Box<Error>> {
    match error {
        StoreError::Unavailable { source, .. }
        | StoreError::Unknown { source, .. }
        | StoreError::Wrong { source, .. } => Some(source.clone()),
        StoreError::Duplicate { .. } | StoreError::Refused | StoreError::Unusable(_) => None,
    }
}

/// The operations of one transaction.
pub struct Tx<'a> {
    store: &'a Store,
    session: &'a mut (dyn Session + 'a),
    /// A failure after which the whole transaction is worth another try.
    transient: Option<Box<Error>>,
}

impl Tx<'_> {
    fn run(
        &mut self,
        at: &At,
        request: Request,
        each: &mut dyn FnMut(RawDocumentBuf) -> ControlFlow<()>,
    ) -> Result<u64, StoreError> {
        self.session.run(at, request, each).map_err(|Failure { error, again }| {
            if again == Again::Transaction {
                self.transient = cause(&error);
            }
            error
        })
    }

    fn ask(&mut self, at: &At, request: Request) -> Result<u64, StoreError> {
        self.run(at, request, &mut nothing)
    }

    fn ask_one<P: DeserializeOwned>(
        &mut self,
        at: &At,
        request: Request,
    ) -> Result<Option<P>, StoreError> {
        let found = single(|each| self.run(at, request, each))?;
        found.map(|document| read(at.op, document)).transpose()
    }

    pub fn store(&self) -> &Store {
        self.store
    }

    pub(super) fn insert<T: Stored>(
        &mut self,
        op: &'static str,
        value: &T,
    ) -> Result<(), StoreError> {
        let documents = vec![written(op, value)?];
        self.ask(&at::<T>(op), Request::Insert { documents }).map(drop)
    }

    pub(super) fn insert_many<T: Stored>(
        &mut self,
        op: &'static str,
        values: &[T],
    ) -> Result<(), StoreError> {
        if values.is_empty() {
            return Ok(());
        }
        let documents = values.iter().map(|v| written(op, v)).collect::<Result<_, _>>()?;
        self.ask(&at::<T>(op), Request::Insert { documents }).map(drop)
    }

    pub(super) fn find_one<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
    ) -> Result<Option<T>, StoreError> {
        self.ask_one(&at::<T>(op), one(filter))
    }

    pub(super) fn find<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
        limit: i64,
    ) -> Result<Vec<T>, StoreError> {
        let options = FindOptions::builder().limit(limit).build();
        self.find_as::<T, T>(op, filter, options)
    }

    pub(super) fn update<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
        update: Document,
    ) -> Result<Matched, StoreError> {
        self.ask(&at::<T>(op), update_one(filter, update.into())).map(Matched::of)
    }

    /// Updates one document and answers some of its fields as they are afterwards.
    pub(super) fn update_get_as<T: Stored, P: DeserializeOwned + Send + Sync + Unpin>(
        &mut self,
        op: &'static str,
        filter: Document,
        update: Document,
        fields: Document,
    ) -> Result<Option<P>, StoreError> {
        self.ask_one(&at::<T>(op), modify(filter, update, Some(fields)))
    }

    pub(super) fn update_many<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
        update: Document,
    ) -> Result<u64, StoreError> {
        let update = update.into();
        self.ask(&at::<T>(op), Request::Update { filter, update, upsert: false, many: true })
    }

    /// Like [`Tx::find`] with a projection read as `P`.
    pub(super) fn find_as<T: Stored, P: DeserializeOwned + Send + Sync + Unpin>(
        &mut self,
        op: &'static str,
        filter: Document,
        options: FindOptions,
    ) -> Result<Vec<P>, StoreError> {
        let (at, mut all) = (at::<T>(op), Vec::new());
        let request = Request::Find { filter, options: options.into() };
        self.run(&at, request, &mut |document| {
            all.extend(readable(&at, document));
            ControlFlow::Continue(())
        })?;
        Ok(all)
    }

    pub(super) fn delete<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
    ) -> Result<Matched, StoreError> {
        self.ask(&at::<T>(op), Request::Delete { filter, many: false }).map(Matched::of)
    }

    pub(super) fn delete_many<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
    ) -> Result<u64, StoreError> {
        self.ask(&at::<T>(op), Request::Delete { filter, many: true })
    }

    /// Writes the guard document `name` of an invariant, so that of two transactions that rest on
    /// the same reading one conflicts and runs again (I6).
    pub fn guard(&mut self, name: &str) -> Result<(), StoreError> {
        const OP: &str = "write a guard";
        let at = At { op: OP, collection: collections::GUARDS, line: Line::Work };
        let update = doc! { "$inc": { "writes": 1_i64 } }.into();
        let filter = doc! { "_id": name };
        self.ask(&at, Request::Update { filter, update, upsert: true, many: false }).map(drop)
    }
}
