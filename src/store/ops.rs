//! The few operations that named queries are made of, plain and inside a transaction.

mod server_side;

pub(super) use server_side::{in_time, literal, ms};

use super::{Store, StoreError};
use crate::limits;
use mongodb::bson::{Document, RawDocumentBuf, doc};
use mongodb::options::{FindOneAndUpdateOptions, FindOptions, ReturnDocument};
use mongodb::sync::{ClientSession, Collection, Cursor, Database};
use serde::{Serialize, de::DeserializeOwned};

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

/// For the driver all documents are of one type: its operations are large, and would otherwise be
/// compiled once for each of ours.
pub(super) fn collection<T: Stored>(database: &Database) -> Collection<RawDocumentBuf> {
    database.collection(T::COLLECTION)
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
    let value = mongodb::bson::deserialize_from_slice(document.as_bytes());
    value.map_err(|e| StoreError::read(op, e.into()))
}

/// The documents of a cursor.
pub(super) fn read_all<T: DeserializeOwned>(
    op: &'static str,
    cursor: Cursor<RawDocumentBuf>,
) -> Result<Vec<T>, StoreError> {
    cursor.map(|item| read(op, item.map_err(|e| StoreError::read(op, e))?)).collect()
}

fn after() -> FindOneAndUpdateOptions {
    FindOneAndUpdateOptions::builder()
        .return_document(ReturnDocument::After)
        .max_time(limits::STORE_OPERATION_MAX)
        .build()
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
fn readable<T: Stored, P: DeserializeOwned>(
    op: &'static str,
) -> impl Fn(RawDocumentBuf) -> Option<P> {
    move |document| {
        let value = read(op, document);
        if value.is_err() {
            log::error!("could not {op}: one in `{}` is damaged and left out", T::COLLECTION);
        }
        value.ok()
    }
}

impl Store {
    pub(super) fn work(&self) -> &Database {
        &self.0.work
    }

    pub(super) fn insert<T: Stored>(&self, op: &'static str, value: &T) -> Result<(), StoreError> {
        let done = collection::<T>(self.work()).insert_one(written(op, value)?).run();
        done.map(drop).map_err(|e| StoreError::write(op, e))
    }

    pub(super) fn find_one<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
    ) -> Result<Option<T>, StoreError> {
        let found = collection::<T>(self.work())
            .find_one(filter)
            .max_time(limits::STORE_OPERATION_MAX)
            .run();
        let found = found.map_err(|e| StoreError::read(op, e))?;
        found.map(|document| read(op, document)).transpose()
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
        mut options: FindOptions,
    ) -> Result<Vec<P>, StoreError> {
        options.max_time.get_or_insert(limits::STORE_OPERATION_MAX);
        let found = collection::<T>(self.work()).find(filter).with_options(options).run();
        let cursor = found.map_err(|e| StoreError::read(op, e))?;
        let items = cursor.map(|item| item.map_err(|e| StoreError::read(op, e)));
        items.filter_map(|item| item.map(readable::<T, P>(op)).transpose()).collect()
    }

    pub(super) fn count<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
    ) -> Result<u64, StoreError> {
        let coll = collection::<T>(self.work());
        let counted = coll.count_documents(filter).max_time(limits::STORE_OPERATION_MAX).run();
        counted.map_err(|e| StoreError::read(op, e))
    }

    pub(super) fn update<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
        update: Document,
    ) -> Result<Matched, StoreError> {
        let done = collection::<T>(self.work()).update_one(filter, update).run();
        done.map(|r| Matched::of(r.matched_count)).map_err(|e| StoreError::write(op, e))
    }

    /// Updates one document and answers it as it is afterwards.
    pub(super) fn update_get<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
        update: Document,
    ) -> Result<Option<T>, StoreError> {
        let coll = collection::<T>(self.work());
        let done = coll.find_one_and_update(filter, update).with_options(after()).run();
        let found = done.map_err(|e| StoreError::write(op, e))?;
        found.map(|document| read(op, document)).transpose()
    }

    pub(super) fn delete<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
    ) -> Result<Matched, StoreError> {
        let done = collection::<T>(self.work()).delete_one(filter).run();
        done.map(|r| Matched::of(r.deleted_count)).map_err(|e| StoreError::write(op, e))
    }

    /// Runs `body` in a transaction until it commits, with bounded tries. `body` may run several
    /// times and must have no effect outside. One whose decision rests on reading other documents
    /// also writes their guard document (I6).
    pub fn transaction<R, E: From<StoreError>>(
        &self,
        op: &'static str,
        mut body: impl FnMut(&mut Tx<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let started = self.0.work_client.start_session().run();
        let mut session = started.map_err(|e| StoreError::read(op, e))?;
        let mut last = None;
        for attempt in 0..limits::TRANSACTION_TRIES_MAX {
            if attempt > 0 {
                let pause = self.0.random.below(10 << attempt.min(5));
                self.0.clock.pause(std::time::Duration::from_millis(pause));
            }
            let begun = session.start_transaction().run();
            begun.map_err(|e| StoreError::read(op, e))?;
            let mut tx = Tx { store: self, session: &mut session, transient: None };
            let result = body(&mut tx);
            let transient = tx.transient.take();
            match (result, transient) {
                (Ok(value), None) => match commit(&mut session) {
                    Ok(()) => return Ok(value),
                    Err(e) if e.contains_label("TransientTransactionError") => last = Some(e),
                    Err(e) => return Err(StoreError::write(op, e).into()),
                },
                (_, Some(error)) => {
                    let _ = session.abort_transaction().run();
                    last = Some(error);
                }
                (Err(error), None) => {
                    // The server ends an abandoned transaction by itself as well.
                    let _ = session.abort_transaction().run();
                    return Err(error);
                }
            }
        }
        Err(match last {
            Some(error) => StoreError::Unavailable { operation: op, source: Box::new(error) },
            None => StoreError::Unusable(format!("no attempt of {op} was made")),
        }
        .into())
    }
}

