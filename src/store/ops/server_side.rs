//! Operations whose values the server computes (pipelines, so that dates are `$$NOW`), and those
//! that change a document and answer it in one step.

use super::{Stored, Tx, at};
use crate::store::seam::Request;
use crate::store::{Store, StoreError};
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::UpdateModifications;
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

fn upsert(filter: Document, update: UpdateModifications) -> Request {
    Request::Update { filter, update, upsert: true, many: false }
}

fn modify(filter: Document, sort: Option<Document>, update: UpdateModifications) -> Request {
    Request::Modify { filter, update, sort, fields: None, upsert: false }
}

impl Store {
    /// Changes the first match by `sort` and answers it as it is afterwards.
    pub(in crate::store) fn modify<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
        sort: Document,
        update: impl Into<UpdateModifications>,
    ) -> Result<Option<T>, StoreError> {
        self.ask_one(&at::<T>(op), modify(filter, Some(sort), update.into()))
    }

    /// Changes the one match or makes it, and answers it as it is afterwards.
    pub(in crate::store) fn upsert_get<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
        update: impl Into<UpdateModifications>,
    ) -> Result<Option<T>, StoreError> {
        let update = update.into();
        let request = Request::Modify { filter, update, sort: None, fields: None, upsert: true };
        self.ask_one(&at::<T>(op), request)
    }

    /// Removes the first match by `sort` and answers it.
    pub(in crate::store) fn remove<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
        sort: Document,
    ) -> Result<Option<T>, StoreError> {
        self.ask_one(&at::<T>(op), Request::Remove { filter, sort })
    }

    /// Changes the one match or makes it.
    pub(in crate::store) fn upsert<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
        update: impl Into<UpdateModifications>,
    ) -> Result<(), StoreError> {
        self.ask(&at::<T>(op), upsert(filter, update.into())).map(drop)
    }

    /// Changes all that match; answers how many did.
    pub(in crate::store) fn update_all<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
        update: impl Into<UpdateModifications>,
    ) -> Result<u64, StoreError> {
        let update = update.into();
        self.ask(&at::<T>(op), Request::Update { filter, update, upsert: false, many: true })
    }

    pub(in crate::store) fn delete_all<T: Stored>(
        &self,
        op: &'static str,
        filter: Document,
    ) -> Result<u64, StoreError> {
        self.ask(&at::<T>(op), Request::Delete { filter, many: true })
    }

    /// Use with a stage that bounds the result.
    pub(in crate::store) fn aggregate<T: Stored, P: DeserializeOwned + Send + Sync + Unpin>(
        &self,
        op: &'static str,
        stages: Vec<Document>,
    ) -> Result<Vec<P>, StoreError> {
        self.ask_readable(&at::<T>(op), Request::Aggregate { stages })
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
        self.ask_one(&at::<T>(op), modify(filter, None, pipeline.into()))
    }

    pub(in crate::store) fn upsert<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
        pipeline: Vec<Document>,
    ) -> Result<(), StoreError> {
        self.ask(&at::<T>(op), upsert(filter, pipeline.into())).map(drop)
    }

    pub(in crate::store) fn count<T: Stored>(
        &mut self,
        op: &'static str,
        filter: Document,
    ) -> Result<u64, StoreError> {
        self.ask(&at::<T>(op), Request::Count { filter })
    }
}
