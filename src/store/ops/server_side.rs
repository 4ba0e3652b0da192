//! Operations whose values the server computes (pipelines, so that dates are `$$NOW`), and those
//! that change a document and answer it in one step.

use super::{Stored, Tx, after, collection, read, read_all};
use crate::limits;
use crate::store::{Store, StoreError};
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::options::{FindOneAndDeleteOptions, UpdateModifications};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// A value in a pipeline, where it would be an expression otherwise.
pub(in crate::store) fn literal(value: impl Into<Bson>) -> Document {
    doc! { "$literal": value.into() }
}

pub(in crate::store) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The server's time in a while, in a pipeline.
pub(in crate::store) fn in_time(duration: Duration) -> Document {
    doc! { "$add": ["$$NOW", ms(duration)] }
}

impl Store {
    /// Changes the first match by `sort` and answers it as it is afterwards.
    pub(in crate::store) fn modify<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
        sort: Document,
        pipeline: Vec<Document>,
    ) -> Result<Option<T>, StoreError> {
        let mut options = after();
        options.sort = Some(sort);
        let coll = collection::<T>(self.work());
        let done = coll.find_one_and_update(filter, pipeline).with_options(options).run();
        let found = done.map_err(|e| StoreError::write(op, e))?;
        found.map(|document| read(op, document)).transpose()
    }

    /// Removes the first match by `sort` and answers it.
    pub(in crate::store) fn remove<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
        sort: Document,
    ) -> Result<Option<T>, StoreError> {
        let options = FindOneAndDeleteOptions::builder()
            .sort(sort)
            .max_time(limits::STORE_OPERATION_MAX)
            .build();
        let coll = collection::<T>(self.work());
        let done = coll.find_one_and_delete(filter).with_options(options).run();
        let found = done.map_err(|e| StoreError::write(op, e))?;
        found.map(|document| read(op, document)).transpose()
    }

    /// Changes the one match or makes it.
    pub(in crate::store) fn upsert<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
        pipeline: Vec<Document>,
    ) -> Result<(), StoreError> {
        let done = collection::<T>(self.work()).update_one(filter, pipeline).upsert(true).run();
        done.map(drop).map_err(|e| StoreError::write(op, e))
    }

    /// Changes all that match; answers how many did.
    pub(in crate::store) fn update_all<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
        update: impl Into<UpdateModifications>,
    ) -> Result<u64, StoreError> {
        let done = collection::<T>(self.work()).update_many(filter, update).run();
        done.map(|r| r.matched_count).map_err(|e| StoreError::write(op, e))
    }

    pub(in crate::store) fn delete_all<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
    ) -> Result<u64, StoreError> {
        let done = collection::<T>(self.work()).delete_many(filter).run();
        done.map(|r| r.deleted_count).map_err(|e| StoreError::write(op, e))
    }

    /// Use with a stage that bounds the result.
    pub(in crate::store) fn aggregate<T: Stored, P: DeserializeOwned + Send + Sync + Unpin>(
        &self,
        op: &'static str,
        pipeline: Vec<Document>,
    ) -> Result<Vec<P>, StoreError> {
        let coll = collection::<T>(self.work());
        let doing = coll.aggregate(pipeline).max_time(limits::STORE_OPERATION_MAX);
        let found = doing.with_type::<RawDocumentBuf>().run();
        read_all(op, found.map_err(|e| StoreError::read(op, e))?)
    }
}

impl Tx<'_> {
    /// Changes the one match and answers it as it is afterwards.
    pub(in crate::store) fn modify<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
        pipeline: Vec<Document>,
    ) -> Result<Option<T>, StoreError> {
        let coll = collection::<T>(self.store.work());
        let doing = coll.find_one_and_update(filter, pipeline).with_options(after());
        let done = doing.session(&mut *self.session).run();
        self.note(op, done)?.map(|document| read(op, document)).transpose()
    }

    pub(in crate::store) fn upsert<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
        pipeline: Vec<Document>,
    ) -> Result<(), StoreError> {
        let coll = collection::<T>(self.store.work());
        let doing = coll.update_one(filter, pipeline).upsert(true);
        let done = doing.session(&mut *self.session).run();
        self.note(op, done).map(drop)
    }

    pub(in crate::store) fn count<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
    ) -> Result<u64, StoreError> {
        let coll = collection::<T>(self.store.work());
        let counted = coll.count_documents(filter).session(&mut *self.session).run();
        self.note(op, counted)
    }
}