/// Commits, repeating a commit whose fate is unknown: committing twice is the same as once.
fn commit(session: &mut ClientSession) -> Result<(), mongodb::error::Error> {
    let mut tries = 0;
    loop {
        match session.commit_transaction().run() {
            Err(e) if tries < 2 && e.contains_label("UnknownTransactionCommitResult") => tries += 1,
            done => return done,
        }
    }
}

/// The operations of one transaction.
pub struct Tx<'a> {
    store: &'a Store,
    session: &'a mut ClientSession,
    /// A failure after which the whole transaction is worth another try.
    transient: Option<mongodb::error::Error>,
}

impl Tx<'_> {
    fn note<R>(
        &mut self,
        op: &'static str,
        result: mongodb::error::Result<R>,
    ) -> Result<R, StoreError> {
        result.map_err(|e| {
            if e.contains_label("TransientTransactionError") {
                self.transient = Some(e.clone());
            }
            StoreError::write(op, e)
        })
    }

    pub fn store(&self) -> &Store {
        self.store
    }

    pub(super) fn insert<T: Stored>(
        &mut self,
        op: &'static str,
        value: &T,
    ) -> Result<(), StoreError> {
        let coll = collection::<T>(self.store.work());
        let done = coll.insert_one(written(op, value)?).session(&mut *self.session).run();
        self.note(op, done).map(drop)
    }

    pub(super) fn insert_many<T: Stored>(
        &mut self,
        op: &'static str,
        values: &[T],
    ) -> Result<(), StoreError> {
        if values.is_empty() {
            return Ok(());
        }
        let coll = collection::<T>(self.store.work());
        let documents: Result<Vec<_>, _> = values.iter().map(|v| written(op, v)).collect();
        let done = coll.insert_many(documents?).session(&mut *self.session).run();
        self.note(op, done).map(drop)
    }

    pub(super) fn find_one<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
    ) -> Result<Option<T>, StoreError> {
        let coll = collection::<T>(self.store.work());
        let found = coll.find_one(filter).session(&mut *self.session).run();
        self.note(op, found)?.map(|document| read(op, document)).transpose()
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
        let coll = collection::<T>(self.store.work());
        let done = coll.update_one(filter, update).session(&mut *self.session).run();
        self.note(op, done).map(|r| Matched::of(r.matched_count))
    }

    /// Updates one document and answers some of its fields as they are afterwards.
    pub(super) fn update_get_as<T: Stored, P: DeserializeOwned + Send + Sync + Unpin>(
        &mut self,
        op: &'static str,
        filter: Document,
        update: Document,
        fields: Document,
    ) -> Result<Option<P>, StoreError> {
        let coll = collection::<T>(self.store.work());
        let doing = coll.find_one_and_update(filter, update).with_options(after());
        let done = doing.projection(fields).session(&mut *self.session).run();
        self.note(op, done)?.map(|document| read(op, document)).transpose()
    }

    pub(super) fn update_many<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
        update: Document,
    ) -> Result<u64, StoreError> {
        let coll = collection::<T>(self.store.work());
        let done = coll.update_many(filter, update).session(&mut *self.session).run();
        self.note(op, done).map(|r| r.matched_count)
    }

    /// Like [`Tx::find`] with a projection read as `P`.
    pub(super) fn find_as<T: Stored, P: DeserializeOwned + Send + Sync + Unpin>(
        &mut self,
        op: &'static str,
        filter: Document,
        options: FindOptions,
    ) -> Result<Vec<P>, StoreError> {
        let coll = collection::<T>(self.store.work());
        let found = coll.find(filter).with_options(options).session(&mut *self.session).run();
        let mut cursor = self.note(op, found)?;
        let mut all = Vec::new();
        loop {
            let item = cursor.next(&mut *self.session);
            match item {
                Some(item) => all.extend(readable::<T, P>(op)(self.note(op, item)?)),
                None => return Ok(all),
            }
        }
    }

    pub(super) fn delete<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
    ) -> Result<Matched, StoreError> {
        let coll = collection::<T>(self.store.work());
        let done = coll.delete_one(filter).session(&mut *self.session).run();
        self.note(op, done).map(|r| Matched::of(r.deleted_count))
    }

    pub(super) fn delete_many<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
    ) -> Result<u64, StoreError> {
        let coll = collection::<T>(self.store.work());
        let done = coll.delete_many(filter).session(&mut *self.session).run();
        self.note(op, done).map(|r| r.deleted_count)
    }

    /// Writes the guard document `name` of an invariant, so that of two transactions that rest on
    /// the same reading one conflicts and runs again (I6).
    pub fn guard(&mut self, name: &str) -> Result<(), StoreError> {
        let guards = self.store.work().collection::<Document>("guards");
        let doing = guards
            .update_one(doc! { "_id": name }, doc! { "$inc": { "writes": 1_i64 } })
            .upsert(true);
        let done = doing.session(&mut *self.session).run();
        self.note("write a guard", done).map(drop)
    }
}
